"""The rules against real logs of other people, with labels of one human.

``pytest -s tests/rules/test_real_diagnosis.py`` prints what was found, and the figures that are held to a bar.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.findings import Outcome, Severity
from dlcheck.rules import diagnose, verdict
from dlcheck.runs import Run
from dlcheck.runs.discover import Found, discover
from dlcheck.runs.readers.reader import read_runs

CODES = {
    "nan": "C401",
    "diverged": "C402",
    "loss_spike": "C403",
    "lr_too_high": "C404",
    "lr_too_low": "C405",
    "no_learning": "C406",
    "plateau": "C407",
    "underfit": "C408",
    "overfit": "C409",
    "early_stop_missed": "C411",
    "undertrained": "C412",
    "noisy_val": "C413",
    "val_better_than_train": "C414",
    "metric_loss_mismatch": "C415",
}
MUST_BE_FOUND = ("nan", "diverged", "overfit")
LEAST_EXAMPLES = 4

# What a second look says where the label and the finding differ. Only "agreed" counts in the figures.
DISAGREEMENTS: dict[tuple[str, str], str] = {
    ("st18", "C414"): "agreed: the labeller took the log for one without validation, but it holds lines 'Test set: "
    "Average loss', and that loss lies 4 % below the training loss in the last half",
    ("st18", "C412"): "agreed: both losses have their lowest value in the last epoch and fall as fast as in the middle",
    ("we03", "C406"): "the label knows what the log does not: 3.3 is the entropy of single characters. The curve "
    "shows a fall and then a plateau, which is found",
    ("ch05", "C412"): "still falling, but each epoch gains a third of what one gained in the middle of the run",
    ("pk03", "C406"): "a pickle, which is refused before any rule looks",
    ("mg01", "C404"): "the rate was at its highest when the loss began to climb, which the label does not say",
}


@dataclass(frozen=True)
class Judged:
    """A log, its labels, and what the rules said of its last run."""

    name: str
    labels: frozenset[str]
    certain: bool
    outcome: Outcome

    @property
    def codes(self) -> set[str]:
        return {finding.code for finding in self.outcome.findings}

    @property
    def claimed(self) -> set[str]:
        """The codes that stand for themselves; what another finding explains is its consequence."""
        return {finding.code for finding in self.outcome.findings if finding.primary}

    @property
    def troubled(self) -> list[str]:
        return [item.code for item in self.outcome.findings if item.severity >= Severity.WARNING]


def last_run(path: Path) -> Run | None:
    """Return the run that is diagnosed: the last and longest of the path; None when it is refused."""
    runs: list[Run] = []
    for found in discover([path]):
        if isinstance(found, Found):
            try:
                runs.append(read_runs(found.path, reader=found.reader_name)[-1])
            except DlcheckError:
                continue
    return max(runs, key=lambda run: len(run.scalars), default=None)


def judge_all(root: Path) -> Iterator[Judged]:
    with (root / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            labels = frozenset(row["label"].split(";"))
            run = last_run(root / row["path"]) if "not_a_training_log" not in labels else None
            if run is not None:
                yield Judged(row["id"], labels, row["uncertain"] == "0", diagnose(run))


@cache
def judged_logs(root: Path) -> tuple[Judged, ...]:
    return tuple(judge_all(root))


@pytest.fixture
def judged(shared_data: Path) -> tuple[Judged, ...]:
    root = shared_data / "logs"
    if not root.is_dir():
        pytest.skip("no labelled logs among the shared data")
    return judged_logs(root)


@dataclass(frozen=True)
class Figure:
    """How the findings of one rule agree with one label, on the logs whose labels are certain."""

    label: str
    found: list[str]
    missed: list[str]
    wrong: list[str]

    @property
    def recall(self) -> float:
        return len(self.found) / max(1, len(self.found) + len(self.missed))

    @property
    def precision(self) -> float:
        return len(self.found) / max(1, len(self.found) + len(self.wrong))

    @property
    def row(self) -> str:
        shares = f"{self.recall:7.2f} {self.precision:9.2f}"
        names = f"missed {' '.join(self.missed) or '-'}, unlabelled {' '.join(self.wrong) or '-'}"
        return f"{self.label:22} {len(self.found):5} {shares}  {names}"


def figure(label: str, judged: tuple[Judged, ...]) -> Figure:
    code = CODES[label]
    certain = [log for log in judged if log.certain]
    agreed = {name for (name, of), why in DISAGREEMENTS.items() if of == code and why.startswith("agreed")}
    labelled = [log for log in certain if label in log.labels]
    return Figure(
        label,
        [log.name for log in labelled if code in log.codes],
        [log.name for log in labelled if code not in log.codes],
        [log.name for log in certain if label not in log.labels and code in log.claimed and log.name not in agreed],
    )


def test_figures_are_printed(judged: tuple[Judged, ...]) -> None:
    print(f"\n{'label':22} {'found':>5} {'recall':>7} {'precision':>9}")
    for label in CODES:
        print(figure(label, judged).row)
    healthy = [log for log in judged if "healthy" in log.labels]
    print(f"healthy: {len(healthy)}, of them troubled: {[(log.name, log.troubled) for log in healthy if log.troubled]}")
    for log in judged:
        said = " ".join(
            f"{item.code}{'' if item.primary else '<' + str(item.explained_by)}" for item in log.outcome.findings
        )
        print(f"{log.name} {';'.join(sorted(log.labels))}{'' if log.certain else ' ?'}: {verdict(log.outcome)} {said}")
    for (name, code), why in DISAGREEMENTS.items():
        print(f"{name} {code}: {why}")
    assert len(judged) >= 85


@pytest.mark.parametrize("label", MUST_BE_FOUND)
def test_what_loses_a_run_is_always_found(judged: tuple[Judged, ...], label: str) -> None:
    found = figure(label, judged)
    assert found.found
    assert not found.missed
    assert not found.wrong


@pytest.mark.parametrize("label", CODES)
def test_labels_with_enough_examples_are_met(judged: tuple[Judged, ...], label: str) -> None:
    found = figure(label, judged)
    if len(found.found) + len(found.missed) < LEAST_EXAMPLES:
        pytest.skip(f"fewer than {LEAST_EXAMPLES} certain examples of {label}")
    assert found.recall >= 0.7
    assert found.precision >= 0.9


def test_healthy_runs_come_out_clean(judged: tuple[Judged, ...]) -> None:
    healthy = [log for log in judged if "healthy" in log.labels]
    assert len(healthy) >= 20
    assert sum(bool(log.troubled) for log in healthy) <= 0.05 * len(healthy)


def test_too_few_points_get_no_verdict(judged: tuple[Judged, ...]) -> None:
    short = [log for log in judged if log.labels == {"incomplete"}]
    assert short
    assert {verdict(log.outcome) for log in short} == {"unknown"}


def test_no_rule_fails_on_a_real_log(judged: tuple[Judged, ...]) -> None:
    assert [crash for log in judged for crash in log.outcome.crashed] == []
