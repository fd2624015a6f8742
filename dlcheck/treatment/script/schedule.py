"""Edits that step a learning-rate schedule at its place: after the optimizer's step, or after the epoch (G312)."""

from __future__ import annotations

import ast

from dlcheck.findings import Finding
from dlcheck.treatment.script.loop import (
    Made,
    at_line,
    called_in_loop,
    last,
    loops,
    schedules,
    steps,
)
from dlcheck.treatment.script.source import Edit, Source, calls, dotted


def after_optimizer(source: Source, finding: Finding) -> list[Edit] | None:
    """Step the schedule behind the optimizer's step in the same block, not before it."""
    statement = _stepping(source, finding)
    if statement is None or "after optimizer.step()" not in _remedy(finding):
        return None
    block = source.block(statement)
    found = [one for one in steps(source) if one.statement in block]
    if len(found) != 1 or block.index(found[0].statement) < block.index(statement):
        return None
    return source.moved(statement, after=_with_update(source, found[0].statement))


def end_of_epoch(source: Source, finding: Finding) -> list[Edit] | None:
    """Step the schedule at the end of the epoch, not at its beginning."""
    statement = _stepping(source, finding)
    if statement is None or "at the end of the epoch" not in _remedy(finding):
        return None
    block, around = source.block(statement), loops(source, statement)
    if not around or block is not around[0].body or block.index(statement) == len(block) - 1:
        return None
    inside = [one for one in steps(source) if around[0] in loops(source, one.statement)]
    skipped = any(isinstance(node, ast.Continue) for node in ast.walk(around[0]))
    if any(one.statement in block for one in inside) or skipped or _leaves(around[0]):
        return None
    return source.moved(statement, after=block[-1])


def out_of_batches(source: Source, finding: Finding) -> list[Edit] | None:
    """Step a schedule of epochs behind the loop over batches."""
    statement = _stepping(source, finding)
    if statement is None or "out of the loop" not in _remedy(finding):
        return None
    around = loops(source, statement)
    if not around or source.block(statement) is not around[0].body:
        return None
    in_epochs = len(around) == 2 or (len(around) == 1 and called_in_loop(source, source.scope(statement)))
    stepped = any(one.statement in ast.walk(around[0]) for one in steps(source))
    if not in_epochs or not stepped or _leaves(around[0]) or around[0].orelse:
        return None
    return _reindented(source, statement, around[0])


def into_batches(source: Source, finding: Finding) -> list[Edit] | None:
    """Step a schedule of batches right after the optimizer."""
    statement = _stepping(source, finding)
    if statement is None or "into the loop" not in _remedy(finding):
        return None
    scope = source.scope(statement)
    found = [one for one in steps(source) if source.scope(one.statement) is scope]
    around = loops(source, statement)
    if len(found) != 1 or not around or around[0] not in loops(source, found[0].statement)[1:]:
        return None
    return _reindented(source, statement, _with_update(source, found[0].statement))


def never(source: Source, finding: Finding) -> list[Edit] | None:
    """Step a schedule that is made and not used, after each epoch or step as its length tells."""
    epochs, horizon, taken = (finding.evidence.get(key) for key in ("epochs", "horizon", "optimizer_steps"))
    known = isinstance(epochs, int | float) and isinstance(horizon, int | float) and isinstance(taken, int | float)
    own, found = schedules(source), steps(source)
    if "call scheduler.step() after each epoch" not in _remedy(finding) or not known:
        return None
    if len(own) != 1 or len(found) != 1 or not _visible(source, own[0], found[0].statement):
        return None
    assert isinstance(epochs, int | float)
    assert isinstance(horizon, int | float)
    assert isinstance(taken, int | float)
    code = f"{own[0].name}.step()"
    if abs(horizon - taken) <= 1 < abs(horizon - epochs):
        edit = source.after(_with_update(source, found[0].statement), code)
        return None if edit is None else [edit]
    around = loops(source, found[0].statement)
    if abs(horizon - epochs) > 1 or len(around) != 2 or around[0] not in around[1].body or _leaves(around[0]):
        return None
    edit = source.after(around[0], code)
    return None if edit is None else [edit]


def _visible(source: Source, own: Made, statement: ast.stmt) -> bool:
    same = source.scope(own.statement) is source.scope(statement) and own.statement.lineno < statement.lineno
    return same or own.name.startswith("self.")


def _reindented(source: Source, statement: ast.stmt, target: ast.stmt) -> list[Edit] | None:
    if statement.lineno != statement.end_lineno:
        return None
    return source.moved(statement, after=target)


def _with_update(source: Source, statement: ast.stmt) -> ast.stmt:
    """Return a step's statement, or that of ``scaler.update()`` where it comes next."""
    block = source.block(statement)
    place = block.index(statement) + 1
    behind = block[place] if place < len(block) else None
    if isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Call):
        name = dotted(behind.value.func) or ""
        if last(name) == "update" and "scaler" in name.lower():
            return behind
    return statement


def _stepping(source: Source, finding: Finding) -> ast.Expr | None:
    """Return the statement in the finding's line that steps a schedule; None where it is not the only one."""
    found = [call for call in at_line(source, finding) if last(dotted(call.func) or "") == "step"]
    statement = source.statement(found[0]) if len(found) == 1 else None
    if not isinstance(statement, ast.Expr) or statement.value is not found[0]:
        return None
    name = dotted(found[0].func)
    everywhere = [call for call in calls(source.tree) if dotted(call.func) == name]
    return statement if len(everywhere) == 1 and not any(one.statement is statement for one in steps(source)) else None


def _leaves(loop: ast.For | ast.While) -> bool:
    """Return whether a loop's own end may be passed by."""
    return any(isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in ast.walk(loop))


def _remedy(finding: Finding) -> str:
    return finding.remedies[0].text if finding.remedies else ""
