"""The initialisations, by the type of their recipe section."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dlcheck.components.registry import Registry


@dataclass(frozen=True, slots=True)
class Setting:
    """What an initialisation has to work with."""

    model: nn.Module
    scope: nn.Module
    """The part to initialise: the model itself, or a child."""
    sample: tuple[Tensor, ...]
    """Inputs of one batch."""
    train_inputs: Iterable[Tensor] | None
    """Batches of training inputs."""
    folder: Path


Initializer = Callable[[Any, Setting], None]
"""Takes the recipe section and the setting, and changes the weights in place."""

INITIALIZERS: Registry[Initializer] = Registry("init")
