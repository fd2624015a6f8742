"""``dlcheck train`` as a person meets it: what it prints, where it writes, how it refuses."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcheck.__main__ import main
from dlcheck.errors import DlcheckError
from dlcheck.runs import atomic
from tests.cli.conftest import Command, Done

SMALL = ["--set", "data.limit=200", "--set", "train.epochs=2", "--set", "train.threads=1"]


@pytest.fixture
def dlcheck(command: Command) -> Command:
    """Return a function that runs any command in an empty folder."""
    return command


def refused(done: Done, *words: str) -> None:
    """Check for exit status 2 and one line that holds these words."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("dlcheck: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in lines[0], lines[0]


def test_training_shows_progress_curve_verdict_and_folder(dlcheck: Command, tmp_path: Path) -> None:
    done = dlcheck("train", "digits", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "1/2" in done.stderr
    assert "2/2" in done.stderr
    assert "samples/s" in done.stderr
    assert "test accuracy" in done.stdout
    folder = next((tmp_path / "dlcheck-runs").iterdir())
    assert folder.name.startswith("digits-")
    *_, where, following = done.stdout.splitlines()
    assert where == f"run folder: dlcheck-runs/{folder.name} (report.html)"
    assert following.startswith("next: ")


def test_quiet_prints_the_report_only(dlcheck: Command) -> None:
    done = dlcheck("train", "digits-mlp", *SMALL, "--quiet")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout


def test_json_is_the_findings_schema(dlcheck: Command) -> None:
    done = dlcheck("train", "digits-mlp", *SMALL, "--format", "json", "--run-dir", "out")
    report = json.loads(done.stdout)
    assert report["schema"] == "dlcheck.findings/1"
    assert report["runs"][0]["verdict"] in ("healthy", "sick", "unknown")


def test_output_goes_to_a_new_file_only(dlcheck: Command, tmp_path: Path) -> None:
    done = dlcheck("train", "digits-mlp", *SMALL, "--output", "report.txt", "--run-dir", "a")
    assert done.returncode == 0, done.stderr
    before = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert "test accuracy" in before
    refused(dlcheck("train", "digits-mlp", *SMALL, "--output", "report.txt", "--run-dir", "b"), "report.txt", "exists")
    assert (tmp_path / "report.txt").read_text(encoding="utf-8") == before
    assert not (tmp_path / "b").exists()


def test_the_seed_option_is_the_recipe_key(dlcheck: Command, tmp_path: Path) -> None:
    dlcheck("train", "digits-mlp", *SMALL, "--seed", "7", "--run-dir", "out", "--quiet")
    assert "seed = 7" in (tmp_path / "out" / "recipe.toml").read_text(encoding="utf-8")


def test_a_sick_run_exits_with_1_unless_told_otherwise(dlcheck: Command) -> None:
    broken = [*SMALL, "--set", "optimizer.name=sgd", "--set", "optimizer.lr=1e30", "--quiet"]
    broken += ["--set", "train.batch_size=4"]
    assert dlcheck("train", "digits-mlp", *broken, "--run-dir", "a").returncode == 1
    assert dlcheck("train", "digits-mlp", *broken, "--run-dir", "b", "--fail-on", "never").returncode == 0


def test_list_shows_every_recipe_and_where_its_data_comes_from(dlcheck: Command) -> None:
    done = dlcheck("train", "--list")
    assert done.returncode == 0
    for name in ("digits", "digits-mlp", "fashion-mnist", "cats-vs-dogs", "wine", "co2", "shakespeare", "autoencoder"):
        assert name in done.stdout
    assert "data.root" in done.stdout
    rows = json.loads(dlcheck("train", "--list", "--format", "json").stdout)
    assert {row["name"]: row["data_present"] for row in rows}["digits"] is True
    assert all(row["data_how"] for row in rows if not row["data_present"])


@pytest.mark.parametrize("recipe", ["fashion-mnist", "cats-vs-dogs", "wine", "co2", "shakespeare"])
def test_missing_data_names_the_key_and_the_source(dlcheck: Command, recipe: str) -> None:
    refused(dlcheck("train", recipe), "data.")


def test_usage_errors(dlcheck: Command, tmp_path: Path) -> None:
    refused(dlcheck("train"), "needs a recipe")
    refused(dlcheck("train", "digitz"), "did you mean 'digits'")
    refused(dlcheck("train", "digits", "--set", "optimizer.lrr=1"), "did you mean 'lr'")
    refused(dlcheck("train", "digits", "--set", "lr"), "KEY=VALUE")
    refused(dlcheck("train", "digits", "--no-such-option"), "--no-such-option")
    refused(dlcheck("train", "digits", "--device", "gpu7"), "--device gpu7")
    refused(dlcheck("train", "--resume", "nowhere"), "nowhere", "no such folder")
    refused(dlcheck("train", "digits", "--resume", "x"), "--resume")
    refused(dlcheck("trian"), "trian")
    (tmp_path / "taken").mkdir()
    refused(dlcheck("train", "digits", "--run-dir", "taken"), "taken", "exists already")
    assert not (tmp_path / "dlcheck-runs").exists()


MODEL = '[model]\nname = "mlp"\n'
DATA = '[data]\nname = "digits"\nlimit = 100\n'
OWN = "import torch\nfrom torch import nn\n"
BAD = {
    "target does not import": (DATA + '[model]\ntarget = "nowhere:Net"\n', "", "nowhere:Net"),
    "target has no such name": (DATA + '[model]\ntarget = "own.py:Nett"\n', OWN + "class Net: pass\n", "'Net'"),
    "target raises": (DATA + '[model]\ntarget = "own.py:f"\n', OWN + "def f():\n    raise ValueError('no')\n", "no"),
    "target is no module": (DATA + '[model]\ntarget = "own.py:f"\n', OWN + "def f():\n    return 3\n", "int"),
    "output does not fit the loss": (
        DATA + '[model]\ntarget = "own.py:f"\n',
        OWN + "def f():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))\n",
        "7",
    ),
    "input does not fit the model": (
        DATA + '[model]\ntarget = "own.py:f"\n',
        OWN + "def f():\n    return nn.Linear(5, 10)\n",
        "does not take inputs of shape",
    ),
    "model raises while training": (
        DATA + '[model]\ntarget = "own.py:Net"\n',
        OWN + "class Net(nn.Linear):\n"
        "    def __init__(self): super().__init__(64, 10)\n"
        "    def forward(self, x):\n"
        "        if self.training: raise RuntimeError('not today')\n"
        "        return super().forward(x.flatten(1))\n",
        "not today",
    ),
    "loss is no number": (
        DATA + MODEL + '[loss]\ntarget = "own.py:f"\n',
        OWN + "def f(output, target):\n    return output\n",
        "loss",
    ),
    "labels out of range": (
        '[data]\ntarget = "own.py:data"\n' + MODEL,
        OWN + "def data():\n    return torch.randn(90, 4), torch.full((90,), -3)\n",
        "label",
    ),
    "a file that is no image": (
        '[data]\nname="image_folder"\nroot="photos"\nimage_size=16\n' + MODEL,
        "",
        "broken.png",
    ),
    "no such file": ('[data]\nname="csv"\npath="none.csv"\n' + MODEL, "", "none.csv"),
    "no such label column": ('[data]\nname="csv"\npath="table.csv"\nlabel="y"\n' + MODEL, "", "'y'"),
    "text in a number": (
        '[data]\nname="csv"\npath="table.csv"\nlabel="b"\ntask="regression"\n' + MODEL,
        "",
        "table.csv",
    ),
}


@pytest.fixture
def bad_files(tmp_path: Path) -> Path:
    """Fill the folder with an image folder that has a broken file, and a table with text in a number column."""
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.random.randint(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    (tmp_path / "photos" / "dog" / "broken.png").write_text("this is no image", encoding="utf-8")
    rows = "".join(f"{n},{n if n != 30 else 'many'}\n" for n in range(60))
    (tmp_path / "table.csv").write_text("a,b\n" + rows, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("recipe", "code", "word"), BAD.values(), ids=BAD.keys())
def test_bad_recipes_are_refused_in_one_line(
    dlcheck: Command, bad_files: Path, recipe: str, code: str, word: str
) -> None:
    (bad_files / "own.py").write_text(code, encoding="utf-8")
    (bad_files / "mine.toml").write_text(recipe, encoding="utf-8")
    done = dlcheck("train", "mine.toml", "--quiet")
    refused(done, word)


def test_an_empty_class_folder_is_named(dlcheck: Command, bad_files: Path) -> None:
    (bad_files / "photos" / "dog" / "broken.png").unlink()
    (bad_files / "photos" / "bird").mkdir()
    recipe = '[data]\nname="image_folder"\nroot="photos"\nimage_size=16\n' + MODEL
    (bad_files / "mine.toml").write_text(recipe, encoding="utf-8")
    refused(dlcheck("train", "mine.toml"), "bird")


def test_debug_shows_where_it_went_wrong() -> None:
    with pytest.raises(DlcheckError, match="digitz"):
        main(["--debug", "train", "digitz"])


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="POSIX signals")
def test_ctrl_c_keeps_everything_and_resume_goes_on(dlcheck: Command, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dlcheck", "train", "digits", "--run-dir", "out", "--set", "train.threads=1"]
    process = subprocess.Popen(
        [*command, "--set", "train.epochs=400"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    steps = tmp_path / "out" / "steps.csv"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (steps.exists() and steps.read_text(encoding="utf-8").count("\n") > 30):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "everything so far is kept" in stderr
    assert "Traceback" not in stderr
    rows = len(steps.read_text(encoding="utf-8").splitlines()) - 1
    recipe = tmp_path / "out" / "recipe.toml"
    # The rest would take minutes: let it end soon after where it stands.
    text = recipe.read_text(encoding="utf-8").replace("epochs = 400", f"epochs = {rows // 17 + 2}")
    recipe.write_text(text, encoding="utf-8")
    done = dlcheck("train", "--resume", "out")
    assert done.returncode == 0, done.stderr
    written = steps.read_text(encoding="utf-8").splitlines()[1:]
    assert [int(row.split(",")[0]) for row in written] == list(range(1, len(written) + 1))
    assert len(written) > rows


def test_no_space_left_is_one_line_and_what_was_written_stays(
    dlcheck: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes, former: Path) -> None:
        raise atomic.refused(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    monkeypatch.setattr("dlcheck.training.checkpoint.write_kept", full)
    done = dlcheck("train", "digits-mlp", *SMALL, "--run-dir", "out", "--quiet")
    refused(done, "space", "checkpoints")
    # The row of an epoch comes after the checkpoint that vouches for it; those of its steps are there.
    assert (tmp_path / "out" / "metrics.csv").read_text(encoding="utf-8").count("\n") == 1
    assert (tmp_path / "out" / "steps.csv").read_text(encoding="utf-8").count("\n") > 1


def test_init_writes_a_recipe_that_trains(dlcheck: Command, bad_files: Path) -> None:
    (bad_files / "photos" / "dog" / "broken.png").unlink()
    done = dlcheck("init", "photos", "--output", "photos.toml")
    assert done.returncode == 0, done.stderr
    refused(dlcheck("init", "photos", "--output", "photos.toml"), "exists")
    sets = ["--set", "train.epochs=1", "--set", "data.image_size=16", "--set", "train.batch_size=8"]
    trained = dlcheck("train", "photos.toml", *sets, "--quiet")
    assert trained.returncode == 0, trained.stderr


def test_the_schema_is_json_schema(dlcheck: Command) -> None:
    schema = json.loads(dlcheck("init", "--schema").stdout)
    assert {"data", "augment", "model", "init", "loss", "optimizer", "schedule", "regularize", "train"} <= set(
        schema["properties"]
    )
    assert "description" in schema["$defs"]["Train"]["properties"]["clip_norm"]
