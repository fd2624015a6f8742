"""Which parameter learns at which rate, with which weight decay."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from dlcheck.errors import DlcheckError, nearest
from dlcheck.recipe.optimizer import Group, OptimizerSection


@dataclass(frozen=True, slots=True)
class _Setting:
    lr: float
    weight_decay: float | None
    """None leaves the optimizer's own default."""
    label: str


def parameter_groups(
    section: OptimizerSection,
    model: nn.Module,
    *,
    lr_factors: Mapping[str, float],
    weight_decay: float | None,
) -> list[dict[str, Any]]:
    """Return the trainable parameters in as few groups as rates and decays need, each with a ``name``.

    Args:
        section: gives ``lr``, ``groups`` (the first pattern that fits a name holds) and ``decay_norm_bias``,
            which when false leaves norms and biases without decay whatever their group says.
        model: its shared parameters count once, under their first name.
        lr_factors: further factors of the rate, by parameter name.
        weight_decay: of parameters whose group names none; None leaves the key out.

    Raises:
        DlcheckError: nothing is trainable, or a pattern fits no parameter.
    """
    _check_patterns(section.groups, [name for name, _ in model.named_parameters()])
    spared = set() if section.decay_norm_bias else norm_and_bias_names(model)
    groups: dict[tuple[float, float | None], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            setting = _setting(section, name, lr_factors.get(name, 1.0), weight_decay, name in spared)
            group = groups.setdefault((setting.lr, setting.weight_decay), _empty(setting))
            group["params"].append(parameter)
            if setting.label not in group["name"].split(", "):
                group["name"] += f", {setting.label}"
    if not groups:
        raise DlcheckError("optimizer: the model has no trainable parameter; unfreeze some of it")
    return list(groups.values())


def _setting(section: OptimizerSection, name: str, factor: float, weight_decay: float | None, spared: bool) -> _Setting:
    match = next((group for group in section.groups if fnmatchcase(name, group.match)), None)
    label = match.match if match else "model"
    if match and match.lr_factor is not None:
        factor *= match.lr_factor
    if match and match.weight_decay is not None:
        weight_decay = match.weight_decay
    if factor != 1:
        label += f" (lr × {factor:g})"
    if spared and weight_decay != 0:
        weight_decay = 0.0
        label += " norms and biases"
    return _Setting(section.lr * factor, weight_decay, label)


def _empty(setting: _Setting) -> dict[str, Any]:
    group: dict[str, Any] = {"params": [], "name": setting.label, "lr": setting.lr}
    if setting.weight_decay is not None:
        group["weight_decay"] = setting.weight_decay
    return group


def _check_patterns(groups: Iterable[Group], names: list[str]) -> None:
    for group in groups:
        if not any(fnmatchcase(name, group.match) for name in names):
            tops = {f"{name.partition('.')[0]}.*" if "." in name else name for name in names}
            known = tops.union(difflib.get_close_matches(group.match, names, n=1))
            hint = nearest(group.match, known, "the model has")
            raise DlcheckError(f'optimizer.groups: match = "{group.match}" fits no parameter; {hint}')


def norm_and_bias_names(model: nn.Module) -> set[str]:
    """Return the names of biases, and of all parameters of layers whose class is named like BatchNorm."""
    return set(_norm_and_bias_names(model))


def _norm_and_bias_names(model: nn.Module) -> Iterator[str]:
    for prefix, module in model.named_modules():
        is_norm = "Norm" in type(module).__name__
        for name, _ in module.named_parameters(recurse=False):
            if is_norm or "bias" in name:
                yield f"{prefix}.{name}" if prefix else name
