"""The builders of models, by the type of their recipe section."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.registry import Registry

ModelBuilder = Callable[[Any, DataInfo, int, Path], nn.Module]
"""Takes the section, the data's description, the number of outputs and the recipe's folder."""

MODELS: Registry[ModelBuilder] = Registry("model")
