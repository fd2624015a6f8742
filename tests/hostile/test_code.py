"""A recipe is data: its own code is told on the screen before it runs, and ``--no-code`` refuses it."""

from pathlib import Path

import pytest

from dlcheck.recipe import load_recipe
from dlcheck.recipe.code import NO_CODE, own_code
from tests.cli.conftest import Command, Done

DATA = '[data]\nname = "digits"\nlimit = 64\n'
MODEL = '[model]\nname = "mlp"\nhidden = [8]\n'
TARGETS = {
    "data.target": '[data]\ntarget = "own.py:Thing"\n' + MODEL,
    "model.target": DATA + '[model]\ntarget = "own.py:Thing"\n',
    "init.target": DATA + MODEL + '[init]\ntarget = "own.py:Thing"\n',
    "loss.target": DATA + MODEL + '[loss]\ntarget = "own.py:Thing"\n',
    "optimizer.target": DATA + MODEL + '[optimizer]\ntarget = "own.py:Thing"\n',
    "optimizer.switch.to.target": DATA
    + MODEL
    + '[optimizer]\nname = "adam"\n[optimizer.switch]\nepoch = 1\n[optimizer.switch.to]\ntarget = "own.py:Thing"\n',
    "schedule.target": DATA + MODEL + '[schedule]\ntarget = "own.py:Thing"\n',
}
COMMANDS = ("train", "check", "tune", "lr-find", "profile-gpu", "treat")


@pytest.fixture
def recipe(tmp_path: Path, mark: Path) -> Path:
    """Return a recipe whose own code leaves a mark, and cannot be imported."""
    code = f"from pathlib import Path\nPath({str(mark)!r}).touch()\nraise RuntimeError('it ran')\n"
    (tmp_path / "own.py").write_text(code)
    path = tmp_path / "own.toml"
    path.write_text(TARGETS["model.target"])
    return path


def refused(done: Done, mark: Path, *words: str) -> None:
    """Assert that a command ended with one clear line, and that nothing ran."""
    status, text = done.returncode, done.stderr
    assert status == 2, text
    assert len(text.splitlines()) == 1, text
    assert all(word in text for word in (*words, "--no-code", NO_CODE))
    assert not mark.exists()


@pytest.mark.parametrize("words", COMMANDS)
def test_no_code_refuses_before_anything_is_imported(command: Command, recipe: Path, mark: Path, words: str) -> None:
    done = command(words, str(recipe), "--no-code", "--quiet")
    refused(done, mark, "model.target = own.py:Thing")
    assert sorted(path.name for path in recipe.parent.iterdir()) == ["own.py", "own.toml"]


@pytest.mark.parametrize("key", TARGETS)
def test_no_code_knows_every_place_of_a_target(command: Command, recipe: Path, mark: Path, key: str) -> None:
    recipe.write_text(TARGETS[key])
    refused(command("train", str(recipe), "--no-code"), mark, f"{key} = own.py:Thing")


def test_no_code_knows_targets_from_the_command_line(command: Command, recipe: Path, mark: Path) -> None:
    recipe.write_text(DATA + MODEL)
    for words in ("train", "check", "tune", "treat", "profile-gpu"):
        refused(command(words, str(recipe), "--no-code", "--set", "loss.target=own.py:Thing"), mark, "loss.target")


@pytest.mark.parametrize("words", COMMANDS)
def test_the_environment_refuses_as_the_option_does(
    command: Command, recipe: Path, mark: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NO_CODE, "1")
    refused(command(words, str(recipe)), mark, "model.target = own.py:Thing")


@pytest.mark.parametrize("words", [("train", "--resume"), ("treat", "--run")])
def test_a_run_folder_brings_no_code_either(
    command: Command, recipe: Path, mark: Path, words: tuple[str, str], tmp_path: Path
) -> None:
    for folder in (tmp_path / "run", tmp_path / "folds" / "fold-0"):
        folder.mkdir(parents=True)
        (folder / "recipe.toml").write_text(f'folder = "{tmp_path}"\n' + TARGETS["model.target"])
    refused(command(*words, "run", "--no-code"), mark, "model.target = own.py:Thing")
    refused(command(*words, "folds", "--no-code"), mark, "model.target = own.py:Thing")


@pytest.mark.parametrize(
    "words",
    [
        ("check", "own.py:Thing"),
        ("lr-find", "own.py:Thing"),
        ("profile-gpu", "own.py:Thing"),
        ("profile-gpu", "--", "own.py"),
        ("profile-gpu", "-m", "own"),
        ("treat", "--", "own.py"),
        ("treat", "-m", "own"),
    ],
)
def test_factories_and_scripts_are_code(command: Command, recipe: Path, mark: Path, words: tuple[str, ...]) -> None:
    name, *rest = words
    refused(command(name, "--no-code", *rest), mark, words[-1])


def test_the_environment_refuses_to_watch(
    command: Command, recipe: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NO_CODE, "yes")
    refused(command("watch", "own.py"), mark, "own.py")


@pytest.mark.parametrize("words", ["train", "check", "lr-find", "tune"])
def test_the_screen_says_so_before_it_runs(command: Command, recipe: Path, mark: Path, words: str) -> None:
    done = command(words, str(recipe), "--quiet")
    note, *_, complaint = done.stderr.splitlines()
    assert note == f"note: this recipe runs code of its own: model.target = own.py:Thing, from {recipe.parent}"
    assert done.returncode == 2
    assert "does not import: RuntimeError: it ran" in complaint
    assert mark.exists()


@pytest.mark.slow
@pytest.mark.parametrize("words", [("profile-gpu",), ("treat", "--dry-run")])
def test_the_screen_says_so_before_another_process_runs_it(
    command: Command, recipe: Path, mark: Path, words: tuple[str, ...]
) -> None:
    done = command(*words, str(recipe))
    assert done.stderr.startswith("note: this recipe runs code of its own: model.target = own.py:Thing, from ")
    assert done.returncode == 2
    assert "does not import" in done.stderr.splitlines()[-1]


def test_a_recipe_of_data_alone_says_nothing(command: Command, recipe: Path) -> None:
    recipe.write_text(DATA + MODEL + '[optimizer]\nname = "adam"\nlr = "a"\n')
    done = command("check", str(recipe), "--no-code")
    assert "own code" not in done.stderr
    recipe.write_text(DATA + MODEL)
    assert own_code(load_recipe(recipe).recipe) == ()
    assert own_code(load_recipe("digits").recipe) == ()


def test_targets_that_a_search_would_try_are_named(recipe: Path) -> None:
    recipe.write_text(TARGETS["model.target"] + '[search]\n"model.target" = { choice = ["a:A", "b.py:B"] }\n')
    assert own_code(load_recipe(recipe).recipe) == (
        "model.target = own.py:Thing",
        "model.target = a:A",
        "model.target = b.py:B",
    )


def test_the_last_gate_is_where_code_is_imported(
    recipe: Path, mark: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dlcheck import DlcheckError
    from dlcheck.components.target import call_target, load_target

    monkeypatch.setenv(NO_CODE, "1")
    for use in (load_target, call_target):
        with pytest.raises(DlcheckError, match=r"own\.py:Thing"):
            use("own.py:Thing", tmp_path)
    assert not mark.exists()
