"""Edits of what an optimizer trains, and of how its weights begin."""

from __future__ import annotations

import ast

from dlcheck.findings import Finding
from dlcheck.treatment.script.loop import Made, last, made, of_torch, optimizers, owner_of_parameters
from dlcheck.treatment.script.source import Edit, Source, calls, dotted

LOADED = ("load_state_dict", "from_pretrained", "pretrained=True", "weights=", "torch.load", "load_checkpoint")
"""Signs of weights that were trained before: they must not be drawn anew."""
BENT = ("tanh", "sigmoid")
RECTIFIED = ("relu", "gelu", "silu", "elu")
NAMES = ("initialise", "initialise_weights", "draw_weights")


def initialise(source: Source, finding: Finding) -> list[Edit] | None:
    """Draw the weights by He or Glorot before the optimizer is made (M202, M203)."""
    del finding  # it names a layer; all of them are drawn
    own = optimizers(source)
    model = owner_of_parameters(own[0].call) if len(own) == 1 else None
    torch_init, name = of_torch(source, "nn.init"), next((one for one in NAMES if one not in source.text), None)
    drawn = _drawing(source)
    if (
        model is None
        or torch_init is None
        or name is None
        or drawn is None
        or any(one in source.text for one in LOADED)
    ):
        return None
    code = (
        f"def {name}(module):",
        "    for weight in module.parameters(recurse=False):",
        "        if weight.dim() > 1:  # biases and normalisations begin as they are",
        f"            {torch_init}.{drawn}",
        "",
        f"{model}.apply({name})",
    )
    edit = source.before(own[0].statement, *code)
    return None if edit is None else [edit]


def _drawing(source: Source) -> str | None:
    """Return the function that suits the activations; None where there are both kinds or none."""
    text = source.text.lower()
    bent, rectified = any(one in text for one in BENT), any(one in text for one in RECTIFIED)
    if bent == rectified:
        return None
    return "xavier_uniform_(weight)" if bent else 'kaiming_uniform_(weight, nonlinearity="relu")'


def whole_model(source: Source, finding: Finding) -> list[Edit] | None:
    """Give the optimizer all of the model, not one of its parts (M207)."""
    own = _optimizer(source, finding)
    part = owner_of_parameters(own.call) if own is not None else None
    if own is None or part is None or not _forgotten(finding) or _replaced(source, own):
        return None
    owner = part.rpartition(".")[0]
    models = [one for one in made(source) if one.name == owner]
    if len(models) != 1 or own.call.args[0] is None:
        return None
    return [Edit(*source.span(own.call.args[0]), f"{owner}.parameters()")]


def made_model(source: Source, finding: Finding) -> list[Edit] | None:
    """Give the optimizer the model that there is, not one that is made for it (M207)."""
    own = _optimizer(source, finding)
    first = own.call.args[0] if own is not None and own.call.args else None
    if not (isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute) and first.func.attr == "parameters"):
        return None
    inner = first.func.value
    if not isinstance(inner, ast.Call) or own is None:
        return None
    same = [one for one in made(source) if _makes(source, one.call, inner)]
    there = len(same) == 1 and source.scope(same[0].statement) is source.scope(own.statement)
    if not there or same[0].statement.lineno > own.statement.lineno:
        return None
    return [Edit(*source.span(inner), same[0].name)]


def _makes(source: Source, call: ast.Call, inner: ast.Call) -> bool:
    """Return whether a call, or the one whose ``.to(device)`` it is, is made just as another."""
    told = source.said(inner)
    return source.said(call) == told or source.said(call).startswith(f"{told}.to(")


def optimizer_last(source: Source, finding: Finding) -> list[Edit] | None:
    """Make the optimizer after the layer that is replaced, not before it (M207)."""
    own = _optimizer(source, finding)
    outside = finding.evidence.get("outside")
    replaced = _replaced(source, own) if own is not None else []
    if own is None or not replaced or not isinstance(outside, int | float) or outside <= 0:
        return None
    block = source.block(own.statement)
    between = block[block.index(own.statement) + 1 : block.index(replaced[-1]) + 1]
    used = any(dotted(node) == own.name for one in between for node in ast.walk(one))
    return None if used else source.moved(own.statement, after=replaced[-1])


def _replaced(source: Source, own: Made) -> list[ast.stmt]:
    """Return the statements behind an optimizer's in its block that put another layer into its model."""
    model = owner_of_parameters(own.call)
    block = source.block(own.statement)
    behind = block[block.index(own.statement) + 1 :]
    return [one for one in behind if _replaces(one, model.split(".")[0])] if model is not None else []


def _replaces(statement: ast.stmt, root: str) -> bool:
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return False
    name = dotted(statement.targets[0]) if len(statement.targets) == 1 else None
    return name is not None and "." in name and name.split(".")[0] == root and root != "self"


def module_list(source: Source, finding: Finding) -> list[Edit] | None:
    """Register the modules of a list (M207)."""
    name = of_torch(source, "nn.ModuleList")
    if name is None or not _forgotten(finding):
        return None
    found = [
        node.value
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.ListComp) and len(node.targets) == 1
        if (dotted(node.targets[0]) or "").startswith("self.") and _of_modules(source, node.value)
    ]
    if len(found) != 1:
        return None
    start, end = source.span(found[0])
    return [Edit(start, start, f"{name}("), Edit(end, end, ")")]


def _of_modules(source: Source, value: ast.List | ast.ListComp) -> bool:
    """Return whether a list holds modules alone: PyTorch's, or of a class that the file defines as one."""
    items = value.elts if isinstance(value, ast.List) else [value.elt]
    own = {
        node.name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and any(last(dotted(base) or "") == "Module" for base in node.bases)
    }
    names = [dotted(one.func) or "" for one in items if isinstance(one, ast.Call)]
    return bool(items) and len(names) == len(items) and all(one in own or one.split(".")[0] == "nn" for one in names)


def _forgotten(finding: Finding) -> bool:
    """Return whether parameters lie outside of the optimizer, others than those of a layer that was replaced."""
    outside, stale = finding.evidence.get("outside"), finding.evidence.get("stale")
    return isinstance(outside, int | float) and outside > 0 and not stale


def _optimizer(source: Source, finding: Finding) -> Made | None:
    """Return the optimizer that the finding's line makes; None where there are others beside it."""
    line, own = finding.where.line, optimizers(source)
    if line is None or len(own) != 1:
        return None
    statement = own[0].statement
    made_there = statement.lineno <= line <= (statement.end_lineno or line)
    return own[0] if made_there and any(True for _ in calls(statement)) and last(own[0].name) else None
