"""From an ``[optimizer]`` section to an optimizer over a model's parameters."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim

from dlcheck.components.optimizers.adainject import AdaInject
from dlcheck.components.optimizers.angulargrad import AngularGrad
from dlcheck.components.optimizers.groups import parameter_groups
from dlcheck.components.optimizers.uncorrected_adam import UncorrectedAdam
from dlcheck.components.registry import Registry
from dlcheck.components.target import call_target
from dlcheck.errors import DlcheckError
from dlcheck.recipe.optimizer import (
    Adagrad,
    Adam,
    AdamVariant,
    CustomOptimizer,
    Lbfgs,
    OptimizerSection,
    RmsProp,
    Sgd,
)

Groups = list[dict[str, Any]]
Builder = Callable[[Any, Groups, Path], optim.Optimizer]

OPTIMIZERS: Registry[Builder] = Registry("optimizer")


def build_optimizer(
    section: OptimizerSection,
    model: nn.Module,
    *,
    folder: Path,
    lr_factors: Mapping[str, float] | None = None,
) -> optim.Optimizer:
    """Build the optimizer of a section over the parameters that require gradients, where they lie now.

    ``section.switch`` is not looked at: who trains builds ``section.switch.to`` when its epoch comes.

    Args:
        section: the ``[optimizer]`` section.
        model: already on its device.
        folder: of the recipe, where the user's own code is looked for.
        lr_factors: further factors of the rate by parameter name, as transfer learning wants them.

    Raises:
        DlcheckError: nothing is trainable, a group's pattern fits nothing, or the section asks for something
            that its optimizer cannot do.
    """
    weight_decay: float | None = section.weight_decay
    if isinstance(section, CustomOptimizer) and "weight_decay" not in section.model_fields_set:
        weight_decay = None
    groups = parameter_groups(section, model, lr_factors=lr_factors or {}, weight_decay=weight_decay)
    return OPTIMIZERS.builder(section)(section, groups, folder)


def _fused(groups: Groups) -> dict[str, Any]:
    """Ask for the fused kernel on CPUs, where PyTorch's default is up to six times slower.

    It takes each parameter's memory, its gradient's and its moments' to be laid out alike without looking;
    gradients of contiguous parameters are contiguous, so that only those are trusted to it.
    """
    parameters = [parameter for group in groups for parameter in group["params"]]
    plain = all(p.device.type == "cpu" and p.is_floating_point() and p.is_contiguous() for p in parameters)
    plain = plain and not any(hasattr(p, "full_tensor") for p in parameters)  # sharded: no kernel for all optimizers
    return {"fused": True} if plain else {}


@OPTIMIZERS.register(Sgd)
def _build_sgd(section: Sgd, groups: Groups, folder: Path) -> optim.Optimizer:
    momentum = 0.0 if section.name == "sgd" else section.momentum
    if section.name == "nesterov" and momentum == 0:
        raise DlcheckError("optimizer.momentum = 0: nesterov needs momentum above 0")
    nesterov = section.name == "nesterov"
    return optim.SGD(groups, lr=section.lr, momentum=momentum, nesterov=nesterov, **_fused(groups))


@OPTIMIZERS.register(Adagrad)
def _build_adagrad(section: Adagrad, groups: Groups, folder: Path) -> optim.Optimizer:
    return optim.Adagrad(groups, lr=section.lr, eps=section.eps, **_fused(groups))


@OPTIMIZERS.register(RmsProp)
def _build_rmsprop(section: RmsProp, groups: Groups, folder: Path) -> optim.Optimizer:
    return optim.RMSprop(groups, lr=section.lr, alpha=section.alpha, momentum=section.momentum, eps=section.eps)


@OPTIMIZERS.register(Adam)
def _build_adam(section: Adam, groups: Groups, folder: Path) -> optim.Optimizer:
    options: dict[str, Any] = {"lr": section.lr, "betas": _betas(section), "eps": section.eps}
    if not section.bias_correction:
        if section.name != "adam":
            raise DlcheckError(f'optimizer.bias_correction = false works with name = "adam" only, not "{section.name}"')
        return UncorrectedAdam(groups, **options)
    match section.name:
        case "radam":
            return optim.RAdam(groups, **options)
        case "nadam":
            return optim.NAdam(groups, **options)
        case "adamw":
            return optim.AdamW(groups, **options, **_fused(groups))
    return optim.Adam(groups, **options, amsgrad=section.name == "amsgrad", **_fused(groups))


@OPTIMIZERS.register(AdamVariant)
def _build_adam_variant(section: AdamVariant, groups: Groups, folder: Path) -> optim.Optimizer:
    options: dict[str, Any] = {"lr": section.lr, "betas": _betas(section), "eps": section.eps}
    match section.name:
        case "angulargrad":
            return AngularGrad(groups, **options)
        case "adainject":
            return AdaInject(groups, **options)
    return _build_from_extra(section.name, groups, options)


def _build_from_extra(name: str, groups: Groups, options: dict[str, Any]) -> optim.Optimizer:
    """Build DiffGrad or AdaBelief of ``pytorch_optimizer`` with L2 weight decay and no rectification.

    Those switches make them DiffGrad as in Dubey et al. (2020, IEEE TNNLS, arXiv 1909.11015) and AdaBelief as
    in algorithm 2 of Zhuang et al. (2020, NeurIPS, arXiv 2010.07468), but for two details of the package's
    DiffGrad: ε joins √v before rather than after the bias correction, and 1e-15 is added under the root.
    """
    try:
        import pytorch_optimizer
    except ImportError as error:
        raise DlcheckError(
            f"optimizer.name = \"{name}\" needs a further package: pip install 'dlcheck[optimizers]'"
        ) from error
    kind = {"diffgrad": pytorch_optimizer.DiffGrad, "adabelief": pytorch_optimizer.AdaBelief}[name]
    built: optim.Optimizer = kind(groups, **options, weight_decouple=False, rectify=False)
    return built


@OPTIMIZERS.register(Lbfgs)
def _build_lbfgs(section: Lbfgs, groups: Groups, folder: Path) -> optim.Optimizer:
    if len(groups) > 1:
        names = ", ".join(f"'{group['name']}'" for group in groups)
        raise DlcheckError(f"optimizer: lbfgs treats all parameters alike, but these groups differ: {names}")
    if groups[0]["weight_decay"]:
        raise DlcheckError("optimizer.weight_decay: lbfgs has none; use regularize.l2")
    del groups[0]["weight_decay"]
    return optim.LBFGS(
        groups,
        lr=section.lr,
        max_iter=section.max_iterations,
        history_size=section.history,
        line_search_fn="strong_wolfe",
    )


@OPTIMIZERS.register(CustomOptimizer)
def _build_custom(section: CustomOptimizer, groups: Groups, folder: Path) -> optim.Optimizer:
    options = dict(section.arguments)
    if "weight_decay" in section.model_fields_set:
        options["weight_decay"] = section.weight_decay
    built = call_target(section.target, folder, groups, lr=section.lr, **options)
    if not isinstance(built, torch.optim.Optimizer):
        kind = type(built).__name__
        raise DlcheckError(f'optimizer.target = "{section.target}": expected a torch.optim.Optimizer, got {kind}')
    return built


def _betas(section: Adam | AdamVariant) -> tuple[float, float]:
    return section.betas[0], section.betas[1]
