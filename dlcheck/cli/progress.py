"""What a person sees while a network trains: a live line, and a row for every epoch."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from dlcheck.training.callbacks import Callback
from dlcheck.training.ledger import StepRow
from dlcheck.training.trainer import Trainer


class ProgressDisplay(Callback):
    """Epoch, loss, metric, learning rate, samples a second and time left; rows only when not on a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: Progress | None = None
        self._task = TaskID(0)
        self._begun = 0.0
        self._first_step = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Print the header and show the live line."""
        self._begun, self._first_step = time.monotonic(), trainer.state.step
        metric = trainer.parts.metric.name
        splits = "train → val" if trainer.data.val is not None else "train"
        heads = _row("epoch", f"loss {splits}", f"{metric} {splits}", "rate", "samples/s")
        self.console.print(heads, style="bold", highlight=False, markup=False)
        if self.console.is_terminal and not self.console.is_dumb_terminal:
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
        now = f"{_short(trainer)}  {self._time_left(trainer)} left"
        self._live.update(self._task, completed=trainer.state.step, description=epoch, now=now)

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Print the epoch's row."""
        name = trainer.parts.metric.name
        loss = _pair(metrics, "loss", ".4f")
        metric = _pair(metrics, name, ".2%" if name == "accuracy" else ".4g")
        epoch = f"{int(metrics['epoch'])}/{trainer.train.epochs}"
        best = " *" if trainer.state.best_epoch == int(metrics["epoch"]) else ""
        speed = f"{metrics.get('samples_per_s', float('nan')):,.0f}"
        row = _row(epoch, loss, metric + best, f"{metrics['lr']:.3g}", speed)
        self.console.print(row, highlight=False, markup=False)

    def on_train_end(self, trainer: Trainer) -> None:
        """Take the live line away, and say why training ended when that was early."""
        if self._live is not None:
            self._live.stop()
        if trainer.stop is not None:
            self.console.print(_REASONS[trainer.stop].format(train=trainer.train, state=trainer.state))

    def _time_left(self, trainer: Trainer) -> str:
        done = trainer.state.step - self._first_step
        if done < 1:
            return "?"
        seconds = (time.monotonic() - self._begun) / done * (trainer.total_steps - trainer.state.step)
        minutes, seconds = divmod(int(seconds + 0.5), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"


_REASONS = {
    "patience": "stopped early: no better epoch for {train.patience} epochs",
    "max_steps": "stopped after train.max_steps = {train.max_steps} steps",
    "interrupted": "interrupted after step {state.step}; everything so far is kept",
    "non-finite loss": "stopped at step {state.step}: the loss is no longer a number",
}


def _row(epoch: str, loss: str, metric: str, rate: str, speed: str) -> str:
    return f"{epoch:>7}  {loss:<18}{metric:<24}{rate:<10}{speed:>10}"


def _short(trainer: Trainer) -> str:
    running = trainer.ledger.running()
    name = trainer.parts.metric.name
    parts = [f"loss {running.get('train_loss', float('nan')):.4f}"]
    if f"train_{name}" in running:
        value = running[f"train_{name}"]
        parts.append(f"{name} {value:.1%}" if name == "accuracy" else f"{name} {value:.4g}")
    parts.append(f"rate {trainer.lr:.3g}")
    parts.append(f"{running.get('samples_per_s', float('nan')):,.0f} samples/s")
    return "  ".join(parts)


def _pair(metrics: dict[str, float], name: str, form: str) -> str:
    train = format(metrics[f"train_eval_{name}"], form)
    val = metrics.get(f"val_{name}")
    return train if val is None else f"{train} → {format(val, form)}"
