"""Notices the first number that is none, and finds out where it came from."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.monitor.detection import Origin, floats, is_finite
from dlcheck.monitor.graph_walk import walk
from dlcheck.monitor.replay import Call, Replay, replay_backward, replay_forward
from dlcheck.monitor.singular import Singular
from dlcheck.monitor.site import user_site
from dlcheck.runs.facts import NonFinite, Site

Again = Callable[[], Tensor] | None
_Made = tuple[Origin | None, Replay | None, Call | None]


@dataclass(slots=True)
class Failure:
    """Examines steps that have failed; only the first one is told, unless a loss scaler skipped that."""

    put: Callable[[NonFinite], None]
    told: NonFinite | None = None
    active: bool = False
    """A replay is under way: whatever hooks see now is not the training."""

    @property
    def done(self) -> bool:
        """Whether there is nothing more to find out."""
        return self.told is not None and not self.told.skipped_by_scaler

    def loss(self, value: float, loss: Tensor | None, calls: list[Call], again: Again, **known: Any) -> None:
        """Examine a step whose loss is not finite, before its backward pass.

        Args:
            value: The loss.
            loss: With its graph; None when that is gone.
            calls: Forward passes of this step, the latest last.
            again: Computes the loss anew.
            known: Fields of the fact that the caller knows.
        """
        replay = self._replayed(replay_forward, calls, again)
        origin, call = (replay[0].origin, replay[1]) if replay else (None, None)
        if origin is None and loss is not None and again is None:
            origin = walk(loss, _output_nodes(calls), calls[-1].samples if calls else 0)
            origin = _placed(origin)
        kind = "activation" if origin is not None and origin.module else "loss"
        self._tell(value, kind, (origin, replay[0] if replay else None, call), known)

    def gradient(
        self, value: float | None, calls: list[Call], again: Again, singular: Singular | None = None, **known: Any
    ) -> None:
        """Examine a step whose loss is finite and whose gradient is not; ``singular``: what stands behind the model."""
        outside = singular.origin(calls[-1].samples if calls else 0) if singular is not None and again is None else None
        if outside is not None and not _reached_finite(calls):
            self._tell(value, "gradient", (_placed(outside), None, None), known)
            return
        replay = self._replayed(replay_backward, calls, again)
        origin, call = (replay[0].origin, replay[1]) if replay else (None, None)
        self._tell(value, "gradient", (origin, replay[0] if replay else None, call), known)

    def late(self, value: float | None, kind: str = "loss", **known: Any) -> None:
        """Tell of a step that is long over, or cannot be computed again."""
        self._tell(value, kind, (None, None, None), known)

    def _replayed(self, how: Callable[[Call, Again], Replay], calls: list[Call], again: Again) -> Any:
        self.active = True
        try:
            for call in calls[-1:] if again is not None else calls:
                replay = how(call, again)
                if replay.origin is not None or call is calls[-1]:
                    return replay, call
        finally:
            self.active = False
        return None

    def _tell(self, value: float | None, kind: str, made: _Made, known: dict[str, Any]) -> None:
        origin, replay, call = made
        tensors = list(floats((call.args, call.kwargs))) if call else []
        inputs = any(not bool((one.isfinite() | (one == -math.inf)).all()) for one in tensors)
        weights = origin is not None and origin.kind == "weight"
        found = origin or Origin("operation")
        if inputs or weights:
            kind = "input" if inputs else "weight"
        self.told = NonFinite(
            kind=kind,
            loss=value,
            module=found.module,
            module_type=found.module_type,
            operation=found.operation,
            undefined="" if inputs or weights else found.undefined,
            backward=found.backward,
            rows=_bad_rows(tensors) if inputs else found.rows,
            values=found.values,
            input_nonfinite=inputs,
            weight_nonfinite=weights,
            overflow=found.overflow,
            replayed=replay is not None,
            reproduced=replay is not None and replay.reproduced,
            site=found.site or user_site(),
            **known,
        )
        self.put(self.told)


def _bad_rows(tensors: list[Tensor]) -> tuple[int, ...]:
    bad = next((~one.isfinite() for one in tensors if not is_finite(one)), None)
    if bad is None or not bad.ndim:
        return ()
    return tuple(bad.reshape(bad.shape[0], -1).any(1).nonzero().flatten()[:10].tolist())


def _reached_finite(calls: list[Call]) -> bool:
    """Return whether the gradient was finite when it came to the model's outputs."""
    gradients = [gradient for call in calls for _, gradient in call.output_gradient]
    return bool(gradients) and all(is_finite(one) for one in gradients)


def _output_nodes(calls: list[Call]) -> set[Any]:
    return {node for call in calls for reference in call.outputs if (node := _node(reference())) is not None}


def _node(tensor: Tensor | None) -> Any:
    return tensor.grad_fn if tensor is not None else None


def _placed(origin: Origin | None) -> Origin | None:
    """Add the line of a user's file that calls the operation, where only one line there does."""
    site = user_site(sys._getframe(1))
    if origin is None or site is None or not origin.operation:
        return origin
    pattern = re.compile(rf"\b{re.escape(origin.operation)}\s*\(")
    try:
        lines = Path(site.file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return origin
    places = [number for number, line in enumerate(lines, start=1) if pattern.search(line.split("#")[0])]
    if len(places) != 1:
        return origin
    return replace(origin, site=Site(site.file, places[0]))


def outermost(parameters: list[Tensor]) -> list[Tensor]:
    """Return a small parameter near the input and one near the output: what breaks the gradient shows in these."""
    if len(parameters) <= 2:
        return parameters
    first = min(parameters[:4], key=Tensor.numel)
    last = min(parameters[-4:], key=Tensor.numel)
    return [first] if first is last else [first, last]


@torch.no_grad()
def looks_broken(parameters: list[Tensor]) -> bool:
    """Return whether the gradient of one of a few small parameters is not finite; cheap, and sure."""
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is None or gradient.layout is not torch.strided:
            continue
        # The sum may overflow where no number is at fault: only then look at each.
        if not math.isfinite(abs(gradient.sum().item())) and not is_finite(gradient):
            return True
    return False


@torch.no_grad()
def largest_weight(models: list[nn.Module]) -> float | None:
    """Return the largest absolute number among the parameters."""
    parameters = [p for model in models for p in model.parameters() if p.numel()]
    return max((float(p.detach().abs().max()) for p in parameters), default=None)
