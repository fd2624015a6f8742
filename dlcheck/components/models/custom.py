"""The user's own model."""

import inspect
from pathlib import Path

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.registry import MODELS
from dlcheck.components.target import call_target, load_target
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import CustomModel


@MODELS.register(CustomModel)
def build_custom(section: CustomModel, info: DataInfo, outputs: int, folder: Path) -> nn.Module:
    """Call the target with the recipe's further keys, and with ``info`` where it has such a parameter.

    Raises:
        DlcheckError: the target fails or returns anything but a module.
    """
    arguments = dict(section.arguments)
    if _takes_info(load_target(section.target, folder)):
        arguments.setdefault("info", info)
    model = call_target(section.target, folder, **arguments)
    if not isinstance(model, nn.Module):
        kind = type(model).__name__
        raise DlcheckError(f'model.target = "{section.target}" returned {kind}; valid: a torch.nn.Module')
    return model


def _takes_info(function: object) -> bool:
    try:
        return callable(function) and "info" in inspect.signature(function).parameters
    except ValueError:  # some callables written in C have no signature
        return False
