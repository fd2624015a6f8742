"""Readers against real logs of other people: columns, first, least and last values, NaN, refusals.

``pytest -s tests/runs/test_real_logs.py`` prints a row for each log, and the shares that are held to a bar.
"""

import csv
import math
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dlcheck.errors import DlcheckError
from dlcheck.runs.discover import Found, discover
from dlcheck.runs.readers.reader import read_runs
from dlcheck.runs.run import Run

READERS = {
    "allennlp_metrics": {"allennlp-metrics"},
    "chainer_log": {"chainer-log"},
    "custom_csv": {"csv"},
    "deit_jsonl": {"jsonl"},
    "detectron2_json": {"jsonl"},
    "dvclive": {"dvclive"},
    "hf_trainer_state": {"hf-trainer-state"},
    "history_json": {"history-json"},
    "keras_csv": {"keras-csv"},
    "lightning_csv": {"lightning-csv"},
    "llamafactory_jsonl": {"jsonl"},
    "mlflow": {"mlflow"},
    "mmcv_json": {"jsonl"},
    "sb3_monitor": {"sb3-monitor"},
    "tensorboard": {"tensorboard", "tensorboard-folder"},
    "ultralytics_csv": {"ultralytics-csv"},
    "wandb_export_csv": {"csv"},
    "wandb_run": {"wandb-run", "wandb-file"},
}
TEXTS = {"caffe_log", "fairseq_log", "hf_stdout", "keras_stdout", "megatron_stdout", "paddle_log", "stdout_text"}
# What the format is called where the reader knows more kinds than one.
FORMATS = {
    "caffe_log": "caffe-text",
    "deit_jsonl": "deit-jsonl",
    "detectron2_json": "detectron2-jsonl",
    "fairseq_log": "fairseq-text",
    "hf_stdout": "hugging-face-text",
    "keras_stdout": "keras-text",
    "llamafactory_jsonl": "llama-factory-jsonl",
    "megatron_stdout": "megatron-text",
    "mmcv_json": "mmcv-jsonl",
    "paddle_log": "paddle-text",
    "wandb_export_csv": "wandb-csv",
}
RUNS = {"kc10": 12, "kc14": 3, "yo10": 3, "d202": 3, "li50": 1, "mm01": 1, "mm04": 1}
EVIDENCE = re.compile(r"(train|val)\[([^]]+)\] (\S+)->(\S+), min (\S+) @")
# Where the manifest is wrong: these hold validation losses, as their lines "validation loss at iteration 100",
# "Eval batches[100] | loss 5.55" and "Test set: Average loss: 5.0191" say.
WITH_VALIDATION = {"mg03", "st13", "st18"}
# Logs without one point: the file was begun and nothing was measured.
EMPTY = {"tb15", "tb19"}
# A pickle is never loaded, whatever it holds.
PICKLED = {"pk03"}


@dataclass
class Log:
    """What the manifest says of a log, and what was read."""

    row: dict[str, str]
    path: Path
    readers: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    why: str = ""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return self.row["id"]

    @property
    def is_training(self) -> bool:
        return self.row["format"] != "not_training_log"

    def values(self, split: str, raw: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return a series of the whole log by its raw name, else the loss of the split."""
        parts = []
        for run in self.runs:
            place = self._place(run, split, raw)
            series = run.curve(place.partition("/")[2], place.partition("/")[0]).values
            parts.append(series if len(series) else self._loss(run, split))
        return np.concatenate(parts) if parts else np.array([])

    @staticmethod
    def _place(run: Run, split: str, raw: str) -> str:
        # The manifest names series by file or with the folder before them.
        columns = run.meta["columns"]
        plain = raw.removesuffix(".tsv")
        known = columns if isinstance(columns, dict) else {}
        places = [str(known[name]) for name in (plain, plain.partition("/")[2]) if name in known]
        return next((place for place in places if place.startswith(f"{split}/")), "")

    @staticmethod
    def _loss(run: Run, split: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        loss = run.curve("loss", split).values
        return loss if len(loss) else run.curve("batch_loss", split).values

    def has(self, split: str, *metrics: str) -> bool:
        return any(len(run.curve(metric, split)) for run in self.runs for metric in metrics)

    @property
    def held(self) -> tuple[bool, bool, bool]:
        return self.has("train", "loss", "batch_loss"), self.has("val", "loss"), self.has("train", "lr")

    @property
    def expected(self) -> tuple[bool, bool, bool]:
        train, val, lr = (self.row[key] == "1" for key in ("has_train_loss", "has_val_loss", "has_lr"))
        return train, val or self.name in WITH_VALIDATION, lr


def read(row: dict[str, str], root: Path) -> Log:
    log = Log(row, root / row["path"])
    start = time.perf_counter()
    for item in discover([log.path]):
        if isinstance(item, Found):
            try:
                log.runs += read_runs(item.path, reader=item.reader_name)
                log.readers.append(item.reader_name)
            except DlcheckError as error:
                log.why = str(error)
        else:
            log.why = item.why
    log.seconds = time.perf_counter() - start
    return log


@cache
def corpus(root: Path) -> tuple[Log, ...]:
    with (root / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        return tuple(read(row, root) for row in csv.DictReader(file))


@pytest.fixture
def logs(shared_data: Path) -> tuple[Log, ...]:
    root = shared_data / "logs"
    if not (root / "MANIFEST.csv").is_file():
        pytest.skip("no real logs beside the checkout")
    return corpus(root)


def trainings(logs: tuple[Log, ...]) -> list[Log]:
    return [log for log in logs if log.is_training and log.name not in EMPTY | PICKLED]


def same(value: float, told: str) -> bool:
    """Return whether a value is the one in the manifest, which gives four digits."""
    return math.isclose(value, float(told), rel_tol=6e-4, abs_tol=1e-12)


def numbers_agree(log: Log) -> bool | None:
    """Return whether first, last and least value of each series in the manifest were read; None without any."""
    told = EVIDENCE.findall(log.row["evidence"])
    agreed = []
    for split, raw, first, last, least in told:
        values = log.values(split, raw)
        finite = values[np.isfinite(values)]
        agreed.append(
            len(finite) > 0 and same(finite[0], first) and same(finite[-1], last) and same(float(finite.min()), least)
        )
    return all(agreed) if agreed else None


def share(passed: list[bool]) -> float:
    return sum(passed) / len(passed)


def test_formats_are_told_by_content(logs: tuple[Log, ...]) -> None:
    for log in trainings(logs):
        kind = log.row["format"]
        expected = READERS.get(kind, {"text"} if kind in TEXTS else set())
        assert log.readers, f"{log.name}: {log.why}"
        assert set(log.readers) <= expected, f"{log.name}: {log.readers}"


def test_formats_are_named_after_what_wrote_them(logs: tuple[Log, ...]) -> None:
    for log in trainings(logs):
        kind, named = log.row["format"], {str(run.meta["format"]) for run in log.runs}
        if kind == "stdout_text":
            assert all(name.rpartition("-")[2] == "text" for name in named), f"{log.name}: {named}"
        elif kind == "wandb_run":
            assert named == {"wandb"}, f"{log.name}: {named}"
        else:
            expected = {FORMATS[kind]} if kind in FORMATS else READERS[kind]
            assert named, log.name
            assert named <= expected, f"{log.name}: {named}"


def test_what_is_no_log_is_refused(logs: tuple[Log, ...]) -> None:
    for log in logs:
        if not log.is_training or log.name in PICKLED:
            assert log.runs == [], log.name
            assert "no training log" in log.why or "pickle" in log.why


def test_the_right_columns_are_found(logs: tuple[Log, ...]) -> None:
    checked = trainings(logs)
    wrong = [f"{log.name}: {log.held} for {log.expected}" for log in checked if log.held != log.expected]
    assert len(wrong) <= 0.05 * len(checked), wrong


def test_first_last_and_least_values(logs: tuple[Log, ...]) -> None:
    checked = {log.name: numbers_agree(log) for log in trainings(logs)}
    wrong = [name for name, agrees in checked.items() if agrees is False]
    assert len(wrong) <= 0.05 * sum(agrees is not None for agrees in checked.values()), wrong


def test_nan_is_found_where_it_is_and_nowhere_else(logs: tuple[Log, ...]) -> None:
    for log in trainings(logs):
        frames = [run.scalars[~np.isfinite(run.scalars["value"])] for run in log.runs]
        bad = {
            f"{split}/{metric}"
            for frame in frames
            for split, metric in zip(frame["split"], frame["metric"], strict=True)
        }
        losses = {name for name in bad if name.endswith("loss")}
        told = log.row["nan_where"]
        if told in ("none", "metric"):
            assert losses == set(), f"{log.name}: {bad}"
        else:
            assert losses, f"{log.name}: {told}"


def test_appended_runs_are_parted_and_others_are_not(logs: tuple[Log, ...]) -> None:
    assert {log.name: len(log.runs) for log in logs if log.name in RUNS} == RUNS


def damaged(content: bytes, chance: random.Random) -> Iterator[bytes]:
    """Yield a log cut off somewhere, and with one byte in a hundred changed."""
    yield content[: chance.randrange(len(content))]
    changed = bytearray(content)
    for _ in range(max(1, len(content) // 100)):
        changed[chance.randrange(len(content))] = chance.randrange(256)
    yield bytes(changed)


def check_damaged(log: Log, place: Path, chance: random.Random) -> None:
    for content in damaged(log.path.read_bytes(), chance):
        copy = place / log.path.name
        copy.write_bytes(content)
        try:
            runs = read_runs(copy)
        except DlcheckError:
            continue
        assert runs, log.name


def test_damaged_copies_give_runs_or_a_refusal(logs: tuple[Log, ...], tmp_path: Path) -> None:
    chance = random.Random(0)
    for log in logs:
        if log.path.is_file() and 0 < log.path.stat().st_size < 40_000:
            check_damaged(log, tmp_path, chance)


@pytest.mark.slow
def test_damaged_copies_of_every_log(logs: tuple[Log, ...], tmp_path: Path) -> None:
    chance = random.Random(1)
    for log in logs:
        for _ in range(20 if log.path.is_file() else 0):
            check_damaged(log, tmp_path, chance)


def test_the_table(logs: tuple[Log, ...]) -> None:
    print(f"\n{'log':5} {'reader':18} {'runs':>4} {'train val lr':12} {'numbers':8} {'s':>5}  refused because")
    for log in logs:
        numbers = numbers_agree(log) if log.is_training else None
        held = " ".join("yes" if one else "no" for one in log.held) + ("" if log.held == log.expected else " ?")
        told = {None: "-", True: "same", False: "other"}[numbers]
        readers = ",".join(sorted(set(log.readers))) or "-"
        why = "" if log.runs else log.why.replace(str(log.path), "")[:60]
        print(f"{log.name:5} {readers:18} {len(log.runs):>4} {held:12} {told:8} {log.seconds:5.2f}  {why}")
    checked = trainings(logs)
    numbers_known = [agrees for log in checked if (agrees := numbers_agree(log)) is not None]
    columns = share([log.held == log.expected for log in checked])
    values = share(numbers_known)
    print(f"columns right {columns:.1%} of {len(checked)}; values right {values:.1%} of {len(numbers_known)}")
    assert columns >= 0.95
    assert values >= 0.95
