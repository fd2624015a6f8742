"""Everything off that keeps a network from learning a batch by heart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from torch import nn

from dlcheck.checks.model.calls import WithoutDropout
from dlcheck.checks.model.modes import DROPOUTS
from dlcheck.checks.patient import Patient
from dlcheck.recipe.section import Custom


@contextmanager
def unregularized(patient: Patient) -> Iterator[None]:
    """Switch off dropout in all its forms and label smoothing; to be used inside ``untouched``, which puts it back.

    Augmentation and weight decay belong to neither model nor loss, and so have no part in it anyway.
    """
    for module in patient.model.modules():
        if isinstance(module, DROPOUTS) or type(module).__name__ in ("DropPath", "StochasticDepth"):
            _zero(module, "p", "drop_prob")
        elif isinstance(module, nn.RNNBase | nn.MultiheadAttention):
            _zero(module, "dropout")
        elif isinstance(module, nn.Linear) and patient.recipe is not None and patient.recipe.regularize.dropconnect:
            module.__dict__.pop("forward", None)  # drops weights in training mode
    if isinstance(patient.loss, nn.Module):
        _zero(patient.loss, "smoothing", "label_smoothing")
    own = patient.recipe is not None and not isinstance(patient.recipe.model, Custom)
    with nullcontext() if own else WithoutDropout():  # our networks call no dropout as a function
        yield


def _zero(module: nn.Module, *names: str) -> None:
    for name in names:
        if isinstance(getattr(module, name, None), float):
            setattr(module, name, 0.0)
