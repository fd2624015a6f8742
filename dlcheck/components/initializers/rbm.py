"""Layer-wise pre-training by restricted Boltzmann machines."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from dlcheck.components.activations import Maxout
from dlcheck.components.initializers.fill import fill
from dlcheck.components.initializers.registry import INITIALIZERS, Setting
from dlcheck.components.models.mlp import Perceptron
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import RbmInit

WEIGHT_STD = 0.01  # Hinton 2012, section 8.1


class Rbm:
    """A restricted Boltzmann machine of sigmoid units, trained by one step of contrastive divergence.

    Hinton 2002, "Training products of experts by minimizing contrastive divergence", Neural Computation 14; the
    recipe of Hinton 2012, "A practical guide to training restricted Boltzmann machines".

    Attributes:
        weight: (hidden, visible).
        visible_bias: (visible,).
        hidden_bias: (hidden,).
    """

    def __init__(self, visible: int, hidden: int, device: torch.device) -> None:
        self.weight = torch.empty(hidden, visible, device=device).normal_(0.0, WEIGHT_STD)
        self.visible_bias = torch.zeros(visible, device=device)
        self.hidden_bias = torch.zeros(hidden, device=device)

    def hidden(self, visible: Tensor) -> Tensor:
        """Return the probabilities (batch, hidden) that hidden units are on."""
        return torch.sigmoid(visible @ self.weight.T + self.hidden_bias)

    def visible(self, hidden: Tensor) -> Tensor:
        """Return the probabilities (batch, visible) that visible units are on."""
        return torch.sigmoid(hidden @ self.weight + self.visible_bias)

    def step(self, visible: Tensor, lr: float) -> None:
        """Take one CD-1 step on inputs (batch, visible) in [0, 1].

        Hidden states are sampled where the data drives them and probabilities are used elsewhere (Hinton 2012,
        section 3).
        """
        positive = self.hidden(visible)
        fantasy = self.visible(torch.bernoulli(positive))
        negative = self.hidden(fantasy)
        rate = lr / len(visible)
        self.weight += rate * (positive.T @ visible - negative.T @ fantasy)
        self.visible_bias += rate * (visible - fantasy).sum(dim=0)
        self.hidden_bias += rate * (positive - negative).sum(dim=0)

    def fit(self, visible: Tensor, section: RbmInit) -> None:
        """Take CD-1 steps over all samples in a new order every epoch."""
        for _ in range(section.epochs):
            order = torch.randperm(len(visible)).to(visible.device)
            for start in range(0, len(visible), section.batch_size):
                self.step(visible[order[start : start + section.batch_size]], section.lr)


@INITIALIZERS.register(RbmInit)
@torch.no_grad()
def pretrain(section: RbmInit, setting: Setting) -> None:
    """Train one machine per hidden layer, each on the hidden probabilities of the one before.

    Inputs are scaled to [0, 1] by column; the scaling is then folded into the first layer, which sees them as they
    are. The head keeps PyTorch's initialisation. The machines have sigmoid units: with another activation the
    weights are a start, not a solution. Hinton, Osindero & Teh 2006, "A fast learning algorithm for deep belief
    nets", Neural Computation 18.

    Raises:
        DlcheckError: the model is no ``mlp`` with hidden layers, has maxout units, or holds trained weights.
    """
    layers = list(_hidden_layers(setting))
    data = _inputs(setting)
    low, high = data.aminmax(dim=0)
    span = torch.where(high > low, high - low, torch.ones_like(high))
    activity = (data - low) / span
    for index, layer in enumerate(layers):
        machine = Rbm(layer.in_features, layer.out_features, activity.device)
        machine.fit(activity, section)
        activity = machine.hidden(activity)
        if index == 0:
            machine.weight /= span
            machine.hidden_bias -= machine.weight @ low
        _copy(machine, layer)


def _hidden_layers(setting: Setting) -> Iterator[nn.Linear]:
    model = setting.model
    if not isinstance(model, Perceptron):
        raise DlcheckError('init.name = "rbm" pre-trains fully connected layers; valid with model.name = "mlp" only')
    if setting.scope is not model:
        raise DlcheckError('init.name = "rbm" would overwrite model.weights; drop one of the two')
    if any(isinstance(module, Maxout) for module in model.modules()):
        raise DlcheckError('init.name = "rbm" needs one unit per output; model.activation = "maxout" has two')
    layers = [module for module in model.body.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise DlcheckError('init.name = "rbm" needs at least one hidden layer; model.hidden is empty')
    yield from layers


def _inputs(setting: Setting) -> Tensor:
    batches = setting.sample[:1] if setting.train_inputs is None else setting.train_inputs
    device = setting.sample[0].device
    return torch.cat([batch.to(device).float().flatten(1) for batch in batches])


def _copy(machine: Rbm, layer: nn.Linear) -> None:
    fill(layer, "weight", lambda weight: weight.copy_(machine.weight))
    if layer.bias is not None:
        layer.bias.copy_(machine.hidden_bias)
