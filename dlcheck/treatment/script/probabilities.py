"""Edits of what is given to a loss: raw outputs, their probabilities, or the logarithms of those (M206)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dlcheck.findings import Finding
from dlcheck.treatment.script.loop import at_line, last
from dlcheck.treatment.script.source import Edit, Function, Source, calls, dotted

SQUASHES = {"softmax": ("softmax", "Softmax"), "sigmoid": ("sigmoid", "Sigmoid")}
"""Function and module that make probabilities."""
RAW = ("cross_entropy", "binary_cross_entropy_with_logits")
"""Losses that take raw outputs."""
LOGARITHMIC = ("nll_loss", "nll_loss2d", "kl_div")
"""Losses that take logarithms of probabilities."""
WITH_LOGITS = {"BCELoss": "BCEWithLogitsLoss", "binary_cross_entropy": "binary_cross_entropy_with_logits"}
DRAWS = ("rand", "rand_like", "random", "uniform")
READERS = ("multinomial", "Categorical", "Bernoulli", "round", "topk", "log", "entropy", "roc_auc_score", "bernoulli")
"""Calls that read probabilities, and would read raw outputs otherwise."""


def no_squash(source: Source, finding: Finding) -> list[Edit] | None:
    """Take the softmax (or sigmoid) before a loss of raw outputs away, where nothing else reads its numbers."""
    return None if _read(source) else any_squash(source, finding)


def any_squash(source: Source, finding: Finding) -> list[Edit] | None:
    """The same, whoever reads the numbers."""
    names = SQUASHES.get(str(finding.evidence.get("made_by")))
    if names is None or finding.evidence.get("loss") not in (None, *RAW):
        return None
    found = _at_loss(source, finding, names) or list(_in_models(source, names))
    return found if len(found) == 1 else None


def logarithm(source: Source, finding: Finding) -> list[Edit] | None:
    """Take log_softmax instead of softmax before a loss of logarithms, where nothing else reads its numbers."""
    return None if _read(source) else any_logarithm(source, finding)


def any_logarithm(source: Source, finding: Finding) -> list[Edit] | None:
    """The same, whoever reads the numbers."""
    names = SQUASHES.get(str(finding.evidence.get("made_by")))
    if names is None or names[0] != "softmax" or finding.evidence.get("loss") not in LOGARITHMIC:
        return None
    here = [*_direct(source, finding, names), *_by_name(source, finding, names)]
    found = here or [call for call, _ in _squashes(source, names)]
    return [_logarithmic(source, found[0])] if len(found) == 1 else None


def with_logits(source: Source, finding: Finding) -> list[Edit] | None:
    """Use binary cross-entropy of raw outputs, where they are raw."""
    if finding.evidence.get("loss") != "binary_cross_entropy" or finding.evidence.get("input") != "raw":
        return None
    found = [call.func for call in calls(source.tree) if last(dotted(call.func) or "") in WITH_LOGITS]
    if len(found) != 1:
        return None
    whole = source.said(found[0])
    name = last(dotted(found[0]) or "")
    if whole == name:  # imported by its name: the other one is not
        return None
    return [Edit(*source.span(found[0]), whole.removesuffix(name) + WITH_LOGITS[name])]


def _at_loss(source: Source, finding: Finding, names: tuple[str, str]) -> list[Edit]:
    """Return the edits at the loss: of a call in it, or of a name that such a call has set just before."""
    direct = [_without(source, call, names) for call in _direct(source, finding, names)]
    found = [edit for edit in direct if edit is not None]
    if found:
        return found
    for call in at_line(source, finding):
        given = call.args[0] if call.args else None
        made = _set_by(source, given, call, names) if isinstance(given, ast.Name) else None
        inner = _inner(made, names) if made is not None else None
        # The raw outputs must have a name of their own, which nothing sets anew before the loss.
        if given is not None and isinstance(inner, ast.Name) and not _stored_between(source, inner.id, made, call):
            found.append(Edit(*source.span(given), inner.id))
    return found


def _direct(source: Source, finding: Finding, names: tuple[str, str]) -> list[ast.Call]:
    return [call for call in at_line(source, finding) if _inner(call, names) is not None]


def _by_name(source: Source, finding: Finding, names: tuple[str, str]) -> list[ast.Call]:
    found = []
    for call in at_line(source, finding):
        given = call.args[0] if call.args else None
        made = _set_by(source, given, call, names) if isinstance(given, ast.Name) else None
        if made is not None:
            found.append(made)
    return found


def _set_by(source: Source, name: ast.Name, call: ast.Call, names: tuple[str, str]) -> ast.Call | None:
    """Return the squash that set a name last before a call, in its own block; None where it was set otherwise."""
    statement = source.statement(call)
    block = source.block(statement) if statement is not None else []
    for before in reversed(block[: block.index(statement)] if statement in block else []):
        if name.id in _stored(before):
            value = before.value if isinstance(before, ast.Assign) and len(before.targets) == 1 else None
            simple = isinstance(before, ast.Assign) and isinstance(before.targets[0], ast.Name)
            squash = isinstance(value, ast.Call) and simple and _inner(value, names) is not None
            return value if squash and isinstance(value, ast.Call) else None
    return None


def _stored(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}


def _stored_between(source: Source, name: str, made: ast.Call | None, call: ast.Call) -> bool:
    first, end = source.statement(made) if made is not None else None, source.statement(call)
    block = source.block(end) if end is not None else []
    if first not in block or end not in block:
        return True
    between = block[block.index(first) : block.index(end) + 1]
    return any(name in _stored(one) for one in between)


def _read(source: Source) -> bool:
    """Return whether the loss's input is read as probabilities: drawn from, or compared with a number in 0 … 1."""
    for node in ast.walk(source.tree):
        reads = isinstance(node, ast.Call) and _called(node) in READERS
        compared = isinstance(node, ast.Compare) and any(_within(one) for one in (node.left, *node.comparators))
        if (reads or compared) and not _of_its_own(node):
            return True
    return False


def _of_its_own(node: ast.AST) -> bool:
    """Return whether an expression makes its own probabilities, or draws the numbers that it compares."""
    return any(_called(one) in (*SQUASHES, *DRAWS) for one in calls(node))


def _within(node: ast.expr) -> bool:
    if "thresh" in (dotted(node) or "").lower():
        return True
    return isinstance(node, ast.Constant) and isinstance(node.value, float) and 0 < node.value < 1


def _called(call: ast.Call) -> str | None:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else None


def _without(source: Source, call: ast.Call, names: tuple[str, str]) -> Edit | None:
    """Return the edit that leaves of ``F.softmax(x, dim=1)`` or ``x.softmax(1)`` only ``x``."""
    inner = _inner(call, names)
    if inner is None:
        return None
    kept = source.said(inner)
    plain = isinstance(inner, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    return Edit(*source.span(call), kept if plain else f"({kept})")


def _inner(call: ast.Call, names: tuple[str, str]) -> ast.expr | None:
    """Return what is squashed by a call; None where it is no such call, or squashes twice."""
    if _called(call) != names[0]:
        return None
    owner = dotted(call.func.value) if isinstance(call.func, ast.Attribute) else None
    of_torch = isinstance(call.func, ast.Name) or (owner or "").split(".")[0] in ("torch", "F", "nn", "functional")
    inner = call.args[0] if (of_torch or owner == "self") and call.args else None
    if inner is None and isinstance(call.func, ast.Attribute) and not of_torch and owner != "self":
        inner = call.func.value
    if inner is None or isinstance(inner, ast.Starred) or any(_called(one) == names[0] for one in calls(inner)):
        return None
    return inner


def _in_models(source: Source, names: tuple[str, str]) -> Iterator[Edit]:
    """Yield the edits that take such calls out of ``forward`` methods, and such modules from the end of Sequentials."""
    for call, before in _squashes(source, names):
        if before is not None:
            yield Edit(source.span(before)[1], source.span(call)[1], "")
        elif (edit := _without(source, call, names)) is not None:
            yield edit


def _squashes(source: Source, names: tuple[str, str]) -> Iterator[tuple[ast.Call, ast.expr | None]]:
    """Yield calls that end a ``forward``, and modules that end a Sequential with what stands before them."""
    for node in ast.walk(source.tree):
        if isinstance(node, Function) and node.name == "forward":
            for call in _answers(node):
                if _inner(call, names) is not None:
                    yield call, None
        elif isinstance(node, ast.Call) and (dotted(node.func) or "").endswith("Sequential") and len(node.args) > 1:
            end = node.args[-1]
            if isinstance(end, ast.Call) and last(dotted(end.func) or "") == names[1]:
                yield end, node.args[-2]


def _logarithmic(source: Source, call: ast.Call) -> Edit:
    """Return the edit that makes ``log_softmax`` of ``softmax``, ``LogSoftmax`` of ``Softmax``."""
    end = source.span(call.func)[1]
    name = _called(call) or ""
    return Edit(end - len(name), end, "LogSoftmax" if name == "Softmax" else "log_softmax")


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
