"""Steps per second of dlcheck's training loop, default recording on, against the loops people write or import.

    python tests/benchmarks/train_speed.py [--data FOLDER] [--rounds 7]

Prints, for the networks of the recipes digits and fashion-mnist, the median of steps per second over interleaved
rounds, and the median of the paired ratios dlcheck / other. Everyone trains the same network from the same weights,
with the same optimizer, batch size and number of steps, on one CPU thread. The plain loop sees the very same batches in
the same order; the loaders of the others shuffle for themselves.
Lightning and skorch come with: pip install 'dlcheck[benchmark]'.
"""

import argparse
import copy
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from dlcheck.components.data import TensorBatches
from dlcheck.recipe import Recipe, load_recipe
from dlcheck.runs.folder import RunFolder
from dlcheck.training.assemble import assemble
from dlcheck.training.callbacks import Callback
from dlcheck.training.checkpoint import Checkpointer
from dlcheck.training.ledger import StepRow
from dlcheck.training.monitoring import Monitoring
from dlcheck.training.recorder import Recorder
from dlcheck.training.trainer import Parts, Trainer

PLAIN = [f"augment.{key}" for key in ("translate=0.0", "rotate=0.0", "flip_horizontal=false")]
PLAIN += ["optimizer.name=adam", "optimizer.weight_decay=0.0", "schedule.name=constant", "train.threads=1"]
"""What every contender does without: the loops compared are those around the same forward and backward pass."""


@dataclass(frozen=True)
class Result:
    """Seconds spent in training steps, by the clock and by the processor, and where they led."""

    seconds: float
    cpu_seconds: float
    steps: int
    loss: float


class Timer:
    """Seconds since its making; time that other programs took counts by the clock only."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Return seconds by the clock and by the processor."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


class Task:
    """One recipe, assembled once; every contender trains a copy of the same fresh network."""

    def __init__(self, name: str, *overrides: str) -> None:
        self.recipe: Recipe = load_recipe(name, [*PLAIN, *overrides]).recipe
        self.parts: Parts = assemble(self.recipe, folder=Path(), device=torch.device("cpu"))
        self.fresh = copy.deepcopy(self.parts.model.state_dict())
        batches = self.parts.data.train
        assert isinstance(batches, TensorBatches)
        held = batches.tensors if batches.transform is None else batches.transform(batches.tensors)
        self.images, self.labels = held  # as the plain loops would hold them: normalised, in memory
        train = self.recipe.train
        self.steps = min(len(batches) * train.epochs, train.max_steps or 10**9)
        self.batch_size = int(train.batch_size)

    def model(self) -> nn.Module:
        """Return the network with its first weights."""
        model = copy.deepcopy(self.parts.model)
        model.load_state_dict(self.fresh)
        return model

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer as people write it."""
        return torch.optim.Adam(model.parameters(), lr=self.recipe.optimizer.lr)

    def loader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return the loader as people write it."""
        return DataLoader(TensorDataset(self.images, self.labels), batch_size=self.batch_size, shuffle=True)

    def final_loss(self, model: nn.Module) -> float:
        """Return the loss on the first thousand training samples."""
        model.eval()
        with torch.no_grad():
            return float(functional.cross_entropy(model(self.images[:1000]), self.labels[:1000]))


class Stopwatch(Callback):
    """Adds up the seconds that the trainer spent in training steps, its recording included."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self._timer = Timer()
        self._epoch = (0.0, 0.0)

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Start."""
        self._timer = Timer()

    def on_losses(self, trainer: Trainer, rows: list[StepRow]) -> None:
        """Read the time; the last call of an epoch comes right after its last step."""
        self._epoch = self._timer.read()

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Add an epoch."""
        self.seconds += self._epoch[0]
        self.cpu_seconds += self._epoch[1]


def dlcheck(task: Task) -> Result:
    """Train through dlcheck's trainer, with the recorders that write a run folder."""
    task.parts.model.load_state_dict(task.fresh)
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder.create(Path(place) / "run")
        recorders: list[Callback] = [Recorder(folder), Monitoring(folder), watch, Checkpointer(folder)]
        Trainer(task.parts, recorders).fit()
    return Result(watch.seconds, watch.cpu_seconds, task.steps, task.final_loss(task.parts.model))


def plain(task: Task) -> Result:
    """(a) The loop one would write by hand over tensors in memory; the same batches as dlcheck's."""
    model = task.model().train()
    optimizer = task.optimizer(model)
    step, epoch, timer = 0, 0, Timer()
    while step < task.steps:
        for images, labels in task.parts.data.train.epoch(epoch):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            if step == task.steps:
                break
        epoch += 1
    return Result(*timer.read(), task.steps, task.final_loss(model))


def loader(task: Task) -> Result:
    """(b) The usual loop over ``DataLoader(TensorDataset)``."""
    model = task.model().train()
    optimizer = task.optimizer(model)
    batches = task.loader()
    step, timer = 0, Timer()
    while step < task.steps:
        for images, labels in batches:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            if step == task.steps:
                break
    return Result(*timer.read(), task.steps, task.final_loss(model))


def lightning(task: Task) -> Result:
    """(c) Lightning, with its default logger, without progress bar and checkpoints."""
    import lightning as pl

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Module(pl.LightningModule):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = task.model().train()

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            loss = functional.cross_entropy(self.model(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return task.optimizer(self.model)

    with tempfile.TemporaryDirectory() as place:
        trainer = pl.Trainer(
            max_steps=task.steps,
            accelerator="cpu",
            default_root_dir=place,
            logger=pl.pytorch.loggers.CSVLogger(place),
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        module, batches = Module(), task.loader()
        timer = Timer()
        trainer.fit(module, batches)
        return Result(*timer.read(), task.steps, task.final_loss(module.model))


def skorch(task: Task) -> Result:
    """(d) skorch, without its inner validation split and printing."""
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback as SkorchCallback

    class Stop(SkorchCallback):  # type: ignore[misc, unused-ignore]
        def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
            self.steps = getattr(self, "steps", 0) + 1
            if self.steps == task.steps:
                raise KeyboardInterrupt  # how skorch is stopped inside an epoch

    net = NeuralNetClassifier(
        task.model(),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=task.recipe.optimizer.lr,
        batch_size=task.batch_size,
        max_epochs=task.steps,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        callbacks=[Stop()],
    ).initialize()
    net.module_.load_state_dict(task.fresh)
    timer = Timer()
    net.partial_fit(task.images, task.labels)
    return Result(*timer.read(), task.steps, task.final_loss(net.module_))


CONTENDERS: dict[str, Callable[[Task], Result]] = {
    "dlcheck": dlcheck,
    "plain loop (a)": plain,
    "DataLoader loop (b)": loader,
    "Lightning (c)": lightning,
    "skorch (d)": skorch,
}


def compare(name: str, task: Task, rounds: int) -> None:
    """Run all contenders in turn, round by round, and print a table."""
    results: dict[str, list[Result]] = {contender: [] for contender in CONTENDERS}
    for turn in range(-1, rounds):  # the first round warms up and is not counted
        names = list(CONTENDERS)
        for contender in names[turn % len(names) :] + names[: turn % len(names)]:
            torch.manual_seed(0)
            result = CONTENDERS[contender](task)
            if turn >= 0:
                results[contender].append(result)
    ours = results["dlcheck"]
    print(f"\n{name}: {task.steps} steps of {task.batch_size}, {torch.get_num_threads()} threads, {rounds} rounds")
    print(f"{'':<22}{'steps/s':>9}{'dlcheck is':>12}{'by CPU time':>13}{'final loss':>12}")
    for contender, found in results.items():
        speed = statistics.median(r.steps / r.seconds for r in found)
        pairs = list(zip(ours, found, strict=True))
        ratio = statistics.median(b.seconds / a.seconds for a, b in pairs)
        cpu = statistics.median(b.cpu_seconds / a.cpu_seconds for a, b in pairs)
        loss = statistics.median(r.loss for r in found)
        print(f"{contender:<22}{speed:>9.0f}{ratio:>11.2f}×{cpu:>12.2f}×{loss:>12.4f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the folder that holds FashionMNIST/raw; left out without it")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    compare("digits CNN", Task("digits", "train.epochs=10"), options.rounds)
    if options.data:
        short = ["train.epochs=1", "train.max_steps=100", f"data.root={options.data}"]
        compare("Fashion-MNIST CNN", Task("fashion-mnist", *short), options.rounds)


if __name__ == "__main__":
    main()
