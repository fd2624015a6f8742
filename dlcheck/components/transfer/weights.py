"""Trained weights from torchvision or from a checkpoint file."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from dlcheck.components.transfer.parts import model_parts
from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.recipe.model import ModelSection, TorchvisionModel

State = dict[str, Tensor]
WRAPPERS: Final = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name


def load_weights(model: nn.Module, section: ModelSection) -> None:
    """Load ``section.weights`` into a model in place; without any, do nothing.

    The weights are the name of torchvision's (``"DEFAULT"``, ``"IMAGENET1K_V1"``), or a file that holds a
    state_dict, bare or under the key ``model``; it is read without executing anything in it. A head of another
    shape keeps its initialisation. Into a first convolution of another number of channels goes the mean of its
    kernels, scaled so that equal channels give the same answer as before: for one channel, their sum.

    Raises:
        DlcheckError: no such weights, an unreadable file, a failed download, or weights of another network.
    """
    if section.weights is None:
        return
    path = Path(section.weights)
    if isinstance(section, TorchvisionModel) and not path.is_file() and not path.suffix.startswith(".p"):
        state = _download(section.architecture, section.weights)
    else:
        state = _read(path)
    _load(model, state, section.weights)


def _read(path: Path) -> State:
    if not path.is_file():
        raise DlcheckError(f'model.weights = "{path}": there is no such file')
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise nearly anything
        raise DlcheckError(f'model.weights = "{path}" cannot be read as weights: {one_line(error, 120)}') from error
    if isinstance(found, Mapping) and isinstance(found.get("model"), Mapping):
        found = found["model"]
    if not isinstance(found, Mapping) or not any(isinstance(value, Tensor) for value in found.values()):
        raise DlcheckError(f'model.weights = "{path}" holds no state_dict, bare or under the key "model"')
    return {_unwrap(str(name)): value for name, value in found.items() if isinstance(value, Tensor)}


def _unwrap(name: str) -> str:
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name


def _download(architecture: str, name: str) -> State:
    from torchvision import models  # type: ignore[import-untyped]

    family = models.get_model_weights(architecture)
    key = name.rpartition(".")[2]
    if key not in family.__members__:
        hint = nearest(key, family.__members__, "valid")
        raise DlcheckError(f'model.weights = "{name}": {architecture} has no such weights; {hint}')
    weights = family[key]
    try:
        state: State = dict(weights.get_state_dict(progress=False, check_hash=True, weights_only=True))
    except UnpicklingError as error:  # of a file that lay there before: a download is held against its hash
        raise DlcheckError(f'model.weights = "{name}" cannot be read as weights: {one_line(error, 120)}') from error
    except (OSError, RuntimeError) as error:
        file = Path(urlparse(weights.url).path).name
        place = Path(torch.hub.get_dir()) / "checkpoints" / file
        raise DlcheckError(
            f'model.weights = "{name}" cannot be downloaded ({one_line(error, 80)}); '
            f"put the file from {weights.url} at {place}"
        ) from error
    return state


def _load(model: nn.Module, state: State, origin: str) -> None:
    own = model.state_dict()
    head = {name for name in own if name.startswith(f"{model_parts(model).head[0]}.")}
    body = [name for name in own if name not in head and not name.endswith("num_batches_tracked")]
    if not any(name in state for name in body or head):
        raise DlcheckError(f'model.weights = "{origin}": no name in it is one of this model; is it another network?')
    missing = [name for name in body if name not in state]
    if missing:
        raise DlcheckError(
            f'model.weights = "{origin}" lacks {missing[0]} and {len(missing) - 1} more; is it another network?'
        )
    chosen = {name: _fit(name, state[name], own[name], model, origin) for name in body}
    chosen |= {name: state[name] for name in own if name.endswith("num_batches_tracked") and name in state}
    if all(name in state and state[name].shape == own[name].shape for name in head):
        chosen |= {name: state[name] for name in head}
    model.load_state_dict(chosen, strict=False)


def _fit(name: str, value: Tensor, own: Tensor, model: nn.Module, origin: str) -> Tensor:
    if value.shape == own.shape:
        return value
    first = next((f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Conv2d)), None)
    if name == first and value.shape[::2] == own.shape[::2] and value.shape[3] == own.shape[3]:
        return value.sum(dim=1, keepdim=True).expand_as(own) / own.shape[1]
    raise DlcheckError(
        f'model.weights = "{origin}": {name} has the shape {tuple(value.shape)}, this model needs {tuple(own.shape)}'
    )
