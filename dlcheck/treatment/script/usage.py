"""Edits against faults of usage in the loop: gradients that are not cleared, steps that are missing, modes."""

from __future__ import annotations

import ast

from dlcheck.findings import Finding
from dlcheck.treatment.script.loop import (
    CLIPS,
    arguments_of,
    at_line,
    backwards,
    last,
    loops,
    optimizers,
    stepped,
    steps,
)
from dlcheck.treatment.script.source import Edit, Function, Source, calls, dotted

MODELS = ("model", "net", "network", "module")
"""Names by which functions take a model."""
OWNED = ("parameters", "train", "eval", "state_dict", "to", "cuda")
"""What is called on a model."""
NO_GRAD = ("no_grad", "inference_mode")
ONE_BACKWARD = 1.01
"""Backward passes a step, above which gradients are added up on purpose."""


def zero_grad(source: Source, finding: Finding) -> list[Edit] | None:
    """Clear the gradients right before the backward pass of the step that found them (G306)."""
    found = [call for call in at_line(source, finding) if stepped(call) is not None]
    statement = source.statement(found[0]) if len(found) == 1 else None
    if not isinstance(statement, ast.Expr) or statement.value is not found[0]:
        return _in_closure(source, finding)
    code, several = f"{stepped(found[0])}.zero_grad()", len({one.optimizer for one in steps(source)}) > 1
    passes = _passes_before(source, statement)
    # With several optimizers, another one's pass may have reached these parameters as well.
    if not several and not _number(finding, "backwards_per_step") <= ONE_BACKWARD:
        return None
    if len(passes) == 1:
        edit = source.before(passes[0], code)
    elif several or passes:
        return None  # another network's backward pass may come between this step and its next pass
    else:
        edit = source.after(statement, code)
    return None if edit is None else [edit]


def _passes_before(source: Source, statement: ast.stmt) -> list[ast.stmt]:
    """Return the backward passes in a step's block, behind the step before it."""
    block, others = source.block(statement), [one.statement for one in steps(source)]
    before = block[: block.index(statement)]
    last_step = max((place for place, one in enumerate(before) if one in others), default=-1)
    return [one for one in before[last_step + 1 :] if isinstance(one, ast.Expr) and any(backwards(one))]


def zero_grad_after(source: Source, finding: Finding) -> list[Edit] | None:
    """Clear the gradients behind the only step, where they are added up over several passes (G306)."""
    found = steps(source)
    if len(found) != 1 or finding.where.line is None:
        return None
    statement = found[0].statement
    if not statement.lineno <= finding.where.line <= (statement.end_lineno or statement.lineno):
        return None
    block = source.block(statement)
    behind = block[block.index(statement) + 1 :][:1]
    name = dotted(behind[0].value.func) if behind and _is_call(behind[0]) else None  # type: ignore[attr-defined]
    place = behind[0] if name is not None and last(name) == "update" else statement
    edit = source.after(place, f"{found[0].optimizer}.zero_grad()")
    return None if edit is None else [edit]


def _is_call(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


def _in_closure(source: Source, finding: Finding) -> list[Edit] | None:
    """Clear the gradients first in the function that the only ``optimizer.step(closure)`` is given."""
    given = [
        (dotted(call.func.value), call.args[0].id)
        for call in calls(source.tree)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "step" and len(call.args) == 1
        if isinstance(call.args[0], ast.Name)
    ]
    owner, name = given[0] if len(given) == 1 else (None, "")
    closures = [one for one in ast.walk(source.tree) if isinstance(one, Function) and one.name == name]
    if finding.where.line is None or len(closures) != 1 or owner not in {one.name for one in optimizers(source)}:
        return None
    if not any(backwards(closures[0])):
        return None
    edit = source.before(closures[0].body[0], f"{owner}.zero_grad()")
    return None if edit is None else [edit]


def step(source: Source, finding: Finding) -> list[Edit] | None:
    """Step behind the only backward pass, where the only optimizer never steps (G307)."""
    del finding  # it is about every layer; the file alone tells where
    own, passes = optimizers(source), list(backwards(source.tree))
    if len(own) != 1 or len(passes) != 1 or _steps_at_all(source):
        return None
    statement = source.statement(passes[0])
    if not isinstance(statement, ast.Expr) or not _reaches(source, own[0].statement, own[0].name, statement):
        return None
    if ".scale(" in source.said(statement) or not loops(source, statement):
        return None
    place = _behind_clipping(source, statement)
    edit = source.after(place, f"{own[0].name}.step()")
    return None if edit is None else [edit]


def _steps_at_all(source: Source) -> bool:
    """Return whether anything may step: an optimizer, or a loop of somebody else's."""
    found = [call for call in calls(source.tree) if isinstance(call.func, ast.Attribute) and call.func.attr == "step"]
    return any("sched" not in (dotted(one.func) or "").lower() for one in found)


def _reaches(source: Source, made: ast.stmt, name: str, statement: ast.stmt) -> bool:
    """Return whether the name of what was made is known at a statement."""
    there, here = source.scope(made), source.scope(statement)
    return there is here or name in arguments_of(here) or there is source.tree or name.startswith("self.")


def _behind_clipping(source: Source, statement: ast.stmt) -> ast.stmt:
    block = source.block(statement)
    behind = block[block.index(statement) + 1 :]
    clips = [one for one in behind if any(last(dotted(call.func) or "") in CLIPS for call in calls(one))]
    return clips[-1] if clips else statement


def eval_mode(source: Source, finding: Finding) -> list[Edit] | None:
    """Evaluate in evaluation mode, and train in training mode afterwards (M212)."""
    model, loop = _model_and_loop(source, finding)
    outer = _evaluation(source, finding, loop)
    if model is None or outer is None or _trains(outer) or _parts_apart(source, model):
        return None
    first = source.before(outer, f"{model}.eval()")
    if _trained_anew(source, model, outer):
        return None if first is None else [first]
    back = None if _leaves(outer) else source.after(outer, f"{model}.train()")
    return None if first is None or back is None else [first, back]


def train_mode(source: Source, finding: Finding) -> list[Edit] | None:
    """Set training mode before the loop over batches (M213)."""
    model, loop = _model_and_loop(source, finding) if finding.where.line is not None else _trained(source)
    if model is None or loop is None or _parts_apart(source, model):
        return None
    # What changes the mode within the loop would undo what is set before it.
    inner = isinstance(loop, ast.For | ast.While) and _changes_mode(source, loop)
    edit = source.before(loop.body[0] if inner and isinstance(loop, ast.For | ast.While) else loop, f"{model}.train()")
    return None if edit is None else [edit]


def _parts_apart(source: Source, model: str) -> bool:
    """Return whether a part of the model is set to a mode of its own, which that of the whole would undo."""
    names = [dotted(call.func) or "" for call in calls(source.tree)]
    return any(
        name.startswith(f"{model}.") and name.endswith((".eval", ".train")) and name.count(".") > model.count(".") + 1
        for name in names
    )


def _trained(source: Source) -> tuple[str | None, ast.stmt | None]:
    """Return the model of the only backward pass and the loop around it, by the names that are known there."""
    passes = list(backwards(source.tree))
    around = loops(source, passes[0]) if len(passes) == 1 else []
    if not around:
        return None, None
    called = {name for call in calls(around[0]) if (name := dotted(call.func)) is not None}
    models = {name for name in called if any(_is_model(source, call, name) for call in _of(around[0], name))}
    return (models.pop() if len(models) == 1 else None), around[0]


def _of(node: ast.AST, name: str) -> list[ast.Call]:
    return [call for call in calls(node) if dotted(call.func) == name]


def _changes_mode(source: Source, loop: ast.stmt) -> bool:
    """Return whether a loop sets evaluation mode, itself or by a function of the file."""
    names = {last(dotted(call.func) or "") for call in calls(loop)}
    called = [one for one in ast.walk(source.tree) if isinstance(one, Function) and one.name in names]
    return "eval" in names or any("eval" in {last(dotted(c.func) or "") for c in calls(one)} for one in called)


def _trained_anew(source: Source, model: str, evaluation: ast.stmt) -> bool:
    """Return whether each pass over the training data begins with ``model.train()``, the evaluation not among them."""
    scope = source.scope(evaluation)
    name = scope.name if isinstance(scope, Function) else None
    for call in calls(source.tree):
        statement = source.statement(call)
        if not (isinstance(call.func, ast.Attribute) and call.func.attr == "train" and statement is not None):
            continue
        if last(dotted(call.func.value) or "") != last(model) or call.args:
            continue
        block = source.block(statement)
        behind = block[block.index(statement) + 1 :]
        over = [one for one in behind if isinstance(one, ast.For | ast.While) and any(backwards(one))]
        apart = bool(over) and evaluation not in ast.walk(over[0])
        if apart and name not in {last(dotted(one.func) or "") for one in calls(over[0])}:
            return True
    return False


def _model_and_loop(source: Source, finding: Finding) -> tuple[str | None, ast.stmt | None]:
    """Return the model that is called at the finding's line, and the innermost loop around it."""
    found = at_line(source, finding)
    models = {name for call in found if (name := dotted(call.func)) is not None and _is_model(source, call, name)}
    around = [one for call in found[:1] for one in source.around(call) if isinstance(one, ast.For | ast.While)]
    return (models.pop() if len(models) == 1 else None), (around[0] if around else None)


def _is_model(source: Source, call: ast.Call, name: str) -> bool:
    used = any(f"{name}.{method}(" in source.text for method in OWNED)
    return used or (name in MODELS and any(name in arguments_of(one) for one in source.around(call)))


def _evaluation(source: Source, finding: Finding, loop: ast.stmt | None) -> ast.stmt | None:
    """Return the ``with torch.no_grad()`` around the finding's line, else the innermost loop around it.

    In a function without either that trains nothing, it is the statement itself.
    """
    for call in at_line(source, finding)[:1]:
        for outer in source.around(call):
            if isinstance(outer, ast.With) and any(_is_no_grad(item.context_expr) for item in outer.items):
                return outer
            if isinstance(outer, Function):
                alone = loop is None or outer not in source.around(loop)
                return source.statement(call) if alone and not _trains(outer) else loop
    return loop


def _trains(block: ast.AST) -> bool:
    """Return whether a block trains as well: its mode must not be changed as a whole."""
    made = [call.func.attr for call in calls(block) if isinstance(call.func, ast.Attribute)]
    return bool({"backward", "step"} & set(made))


def _is_no_grad(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and last(dotted(node.func) or "") in NO_GRAD


def _leaves(loop: ast.stmt) -> bool:
    """Return whether the loop may end without what follows it."""
    return any(isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in ast.walk(loop))


def _number(finding: Finding, key: str) -> float:
    value = finding.evidence.get(key)
    return float(value) if isinstance(value, int | float) else float("nan")
