"""Edits of what is kept with its graph: losses that are added up or listed, states that are handed on (G311)."""

from __future__ import annotations

import ast

from dlcheck.findings import Finding
from dlcheck.treatment.script.flow import goes_back, named
from dlcheck.treatment.script.loop import backwards, loops
from dlcheck.treatment.script.source import Edit, Source, dotted


def item(source: Source, finding: Finding) -> list[Edit] | None:
    """Add up or list numbers, not losses with their graphs."""
    if "detach what is handed on" in "".join(one.text for one in finding.remedies[:1]):
        return None
    kept = [one for loss in _losses(source, finding) for one in _kept(source, loss, finding)]
    if len(kept) != 1:
        return None
    value, holder = kept[0]
    if goes_back(source, holder, source.scope(value)):
        return None
    return [Edit(*source.span(value), f"{source.said(value)}.{_release(source, holder)}()")]


def detach(source: Source, finding: Finding) -> list[Edit] | None:
    """Detach a state before it is handed on to the next step, where it is known what it is."""
    kinds = [one for one in ("LSTM(", "GRU(", "RNN(") if one in source.text]
    if "hidden.detach()" not in "".join(one.text for one in finding.remedies[:1]) or len(kinds) > 1:
        return None
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and any(_inner_loops(source, node)):
            given = {one.id for one in node.value.args if isinstance(one, ast.Name)}
            found += [(node, name) for name in _targets(node)[1:] if name in given]
    if len(found) != 1:
        return None
    statement, name = found[0]
    several = kinds == ["LSTM("]  # whose state is two tensors
    free = f"tuple(one.detach() for one in {name})" if several else f"{name}.detach()"
    edit = source.before(statement, f"{name} = {free}")
    return None if edit is None or f"{name} = None" in source.text else [edit]


def _inner_loops(source: Source, node: ast.stmt) -> list[ast.For | ast.While]:
    return [one for one in loops(source, node)[:1] if any(backwards(one))]


def _targets(node: ast.Assign) -> list[str]:
    target = node.targets[0]
    items = target.elts if len(node.targets) == 1 and isinstance(target, ast.Tuple) else []
    return [one.id if isinstance(one, ast.Name) else "" for one in items]


def _losses(source: Source, finding: Finding) -> set[str]:
    """Return the names that may be the loss of the finding's line: set there, sent back there, or added up there."""
    line = finding.where.line
    names: set[str] = set()
    for statement in source.at(line) if line is not None else []:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            names.add(statement.targets[0].id)
        elif isinstance(statement, ast.AugAssign) and (name := dotted(statement.value)) is not None:
            names.add(name)
        for call in backwards(statement):
            if isinstance(call.func, ast.Attribute) and (name := dotted(call.func.value)) is not None:
                names.add(name)
    return names


def _kept(source: Source, loss: str, finding: Finding) -> list[tuple[ast.expr, str]]:
    """Return where a loss is added to a sum or put into a list, in the function of the finding's line."""
    scopes = {source.scope(one) for one in source.at(finding.where.line or 0)}
    found: list[tuple[ast.expr, str]] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and source.scope(node) in scopes:
            holder, values = dotted(node.target), _bare(node.value, loss)
        elif isinstance(node, ast.Call) and _appends(node) and source.scope(node) in scopes:
            holder, values = dotted(node.func.value), _bare(node.args[0], loss)  # type: ignore[attr-defined]
        else:
            continue
        if holder is not None and holder != loss:
            found += [(value, holder) for value in values]
    return found


def _appends(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "append" and len(call.args) == 1


def _bare(value: ast.expr, loss: str) -> list[ast.expr]:
    """Return a loss that stands alone, or is multiplied with or divided by numbers."""
    if dotted(value) == loss:
        return [value]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Div):
        return [*_bare(value.left, loss), *_bare(value.right, loss)]
    return []


def _release(source: Source, holder: str) -> str:
    """Return ``item`` where the sum is only ever a number, else ``detach``, which leaves it a tensor."""
    for node in ast.walk(source.tree):
        used = isinstance(node, ast.Attribute) and dotted(node.value) == holder and node.attr != "append"
        handed = isinstance(node, ast.Return) and node.value is not None and holder in named(node.value)
        given = isinstance(node, ast.Call) and (dotted(node.func) or "").split(".")[0] in ("torch", "dist")
        if used or handed or (given and any(holder in named(one) for one in getattr(node, "args", ()))):
            return "detach"
    return "item"
