"""Blocks with a skip connection: plain, with squeeze and excitation, and with grouped convolutions."""

from typing import Final

from torch import Tensor, nn

from dlcheck.components.activations import make_activation, pieces
from dlcheck.components.models.layers import ConvLayer, Style

REDUCTION: Final = 16  # Hu et al. 2018, section 6.1
MIN_SQUEEZED: Final = 4


class SqueezeExcitation(nn.Module):
    """Weigh each channel by a number in (0, 1) computed from the means of all channels.

    Hu et al. 2018, CVPR, arXiv:1709.01507.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(MIN_SQUEEZED, channels // REDUCTION)
        self.squeeze = nn.Linear(channels, squeezed)
        self.activation = nn.ReLU()
        self.excite = nn.Linear(squeezed, channels)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted channels, of the input's shape."""
        weights = self.gate(self.excite(self.activation(self.squeeze(x.mean(dim=(2, 3))))))
        weighted: Tensor = x * weights[:, :, None, None]
        return weighted


class ResidualBlock(nn.Module):
    """activation(``residual``(x) + ``shortcut``(x)); the shortcut is a 1×1 convolution where the shape changes."""

    def __init__(self, residual: nn.Sequential, inputs: int, outputs: int, stride: int, style: Style) -> None:
        super().__init__()
        wide = outputs * pieces(style.activation)
        self.outputs = outputs
        self.residual = residual
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != wide:
            self.shortcut = ConvLayer(inputs, wide, 1, style, stride=stride, active=False)
        self.activation = make_activation(style.activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, ``outputs``, height / stride, width / stride)."""
        y: Tensor = self.activation(self.residual(x) + self.shortcut(x))
        return y


class BasicBlock(ResidualBlock):
    """Two 3×3 convolutions (He et al. 2016, arXiv:1512.03385)."""

    def __init__(self, inputs: int, width: int, stride: int, style: Style, *, excite: bool = False) -> None:
        wide = width * pieces(style.activation)
        residual = nn.Sequential()
        residual.add_module("conv1", ConvLayer(inputs, width, 3, style, stride=stride))
        residual.add_module("conv2", ConvLayer(width, wide, 3, style, active=False))
        if excite:
            residual.add_module("excitation", SqueezeExcitation(wide))
        super().__init__(residual, inputs, width, stride, style)


class NextBlock(ResidualBlock):
    """1×1 to twice the width, grouped 3×3, 1×1 to four times the width (Xie et al. 2017, arXiv:1611.05431)."""

    def __init__(self, inputs: int, width: int, stride: int, style: Style, *, groups: int) -> None:
        outputs = 4 * width
        residual = nn.Sequential()
        residual.add_module("conv1", ConvLayer(inputs, 2 * width, 1, style))
        residual.add_module("conv2", ConvLayer(2 * width, 2 * width, 3, style, stride=stride, groups=groups))
        wide = outputs * pieces(style.activation)
        residual.add_module("conv3", ConvLayer(2 * width, wide, 1, style, active=False))
        super().__init__(residual, inputs, outputs, stride, style)
