"""Which part of a network learns, and how fast."""

from torch import Tensor, nn

from dlcheck.components.transfer.parts import NORMS, Parts, model_parts
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import ModelSection


def apply_transfer(model: nn.Module, section: ModelSection) -> dict[str, float]:
    """Freeze what is not to learn, and return the factor on the learning rate of every parameter by name.

    ``train_stages`` is ``"all"``, ``"head"``, or the number of last stages that learn besides the head. The
    factor is ``body_lr_factor`` for the body and 1 for the head.

    Raises:
        DlcheckError: more stages are to learn than there are.
    """
    parts = model_parts(model)
    learning = _learning(model, parts, section)
    head = parts.head_parameters
    factors: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter in learning)
        factors[name] = 1.0 if parameter in head else section.body_lr_factor
    return factors


def _learning(model: nn.Module, parts: Parts, section: ModelSection) -> set[Tensor]:
    if section.train_stages == "all":
        return set(model.parameters())
    count = 0 if section.train_stages == "head" else section.train_stages
    if count > len(parts.stages):
        raise DlcheckError(
            f"model.train_stages = {count}: this network has {len(parts.stages)} stages before its head "
            f'({", ".join(name for name, _ in parts.stages)}); valid: "all", "head" or at most that number'
        )
    learning = parts.head_parameters
    for _, stage in parts.stages[len(parts.stages) - count :]:
        learning |= set(stage.parameters())
    return learning


def freeze_modes(model: nn.Module) -> None:
    """Keep frozen normalisations on their running statistics; to be called after every ``model.train()``.

    A batch normalisation whose scale and shift do not learn would otherwise go on changing its statistics, and
    with them what the frozen layers after it compute.
    """
    for module in model.modules():
        if not isinstance(module, NORMS) or getattr(module, "running_mean", None) is None:
            continue
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
