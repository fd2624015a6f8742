"""Classification networks of torchvision, fitted to the data's channels and classes.

torchvision is imported only when one is asked for: it takes as long to load as PyTorch itself.
"""

from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import dropout

from dlcheck.components.info import DataInfo
from dlcheck.components.models.images import image_shape
from dlcheck.components.models.registry import MODELS
from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.recipe.model import TorchvisionModel

RGB = 3


class DropoutLinear(nn.Linear):
    """Dropout, then a linear layer, under the linear layer's parameter names: weight files still fit."""

    def __init__(self, linear: nn.Linear, rate: float) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None)
        self.rate = rate

    def forward(self, input: Tensor) -> Tensor:
        """Return (batch, out_features)."""
        return super().forward(dropout(input, self.rate, self.training))


@MODELS.register(TorchvisionModel)
def build_torchvision(section: TorchvisionModel, info: DataInfo, outputs: int, folder: Path) -> nn.Module:
    """Build a network by its torchvision name, without weights, auxiliary classifiers, or adaptive input scaling.

    Raises:
        DlcheckError: no classification network has this name, or it refuses images of this size.
    """
    from torchvision import models  # type: ignore[import-untyped]

    channels, size = image_shape(section.name, info)
    names = models.list_models(module=models)
    if section.architecture not in names:
        hint = nearest(section.architecture, names, "torchvision has")
        raise DlcheckError(f"model.architecture = {section.architecture!r}: torchvision has no such network; {hint}")
    options = _options(section, channels, size)
    try:
        model: nn.Module = models.get_model(section.architecture, weights=None, num_classes=outputs, **options)
    except (ValueError, AssertionError) as error:  # Transformers refuse sizes that their patches do not divide
        raise DlcheckError(
            f"model.architecture = {section.architecture!r} does not fit images of {size[0]}×{size[1]} pixels: "
            f"{one_line(error)}; most take data.image_size = 224"
        ) from error
    if channels != RGB:
        _replace_first_convolution(model, channels)
    if section.dropout:
        _add_dropout(model, section.dropout)
    return model


def _options(section: TorchvisionModel, channels: int, size: tuple[int, int]) -> dict[str, Any]:
    name = section.architecture
    if name in ("googlenet", "inception_v3"):
        # Their published weights were trained on inputs scaled in another way than all others.
        scale = section.weights is not None and channels == RGB
        return {"aux_logits": False, "init_weights": True, "transform_input": scale}
    if name.startswith("vit_"):
        if size[0] != size[1]:
            raise DlcheckError(f"model.architecture = {name!r} takes square images, not {size[0]}×{size[1]}")
        return {"image_size": size[0]}
    return {"input_size": size} if name.startswith("maxvit") else {}


def _replace_first_convolution(model: nn.Module, channels: int) -> None:
    name, old = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d))
    new = nn.Conv2d(
        channels,
        old.out_channels,
        (old.kernel_size[0], old.kernel_size[1]),
        (old.stride[0], old.stride[1]),
        old.padding if isinstance(old.padding, str) else (old.padding[0], old.padding[1]),
        bias=old.bias is not None,
    )
    model.set_submodule(name, new)


def _add_dropout(model: nn.Module, rate: float) -> None:
    """Put dropout before the last linear layer, or before the last convolution where that makes the outputs."""
    kinds = (nn.Linear, nn.Conv2d)
    name, last = [(n, m) for n, m in model.named_modules() if isinstance(m, kinds)][-1]
    if isinstance(last, nn.Linear):
        model.set_submodule(name, DropoutLinear(last, rate))
        return
    parent, _, _ = name.rpartition(".")
    for child in model.get_submodule(parent).children():
        if isinstance(child, nn.Dropout):  # squeezenet has one of its own there
            child.p = rate
