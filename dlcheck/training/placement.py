"""A model laid over several devices: each part where the recipe puts it, and what flows between them follows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.errors import DlcheckError, nearest
from dlcheck.training.device import choose_device

KEY = "model.device_map"


def chosen_devices(device_map: Mapping[str, str]) -> dict[str, torch.device]:
    """Return the device of each part of ``model.device_map``.

    Raises:
        DlcheckError: no such device on this machine; names the part.
    """
    return {name: _device(name, device) for name, device in device_map.items()}


def _device(part: str, name: str) -> torch.device:
    try:
        return choose_device(name)
    except DlcheckError as error:
        reason = str(error).partition(": ")[2]
        raise DlcheckError(f'{KEY}: {part} = "{name}": {reason}') from None


def place_parts(model: nn.Module, places: Mapping[str, torch.device], home: torch.device) -> nn.Module:
    """Move parts of a model to their devices, in place, and let inputs follow them; return the model.

    A part within a part has its own say. What no name covers goes to the first device of the map, and the model's
    output to ``home``, where targets and loss are. Between two devices every activation is copied, and one device
    waits while another works: this buys memory, not speed.

    Raises:
        DlcheckError: a name that is no part of the model; names the nearest, or all.
    """
    modules = dict(model.named_modules())
    for name in places:
        if not name or name not in modules:
            valid = [part for part in modules if part and "." not in part]
            raise DlcheckError(f'{KEY}: the model has no part "{name}"; {nearest(name, valid, "its parts")}')
    if not places:
        return model
    first = next(iter(places.values()))
    model.to(first)
    for name in sorted(places, key=lambda part: part.count(".")):  # what lies deeper comes later
        modules[name].to(places[name])
    for name, module in modules.items():
        if name in places or _holds_numbers(module):
            module.register_forward_pre_hook(partial(_fetch, _place_of(name, places, first)), with_kwargs=True)
    model.register_forward_hook(partial(_bring_home, home))
    return model


def _holds_numbers(module: nn.Module) -> bool:
    """Return whether a module has weights or statistics of its own, which its inputs must meet."""
    own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    return len(own) > 0 or not any(True for _ in module.children())


def _place_of(name: str, places: Mapping[str, torch.device], first: torch.device) -> torch.device:
    while name:
        if name in places:
            return places[name]
        name = name.rpartition(".")[0]
    return first


def _fetch(device: torch.device, module: nn.Module, inputs: Any, named: Any) -> tuple[Any, Any]:
    return _moved(inputs, device), _moved(named, device)


def _bring_home(device: torch.device, module: nn.Module, inputs: Any, output: Any) -> Any:
    return _moved(output, device)


def _moved(value: Any, device: torch.device) -> Any:
    """Return a nest of tensors on a device; what is there already is not copied."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {key: _moved(item, device) for key, item in value.items()}
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_moved(item, device) for item in value)
    if isinstance(value, list):
        return [_moved(item, device) for item in value]
    return value
