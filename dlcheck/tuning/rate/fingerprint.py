"""Proof that a measurement left no trace: a hash of everything that a training would go on from."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcheck.checks.patient import Patient


def fingerprint(patient: Patient) -> dict[str, str]:
    """Return a SHA-256 of each part: weights, buffers, gradients, modes, optimizer, random streams, order of the data.

    Tensors count with their bits, type, shape and device. The order of the data is that of the generators that a
    loader and its sampler own; loaders without any draw theirs from PyTorch's global stream.
    """
    modules = [patient.model, *([patient.loss] if isinstance(patient.loss, nn.Module) else [])]
    parts: dict[str, Iterator[Any]] = {
        "weights": (item for module in modules for item in module.named_parameters()),
        "buffers": (item for module in modules for item in module.named_buffers()),
        "gradients": ((name, p.grad, p.requires_grad) for module in modules for name, p in module.named_parameters()),
        "modes": ((name, part.training) for module in modules for name, part in module.named_modules()),
        "optimizer": (optimizer.state_dict() for optimizer in patient.optimizers),
        "random streams": iter([random.getstate(), np.random.get_state(), torch.get_rng_state(), _cuda()]),
        "data order": (generator.get_state() for generator in _generators(patient)),
    }
    return {name: _hash(items) for name, items in parts.items()}


def _cuda() -> list[Tensor]:
    return torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []


def _generators(patient: Patient) -> Iterator[torch.Generator]:
    loader = getattr(patient.train, "loader", None)
    for owner in (loader, getattr(loader, "sampler", None)):
        generator = getattr(owner, "generator", None)
        if isinstance(generator, torch.Generator):
            yield generator


def _hash(items: Iterator[Any]) -> str:
    digest = hashlib.sha256()
    for item in items:
        _feed(digest, item)
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, item: Any) -> None:
    if isinstance(item, Tensor):
        plain = item.detach().cpu().contiguous()
        digest.update(f"{item.dtype} {tuple(item.shape)} {item.device};".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
    elif isinstance(item, np.ndarray):
        digest.update(f"{item.dtype} {item.shape};".encode() + item.tobytes())
    elif isinstance(item, dict):
        for key, value in item.items():
            digest.update(f"{key!r}:".encode())
            _feed(digest, value)
    elif isinstance(item, list | tuple):
        digest.update(f"{len(item)}[".encode())
        for value in item:
            _feed(digest, value)
    else:
        digest.update(f"{item!r};".encode())
