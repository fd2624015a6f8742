"""Edits against faults of usage: exact ones, where the place is certain; None where it is not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dlcheck.findings import Finding
from dlcheck.treatment.script.source import Edit, Source, calls, dotted

MODELS = ("model", "net", "network", "module")
"""Names by which functions take a model."""
OWNED = ("parameters", "train", "eval", "state_dict", "to", "cuda")
"""What is called on a model."""
NO_GRAD = ("no_grad", "inference_mode")
ONE_BACKWARD = 1.01
"""Backward passes a step, above which gradients are added up on purpose."""
SQUASHES = {"softmax": ("softmax", "Softmax"), "sigmoid": ("sigmoid", "Sigmoid")}
"""Function and module that make probabilities."""


def zero_grad(source: Source, finding: Finding) -> list[Edit] | None:
    """Clear the gradients right after the step that used them (G306)."""
    if not _number(finding, "backwards_per_step") <= ONE_BACKWARD:
        return None
    steps = [call for call in _at(source, finding) if _stepped(call) is not None]
    statement = source.statement(steps[0]) if len(steps) == 1 else None
    if not isinstance(statement, ast.Expr) or statement.value is not steps[0]:
        return None
    edit = source.after(statement, f"{_stepped(steps[0])}.zero_grad()")
    return None if edit is None else [edit]


def no_squash(source: Source, finding: Finding) -> list[Edit] | None:
    """Take the softmax (or sigmoid) before the loss away (M206)."""
    names = SQUASHES.get(str(finding.evidence.get("made_by")))
    if names is None:
        return None
    here = [edit for call in _at(source, finding) if (edit := _without(source, call, names)) is not None]
    found = here or list(_in_models(source, names))
    return found if len(found) == 1 else None


def eval_mode(source: Source, finding: Finding) -> list[Edit] | None:
    """Evaluate in evaluation mode, and train in training mode afterwards (M212)."""
    model, loop = _model_and_loop(source, finding)
    outer = _evaluation(source, finding, loop)
    if model is None or outer is None or _leaves(outer) or _trains(outer):
        return None
    edits = [source.before(outer, f"{model}.eval()"), source.after(outer, f"{model}.train()")]
    return None if None in edits else [edit for edit in edits if edit is not None]


def train_mode(source: Source, finding: Finding) -> list[Edit] | None:
    """Set training mode before the loop over batches (M213)."""
    model, loop = _model_and_loop(source, finding)
    edit = source.before(loop, f"{model}.train()") if model is not None and loop is not None else None
    return None if edit is None else [edit]


def _at(source: Source, finding: Finding) -> list[ast.Call]:
    line = finding.where.line
    if line is None:
        return []
    found = [call for statement in source.at(line) for call in calls(statement)]
    return [call for call in found if call.lineno <= line <= (call.end_lineno or call.lineno)]


def _stepped(call: ast.Call) -> str | None:
    """Return the optimizer that a call steps: ``opt.step()`` or ``scaler.step(opt)``."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "step"):
        return None
    owner = dotted(call.func.value)
    if not call.args and not call.keywords:
        return owner
    # A closure is no optimizer: only a scaler is told what to step.
    scaled = owner is not None and "scaler" in owner.split(".")[-1].lower()
    return dotted(call.args[0]) if scaled and len(call.args) == 1 and not call.keywords else None


def _without(source: Source, call: ast.Call, names: tuple[str, str]) -> Edit | None:
    """Return the edit that leaves of ``F.softmax(x, dim=1)`` or ``x.softmax(1)`` only ``x``."""
    if _named(call) != names[0]:
        return None
    owner = dotted(call.func.value) if isinstance(call.func, ast.Attribute) else None
    of_torch = isinstance(call.func, ast.Name) or (owner or "").split(".")[0] in ("torch", "F", "nn", "functional")
    of_self = owner == "self"
    inner = call.args[0] if (of_torch or of_self) and call.args else None
    if inner is None and isinstance(call.func, ast.Attribute) and not of_self:
        inner = call.func.value
    if inner is None or isinstance(inner, ast.Starred) or any(_named(one) == names[0] for one in calls(inner)):
        return None
    kept = source.said(inner)
    plain = isinstance(inner, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    return Edit(*source.span(call), kept if plain else f"({kept})")


def _named(call: ast.Call) -> str | None:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else None


def _in_models(source: Source, names: tuple[str, str]) -> Iterator[Edit]:
    """Yield the edits that take such calls out of ``forward`` methods, and such modules from the end of Sequentials."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "forward":
            for call in _answers(node):
                edit = _without(source, call, names)
                if edit is not None:
                    yield edit
        elif isinstance(node, ast.Call) and (dotted(node.func) or "").endswith("Sequential") and len(node.args) > 1:
            last = node.args[-1]
            if isinstance(last, ast.Call) and (dotted(last.func) or "").split(".")[-1] == names[1]:
                yield Edit(source.span(node.args[-2])[1], source.span(last)[1], "")


def _answers(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.Call]:
    """Yield the calls that a function returns, at once or by a name; others, as of attention, belong inside it."""
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    names = {value.id for value in returned if isinstance(value, ast.Name)}
    for value in returned:
        if isinstance(value, ast.Call):
            yield value
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id in names and node is _last_set(function, target.id):
                yield node.value


def _last_set(function: ast.AST, name: str) -> ast.AST | None:
    """Return the last statement of a function that sets a name."""
    found = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id == name
    ]
    return max(found, key=lambda node: node.lineno, default=None)


def _model_and_loop(source: Source, finding: Finding) -> tuple[str | None, ast.stmt | None]:
    """Return the model that is called at the finding's line, and the innermost loop around it."""
    found = _at(source, finding)
    models = {name for call in found if (name := dotted(call.func)) is not None and _is_model(source, call, name)}
    loops = [one for call in found[:1] for one in source.around(call) if isinstance(one, ast.For | ast.While)]
    return (models.pop() if len(models) == 1 else None), (loops[0] if loops else None)


def _is_model(source: Source, call: ast.Call, name: str) -> bool:
    used = any(f"{name}.{method}(" in source.text for method in OWNED)
    return used or (name in MODELS and any(name in _parameters(one) for one in source.around(call)))


def _parameters(node: ast.AST) -> set[str]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return set()
    return {one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}


def _evaluation(source: Source, finding: Finding, loop: ast.stmt | None) -> ast.stmt | None:
    """Return the ``with torch.no_grad()`` around the finding's line, else the innermost loop around it."""
    for call in _at(source, finding)[:1]:
        for outer in source.around(call):
            if isinstance(outer, ast.With) and any(_is_no_grad(item.context_expr) for item in outer.items):
                return outer
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
                break
    return loop


def _trains(block: ast.stmt) -> bool:
    """Return whether a block trains as well: its mode must not be changed as a whole."""
    made = [call.func.attr for call in calls(block) if isinstance(call.func, ast.Attribute)]
    return bool({"backward", "step"} & set(made))


def _is_no_grad(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and (dotted(node.func) or "").split(".")[-1] in NO_GRAD


def _leaves(loop: ast.stmt) -> bool:
    """Return whether the loop may end without what follows it."""
    return any(isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in ast.walk(loop))


def _number(finding: Finding, key: str) -> float:
    value = finding.evidence.get(key)
    return float(value) if isinstance(value, int | float) else float("nan")
