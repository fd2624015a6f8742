"""Carries out a plan the way people write training loops, and keeps the log that such loops leave."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset, TensorDataset

from tests.benchmarks.faults.plan import Data, Plan, Recorder

EVERY = 5
"""Steps between rows of the log with the loss of a batch."""
WORST = -1.0
"""Least score, given where nothing finite came out."""
Row = dict[str, float]


@dataclass
class Result:
    """What came of a training."""

    log: list[Row] = field(default_factory=list)
    """Rows as a CSV logger writes them: of a batch now and then, and of each epoch."""
    states: list[dict[str, Any]] = field(default_factory=list)
    """Weights and buffers after each epoch."""
    scores: list[float] = field(default_factory=list)
    """What these are worth on the clean validation samples in evaluation mode; see ``judge``."""
    losses: list[float] = field(default_factory=list)
    """Their validation loss."""
    steps: int = 0
    error: BaseException | None = None

    @property
    def gap(self) -> float:
        """The last validation loss over the lowest, less one."""
        finite = [one for one in self.losses if math.isfinite(one)]
        if not finite or not math.isfinite(self.losses[-1]):
            return math.inf
        return self.losses[-1] / max(min(finite), 1e-3) - 1 if self.losses[-1] > 1e-3 else 0.0


class Training:
    """One training of a plan."""

    def __init__(self, plan: Plan, clean: Data, recorders: Sequence[Recorder] = ()) -> None:
        """Prepare it.

        Args:
            plan: What to do.
            clean: The data as they were before any fault, for the score.
            recorders: Told of what happens.
        """
        self.plan, self.clean, self.recorders = plan, clean, recorders
        self.result = Result()
        self.train, self.val = loaders(plan)
        self.optimizer = made_optimizer(plan)
        steps = max(math.ceil(len(self.train) / plan.accumulate) * plan.epochs, 1)
        self.schedule = plan.schedule(self.optimizer, steps) if plan.schedule is not None else None
        self._kept: Any = 0.0

    def run(self) -> Result:
        """Train to the end, or to the exception that ends it."""
        for one in self.recorders:
            one.begin(self.plan, self.optimizer)
        try:
            for epoch in range(1, self.plan.epochs + 1):
                self._epoch(epoch)
        except (RuntimeError, ValueError, IndexError) as error:
            self.result.error = error
            raise
        finally:
            for one in self.recorders:
                one.end()
        return self.result

    def _epoch(self, epoch: int) -> None:
        plan = self.plan
        plan.model.train(plan.train_mode)
        losses, right, rows = [], 0.0, 0
        for place, (x, y) in enumerate(self.train, start=1):
            loss, output = self.batch(x, y)
            losses.append(loss)
            right += accuracy(plan.data.task, output, y) * len(y)
            rows += len(y)
            if place % plan.accumulate == 0 or place == len(self.train):
                self.step(epoch, loss)
        row = {"epoch": float(epoch), "step": float(self.result.steps), "train_loss": sum(losses) / len(losses)}
        if plan.data.task != "numbers":
            row["train_accuracy"] = right / rows
        if plan.validate:
            row |= self.evaluate()
        row["lr"] = float(self.optimizer.param_groups[0]["lr"])
        self.result.log.append(row)
        if self.schedule is not None and plan.schedule_each == "epoch":
            self.schedule.step()
        if plan.after_epoch is not None:
            plan.after_epoch(plan, self.optimizer, epoch)
        self.result.states.append({name: value.clone() for name, value in plan.model.state_dict().items()})
        for one in self.recorders:
            one.epoch(epoch, row)

    def batch(self, x: Tensor, y: Tensor) -> tuple[float, Tensor]:
        plan = self.plan
        y = y if plan.target is None else plan.target(y)
        output = plan.model(x)
        loss = plan.loss(output, y)
        if plan.keep_graphs:
            self._kept = self._kept + loss
        if plan.backward:
            share = loss / plan.accumulate if plan.accumulate > 1 else loss
            share.backward()  # type: ignore[no-untyped-call]
            for one in self.recorders:
                one.backward(self.result.steps + 1, loss)
        return float(loss.detach()), output.detach()

    def step(self, epoch: int, loss: float) -> None:
        plan, result = self.plan, self.result
        if plan.clip is not None:
            nn.utils.clip_grad_norm_(plan.model.parameters(), plan.clip)
        if plan.before_step is not None:
            plan.before_step(plan, self.optimizer, result.steps + 1)
        if plan.step:
            self.optimizer.step()
        result.steps += 1
        for one in self.recorders:
            one.step(result.steps, torch.tensor(loss))
        if plan.zero_grad:
            self.optimizer.zero_grad()
        if self.schedule is not None and plan.schedule_each == "step":
            self.schedule.step()
        if result.steps % EVERY == 0:
            lr = float(self.optimizer.param_groups[0]["lr"])
            result.log.append({"epoch": float(epoch), "step": float(result.steps), "batch_loss": loss, "lr": lr})

    def evaluate(self) -> Row:
        plan = self.plan
        if plan.eval_mode:
            plan.model.eval()
        total, right, rows = 0.0, 0.0, 0
        with torch.set_grad_enabled(plan.grad_in_eval):
            for x, y in self.val:
                output = plan.model(x)
                loss = plan.loss(output, y)
                if plan.grad_in_eval:
                    self._kept = self._kept + loss
                total += float(loss.detach()) * len(y)
                right += accuracy(plan.data.task, output.detach(), y) * len(y)
                rows += len(y)
        row = {"val_loss": total / rows}
        return row if plan.data.task == "numbers" else row | {"val_accuracy": right / rows}

    def judge(self) -> Result:
        """Score what the training came to; apart from it, so that nobody who watches takes this for a part of it."""
        model, result = self.plan.model, self.result
        for state in result.states:
            model.load_state_dict(state)
            score, loss = scored(model, self.clean)
            result.scores.append(score)
            result.losses.append(loss)
        if result.error is not None or not result.scores:
            result.scores.append(WORST)
            result.losses.append(math.inf)
        return result


class Samples(TensorDataset):
    """Inputs and targets, the inputs changed as they are read."""

    def __init__(self, x: Tensor, y: Tensor, augment: Callable[[Tensor], Tensor] | None) -> None:
        super().__init__(x, y)
        self.augment = augment

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """Return one sample."""
        x, y = (tensor[index] for tensor in self.tensors)
        return (x if self.augment is None else self.augment(x.unsqueeze(0))[0]), y


def made_optimizer(plan: Plan) -> torch.optim.Optimizer:
    """Return the optimizer of a plan."""
    optimizer = plan.optimizer(plan.parameters(plan.model), plan.lr)
    for group in optimizer.param_groups:
        group.update(plan.options)
    return optimizer


def loaders(plan: Plan) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Return the loaders of training and validation."""
    data = plan.data
    train: Any = Samples(data.x, data.y, plan.augment)
    if plan.order is not None:
        train = Subset(train, plan.order(data).tolist())
    chance = torch.Generator().manual_seed(plan.seed)
    return (
        DataLoader(train, plan.batch, shuffle=plan.shuffle, generator=chance),
        DataLoader(Samples(data.x_val, data.y_val, plan.augment if plan.augment_val else None), 128),
    )


def accuracy(task: str, output: Tensor, target: Tensor) -> float:
    """Return the share of right answers; 0 for numbers."""
    if task == "numbers":
        return 0.0
    if task == "binary":
        return float(((output > 0) == (target > 0.5)).float().mean())
    return float((output.argmax(1) == target).float().mean())


def scored(model: nn.Module, clean: Data) -> tuple[float, float]:
    """Return accuracy, or R² for numbers, and the plain loss."""
    try:
        with torch.no_grad():
            output = model.eval()(clean.x_val)
    except (RuntimeError, ValueError, IndexError):
        return WORST, math.inf
    y = clean.y_val
    if clean.task == "numbers":
        loss = float(functional.mse_loss(output, y)) if output.shape == y.shape else math.inf
        score = 1 - loss / float(y.var(unbiased=False))
    elif clean.task == "binary":
        loss, score = float(functional.binary_cross_entropy_with_logits(output, y)), accuracy("binary", output, y)
    else:
        loss, score = float(functional.cross_entropy(output, y)), accuracy(clean.task, output, y)
    return (max(score, WORST), loss) if math.isfinite(score) and math.isfinite(loss) else (WORST, math.inf)
