"""What loss functions were given, looked at for a few calls from each place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dlcheck.monitor.loss_input import input_kind, made_by
from dlcheck.runs.facts import FirstLoss, LabelRange, LossCall, LossCalls, Site, TargetScale
from dlcheck.watching.account import Account
from dlcheck.watching.listener import Call
from dlcheck.watching.place import user_site

CLASSIFIES = ("cross_entropy", "nll_loss")
BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
DISTANCES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
ALIKE = 1.5
"""A first loss up to this many times the expected one is that of a network that knows nothing."""
LOOKS = 5
"""Calls from one place whose numbers are looked at."""
ROWS = 256
"""Rows of each that are."""


@dataclass(slots=True)
class _Seen:
    """Calls that had the same function, shapes behind the batch axis, and mode."""

    call: LossCall
    looked: int = 0


class Losses:
    """Collects the calls of loss functions."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._seen: dict[tuple[object, ...], _Seen] = {}
        self.labels_seen = self.labels_low = self.labels_high = 0
        self.classes = 0
        self.ignored: int | None = None
        self.bad = 0
        self.plain = True
        """No class weights and no smoothing so far."""
        self.weighted = False
        self._targets: list[np.ndarray[Any, np.dtype[np.float64]]] = []
        self._output_std: float | None = None
        self.first: FirstLoss | None = None
        self._raised: Tensor | None = None
        """Target of the latest call that raised."""

    def called(self, name: str, call: Call, result: Tensor | None, *, training: bool, steps: int) -> None:
        """Take note of a call; ``result`` is None when it raised."""
        given, target = call.get("input"), call.get("target")
        if not isinstance(given, Tensor) or not isinstance(target, Tensor):
            return
        if result is None:
            self._raised = target
        options = _options(call)
        # Shapes behind the batch axis, so that a short last batch is no other place.
        key = (name, training, given.shape[1:], target.shape[1:], given.ndim == 0)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen(_new_call(name, given, target, training))
        if seen.looked < LOOKS or result is None:
            seen.looked += 1
            seen.call = _looked(seen.call, given, target)
            self._look(name, given, target, options, training)
        if training and not steps and result is not None and self.first is None:
            self.first = _first(name, given, target, result, options)

    def fell(self, frames: Iterable[FrameType]) -> None:
        """Take note of the labels of a call that raised unheard, in a step that was only counted."""
        for frame in frames:
            call, name = frame.f_locals, frame.f_code.co_name
            if frame.f_code.co_filename != functional.__file__ or name not in CLASSIFIES:
                continue
            given, target = call.get("input"), call.get("target")
            if isinstance(given, Tensor) and isinstance(target, Tensor) and target is not self._raised:
                self._look(name, given, target, _options(call), True)
            return

    def fact(self) -> LossCalls | None:
        """Return the calls, those that train first."""
        calls = sorted((seen.call for seen in self._seen.values()), key=lambda call: not call.trains)
        return LossCalls(tuple(calls[:20])) if calls else None

    @property
    def training_site(self) -> Site | None:
        """Where a loss that trains is computed."""
        return next((seen.call.site for seen in self._seen.values() if seen.call.trains), None)

    def untrained(self) -> float | None:
        """Return what an untrained network loses, where the first loss was about that; None where it is not known."""
        first = self.first
        if first is None or first.kind != "cross_entropy" or not self.plain:
            return None
        return first.expected if first.expected / ALIKE <= first.loss <= first.expected * ALIKE else None

    def first_fact(self, loaded: bool) -> FirstLoss | None:
        """Return the first training loss; ``loaded`` tells that weights were loaded rather than drawn."""
        return None if self.first is None else replace(self.first, pretrained=loaded)

    def label_range(self, *, crashed: bool = False, site: Site | None = None) -> LabelRange | None:
        """Return class codes against the number of classes, as far as they were looked at."""
        if not self.labels_seen or not self.classes:
            return None
        return LabelRange(
            labels=self.labels_seen,
            bad=self.bad,
            low=self.labels_low,
            high=self.labels_high,
            classes=self.classes,
            ignored=self.ignored,
            crashed=crashed,
            site=site,
        )

    def target_scale(self) -> TargetScale | None:
        """Return the numbers that a regression is to predict."""
        if not self._targets:
            return None
        values = np.concatenate(self._targets)
        place = next((seen.call.site for seen in self._seen.values() if seen.call.loss in DISTANCES), None)
        return TargetScale(
            mean=float(values.mean()),
            std=float(values.std()),
            low=float(values.min()),
            high=float(values.max()),
            values=len(values),
            output_std=self._output_std,
            site=place,
        )

    @torch.no_grad()
    def _look(self, name: str, given: Tensor, target: Tensor, options: dict[str, Any], training: bool) -> None:
        if name in CLASSIFIES and not target.is_floating_point() and given.ndim >= 1 and target.numel():
            self._note_labels(given, target, options)
        elif training and name in DISTANCES and target.ndim and target.numel() and not target.requires_grad:
            values = target.detach().reshape(-1)[:4096].double().cpu().numpy()
            if len(self._targets) < 64 and np.isfinite(values).all():
                self._targets.append(values)
            if self._output_std is None and given.numel() > 1:
                self._output_std = float(given.detach().float().std())
        if options.get("weight") is not None and name in (*CLASSIFIES, *BINARY):
            self.weighted = True
        if options.get("weight") is not None or options.get("label_smoothing"):
            self.plain = False

    def _note_labels(self, given: Tensor, target: Tensor, options: dict[str, Any]) -> None:
        ignored = int(options.get("ignore_index", -100))
        labels = target.detach().reshape(-1).cpu()
        self.ignored = ignored if bool((labels == ignored).any()) else self.ignored
        labels = labels[labels != ignored]
        classes = given.shape[1] if given.ndim > 1 else given.shape[0]
        if not labels.numel():
            return
        low, high = int(labels.min()), int(labels.max())
        self.labels_low = min(low, self.labels_low) if self.labels_seen else low
        self.labels_high = max(high, self.labels_high) if self.labels_seen else high
        self.labels_seen += labels.numel()
        self.classes = max(self.classes, classes)
        self.bad += int(((labels < 0) | (labels >= classes)).sum())


def _options(call: Call) -> dict[str, Any]:
    return {key: call[key] for key in ("weight", "ignore_index", "label_smoothing", "reduction") if key in call}


def _new_call(name: str, given: Tensor, target: Tensor, training: bool) -> LossCall:
    elementwise = name in (*DISTANCES, *BINARY, "kl_div", "poisson_nll_loss")
    return LossCall(
        loss=name,
        calls=0,
        input_kind="raw",
        matched=0,
        made_by=made_by(given),
        input_shape=tuple(given.shape),
        target_shape=tuple(target.shape),
        broadcast=elementwise and given.shape != target.shape and given.ndim > 0 and target.ndim > 0,
        soft_target=target.is_floating_point(),
        trains=training,
        site=user_site(6),
    )


@torch.no_grad()
def _looked(call: LossCall, given: Tensor, target: Tensor) -> LossCall:
    rows = given.detach()
    rows = rows[:ROWS].float() if rows.ndim else rows.float().reshape(1)
    if not rows.numel():
        return call
    low, high = (float(value) for value in torch.aminmax(rows))
    kind = input_kind(rows, axis=1 if rows.ndim > 1 else -1)
    same = not call.calls or kind == call.input_kind
    kept = kind if not call.calls or same else ("raw" if "raw" in (kind, call.input_kind) else call.input_kind)
    return LossCall(
        loss=call.loss,
        calls=call.calls + 1,
        input_kind=kept,
        matched=call.matched + 1 if same else (1 if kept == kind else call.matched),
        made_by=call.made_by or made_by(given),
        input_shape=call.input_shape,
        target_shape=call.target_shape,
        broadcast=call.broadcast,
        smallest=min(call.smallest, low) if call.calls else low,
        largest=max(call.largest, high) if call.calls else high,
        soft_target=call.soft_target,
        trains=call.trains,
        site=call.site,
    )


def _first(name: str, given: Tensor, target: Tensor, result: Tensor, options: dict[str, Any]) -> FirstLoss | None:
    """Return the first loss and what an untrained network should have; None where that is not known."""
    if result.ndim or options.get("reduction", "mean") != "mean" or not given.numel():
        return None
    largest = float(given.detach().abs().max())
    if name in CLASSIFIES and given.ndim > 1 and (not target.is_floating_point() or _shares(given, target)):
        expected: float | None = math.log(given.shape[1])
    elif name == "binary_cross_entropy_with_logits" and given.shape == target.shape:
        expected = math.log(2)
    elif name == "mse_loss" and given.shape == target.shape:
        expected = float(target.detach().float().var(unbiased=False))
    else:
        return None
    kind = {"mse_loss": "mse", "binary_cross_entropy_with_logits": "bce"}.get(name, "cross_entropy")
    rows = given.shape[0] if given.ndim else 1
    return (
        FirstLoss(float(result.detach()), expected, samples=rows, kind=kind, largest_logit=largest)
        if expected
        else None
    )


def _shares(given: Tensor, target: Tensor) -> bool:
    """Return whether targets are probabilities of classes, as mixed samples have: even answers lose ln C to these."""
    if target.shape != given.shape:
        return False
    target = target.detach()
    sums = target.sum(1)
    return bool((target >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
