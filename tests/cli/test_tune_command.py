"""``dlcheck tune`` from the outside."""

import json
from pathlib import Path

import pytest

from dlcheck.tuning.trials import Ending, read_study
from tests.cli.conftest import Command

RECIPE = """
[data]
name = "digits"
limit = 128
[model]
name = "mlp"
hidden = [16]
[optimizer]
name = "adam"
lr = 0.01
[train]
epochs = 2
batch_size = 32
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return str(path)


def test_a_search_says_what_it_found_and_how_it_went_about_it(command: Command, recipe: str, tmp_path: Path) -> None:
    options = ("--trials", "3", "--device", "cpu", "--set", "tune.confirm={top=1, seeds=2}")
    done = command("tune", recipe, *options)
    assert done.returncode in (0, 1), done.stderr
    assert "3 of 3 trials done" in done.stdout
    assert "no pruner: 2 epochs leave nothing to cut short" in done.stderr
    assert done.stdout.splitlines()[-1].startswith("next: dlcheck train ")
    made = {path.name for path in (tmp_path / "dlcheck-studies" / "small").iterdir()}
    assert {"best.toml", "trials.csv", "confirm.json", "findings.json", "report.html", "study.db"} <= made
    again = command("tune", recipe, *options)
    assert again.stdout == done.stdout
    status = command("tune", "--status", "dlcheck-studies/small")
    assert status.returncode == 0
    assert "3 of 3 trials done" in status.stdout
    content = json.loads(command("tune", "--status", "dlcheck-studies/small", "--format", "json").stdout)
    assert content["schema"] == "dlcheck.study/1"
    assert [row["ending"] for row in content["trials"]] == ["ok"] * 3
    assert content["trials"][0]["baseline"]
    assert set(content["trials"][1]["params"]) == {"optimizer.lr"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "dlcheck tune needs a recipe"),
        (("RECIPE", "--metric", "val_acc"), "'val_acc' is never logged by this recipe; did you mean 'val_accuracy'?"),
        (("RECIPE", "--budget", "soon"), 'expected a budget as "360 epochs"'),
        (("RECIPE", "--sampler", "gp", "--pruner", "asha"), "take --pruner none, or --sampler tpe"),
        (("RECIPE", "--sampler", "gpp"), "gpp"),
        (("RECIPE", "--set", "search.optimizer.lrr={log=[1,2]}"), "did you mean 'lr'?"),
        (("RECIPE", "--storage", "redis://host"), "expected sqlite:///FILE"),
        (("RECIPE", "--metric", "seconds"), "name it second"),
        (("--status", "nowhere"), "no such study"),
    ],
)
def test_bad_input_is_one_line_and_makes_nothing(
    command: Command, recipe: str, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = command("tune", *(recipe if word == "RECIPE" else word for word in arguments), "--quiet")
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "dlcheck-studies"] == before


def test_a_recipe_that_never_trains_ends_with_its_diagnosis(command: Command, recipe: str) -> None:
    done = command("tune", recipe, "--set", "optimizer.lr=1e30", "--set", 'optimizer.name="sgd"', "--quiet")
    assert done.returncode == 2
    assert "the first 5 trials, your recipe among them, all ended as" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert read_study("dlcheck-studies/small").trials[4].ending is not Ending.ok
