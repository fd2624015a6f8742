"""Edits that change a setting in a script: the learning rate, shuffling, the scale of the inputs."""

from __future__ import annotations

import ast
import re

from dlcheck.findings import Finding
from dlcheck.treatment.script.loop import last, made, optimizers
from dlcheck.treatment.script.source import Edit, Source, calls, dotted

FACTOR = re.compile(r"learning rate to ([0-9.e+-]+) times")
DEFAULTS = {"Adam": 1e-3, "AdamW": 1e-3}
"""Rates of optimizers that are given none."""
CYCLES = ("OneCycleLR", "CyclicLR")
"""Schedules that set a rate of their own."""


def learning_rate(source: Source, finding: Finding) -> list[Edit] | None:
    """Multiply the optimizer's rate by what the finding's remedy says, where it stands as a number."""
    factors = [float(match[1]) for one in finding.remedies if (match := FACTOR.search(one.text))]
    own = optimizers(source)
    if not factors or len(own) != 1 or any(one in source.text for one in CYCLES):
        return None
    call = own[0].call
    given = _rate(call)
    if given is None:
        return _default(source, call, factors[0])
    if re.search(r"""\[["']lr["']\]\s*=[^=]""", source.text) and isinstance(given, ast.Constant):
        return None  # the script sets the rate of each step itself
    value = given if isinstance(given, ast.Constant) else _behind(source, given)
    if value is None or not _is_number(value):
        return None
    rate = float(f"{float(str(value.value)) * factors[0]:.2g}")
    return [Edit(*source.span(value), repr(rate))]


def _rate(call: ast.Call) -> ast.expr | None:
    named = [one.value for one in call.keywords if one.arg == "lr"]
    return named[0] if named else call.args[1] if len(call.args) > 1 else None


def _default(source: Source, call: ast.Call, factor: float) -> list[Edit] | None:
    rate = DEFAULTS.get(last(dotted(call.func) or ""))
    starred = any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords)
    if rate is None or starred or len(call.args) != 1:
        return None
    place = source.span(call.args[0])[1]
    return [Edit(place, place, f", lr={float(f'{rate * factor:.2g}')!r}")]


def _behind(source: Source, given: ast.expr) -> ast.Constant | None:
    """Return the only number that a name stands for: a constant, a field of a class, an argument's default."""
    name = dotted(given)
    if name is None or _set_otherwise(source, last(name), given):
        return None
    field = last(name)
    found: list[ast.expr] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(last(dotted(one) or "") == field for one in targets) and node.value is not None:
                found.append(node.value)
        elif isinstance(node, ast.Call) and last(dotted(node.func) or "") == "add_argument":
            found += _argument(node, field)
    only = found[0] if len(found) == 1 else None
    return only if isinstance(only, ast.Constant) else None


def _set_otherwise(source: Source, field: str, given: ast.expr) -> bool:
    """Return whether a name may stand for more than one number: an argument of a function, a loop's variable."""
    stored = 0
    for node in ast.walk(source.tree):
        if isinstance(node, ast.arg) and node.arg == field:
            return True
        if isinstance(node, ast.keyword) and node.arg == field and node.value is not given:
            return True
        stored += isinstance(node, ast.Name) and node.id == field and isinstance(node.ctx, ast.Store)
    return stored > 1


def _argument(call: ast.Call, field: str) -> list[ast.expr]:
    flags = [str(one.value).lstrip("-").replace("-", "_") for one in call.args if isinstance(one, ast.Constant)]
    defaults = [one.value for one in call.keywords if one.arg == "default"]
    named = [one.value for one in call.keywords if one.arg == "dest"]
    if named:
        flags = [str(one.value) for one in named if isinstance(one, ast.Constant)]
    return defaults if field in flags else []


def shuffling(source: Source, finding: Finding) -> list[Edit] | None:
    """Shuffle in the loader that the finding names (D109)."""
    line = finding.where.line
    loaders = [call for call in calls(source.tree) if last(dotted(call.func) or "") == "DataLoader"]
    here = [call for call in loaders if line is not None and call.lineno <= line <= (call.end_lineno or call.lineno)]
    chosen = here if len(here) == 1 else loaders if len(loaders) == 1 else _looped_over(source, finding)
    if len(chosen) == 1 and any(one.arg == "sampler" for one in chosen[0].keywords):
        return _sampling(source)
    if len(chosen) != 1 or any(one.arg in ("batch_sampler", None) for one in chosen[0].keywords):
        return None
    if "IterableDataset" in source.text:  # which has no order of its own to shuffle
        return None
    for keyword in chosen[0].keywords:
        if keyword.arg == "shuffle":
            constant = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            return [Edit(*source.span(keyword.value), "True")] if constant else None
    given = [*chosen[0].args, *(keyword.value for keyword in chosen[0].keywords)]
    if not given or len(chosen[0].args) > 2 or any(isinstance(one, ast.Starred) for one in chosen[0].args):
        return None
    place = max(source.span(one)[1] for one in given)
    return [Edit(place, place, ", shuffle=True")]


def _sampling(source: Source) -> list[Edit] | None:
    """Shuffle in the only distributed sampler."""
    samplers = [call for call in calls(source.tree) if last(dotted(call.func) or "") == "DistributedSampler"]
    told = [one.value for call in samplers for one in call.keywords if one.arg == "shuffle"]
    if len(samplers) != 1 or len(told) != 1 or not (isinstance(told[0], ast.Constant) and told[0].value is False):
        return None
    return [Edit(*source.span(told[0]), "True")]


def _looped_over(source: Source, finding: Finding) -> list[ast.Call]:
    """Return the loader whose name the loop around the finding's line takes its batches from."""
    line = finding.where.line or 0
    found = [one for one in ast.walk(source.tree) if isinstance(one, ast.For) and _around(one, line)]
    inner = max(found, key=lambda one: one.lineno, default=None)
    names = {name for one in ast.walk(inner.iter) if (name := dotted(one))} if inner is not None else set()
    return [one.call for one in made(source) if one.name in names and last(dotted(one.call.func) or "") == "DataLoader"]


def _around(loop: ast.For, line: int) -> bool:
    return loop.lineno <= line <= (loop.end_lineno or loop.lineno)


def standardised(source: Source, finding: Finding) -> list[Edit] | None:
    """Standardise what scikit-learn has split, with the statistics of the part that is trained on (D102)."""
    del finding  # it names the model's call; the split is further up
    found = [call for call in calls(source.tree) if last(dotted(call.func) or "") == "train_test_split"]
    statement = source.statement(found[0]) if len(found) == 1 else None
    if not isinstance(statement, ast.Assign) or "Scaler" in source.text or len(found[0].args) != 2:
        return None
    target = statement.targets[0]
    names = [dotted(one) for one in target.elts] if isinstance(target, ast.Tuple) else []
    used = {"input_mean", "input_scale"} & {one.id for one in ast.walk(source.tree) if isinstance(one, ast.Name)}
    if len(names) != 4 or None in names[:2] or used:
        return None
    train, rest = names[0], names[1]
    code = (
        f"input_mean, input_scale = {train}.mean(0), {train}.std(0)",
        "input_scale = input_scale + (input_scale == 0)  # a column that never changes stays as it is",
        f"{train}, {rest} = ({train} - input_mean) / input_scale, ({rest} - input_mean) / input_scale",
    )
    edit = source.after(statement, *code)
    return None if edit is None else [edit]


def _is_number(value: ast.Constant) -> bool:
    return isinstance(value.value, int | float) and not isinstance(value.value, bool)
