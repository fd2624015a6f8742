"""What a person sees while a network trains: a live line, and a row for every epoch."""

from __future__ import annotations

import time

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from dlcheck.cli.waiting import Waiting, moves
from dlcheck.report.lines import ascii_only, spelled
from dlcheck.report.look import HEAD
from dlcheck.training.assemble import describe_model
from dlcheck.training.callbacks import Callback
from dlcheck.training.ledger import StepRow
from dlcheck.training.trainer import Trainer

WIDE = 72
"""Columns of a whole row; in a narrower terminal what changes least is left out."""


class ProgressDisplay(Callback):
    """Epoch, loss, metric, learning rate, samples a second and time left; rows only where no line may move."""

    def __init__(self, waiting: Waiting) -> None:
        self.waiting, self.console = waiting, waiting.console
        self._wide = self.console.width >= WIDE
        self._live: Progress | None = None
        self._task = TaskID(0)
        self._begun = 0.0
        self._first_step = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Print what trains and the header, and show the live line."""
        self.waiting.stop()
        self._begun, self._first_step = time.monotonic(), trainer.state.step
        self.waiting.note(_sizes(trainer))
        metric = trainer.parts.metric.name
        splits = "train → val" if trainer.data.val is not None else "train"
        self._print(self._row("epoch", f"loss {splits}", f"{metric} {splits}", "rate", "samples/s"), HEAD)
        if moves(self.console):
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=16),
                TextColumn("{task.fields[now]}"),
            )
            self._live = Progress(*columns, console=self.console, refresh_per_second=4, transient=True)
            self._task = self._live.add_task("", total=trainer.total_steps, now="")
            self._live.start()

    def on_losses(self, trainer: Trainer, rows: list[StepRow]) -> None:
        """Move the live line."""
        if self._live is None:
            return
        epoch = f"epoch {trainer.state.epoch + 1}/{trainer.train.epochs}"
        now = f"{self._time_left(trainer)} left  {_short(trainer, wide=self._wide)}"
        self._live.update(self._task, completed=trainer.state.step, description=epoch, now=now)

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Print the epoch's row."""
        name = trainer.parts.metric.name
        loss = _pair(metrics, "loss", ".4f")
        metric = _pair(metrics, name, ".2%" if name == "accuracy" else ".4g")
        epoch = f"{int(metrics['epoch'])}/{trainer.train.epochs}"
        best = " *" if trainer.state.best_epoch == int(metrics["epoch"]) else ""
        speed = f"{metrics.get('samples_per_s', float('nan')):,.0f}"
        self._print(self._row(epoch, loss, metric + best, f"{metrics['lr']:.3g}", speed))

    def on_train_end(self, trainer: Trainer) -> None:
        """Take the live line away, and say how long it took, and why training ended when that was early."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        steps = trainer.state.step - self._first_step
        self._print(f"{steps} step{'' if steps == 1 else 's'} in {_span(time.monotonic() - self._begun)}")
        if trainer.stop is not None:
            self._print(_REASONS[trainer.stop].format(train=trainer.train, state=trainer.state))
        self.waiting.start("testing and judging")

    def _print(self, line: str, style: str = "") -> None:
        told = spelled(line) if ascii_only(self.console) else line
        self.console.print(told, style=style or None, highlight=False, markup=False, soft_wrap=True)

    def _row(self, epoch: str, loss: str, metric: str, rate: str, speed: str) -> str:
        rest = f"{rate:<10}{speed:>10}" if self._wide else ""
        return f"{epoch:>7}  {loss:<18}{metric:<24}{rest}".rstrip()

    def _time_left(self, trainer: Trainer) -> str:
        done = trainer.state.step - self._first_step
        if done < 1:
            return "?"
        return _clock((time.monotonic() - self._begun) / done * (trainer.total_steps - trainer.state.step))


_REASONS = {
    "patience": "stopped early: no better epoch for {train.patience} epochs",
    "max_steps": "stopped after train.max_steps = {train.max_steps} steps",
    "interrupted": "interrupted after step {state.step}; everything so far is kept",
    "non-finite loss": "stopped at step {state.step}: the loss is no longer a number",
}


def _sizes(trainer: Trainer) -> str:
    """Return what trains, on how much, and where."""
    told = describe_model(trainer.model)
    count, trained = told["parameters"], told["trained_parameters"]
    parts = [f"{count:,} parameters" if trained == count else f"{trained:,} of {count:,} parameters train"]
    splits = (("training", trainer.data.train), ("validation", trainer.data.val), ("test", trainer.data.test))
    known = [f"{split.samples:,} {what}" for what, split in splits if split is not None]
    return "; ".join([*parts, f"samples: {', '.join(known)}", f"on {trainer.parts.device}"])


def _span(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 60 else _clock(seconds)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"


def _short(trainer: Trainer, *, wide: bool) -> str:
    running = trainer.ledger.running()
    name = trainer.parts.metric.name
    parts = [f"loss {running.get('train_loss', float('nan')):.4f}"]
    if wide and f"train_{name}" in running:
        value = running[f"train_{name}"]
        parts.append(f"{name} {value:.1%}" if name == "accuracy" else f"{name} {value:.4g}")
    if wide:
        parts.append(f"rate {trainer.lr:.3g}")
        parts.append(f"{running.get('samples_per_s', float('nan')):,.0f} samples/s")
    return "  ".join(parts)


def _pair(metrics: dict[str, float], name: str, form: str) -> str:
    train = format(metrics[f"train_eval_{name}"], form)
    val = metrics.get(f"val_{name}")
    return train if val is None else f"{train} → {format(val, form)}"
