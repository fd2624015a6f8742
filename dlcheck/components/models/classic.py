"""The textbook networks without skip connections, by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.alexnet import build_alexnet, build_zfnet
from dlcheck.components.models.googlenet import build_googlenet
from dlcheck.components.models.lenet import build_lenet
from dlcheck.components.models.nin import build_nin
from dlcheck.components.models.registry import MODELS
from dlcheck.components.models.vgg import build_vgg
from dlcheck.recipe.model import ClassicCnn

_NETWORKS: Final[dict[str, Callable[[ClassicCnn, DataInfo, int], nn.Module]]] = {
    "lenet5": build_lenet,
    "alexnet": build_alexnet,
    "zfnet": build_zfnet,
    "vgg": build_vgg,
    "nin": build_nin,
    "googlenet": build_googlenet,
}


@MODELS.register(ClassicCnn)
def build_classic(section: ClassicCnn, info: DataInfo, outputs: int, folder: Path) -> nn.Module:
    """Build the network of this name."""
    return _NETWORKS[section.name](section, info, outputs)
