"""Edits that change a setting in a script: the learning rate, shuffling, a loss that is kept with its graph."""

from __future__ import annotations

import ast
import re

from dlcheck.findings import Finding
from dlcheck.treatment.script.source import Edit, Source, calls, dotted

OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam", "Adadelta", "Adamax", "ASGD", "LBFGS")
FACTOR = re.compile(r"learning rate to ([0-9.e+-]+) times")


def learning_rate(source: Source, finding: Finding) -> list[Edit] | None:
    """Multiply the optimizer's rate by what the finding's remedy says, where it stands as a number."""
    factors = [float(match[1]) for one in finding.remedies if (match := FACTOR.search(one.text))]
    made = [call for call in calls(source.tree) if (dotted(call.func) or "").split(".")[-1] in OPTIMIZERS]
    if not factors or len(made) != 1:
        return None
    for keyword in made[0].keywords:
        if keyword.arg == "lr" and isinstance(keyword.value, ast.Constant) and _is_number(keyword.value.value):
            rate = float(f"{float(str(keyword.value.value)) * factors[0]:.2g}")
            return [Edit(*source.span(keyword.value), repr(rate))]
    return None


def shuffling(source: Source, finding: Finding) -> list[Edit] | None:
    """Shuffle in the loader that the finding names (D109)."""
    line = finding.where.line
    made = [call for call in calls(source.tree) if (dotted(call.func) or "").split(".")[-1] == "DataLoader"]
    here = [call for call in made if line is not None and call.lineno <= line <= (call.end_lineno or call.lineno)]
    chosen = here if len(here) == 1 else made if len(made) == 1 else []
    if not chosen or any(keyword.arg in ("sampler", "batch_sampler", None) for keyword in chosen[0].keywords):
        return None
    for keyword in chosen[0].keywords:
        if keyword.arg == "shuffle":
            constant = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            return [Edit(*source.span(keyword.value), "True")] if constant else None
    last = [*chosen[0].args, *(keyword.value for keyword in chosen[0].keywords)]
    if not last or len(chosen[0].args) > 2:
        return None
    place = max(source.span(one)[1] for one in last)
    return [Edit(place, place, ", shuffle=True")]


def item(source: Source, finding: Finding) -> list[Edit] | None:
    """Add up numbers, not losses with their graphs (G311)."""
    line = finding.where.line
    added = [one for one in (source.at(line) if line is not None else []) if isinstance(one, ast.AugAssign)]
    if len(added) != 1 or dotted(added[0].value) is None:
        return None
    return [Edit(*source.span(added[0].value), f"{source.said(added[0].value)}.item()")]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
