"""Reads the graph that a forward pass has built: which activation functions it called, and on what."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

MOST_NODES = 20_000
MOST_STEPS = 50
"""Nodes on the way from an activation back to the layer before it."""
_ACTIVATIONS = {"ReluBackward0": "relu", "SigmoidBackward0": "sigmoid", "TanhBackward0": "tanh"}
_SHAPES = ("View", "Unsafe", "Squeeze", "Unsqueeze", "Expand", "Alias", "Clone", "Transpose", "T", "ToCopy", "Reshape")
L = TypeVar("L")


def nodes_below(outputs: list[Tensor], *, stop: set[Any] | None = None, most: int = MOST_NODES) -> list[Any]:
    """Return the nodes that the outputs were made by, the first ones of the pass first, down to those to stop at."""
    found: list[Any] = []
    seen: set[Any] = {None, *(stop or ())}
    stack: list[Any] = [tensor.grad_fn for tensor in outputs]
    while stack and len(found) < most:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        found.append(node)
        stack += [parent for parent, _ in node.next_functions]
    return found[::-1]


def functions_called(nodes: list[Any], known: set[Any]) -> Iterator[tuple[str, Any, Tensor, Tensor]]:
    """Yield activation, node, input and output of the activation functions, those ``known`` left out.

    The input of a sigmoid or tanh is found from its output.
    """
    for node in nodes:
        activation = _ACTIVATIONS.get(node.name())
        if activation is None or node in known:
            continue
        result = saved(node, "result")
        if result is None or result.is_complex() or not result.numel():
            continue
        if activation == "sigmoid":
            yield activation, node, result.detach().float().logit(), result
        elif activation == "tanh":
            yield activation, node, result.detach().float().atanh(), result
        else:
            yield activation, node, result, result


def saved(node: Any, name: str) -> Tensor | None:
    """Return what a node has saved; None where that is gone, was changed, or would have to be computed again."""
    raw = getattr(node, f"_raw_saved_{name}", None)
    if raw is None or getattr(raw, "unpack_hook", None) is not None:
        return None
    try:
        value = getattr(node, f"_saved_{name}")
    except RuntimeError:
        return None
    return value if isinstance(value, torch.Tensor) else None


def ancestor(node: Any, layers: Mapping[Any, L]) -> L | None:
    """Return the nearest layer behind a node; None when there is none near."""
    waiting = deque([node])
    for _ in range(MOST_STEPS):
        if not waiting:
            return None
        place = waiting.popleft()
        if place in layers:
            return layers[place]
        waiting += [parent for parent, _ in place.next_functions if parent is not None]
    return None


def through_shapes(node: Any) -> Any:
    """Return the node behind others that only change a tensor's shape."""
    for _ in range(MOST_STEPS):
        if node is None or not node.name().startswith(_SHAPES) or not node.next_functions:
            return node
        node = node.next_functions[0][0]
    return node
