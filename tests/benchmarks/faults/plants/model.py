"""Faults in the model: how its weights are drawn, and what it computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.benchmarks.faults.plan import Plan
from tests.benchmarks.faults.plants.fault import INSIDE, LIVE, Family
from tests.benchmarks.faults.plants.kinds import (
    ACTIVATIONS,
    both,
    classified,
    flat_answers,
    floats,
    followed,
    has,
    hidden,
    layers,
    numbers,
    sequence_of_layers,
)
from tests.benchmarks.faults.plants.surgery import (
    Applied,
    after,
    before,
    drawn,
    inserted,
    matrices,
    replaced,
    width,
)

fault = Family("model")
NOTHING_LEARNT = "C406 M209 M216"


@fault("M202", also=f"{NOTHING_LEARNT} G303 G307", fits=hidden, origin="DeepCrime: weights initialisation")
def zero_weights(plan: Plan) -> None:
    """All weights start at zero."""
    with torch.no_grad():
        for weight in matrices(plan.model):
            weight.zero_()


@fault("M202", also=f"{NOTHING_LEARNT} C408", fits=hidden, origin="TheDeepChecker: constant weights")
def constant_weights(plan: Plan) -> None:
    """All weights start at the same number."""
    with torch.no_grad():
        for weight in matrices(plan.model):
            weight.fill_(0.05)


@fault("M203 M201", also="G302 G304 C401 C404 M205 C403 C409", fits=hidden, origin="TheDeepChecker: large weights")
def large_weights(plan: Plan) -> None:
    """Weights are drawn with twenty times the usual spread."""
    with torch.no_grad():
        for weight in matrices(plan.model):
            weight.mul_(20)


@fault("M203", also=f"{NOTHING_LEARNT} G303 C405 G305 C407", fits=hidden, origin="TheDeepChecker: small weights")
def tiny_weights(plan: Plan) -> None:
    """Weights are drawn with a fiftieth of the usual spread."""
    with torch.no_grad():
        for weight in matrices(plan.model):
            weight.mul_(0.02)


def _rectified(plan: Plan) -> bool:
    return bool(followed(plan.model, nn.ReLU))


@fault("M204", also=f"{NOTHING_LEARNT} M214 G303", fits=_rectified, origin="TheDeepChecker: dead ReLU; AutoTrainer")
def dead_relu(plan: Plan) -> str:
    """A layer's biases start at −50, so that its units never answer."""
    name, layer = followed(plan.model, nn.ReLU)[0]
    assert isinstance(layer.bias, Tensor)
    nn.init.constant_(layer.bias, -50.0)
    return name


def _bent(plan: Plan) -> bool:
    return bool(followed(plan.model, nn.Tanh))


@fault("M205 M203", also="G303 M201 C408 C406", fits=_bent, origin="SageMaker Debugger: TanhSaturation; DeepDiagnosis")
def saturated_tanh(plan: Plan) -> str:
    """Weights before a tanh are thirty times too large, so that it always answers −1 or 1."""
    found = followed(plan.model, nn.Tanh)
    with torch.no_grad():
        for _, layer in found:
            assert isinstance(layer.weight, Tensor)
            layer.weight.mul_(30)
    return found[0][0]


@fault("M205", also="D102 M203 G303 C408 C406", fits=both(sequence_of_layers, floats), origin="DeepDiagnosis")
def saturated_sigmoid(plan: Plan) -> str:
    """Hidden layers end in a sigmoid whose inputs are multiplied by fifty."""
    return replaced(plan.model, ACTIVATIONS, lambda _: nn.Sequential(Applied(lambda x: 50 * x), nn.Sigmoid()))


@fault(
    "G303",
    also=f"{NOTHING_LEARNT} M203 M205 C405 C407 C408",
    fits=sequence_of_layers,
    origin="AutoTrainer",
)
def deep_sigmoids(plan: Plan) -> str:
    """Six sigmoid layers one after the other, where rectified ones are meant."""
    size = width(plan.model)
    with drawn(plan):
        stack = [module for _ in range(5) for module in (nn.Linear(size, size), nn.Sigmoid())]
    plan.model = inserted(plan.model, "deep", nn.Sequential(*stack))
    replaced(plan.model, ACTIVATIONS, lambda _: nn.Sigmoid())
    return layers(plan.model)[0][0]


@fault("M206 M209 C408", also="M204 M216 C406", fits=lambda plan: numbers(plan) or classified(plan), origin="DeepCrime")
def relu_on_output(plan: Plan) -> str:
    """The last layer has an activation like the others, so that no answer is negative."""
    plan.model = after(plan.model, "last", nn.ReLU())
    return layers(plan.model)[-1][0]


@fault("C408 M209", also="C406 M216 C407", fits=sequence_of_layers, origin="DeepCrime: remove activation")
def no_activations(plan: Plan) -> None:
    """Activations were forgotten: all layers together are one linear map."""
    replaced(plan.model, ACTIVATIONS, lambda _: nn.Identity())


@fault("C408 M209", also="C406 M204 M216 C407 C412", fits=sequence_of_layers, origin="NeuraLint: bottleneck; DeepFD")
def bottleneck(plan: Plan) -> str:
    """A hidden layer has one unit."""
    size = width(plan.model)
    with drawn(plan):
        narrow = nn.Sequential(nn.Linear(size, 1), nn.ReLU(), nn.Linear(1, size), nn.ReLU())
    plan.model = inserted(plan.model, "narrow", narrow)
    return "narrow.0"


@fault("M208", also="M212", fits=both(floats, hidden), exact=True, seen=INSIDE, origin="Karpathy 2019; NeuraLint")
def normalised_over_batch(plan: Plan) -> None:
    """Inputs are standardised with the statistics of the batch they come in, in evaluation too."""
    scale = Applied(lambda x: (x - x.mean(0)) / (x.std(0, unbiased=False) + 1e-2))
    plan.model = before(plan.model, "scale", scale)


@fault(
    "M208 M206",
    also=NOTHING_LEARNT,
    fits=both(classified, flat_answers),
    exact=True,
    seen=INSIDE,
    origin="Karpathy 2019",
)
def softmax_over_batch(plan: Plan) -> None:
    """The softmax is taken over the samples of the batch, along dimension 0."""
    plan.model = after(plan.model, "softmax", nn.Softmax(0))


@fault(
    "M214",
    also=f"{NOTHING_LEARNT} G303 D110",
    fits=floats,
    exact=True,
    origin="Karpathy 2019",
)
def input_overwritten(plan: Plan) -> None:
    """The input is multiplied by a mask that is zero everywhere."""
    plan.model = before(plan.model, "mask", Applied(lambda x: x * 0))


@fault("M215", also="C401 C406 C408 G301 M216", fits=has(*ACTIVATIONS), origin="DeepCrime: change dropout rate")
def dropout_of_95_percent(plan: Plan) -> str:
    """The share to keep was given as the share to drop."""
    for module in plan.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return replaced(plan.model, ACTIVATIONS, lambda act: nn.Sequential(act, nn.Dropout(0.95))) + ".1"


@fault("M215", also="C408", fits=flat_answers, exact=True, seen=INSIDE, origin="NeuraLint")
def dropout_on_output(plan: Plan) -> None:
    """A dropout stands after the last layer, and sets answers to zero."""
    plan.model = after(plan.model, "drop", nn.Dropout(0.5))


@fault("M210", also="G314", fits=has(nn.BatchNorm1d), exact=True, seen=INSIDE, origin="Wu & He 2018")
def batch_norm_of_two(plan: Plan) -> None:
    """Batches of two samples go through batch normalisation."""
    even = len(plan.data.x) // 2 * 2
    plan.order = lambda data: torch.arange(even)
    plan.batch, plan.epochs = 2, max(plan.epochs // 3, 4)


@fault("M210", fits=has(nn.BatchNorm1d), exact=True, seen=LIVE, origin="PyTorch forum: expected more than 1 value")
def batch_norm_of_one(plan: Plan) -> None:
    """The last batch of an epoch has one sample left, which batch normalisation refuses."""
    rows = (len(plan.data.x) - 2) // plan.batch * plan.batch + 1
    plan.order = lambda data: torch.arange(rows)


class Unregistered(nn.Module):
    """Keeps hidden layers in a plain list, where no optimizer finds them."""

    def __init__(self, stack: nn.Sequential) -> None:
        super().__init__()
        self.hidden = list(stack)[:-1]
        self.head = stack[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Apply all layers in turn."""
        for layer in self.hidden:
            x = layer(x)
        answer: Tensor = self.head(x)
        return answer


@fault("M207", also="C408", fits=sequence_of_layers, exact=True, seen=INSIDE, origin="PyTorch forum")
def layers_in_a_list(plan: Plan) -> None:
    """Hidden layers stand in a Python list, so that model.parameters() does not have them."""
    assert isinstance(plan.model, nn.Sequential)
    plan.model = Unregistered(plan.model)


class Cut(nn.Module):
    """A stack whose first part is cut off from the gradient."""

    def __init__(self, stack: nn.Sequential) -> None:
        super().__init__()
        named = list(stack.named_children())
        place = next(i for i, (_, module) in enumerate(named) if isinstance(module, ACTIVATIONS)) + 1
        self.features = stack[:place]
        self.rest = stack[place:]

    def forward(self, x: Tensor) -> Tensor:
        """Apply both parts."""
        answer: Tensor = self.rest(self.features(x).detach())
        return answer


@fault("M207", also="C408", fits=sequence_of_layers, exact=True, seen=INSIDE, origin="PyTorch forum")
def detached_features(plan: Plan) -> str:
    """Hidden features are detached on their way, so that the first layer gets no gradient."""
    assert isinstance(plan.model, nn.Sequential)
    plan.model = Cut(plan.model)
    return "features.0"
