"""Faults in the loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.benchmarks.faults.plan import Plan
from tests.benchmarks.faults.plants.fault import INSIDE, Family
from tests.benchmarks.faults.plants.kinds import (
    binary,
    both,
    classes,
    classified,
    flat_answers,
    one_number,
    reduced,
    sgd,
)
from tests.benchmarks.faults.plants.surgery import after

fault = Family("loss")
LOST = "C401 G301"
DIVERGED = "C401 C402 C403 C406 G301 G302 G310 M204 M216"


@fault("M206", fits=classified, exact=True, seen=INSIDE, origin="NeuraLint; Full Stack Deep Learning, lecture 7")
def softmax_before_cross_entropy(plan: Plan) -> None:
    """The model ends in a softmax, and cross-entropy takes another."""
    plan.model = after(plan.model, "softmax", nn.Softmax(1))


@fault("M206", fits=classified, exact=True, seen=INSIDE, origin="DeepCrime: change activation")
def sigmoid_before_cross_entropy(plan: Plan) -> None:
    """The model ends in a sigmoid, and cross-entropy takes a softmax of that."""
    plan.model = after(plan.model, "sigmoid", nn.Sigmoid())


@fault("M206", also="C401 C416 G310", fits=classified, exact=True, origin="PyTorch forum: NLLLoss")
def logits_into_nll(plan: Plan) -> None:
    """NLLLoss is given raw outputs: the log_softmax is missing."""
    plan.loss = nn.NLLLoss()


@fault("M206", also="C416", fits=classified, exact=True, seen=INSIDE, origin="PyTorch forum: NLLLoss")
def probabilities_into_nll(plan: Plan) -> None:
    """NLLLoss is given a softmax instead of its logarithm."""
    plan.loss = lambda output, target: functional.nll_loss(functional.softmax(output, 1), target)


@fault("M206", fits=binary, exact=True, seen=INSIDE, origin="PyTorch forum: BCEWithLogitsLoss")
def sigmoid_twice(plan: Plan) -> None:
    """A sigmoid is taken before BCEWithLogitsLoss, which has one of its own."""
    loss = plan.loss
    plan.loss = lambda output, target: loss(torch.sigmoid(output), target)


@fault("M206", fits=binary, exact=True, seen=INSIDE, origin="PyTorch forum: BCELoss")
def logits_into_bce(plan: Plan) -> None:
    """BCELoss is given raw outputs: the sigmoid is missing."""
    plan.loss = nn.BCELoss()


@fault(
    "M211",
    also="M216 C406 C408 M209",
    fits=one_number,
    exact=True,
    seen=INSIDE,
    origin="PyTorch: mse_loss",
)
def broadcast_target(plan: Plan) -> None:
    """Targets of shape (N,) meet answers of shape (N, 1)."""
    plan.data = replace(plan.data, y=plan.data.y.squeeze(1), y_val=plan.data.y_val.squeeze(1))


@fault("C416", also=f"{DIVERGED} C404 G304 M209", origin="TheDeepChecker; DeepCrime: change loss")
def wrong_sign(plan: Plan) -> None:
    """The loss has a minus too many: it is made large."""
    loss = plan.loss
    plan.loss = lambda output, target: -loss(output, target)


@fault("G317", also=LOST, fits=classified, origin="TheDeepChecker: unstable loss; NeuraLint")
def log_of_softmax(plan: Plan) -> None:
    """The logarithm is taken of a sharpened softmax, which rounds to zero."""

    def loss(output: Any, target: Tensor) -> Tensor:
        right = functional.softmax(output / 0.05, 1).gather(1, target.unsqueeze(1))
        return -torch.log(right).mean()

    plan.loss = loss


@fault("G317", also=LOST, fits=flat_answers, exact=True, origin="PyTorch: gradient of sqrt at 0; TheDeepChecker")
def distance_of_itself(plan: Plan) -> None:
    """A penalty takes the root of squared distances between samples, that of each to itself among them."""
    plain = plan.loss

    def loss(output: Any, target: Tensor) -> Tensor:
        apart = (output.unsqueeze(0) - output.unsqueeze(1)).square().flatten(2).sum(2).sqrt()
        together: Tensor = plain(output, target) + 1e-3 * apart.mean()
        return together

    plan.loss = loss


@fault("G317", also=f"{LOST} C419", fits=classes, origin="PyTorch forum: mean of an empty tensor")
def mean_of_nothing(plan: Plan) -> None:
    """A class of its own weight is averaged by itself: batches without it give 0/0."""

    def loss(output: Any, target: Tensor) -> Tensor:
        each = functional.cross_entropy(output, target, reduction="none")
        together: Tensor = each.mean() + 0.2 * each[target == 0].mean()
        return together

    plan.loss = loss


@fault("C404 G304", also=DIVERGED, fits=both(reduced, sgd), origin="TheDeepChecker: reduction")
def summed_loss(plan: Plan) -> None:
    """The loss is summed over the batch where it was a mean, at the same rate."""
    kind = type(plan.loss)
    assert issubclass(kind, nn.Module)
    plan.loss = kind(reduction="sum")


@fault("C405 G305 M201", also="C406 C412 C407", fits=sgd, origin="TheDeepChecker: reduction")
def loss_divided_twice(plan: Plan) -> None:
    """The mean of the batch is divided by the number of samples once more."""
    plain, rows = plan.loss, len(plan.data.x)
    plan.loss = lambda output, target: plain(output, target) / rows


@fault("M207", also="G307 C406 M216 M209", exact=True, origin="PyTorch forum: requires_grad of a new tensor")
def loss_from_a_number(plan: Plan) -> None:
    """The loss is built anew from its value with requires_grad=True, which hides that it has no graph."""
    plain = plan.loss
    plan.loss = lambda output, target: torch.tensor(plain(output, target).item(), requires_grad=True)


@fault("M207", exact=True, seen=INSIDE, origin="PyTorch forum: element 0 of tensors does not require grad")
def detached_loss(plan: Plan) -> None:
    """Answers are detached before the loss, so that the backward pass stops with an error."""
    plain = plan.loss
    plan.loss = lambda output, target: plain(output.detach(), target)
