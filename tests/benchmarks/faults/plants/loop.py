"""Faults in the training loop."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from tests.benchmarks.faults.plan import Plan
from tests.benchmarks.faults.plants.fault import INSIDE, LIVE, RUNNING, Family
from tests.benchmarks.faults.plants.kinds import DROPOUTS, random_layers, sgd
from tests.benchmarks.faults.plants.surgery import chance

fault = Family("loop")
STILL = "C406 M216 M209"


@fault("G306", exact=True, seen=INSIDE, origin="TrainCheck: SO 60335387")
def no_zero_grad(plan: Plan) -> None:
    """Gradients are never cleared."""
    plan.zero_grad = False


@fault("G307", also=STILL, exact=True, origin="TrainCheck; DeepCrime")
def no_step(plan: Plan) -> None:
    """optimizer.step() is never called."""
    plan.step = False


@fault("G307 M207", also=STILL, exact=True, origin="TrainCheck; PyTorch forum")
def no_backward(plan: Plan) -> None:
    """loss.backward() is never called."""
    plan.backward = False


@fault("G307 M207", also=STILL, exact=True, origin="PyTorch forum: order of zero_grad and step")
def zeroed_before_step(plan: Plan) -> None:
    """Gradients are cleared between the backward pass and the step."""

    def clear(plan: Plan, optimizer: torch.optim.Optimizer, step: int) -> None:
        optimizer.zero_grad()

    plan.before_step = clear


@fault("M213", also="C409", fits=random_layers, exact=True, seen=INSIDE, origin="TrainCheck: wrong mode")
def trains_in_eval_mode(plan: Plan) -> None:
    """The model stays in evaluation mode while it trains."""
    plan.train_mode = False


@fault("M212", also="M210", fits=random_layers, exact=True, seen=INSIDE, origin="TheDeepChecker; TrainCheck")
def evaluates_in_train_mode(plan: Plan) -> None:
    """model.eval() is missing before validation."""
    plan.eval_mode = False


@fault("G311", exact=True, seen=LIVE, origin="PyTorch FAQ: memory of total_loss")
def losses_kept(plan: Plan) -> None:
    """Losses are added up as tensors, with their graphs."""
    plan.keep_graphs = True


@fault("G311", exact=True, seen=LIVE, origin="PyTorch FAQ: evaluation without no_grad")
def evaluation_keeps_graphs(plan: Plan) -> None:
    """Validation runs without no_grad, and its losses are added up as tensors."""
    plan.grad_in_eval = True


@fault("G308", also="C405 G305 C406 C412", fits=sgd, origin="Deep Learning Tuning Playbook")
def clipped_to_nothing(plan: Plan) -> None:
    """Gradients are clipped to a norm of 0.0001."""
    plan.clip = 1e-4


@fault("C409", also="C410 C411 C415", seen=RUNNING, origin="TheDeepChecker; UMLAUT; AutoTrainer")
def few_samples_for_long(plan: Plan) -> None:
    """Eighty samples are trained on for as many steps as all of them, without dropout or weight decay."""
    data = plan.data
    rows = torch.randperm(len(data.x), generator=chance(plan))[:80]
    steps = plan.epochs * len(data.x)
    plan.data = replace(data, x=data.x[rows], y=data.y[rows])
    plan.epochs = max(plan.epochs, min(round(steps / len(rows)), 120))
    plan.options = plan.options | {"weight_decay": 0.0}
    for module in plan.model.modules():
        if isinstance(module, DROPOUTS):
            module.p = 0.0


@fault("C409", also="C410 C411 C415 D107 D109", seen=RUNNING, origin="PyTorch forum: next(iter(loader)) in the loop")
def always_the_same_batch(plan: Plan) -> None:
    """Each step takes the first batch of a new iterator: it is the same one."""
    rows = torch.randperm(len(plan.data.x), generator=chance(plan))[: plan.batch]
    times = max(len(plan.data.x) // plan.batch, 1)
    plan.order = lambda data: rows.repeat(times)
    plan.shuffle = False


@fault("C412 R703", also="C405 G305", seen=RUNNING, origin="DeepCrime: change number of epochs")
def stopped_too_early(plan: Plan) -> None:
    """Training ends after an eighth of the epochs that it needs, in small steps."""
    plan.epochs = max(plan.epochs // 8, 2)
    plan.lr /= 4


@fault("C405 C412 G305", also="C406 R703", seen=RUNNING, origin="DeepCrime: change batch size")
def batch_of_everything(plan: Plan) -> None:
    """The batch is the whole training set, so that an epoch is one step."""
    plan.batch = len(plan.data.x)


def _built_by_layer(plan: Plan) -> bool:
    return any(hasattr(module, "reset_parameters") for module in plan.model.modules())


@fault(
    "G318",
    also="C402 C403 C406 C407 C408 C412 C413 M216",
    fits=_built_by_layer,
    seen=RUNNING,
    origin="PyTorch forum",
)
def weights_drawn_each_epoch(plan: Plan) -> None:
    """Weights are drawn anew at the beginning of each epoch."""

    def draw(plan: Plan, optimizer: torch.optim.Optimizer, epoch: int) -> None:
        if epoch < plan.epochs:
            plan.model.apply(_reset)

    plan.after_epoch = draw


def _reset(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
