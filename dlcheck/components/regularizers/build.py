"""From a ``[regularize]`` section to the hooks of a training step."""

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.regularizers.dropconnect import DropConnect
from dlcheck.components.regularizers.hook import StepHook
from dlcheck.components.regularizers.max_norm import MaxNorm
from dlcheck.components.regularizers.mixup import Mixup
from dlcheck.components.regularizers.noise import InputNoise, WeightNoise
from dlcheck.components.regularizers.penalty import Penalty, penalized_parameters
from dlcheck.errors import DlcheckError
from dlcheck.recipe.optimizer import Regularize


def build_regularizers(section: Regularize, model: nn.Module, info: DataInfo, loss_name: str) -> list[StepHook]:
    """Build the hooks of a section, in the order in which each moment calls them.

    Label smoothing belongs to the loss and averages to ``build_average``; neither is a hook. Random numbers
    come from PyTorch's global generators.

    Raises:
        DlcheckError: the model or the data has nothing for a regulariser to act on.
    """
    hooks: list[StepHook] = []
    if section.mixup:
        hooks.append(_build_mixup(section, info, loss_name))
    if section.input_noise:
        if info.task == "language":
            raise DlcheckError("regularize.input_noise: text is codes, noise needs floating-point inputs")
        hooks.append(InputNoise(section.input_noise))
    if section.dropconnect:
        hooks.append(DropConnect(model, section.dropconnect))
    if section.weight_noise:
        # Ahead of the penalty, whose gradient is taken at the restored weights.
        hooks.append(WeightNoise(penalized_parameters(model), section.weight_noise))
    if section.l1 or section.l2:
        parameters = penalized_parameters(model, penalize_bias=section.penalize_bias)
        hooks.append(Penalty(parameters, l1=section.l1, l2=section.l2))
    if section.max_norm is not None:
        hooks.append(MaxNorm(model, section.max_norm))
    return hooks


def _build_mixup(section: Regularize, info: DataInfo, loss_name: str) -> Mixup:
    if info.task in ("language", "caption"):
        raise DlcheckError(f"regularize.mixup: {info.task} samples are codes and cannot be mixed")
    if loss_name == "hinge":
        raise DlcheckError("regularize.mixup: hinge needs one class a sample; use cross_entropy or bce")
    return Mixup(section.mixup, info.outputs if info.task == "classification" else None)
