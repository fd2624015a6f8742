"""``dlcheck check`` from the outside."""

import json
from pathlib import Path

import pytest

from dlcheck.cli.lesson import lesson_of
from dlcheck.recipe import load_recipe, sick_recipes
from tests.checks.factories import FAULTS, HEALTHY, write_factory
from tests.cli.conftest import Command

SMALL = """
[data]
name = "digits"
limit = 300
[model]
name = "mlp"
hidden = [24]
[init]
name = "lecun"
[train]
batch_size = 32
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return str(path)


def test_clean_recipe(command: Command, recipe: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    done = command("check", Path(recipe).name, "--set", "train.epochs=3")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    assert lines[0] == "small"
    assert lines[1].startswith("healthy: ")
    heading = next(line for line in lines if line.startswith("exam "))
    row = next(line for line in lines if line.startswith("overfit a small batch"))
    assert row.index("clean") == heading.index("result")
    assert all(len(line) <= 80 for line in lines[lines.index(heading) :] if "  " in line)
    assert lines[-1] == "next: dlcheck train small.toml --set train.epochs=3", "as it would have to be typed"
    assert "\x1b" not in done.stdout
    assert sorted(tmp_path.iterdir()) == before, "nothing is written unless asked"


def test_json_has_exams_and_run_folder_is_read_again(command: Command, recipe: str, tmp_path: Path) -> None:
    done = command("check", recipe, "--set", "init.name=zeros", "--format", "json", "--run-dir", "run", "--seed", "3")
    content = json.loads(done.stdout)
    assert done.returncode == 1
    assert content["schema"] == "dlcheck.findings/1"
    run = content["runs"][0]
    assert run["verdict"] == "sick"
    exams = {exam["name"]: exam for exam in run["exams"]}
    assert exams["symmetric weights"]["result"] == "found"
    assert exams["symmetric weights"]["findings"] == ["M202"]
    assert exams["dropout"]["result"] == "not checked"
    assert exams["dropout"]["why"] == "no dropout"
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
    assert "seed = 3" in (tmp_path / "run" / "recipe.toml").read_text()
    again = command("diagnose", "run", "--format", "json")
    told = {finding["code"] for finding in json.loads(again.stdout)["runs"][0]["findings"]}
    assert {"M202"} <= told
    assert again.returncode == 1


def test_output_file_and_quiet(command: Command, recipe: str, tmp_path: Path) -> None:
    done = command("check", recipe, "--quiet", "--output", "report.txt", "--select", "M2", "--limit", "5")
    assert done.stdout == ""
    text = (tmp_path / "report.txt").read_text()
    assert "first loss" in text
    assert "D101" not in text
    again = command("check", recipe, "--output", "report.txt")
    assert again.returncode == 2
    assert "nothing is ever overwritten" in again.stderr


def test_factory_with_a_fault(command: Command, tmp_path: Path) -> None:
    code, body = FAULTS["softmax before cross-entropy"]
    write_factory(tmp_path, body)
    done = command("check", "net.py:make", "--fail-on", "warning", "--limit", "8")
    assert done.returncode == 1, done.stdout
    assert done.stdout.splitlines()[1].startswith(f"sick: {code}")
    assert command("check", "net.py:make", "--ignore", code, "--fail-on", "warning", "--limit", "3").returncode == 0


def test_factory_that_prints_and_is_clean(command: Command, tmp_path: Path) -> None:
    write_factory(tmp_path, "print('building')\n" + HEALTHY["mlp"])
    done = command("check", "net.py:make", "--format", "json")
    assert json.loads(done.stdout)["runs"][0]["findings"] == []
    assert "building" in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "body", "said"),
    [
        (("no-such-recipe",), "", "no-such-recipe"),
        (("net.py:make",), "raise KeyError('key')", "raised KeyError: 'key'"),
        (("net.py:make",), "return {'model': mlp(), 'loss': F.mse_loss}", "train and optimizer missing"),
        (("net.py:make",), "return 7", "returned int with none of them: model"),
        (("net.py:make",), "return {**parts(mlp()), 'model': 3}", "model is int, expected a torch.nn.Module"),
        (("net.py:make",), "return {**parts(mlp()), 'optimizer': 3}", "optimizer is int"),
        (("net.py:make",), "return {**parts(mlp()), 'train': 3}", "train is int, expected an iterable"),
        (("net.py:make",), "return {**parts(mlp()), 'train': [{'x': 1}]}", "yields a dict as a batch"),
        (("net.py:make",), "return {**parts(mlp()), 'train': []}", "train has no batches"),
        (("net.py:make",), "return parts(mlp(features=5))", "the model does not take inputs of shape (32, 12)"),
        (("net.py:make",), "return parts(mlp(), nn.MSELoss())", "the loss does not take"),
        (("net.py:other",), "return parts(mlp())", "no 'other' in net.py"),
        (("net.py:make", "--set", "a=1"), "return parts(mlp())", "--set changes keys of a recipe"),
        (("digits", "--device", "tpu"), "", "--device tpu"),
        (("digits", "--set", "train.nothing=1"), "", "nothing"),
        (("digits", "--select", "Q9"), "", "Q9"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: tuple[str, ...], body: str, said: str, command: Command, tmp_path: Path
) -> None:
    write_factory(tmp_path, body or "return parts(mlp())")
    done = command("check", *arguments, "--limit", "1")
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_a_mended_copy_of_a_sick_recipe_is_not_called_ill(tmp_path: Path) -> None:
    path = tmp_path / "cured.toml"
    ill = load_recipe("sick/init-too-small")
    path.write_bytes(sick_recipes()["sick/init-too-small"].read_bytes())
    assert lesson_of(load_recipe(path), str(path), "train", []) == []
    (line,) = lesson_of(ill, "sick/init-too-small", "train", [])
    assert "ill on purpose" in line
