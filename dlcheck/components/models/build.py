"""From a recipe's ``[model]`` section to a module."""

from pathlib import Path
from typing import Final

import torch
from torch import nn
from torch.func import functional_call

from dlcheck.components.info import DataInfo
from dlcheck.components.models.registry import MODELS
from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe.model import ClassicCnn, Cnn, CustomModel, ModelSection, ResidualCnn, TorchvisionModel

_TASKS: Final[dict[str, tuple[str, ...]]] = {
    "language": ("rnn", "lstm", "gru", "transformer"),
    "caption": ("captioner",),
    "reconstruction": ("autoencoder",),
}
"""Tasks that only these models of ours can do; they do no other, except the first four."""


_CONVOLUTIONAL: Final = (Cnn, ClassicCnn, ResidualCnn, TorchvisionModel)


def build_model(section: ModelSection, info: DataInfo, *, folder: Path, outputs: int | None = None) -> nn.Module:
    """Return the model of a recipe for this data, freshly initialised, on the CPU.

    Called with a batch of inputs it returns scores (batch, outputs); (batch, time, outputs) for text; the shape of
    the inputs for reconstruction. Models of captions are called with images and the words so far (batch, time) and
    return (batch, time, outputs).

    Args:
        section: the recipe's ``[model]``.
        info: shape and size of the data.
        folder: the recipe's folder, for the user's own code.
        outputs: size of the last axis of the output; unset: ``info.outputs``.

    Raises:
        DlcheckError: the model cannot do this task, or does not take inputs of this shape.
    """
    _check_task(section, info)
    model = MODELS.builder(section)(section, info, info.outputs if outputs is None else outputs, folder)
    if isinstance(section, _CONVOLUTIONAL):
        _check_image_size(model, section, info)
    return model


def _check_task(section: ModelSection, info: DataInfo) -> None:
    name = _name(section)
    if isinstance(section, CustomModel):
        return
    special = {model for task in ("caption", "reconstruction") for model in _TASKS[task]}
    able = name in _TASKS[info.task] if info.task in _TASKS else name not in special
    if able:
        return
    valid = _TASKS.get(info.task, ("mlp", "cnn", "resnet", "lstm", "transformer", "and the other networks"))
    raise DlcheckError(f'model.name = "{name}" cannot do the task of this data, {info.task}; valid: {", ".join(valid)}')


def _check_image_size(model: nn.Module, section: ModelSection, info: DataInfo) -> None:
    """Let two images without contents run through the network: shapes are computed, numbers are not."""
    meta = torch.device("meta")
    state = {name: value.detach().to(meta) for name, value in model.state_dict(keep_vars=True).items()}
    try:
        functional_call(model, state, (torch.empty(2, *info.input_shape, device=meta),))
    except (RuntimeError, ValueError) as error:
        height, width = info.input_shape[1:]
        raise DlcheckError(
            f'model.name = "{_name(section)}": {_variant(section)}images of {height}×{width} pixels are too small '
            f"for this network ({one_line(error, 100)}); {_larger(section)}"
        ) from error


def _name(section: ModelSection) -> str:
    return str(getattr(section, "name", ""))


def _variant(section: ModelSection) -> str:
    if getattr(section, "original", False):
        return "with original = true "
    architecture = getattr(section, "architecture", "")
    return f"architecture {architecture!r}: " if architecture else ""


def _larger(section: ModelSection) -> str:
    if getattr(section, "original", False):
        return "leave original false, or resize to about 224 pixels"
    return "use larger images or fewer stages"
