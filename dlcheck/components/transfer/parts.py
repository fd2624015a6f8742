"""The parts of a network that transfer learning speaks of: a body in stages, and a head."""

from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

from dlcheck.components.decorrelation import DecorrelatedBatchNorm
from dlcheck.errors import DlcheckError

CONTAINERS: Final = (nn.Sequential, nn.ModuleList)
LARGE_SHARE: Final = 0.9  # more is no stage among others, but a wrapper around all of them
NORMS: Final = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.LayerNorm,
    nn.GroupNorm,
    DecorrelatedBatchNorm,
)

Part = tuple[str, nn.Module]


@dataclass(frozen=True, slots=True)
class Parts:
    """A network taken apart, in the order of its layers."""

    stages: list[Part]
    """The body; a normalisation belongs to the stage before it."""
    head: Part

    @property
    def head_parameters(self) -> set[Tensor]:
        """The head's parameters."""
        return set(self.head[1].parameters())


def model_parts(model: nn.Module) -> Parts:
    """Take a network apart by its structure, whoever wrote it.

    Plain containers, and children that hold nine tenths of all parameters, are taken apart in their turn;
    parts without parameters are left out. The last part is the head.

    Raises:
        DlcheckError: the model has no parameters.
    """
    total = sum(parameter.numel() for parameter in model.parameters())
    if not total:
        raise DlcheckError("model: it has no parameters, so there is nothing to train")
    parts: list[list[Part]] = []
    for part in _flatten("", model, total) or [("model", model)]:
        if parts and isinstance(part[1], NORMS):
            parts[-1].append(part)
        else:
            parts.append([part])
    merged = [(group[0][0], _merge(group)) for group in parts]
    return Parts(merged[:-1], merged[-1])


def _merge(group: list[Part]) -> nn.Module:
    return group[0][1] if len(group) == 1 else nn.ModuleList(module for _, module in group)


def _flatten(prefix: str, module: nn.Module, total: int) -> list[Part]:
    parts: list[Part] = []
    for name, child in module.named_children():
        count = sum(parameter.numel() for parameter in child.parameters())
        path = f"{prefix}{name}"
        if not count:
            continue
        inner = _flatten(f"{path}.", child, total)
        several = sum(not isinstance(part, NORMS) for _, part in inner) > 1
        if inner and (type(child) in CONTAINERS or (several and count > LARGE_SHARE * total)):
            parts += inner
        else:
            parts.append((path, child))
    return parts
