"""Which tensors train, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

WRAPPERS = ("module.", "_orig_mod.")
"""What data parallel wrappers and ``torch.compile`` put in front of a model's names."""


def plain_name(name: str) -> str:
    """Return a module's or parameter's name as the author of the model knows it."""
    changed = True
    while changed:
        changed = False
        for wrapper in WRAPPERS:
            if name.startswith(wrapper) or f".{wrapper}" in name:
                name = name.replace(f".{wrapper}", ".").removeprefix(wrapper)
                changed = True
    return name


def full_name(prefix: str, name: str) -> str:
    """Return the plain name of a part of a model, behind what stands before the model's own names."""
    return ".".join(part for part in (prefix, plain_name(name)) if part)


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the author's model inside data parallel wrappers and ``torch.compile``."""
    kinds = (nn.parallel.DistributedDataParallel, nn.DataParallel)
    while True:
        if isinstance(model, kinds):
            model = model.module
        elif isinstance(inner := model.__dict__.get("_modules", {}).get("_orig_mod"), nn.Module):
            model = inner
        else:
            return model


class Names:
    """Names of the parameters of all models; a tied one has its first name."""

    def __init__(self) -> None:
        self._models: list[tuple[str, nn.Module]] = []
        self._names: dict[int, str] = {}

    def add(self, model: nn.Module, prefix: str) -> None:
        """Take the names of a model's parameters, ``prefix`` and a dot in front."""
        self._models.append((prefix, model))
        self._refresh()

    def __contains__(self, parameter: Tensor) -> bool:
        return id(parameter) in self._names

    def of(self, parameters: Iterable[Tensor]) -> list[str]:
        """Return the names of parameters; those that no model has are numbered."""
        wanted = list(parameters)
        if any(id(one) not in self._names for one in wanted):
            self._refresh()  # a layer was added after the model
        return [self._names.get(id(one), f"parameter{place}") for place, one in enumerate(wanted)]

    def _refresh(self) -> None:
        self._names = {}
        for prefix, model in self._models:
            for name, parameter in model.named_parameters():
                full = plain_name(name)
                self._names.setdefault(id(parameter), f"{prefix}.{full}" if prefix else full)


def trained(optimizer: torch.optim.Optimizer) -> list[tuple[Tensor, float]]:
    """Return the tensors that an optimizer may move, each once, with its learning rate."""
    seen: dict[int, tuple[Tensor, float]] = {}
    for group in optimizer.param_groups:
        rate = float(group.get("lr", 1.0)) if not isinstance(group.get("lr"), Tensor) else 1.0
        for parameter in group["params"]:
            if parameter.requires_grad and parameter.numel():
                seen.setdefault(id(parameter), (parameter, rate))
    return list(seen.values())


def layer_name(parameter: str) -> str:
    """Return what the layer of a weight is called in ``layers.csv``."""
    return parameter.removesuffix(".weight")


def real(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield tensors as plain real numbers: complex ones as pairs, sparse ones as the values they hold."""
    for tensor in tensors:
        if tensor.layout is not torch.strided:
            tensor = tensor.coalesce().values() if tensor.is_sparse else tensor.to_dense()
        yield torch.view_as_real(tensor) if tensor.is_complex() else tensor
