"""``train.parallel = "fsdp"``: each process holds a part of every weight, of its gradient and of what moves it.

PyTorch's FSDP2 (``torch.distributed.fsdp.fully_shard``) gathers the weights of one unit of the model at a time, for
its forward and backward pass, and averages gradients as it scatters them: the steps are those of ``"ddp"``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.errors import DlcheckError
from dlcheck.recipe import Recipe

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
"""Modules that only list others, which become units of their own."""


def refuse_unsharded(recipe: Recipe) -> None:
    """Refuse what looks at whole weights, of which a process has a part only.

    Raises:
        DlcheckError: names the key.
    """
    train, regularize = recipe.train, recipe.regularize
    found = {
        "train.precision = fp16": train.precision == "fp16",
        "train.compile": train.compile,
        "regularize.average": regularize.average != "none",
        "regularize.weight_noise": bool(regularize.weight_noise),
        "regularize.dropconnect": bool(regularize.dropconnect),
        "regularize.max_norm": regularize.max_norm is not None,
    }
    for key in (key for key, used in found.items() if used):
        raise DlcheckError(f'{key} needs whole weights, of which train.parallel = "fsdp" has parts; leave one out')


def shard(model: nn.Module, device: torch.device, processes: int) -> None:
    """Leave this process its part of every weight, in place; all call it with the same weights."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard  # with all that it needs nearly a second to load

    mesh = init_device_mesh(device.type, (processes,))
    shared = sum(1 for _ in model.named_parameters(remove_duplicate=False)) > sum(1 for _ in model.parameters())
    for unit in () if shared else _units(model):  # weights that two units share must be gathered together
        fully_shard(unit, mesh=mesh)
    fully_shard(model, mesh=mesh)


def _units(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, CONTAINERS):
            yield from _units(child)
        elif any(True for _ in child.parameters()):
            yield child


def is_sharded(model: nn.Module) -> bool:
    """Return whether ``shard`` was called on this model."""
    return hasattr(model, "set_requires_gradient_sync")


def whole(values: Any) -> Any:
    """Return a nest of state with every tensor whole, on the CPU where it was in parts; all must call it alike."""
    if _in_parts(values):
        return values.full_tensor().cpu()
    if isinstance(values, Mapping):
        return type(values)((key, whole(item)) for key, item in values.items())  # type: ignore[call-arg]
    if isinstance(values, list | tuple):
        return type(values)(whole(item) for item in values)
    return values


def whole_norm(norm: Tensor) -> Tensor:
    """Return the norm of the whole gradient as a plain tensor."""
    gathered: Any = norm
    result: Tensor = gathered.full_tensor() if _in_parts(norm) else norm
    return result


def parted_weights(model: nn.Module, saved: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return whole weights in this process's parts, where the model is sharded."""
    if not is_sharded(model):
        return saved
    own = model.state_dict()
    return {name: _parted(value, own.get(name)) for name, value in saved.items()}


def parted_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return an optimizer's whole state in this process's parts, where its weights are sharded."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = {
        place: {name: _parted(value, parameters[place]) for name, value in entry.items()}
        for place, entry in saved["state"].items()
    }
    return {**saved, "state": state}


def _parted(value: Any, like: Any) -> Any:
    if not _in_parts(like) or not isinstance(value, Tensor) or value.shape != like.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def _in_parts(value: object) -> bool:
    return isinstance(value, Tensor) and hasattr(value, "full_tensor")
