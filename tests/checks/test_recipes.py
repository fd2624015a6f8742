"""Recipes that ship, and what a recipe can do wrong."""

from pathlib import Path

import pytest

from dlcheck.checks.admit import admit_recipe
from dlcheck.checks.exam import Exam
from dlcheck.checks.examine import examine
from dlcheck.checks.exams import EXAMS, MODEL_EXAMS
from dlcheck.checks.overfit.exam import EXAM as OVERFIT
from dlcheck.findings import Severity
from dlcheck.recipe import load_recipe, parse_recipe
from dlcheck.report.report import Report
from dlcheck.runs.facts import MemoryNeed, OverfitBatch, fact
from tests.checks.conftest import causes

QUICK = tuple(exam for exam in MODEL_EXAMS if exam is not OVERFIT)


def examined(name: str, *overrides: str, exams: tuple[Exam, ...] = MODEL_EXAMS) -> Report:
    return examine(admit_recipe(load_recipe(name, overrides), "cpu"), exams=exams, limit_s=30.0)


@pytest.mark.parametrize("name", ["digits-mlp", "autoencoder", "digits-captions"])
def test_shipped_recipe_is_clean(name: str) -> None:
    report = examined(name)
    assert [f for f in report.outcome.findings if f.severity >= Severity.WARNING] == []
    assert report.outcome.crashed == ()
    solved = fact(report.run, OverfitBatch)
    assert solved is not None
    assert solved.solved


def test_digits_is_healthy_in_all_exams() -> None:
    report = examined("digits", exams=EXAMS)
    assert report.outcome.findings == ()
    assert report.verdict == "healthy"
    assert report.then == "dlcheck train digits"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("wine", "wine-quality/winequality-red.csv"),
        ("co2", "time-series/"),
    ],
)
def test_shipped_recipe_on_shared_data_is_clean(
    name: str, path: str, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (shared_data / path).exists()
    monkeypatch.chdir(shared_data.parent)
    report = examined(name, exams=QUICK)  # co2 takes its whole time to learn a batch by heart
    assert [f for f in report.outcome.findings if f.severity >= Severity.WARNING] == []
    assert causes(report) == []


def test_small_text_is_clean(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog. " * 200)
    recipe = f"""
[data]
name = "text"
path = "{text}"
context = 16
[model]
name = "lstm"
embedding = 16
hidden = 48
[train]
batch_size = 16
"""
    report = examine(admit_recipe(parse_recipe(recipe, "text", name="text"), "cpu"), exams=MODEL_EXAMS)
    assert [f for f in report.outcome.findings if f.severity >= Severity.WARNING] == []
    learned = fact(report.run, OverfitBatch)
    assert learned is not None
    assert learned.solved
    # The first characters of a window cannot be told apart: contradictions, and a floor.
    assert learned.conflicting > 0
    assert learned.target_loss > learned.floor > 0


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        (("init.name=zeros",), "M202"),
        (("init.name=normal", "init.std=1.0"), "M201"),
        (("train.batch_size=2", "model.norm=batch"), "M210"),
        (("model.activation=sigmoid", "model.hidden=[32,32,32,32,32,32,32,32,32,32,32]"), "M203"),
    ],
)
def test_fault_of_a_recipe_is_named(overrides: tuple[str, ...], code: str) -> None:
    report = examined("digits-mlp", *overrides, exams=QUICK)
    assert code in causes(report)


@pytest.mark.parametrize(("name", "copies"), [("sgd", 0), ("momentum", 1), ("adam", 2)])
def test_memory_of_the_optimizer_is_known_before_its_first_step(name: str, copies: int) -> None:
    report = examined("digits-mlp", f"optimizer.name={name}", exams=(EXAMS[-2],))
    need = fact(report.run, MemoryNeed)
    assert need is not None
    most = {part.name: part.bytes for part in need.most}
    counters = need.optimizer - copies * need.parameters
    assert 0 <= counters <= 4 * 6  # one number for each weight and bias
    assert most["gradients"] == need.parameters
    assert need.batch == 64 * (64 * 4 + 8)
    assert need.total == sum(getattr(need, name) for name in most)
    assert need.total <= sum(most.values())
    # Kept for the backward pass are at least both hidden layers' outputs.
    assert most["activations"] >= 64 * 4 * 192
    assert need.largest_batch is None or need.largest_batch > 64
