"""What a script trains with: its optimizers, their steps, the schedules and the backward passes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from dlcheck.findings import Finding
from dlcheck.treatment.script.source import Function, Source, calls, dotted

OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam", "Adadelta", "Adamax", "ASGD", "LBFGS")
CLIPS = ("clip_grad_norm_", "clip_grad_value_", "clip_grad_norm")


@dataclass(frozen=True, slots=True)
class Step:
    """One place where an optimizer steps."""

    statement: ast.Expr
    optimizer: str
    scaler: str | None = None
    """Of mixed precision, that steps it."""


@dataclass(frozen=True, slots=True)
class Made:
    """An assignment of what a call makes: ``optimizer = SGD(…)``."""

    statement: ast.Assign
    name: str
    call: ast.Call


def steps(source: Source) -> list[Step]:
    """Return the statements by which optimizers step, in the order of the text."""
    known = {one.name for one in optimizers(source)}
    found = []
    for call in calls(source.tree):
        statement = source.statement(call)
        if isinstance(statement, ast.Expr) and statement.value is call and (name := stepped(call)) is not None:
            owner = dotted(call.func.value) if isinstance(call.func, ast.Attribute) and call.args else None
            if owner is not None or name in known or "opt" in last(name).lower():
                found.append(Step(statement, name, owner))
    return found


def stepped(call: ast.Call) -> str | None:
    """Return the optimizer that a call steps: ``opt.step()`` or ``scaler.step(opt)``."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "step"):
        return None
    owner = dotted(call.func.value)
    if not call.args and not call.keywords:
        return owner
    # A closure is no optimizer: only a scaler is told what to step.
    scaled = owner is not None and "scaler" in last(owner).lower()
    return dotted(call.args[0]) if scaled and len(call.args) == 1 and not call.keywords else None


def optimizers(source: Source) -> list[Made]:
    """Return the assignments that make optimizers."""
    return [one for one in made(source) if last(dotted(one.call.func) or "") in OPTIMIZERS]


def schedules(source: Source) -> list[Made]:
    """Return the assignments that make learning-rate schedules."""
    found = made(source)
    return [one for one in found if last(dotted(one.call.func) or "").endswith(("LR", "WarmRestarts", "OnPlateau"))]


def made(source: Source) -> list[Made]:
    """Return the assignments of calls to one name each."""
    return [
        Made(node, name, node.value)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1
        if (name := dotted(node.targets[0])) is not None
    ]


def parameters(source: Source, step: Step) -> str:
    """Return code for what an optimizer trains, as it can be named where it steps."""
    own = [one for one in optimizers(source) if last(one.name) == last(step.optimizer)]
    model = owner_of_parameters(own[0].call) if len(own) == 1 else None
    if model is not None and _visible(source, own[0], model, step):
        return f"{model}.parameters()"
    return f'[p for group in {step.optimizer}.param_groups for p in group["params"]]'


def owner_of_parameters(call: ast.Call) -> str | None:
    """Return ``model`` of ``SGD(model.parameters(), …)``, None for anything else."""
    first = call.args[0] if call.args else None
    whole = isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute) and first.func.attr == "parameters"
    return dotted(first.func.value) if whole and isinstance(first, ast.Call) else None  # type: ignore[attr-defined]


def _visible(source: Source, own: Made, model: str, step: Step) -> bool:
    there, here = source.scope(own.statement), source.scope(step.statement)
    if there is here:
        return True
    of_self = model.startswith("self.") and step.optimizer.startswith("self.") and own.name.startswith("self.")
    hidden = {*arguments_of(here), *(dotted(one) for one in ast.walk(here) if _stored(one))}
    return of_self or (there is source.tree and model.split(".")[0] not in hidden)


def _stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def arguments_of(node: ast.AST) -> set[str]:
    """Return the names of a function's parameters."""
    if not isinstance(node, Function):
        return set()
    return {one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}


def backwards(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the backward passes within a node."""
    for call in calls(node):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "backward":
            yield call


def loops(source: Source, node: ast.AST) -> list[ast.For | ast.While]:
    """Return the loops around a node within its function, the innermost first."""
    found: list[ast.For | ast.While] = []
    for outer in source.around(node):
        if isinstance(outer, Function):
            break
        if isinstance(outer, ast.For | ast.While):
            found.append(outer)
    return found


def called_in_loop(source: Source, scope: ast.AST) -> bool:
    """Return whether a function is called in a loop of the same file."""
    return isinstance(scope, Function) and any(
        last(dotted(call.func) or "") == scope.name and loops(source, call) for call in calls(source.tree)
    )


def at_line(source: Source, finding: Finding) -> list[ast.Call]:
    """Return the calls in the line that a finding is about."""
    line = finding.where.line
    if line is None:
        return []
    found = [call for statement in source.at(line) for call in calls(statement)]
    return [call for call in found if call.lineno <= line <= (call.end_lineno or call.lineno)]


def of_torch(source: Source, path: str) -> str | None:
    """Return how a file names ``torch.PATH`` by what it imports at its top, None where it cannot."""
    parts = f"torch.{path}".split(".")
    for node in source.tree.body:
        for imported in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            whole = f"{node.module}.{imported.name}" if isinstance(node, ast.ImportFrom) else imported.name
            bound = imported.asname or imported.name
            if isinstance(node, ast.Import) and imported.asname is None:
                whole = bound = imported.name.split(".")[0]
            known = whole.split(".")
            if parts[: len(known)] == known:
                return ".".join([bound, *parts[len(known) :]])
    return None


def last(name: str) -> str:
    """Return ``step`` of ``self.optimizer.step``."""
    return name.rpartition(".")[2]
