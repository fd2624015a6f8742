"""Edits of gradient clipping and of the gradient scaler: between the backward pass and the step, in order."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from dlcheck.findings import Finding
from dlcheck.treatment.script.loop import (
    CLIPS,
    Step,
    at_line,
    backwards,
    last,
    made,
    of_torch,
    parameters,
    steps,
)
from dlcheck.treatment.script.source import Edit, Source, calls, dotted

LIMIT = re.compile(r"clip the gradient to norm ([0-9.e+-]+)")
RAISED = re.compile(r"raise the limit to ([0-9.e+-]+)")


def clip(source: Source, finding: Finding) -> list[Edit] | None:
    """Clip before the only step, behind the backward pass and the scaler's unscaling (G302)."""
    limits = [float(match[1]) for one in finding.remedies if (match := LIMIT.search(one.text))]
    found, name = steps(source), of_torch(source, "nn.utils.clip_grad_norm_")
    if not limits or len(found) != 1 or name is None or any(one in source.text for one in CLIPS):
        return None
    step = found[0]
    if not any(True for _ in backwards(source.scope(step.statement))):
        return None
    code = f"{name}({parameters(source, step)}, max_norm={limits[0]!r})"
    edit = source.before(step.statement, *_unscaling(source, step), code)
    return None if edit is None else [edit]


def unscale(source: Source, finding: Finding) -> list[Edit] | None:
    """Unscale the gradients before they are clipped (G308)."""
    statement = _clipping(source, finding)
    step = _step_beside(source, statement) if statement is not None else None
    if statement is None or step is None or "unscale_" not in _remedy(finding):
        return None
    lines = _unscaling(source, step)
    block = source.block(statement)
    edit = source.before(statement, *lines) if lines and block.index(statement) < block.index(step.statement) else None
    return None if edit is None else [edit]


def between(source: Source, finding: Finding) -> list[Edit] | None:
    """Move clipping to its place between the backward pass and the step (G308)."""
    statement = _clipping(source, finding)
    step = _step_beside(source, statement) if statement is not None else None
    if statement is None or step is None or "between" not in _remedy(finding):
        return None
    block = source.block(statement)
    passes = [place for place, one in enumerate(block) if isinstance(one, ast.Expr) and any(backwards(one))]
    own, stepping = block.index(statement), block.index(step.statement)
    if len(passes) != 1 or not passes[0] < stepping or passes[0] < own < stepping:
        return None
    return source.moved_before(statement, step.statement, _unscaling(source, step))


def limit(source: Source, finding: Finding) -> list[Edit] | None:
    """Raise the limit of clipping, where it stands as a number (G308)."""
    statement, match = _clipping(source, finding), RAISED.search(_remedy(finding))
    if statement is None or match is None or not isinstance(statement.value, ast.Call):
        return None
    call = statement.value
    named = [one.value for one in call.keywords if one.arg == "max_norm"]
    value = named[0] if named else call.args[1] if len(call.args) > 1 else None
    if not isinstance(value, ast.Constant) or not isinstance(value.value, int | float):
        return None
    return [Edit(*source.span(value), repr(float(match[1])))]


def scaler_order(source: Source, finding: Finding) -> list[Edit] | None:
    """Scale the loss that a scaler steps with, or step through the scaler that scaled it."""
    del finding  # a fault of order shows in the file alone, whatever it came out as
    found, passes = steps(source), list(backwards(source.tree))
    if len(found) != 1 or len(passes) != 1 or _may_be_off(source):
        return None
    step, statement = found[0], source.statement(passes[0])
    func = passes[0].func
    if not isinstance(func, ast.Attribute) or passes[0].args or statement not in source.block(step.statement):
        return None
    scaled = _scaled_by(func.value)
    if step.scaler is not None and scaled is None and ".scale(" not in source.text and dotted(func.value) is not None:
        return [Edit(*source.span(func.value), f"{step.scaler}.scale({source.said(func.value)})")]
    if step.scaler is None and scaled is not None and f"{scaled}.step(" not in source.text:
        stepping = Edit(*source.span(step.statement), f"{scaled}.step({step.optimizer})")
        update = source.after(step.statement, f"{scaled}.update()")
        if f"{scaled}.update(" in source.text:
            return [stepping]
        return None if update is None else [stepping, update]
    return None


def _scaled_by(loss: ast.expr) -> str | None:
    """Return the scaler of ``scaler.scale(loss)``."""
    if isinstance(loss, ast.Call) and isinstance(loss.func, ast.Attribute) and loss.func.attr == "scale":
        return dotted(loss.func.value)
    return None


def _may_be_off(source: Source) -> bool:
    """Return whether the file's scaler may be disabled, or is none that is seen to be made."""
    own = [one.call for one in made(source) if last(dotted(one.call.func) or "") == "GradScaler"]
    return len(own) != 1 or any(one.arg in ("enabled", None) for one in own[0].keywords)


def _unscaling(source: Source, step: Step) -> Sequence[str]:
    if step.scaler is None or f"{step.scaler}.unscale_(" in source.text:
        return ()
    return (f"{step.scaler}.unscale_({step.optimizer})",)


def _clipping(source: Source, finding: Finding) -> ast.Expr | None:
    """Return the statement that clips in the finding's line."""
    found = [call for call in at_line(source, finding) if last(dotted(call.func) or "") in CLIPS]
    statement = source.statement(found[0]) if len(found) == 1 else None
    return statement if isinstance(statement, ast.Expr) and statement.value is found[0] else None


def _step_beside(source: Source, statement: ast.stmt) -> Step | None:
    """Return the only step in the block of a statement."""
    block = source.block(statement)
    found = [one for one in steps(source) if one.statement in block]
    others = [call for one in block for call in calls(one) if last(dotted(call.func) or "") in CLIPS]
    return found[0] if len(found) == 1 and len(others) == 1 else None


def _remedy(finding: Finding) -> str:
    return finding.remedies[0].text if finding.remedies else ""
