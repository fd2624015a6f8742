"""What watching costs a training: step time with the default monitor, and with its peers, over that without.

    python tests/benchmarks/monitor_overhead.py [--seconds 12] [--starts 1] [--networks mlp,lstm]

Five networks (an MLP of about 1 ms a step, a small CNN, a ResNet-18 on 32×32, an LSTM, a small Transformer) train on
random data from a ``DataLoader``. Every contender trains its own copy in its own process; these take turns, a block of
the same number of steps each, so that a slow moment of the machine meets all of them. A ratio is the median over
the second half of the rounds of a contender's block over the unwatched block of that round; the first round, in which
everything is set up, stands in a column of its own, and so does the time of all rounds together. Where a process's
memory happens to lie alone moves its time by some per cent, so ``--starts`` begins all of them anew and takes the
settled rounds of all starts together. Peers that are not installed, or that refuse a network, are named with why:
``pip install torchmortem torch-audit training-doctor wandb cockpit-for-pytorch``, better in an environment of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

BOUNDS = {"mlp": 1.05, "cnn": 1.02, "resnet18": 1.02, "lstm": 1.02, "transformer": 1.02}
"""Median ratio that the default monitor must keep to."""
BATCH, ROWS, CLASSES = 64, 4096, 10
SLOW, FEW = 8, 4
"""A contender that takes more than eight times as long gets four rounds."""
LEAST_ROUNDS = 40
Told = Callable[[int, Tensor], None]
"""What a contender is told after each step: its number and the loss."""


class Recurrent(nn.Module):
    """Two layers of LSTM over 32 steps of 32 numbers; the last one answers."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(32, 96, num_layers=2, batch_first=True)
        self.head = nn.Linear(96, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (N, 10) for sequences of shape (N, 32, 32)."""
        answers: Tensor = self.head(self.lstm(x)[0][:, -1])
        return answers


class Attention(nn.Module):
    """Two encoder layers over 32 tokens; their mean answers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(32, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (N, 10) for sequences of shape (N, 32, 32)."""
        answers: Tensor = self.head(self.encoder(self.embedding(x)).mean(1))
        return answers


def _resnet() -> nn.Module:
    model: nn.Module = import_module("torchvision.models").resnet18(num_classes=CLASSES)
    return model


def _cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 49, CLASSES)),
    )


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, CLASSES))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (_mlp, (64,)),
    "cnn": (_cnn, (1, 28, 28)),
    "resnet18": (_resnet, (3, 32, 32)),
    "lstm": (Recurrent, (32, 32)),
    "transformer": (Attention, (32, 32)),
}


@dataclass
class Training:
    """A network with what trains it."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss: nn.Module
    loader: DataLoader[Any]
    steps: int = 0

    @classmethod
    def create(cls, network: str) -> Training:
        """Return the training of a network, the same in every process."""
        torch.manual_seed(0)
        make, shape = NETWORKS[network]
        model = make()
        rows = 1024 if network == "resnet18" else ROWS
        answers = torch.randint(CLASSES, (rows,))
        data = TensorDataset(torch.randn(rows, *shape) + answers.float().view(-1, *(1 for _ in shape)) / 10, answers)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        batch = BATCH // 4 if network == "resnet18" else BATCH
        return cls(model, optimizer, nn.CrossEntropyLoss(), DataLoader(data, batch, shuffle=True, drop_last=True))

    def batches(self) -> Iterator[Any]:
        """Yield batches for ever."""
        while True:
            yield from self.loader


@contextlib.contextmanager
def _none(training: Training) -> Iterator[Told]:
    yield lambda step, loss: None


@contextlib.contextmanager
def _watch(training: Training) -> Iterator[Told]:
    import dlcheck

    with tempfile.TemporaryDirectory() as folder, dlcheck.watch(run_dir=Path(folder) / "run"):
        yield lambda step, loss: None


@contextlib.contextmanager
def _torchmortem(training: Training) -> Iterator[Told]:
    with import_module("torchmortem").Autopsy(training.model, optimizer=training.optimizer) as autopsy:
        yield lambda step, loss: autopsy.step(loss=loss.item())


@contextlib.contextmanager
def _torch_audit(training: Training) -> Iterator[Told]:
    auditor = import_module("torch_audit").autopatch(training.model, optimizer=training.optimizer, reporters=[])
    yield lambda step, loss: None
    auditor.unpatch()


@contextlib.contextmanager
def _training_doctor(training: Training) -> Iterator[Told]:
    doctor = import_module("training_doctor").Doctor()
    rate = training.optimizer.param_groups
    yield lambda step, loss: doctor.log(step=step, loss=loss.item(), lr=rate[0]["lr"])


@contextlib.contextmanager
def _wandb(training: Training) -> Iterator[Told]:
    wandb = import_module("wandb")
    with tempfile.TemporaryDirectory() as folder:
        run = wandb.init(mode="offline", dir=folder, project="overhead", settings=wandb.Settings(silent=True))
        run.watch(training.model, log="all", log_freq=100)
        yield lambda step, loss: run.log({"loss": loss.item()}, step=step)
        run.finish()


@contextlib.contextmanager
def _anomaly(training: Training) -> Iterator[Told]:
    with warnings.catch_warnings(), torch.autograd.detect_anomaly(check_nan=True):
        yield lambda step, loss: None


CONTENDERS: dict[str, Callable[[Training], Any]] = {
    "none": _none,
    "none again": _none,
    "dlcheck watch": _watch,
    "torchmortem": _torchmortem,
    "torch-audit": _torch_audit,
    "training-doctor": _training_doctor,
    "wandb.watch": _wandb,
    "cockpit": _none,
    "detect_anomaly": _anomaly,
}


def _plain_step(training: Training, told: Told, x: Tensor, y: Tensor) -> None:
    training.optimizer.zero_grad()
    loss = training.loss(training.model(x), y)
    loss.backward()
    training.optimizer.step()
    told(training.steps, loss)


def _cockpit_step(training: Training) -> Callable[[Tensor, Tensor], None]:
    """Return Cockpit's own form of a step, in its cheapest configuration."""
    extend = import_module("backpack").extend
    cockpit = import_module("cockpit").Cockpit(
        training.model.parameters(), quantities=import_module("cockpit.utils.configuration").configuration("economy")
    )
    extend(training.model)
    loss_of, each = extend(nn.CrossEntropyLoss()), extend(nn.CrossEntropyLoss(reduction="none"))

    def step(x: Tensor, y: Tensor) -> None:
        training.optimizer.zero_grad()
        answers = training.model(x)
        loss, losses = loss_of(answers, y), each(answers, y)
        facts = {"batch_size": len(x), "individual_losses": losses, "loss": loss, "optimizer": training.optimizer}
        with cockpit(training.steps - 1, info=facts):
            loss.backward(create_graph=cockpit.create_graph(training.steps - 1))
        training.optimizer.step()

    return step


def serve(network: str, contender: str) -> None:
    """Train on command: a line holds a number of steps, the answer the seconds that they took."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")

    def answer(**facts: Any) -> None:
        answers.write(json.dumps(facts) + "\n")
        answers.flush()

    try:
        training = Training.create(network)
        with CONTENDERS[contender](training) as told:
            special = _cockpit_step(training) if contender == "cockpit" else None
            batches = training.batches()
            answer(ready=True)
            for line in sys.stdin:
                began = time.perf_counter()
                for _ in range(int(line)):
                    x, y = next(batches)
                    training.steps += 1
                    if special is not None:
                        special(x, y)
                    else:
                        _plain_step(training, told, x, y)
                answer(seconds=time.perf_counter() - began)
    except Exception as error:  # a peer may fail in any way: it is told of, not hidden
        answer(failed=f"{type(error).__name__}: {error}".splitlines()[0])


class Contender:
    """A process that trains on command."""

    def __init__(self, network: str, name: str) -> None:
        self.name, self.failed = name, ""
        self.seconds: list[float] = []
        command = [sys.executable, __file__, "--serve", network, name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def _read(self) -> float:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        told = json.loads(line) if line else {"failed": "ended without a word"}
        self.failed = told.get("failed", self.failed)
        return float(told.get("seconds", float("nan")))

    def run(self, steps: int) -> float:
        """Train for some steps; return the seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        return self._read()

    def slow(self, base: Contender) -> bool:
        """Return whether it is so slow that a few rounds tell."""
        return len(self.seconds) >= FEW and min(self.seconds) > SLOW * max(base.seconds)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._process.communicate(timeout=60)


def measure(network: str, names: list[str], seconds: float, block_s: float, starts: int) -> None:
    """Measure and print one network."""
    told: dict[str, list[Course]] = {name: [] for name in names}
    for _ in range(starts):
        for course in _start(network, names, seconds, block_s):
            told[course.name].append(course)
    bare = [course for course in told[names[0]] if course.seconds]
    per_step = statistics.median(seconds / one.steps for one in bare for seconds in one.seconds)
    blocks = f"{starts} x {len(bare[0].seconds)} blocks of {bare[0].steps} steps"
    print(f"\n{network}: {1000 * per_step:.2f} ms a step, {blocks}")
    for name in names[1:]:
        print(f"  {name:<16} {_verdict(network, told[name])}", flush=True)


@dataclass(frozen=True, slots=True)
class Course:
    """What one process of a contender took, beside the unwatched one of the same start."""

    name: str
    failed: str
    seconds: list[float]
    ratios: list[float]
    steps: int
    whole: float
    """Time of all blocks over that of the unwatched ones."""


def _start(network: str, names: list[str], seconds: float, block_s: float) -> list[Course]:
    contenders = [Contender(network, name) for name in names]
    base = contenders[0]
    base.run(5)
    step_s = base.run(10) / 10
    steps = max(round(block_s / step_s), 1)
    rounds = max(round(seconds / (steps * step_s)), LEAST_ROUNDS)
    for _ in range(rounds):
        for one in contenders:
            if not one.failed and not one.slow(base):
                one.seconds.append(one.run(steps))
    for one in contenders:
        one.close()
    return [_course(one, base, steps) for one in contenders]


def _course(one: Contender, base: Contender, steps: int) -> Course:
    ratios = [mine / bare for mine, bare in zip(one.seconds, base.seconds, strict=False)]
    whole = sum(one.seconds) / sum(base.seconds[: len(ratios)]) if ratios else 0.0
    return Course(one.name, one.failed, one.seconds, ratios, steps, whole)


def _verdict(network: str, courses: list[Course]) -> str:
    failed = next((one.failed for one in courses if one.failed), "")
    if failed:
        return f"not measured: {failed[:90]}"
    settled = [ratio for one in courses for ratio in one.ratios[len(one.ratios) // 2 :]]
    low, usual, high = statistics.quantiles(settled, n=4)
    first = statistics.median(one.ratios[0] for one in courses)
    whole = statistics.median(one.whole for one in courses)
    words = f"{usual:6.3f}  ({low:.3f} to {high:.3f})   first block {first:6.2f}   all {whole:6.3f}"
    if courses[0].name != "dlcheck watch":
        return words
    return f"{words}   bound {BOUNDS[network]}: {'kept' if usual <= BOUNDS[network] else 'BROKEN'}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=12.0, help="that the unwatched training takes, about")
    parser.add_argument("--block", type=float, default=0.1, help="seconds that a block of it takes, about")
    parser.add_argument("--starts", type=int, default=1, help="of all processes anew")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(*given.serve)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    names = ["none", *(name for name in given.contenders.split(",") if name != "none")]
    print(f"torch {torch.__version__}, one thread; settled median ratio (middle half)")
    for network in given.networks.split(","):
        measure(network, names, given.seconds, given.block, given.starts)


if __name__ == "__main__":
    main()
