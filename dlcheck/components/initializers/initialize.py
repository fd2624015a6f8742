"""From a recipe's ``[init]`` section to the weights of a model."""

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor, nn

from dlcheck.components.initializers.fill import fill_forget_biases
from dlcheck.components.initializers.registry import INITIALIZERS, Setting
from dlcheck.recipe.section import Section


def initialize(
    model: nn.Module,
    section: Section,
    *,
    sample: tuple[Tensor, ...],
    folder: Path,
    train_inputs: Iterable[Tensor] | None = None,
    only: nn.Module | None = None,
) -> None:
    """Initialise a model in place, drawing from PyTorch's global generator.

    Weights of linear, convolutional, recurrent and attention layers change, and their biases; norms do not.
    Embeddings change with ``zeros``, ``constant``, ``normal`` and ``uniform`` only. Call it before trained weights
    are loaded.

    Args:
        model: the model to initialise.
        section: the recipe's ``[init]``.
        sample: inputs of one batch, on the model's device; ``lsuv`` runs the model on them.
        folder: the recipe's folder, for the user's own code.
        train_inputs: batches of training inputs, for ``rbm``; unset: ``sample`` is all it learns from.
        only: the child to initialise, when the rest starts from trained weights.

    Raises:
        DlcheckError: the initialisation does not fit the model, or the user's own function fails.
    """
    scope = model if only is None else only
    INITIALIZERS.builder(section)(section, Setting(model, scope, sample, train_inputs, folder))
    forget_bias: float | None = getattr(section, "forget_bias", None)
    if forget_bias is not None:
        fill_forget_biases(scope, forget_bias)
