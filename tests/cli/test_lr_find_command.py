"""``dlcheck lr-find`` from the outside."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from tests.checks.factories import HEALTHY, write_factory
from tests.cli.conftest import Command

SMALL = """# my recipe
[data]
name = "digits"       # eight by eight
limit = 300
[model]
name = "mlp"
hidden = [24]

[optimizer]
name = "adam"
lr = 0.5              # too much
[train]
batch_size = 32
epochs = 10
"""
FEW = ("--steps", "60", "--quiet", "--device", "cpu")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_text_curve_picture_and_table(command: Command, recipe: Path, tmp_path: Path) -> None:
    done = command("lr-find", str(recipe), *FEW, "--png", "curve.png", "--csv", "curve.csv")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0] == "small: schedule constant, batches of 32"
    assert any(line.startswith("suggested rate    ") for line in lines)
    assert "present rate      0.5, outside the interval" in lines
    assert any("everything put back (hash before = after)" in line for line in lines)
    rate = next(line.split()[-1] for line in lines if line.startswith("suggested rate"))
    assert lines[-1] == f"next: dlcheck train {recipe} --set optimizer.lr={rate}"
    assert all(len(line) <= 80 for line in lines[1:20])
    assert "log10(rate)" in done.stdout
    assert "\x1b" not in done.stdout
    assert recipe.read_text() == SMALL
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.size == (900, 520)
        assert len(picture.getcolors(1 << 20) or ()) > 20
    rows = list(csv.DictReader(io.StringIO((tmp_path / "curve.csv").read_text())))
    assert {row["kind"] for row in rows} == {"sweep", "short run"}
    assert float(rows[0]["rate"]) == pytest.approx(1e-7)


def test_write_keeps_everything_but_the_rate(command: Command, recipe: Path) -> None:
    recipe.chmod(0o640)
    done = command("lr-find", str(recipe), *FEW, "--write", "--format", "json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["schema"] == "dlcheck.rate/1"
    assert found["restored"] is True
    written = f"{found['suggestion']:.2g}"
    before = "lr = 0.5              "
    assert recipe.read_text() == SMALL.replace(before, f"lr = {written}".ljust(len(before)))  # a comment's column stays
    assert recipe.stat().st_mode & 0o777 == 0o640
    assert f"wrote optimizer.lr = {written}" in done.stderr
    assert sorted(path.name for path in recipe.parent.iterdir()) == ["small.toml"]


def test_write_goes_through_links(command: Command, recipe: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(recipe)
    assert command("lr-find", str(link), *FEW, "--write").returncode == 0
    assert link.is_symlink()
    assert recipe.read_text() != SMALL


def test_no_rate_is_status_1_and_points_to_check(command: Command, recipe: Path) -> None:
    recipe.write_text(SMALL + '[init]\nname = "zeros"\n')
    before = recipe.read_text()
    done = command("lr-find", str(recipe), *FEW, "--write")
    assert done.returncode == 1
    assert "no suggestion     the loss never falls" in done.stdout
    assert done.stdout.splitlines()[-1] == f"next: dlcheck check {recipe}"
    assert recipe.read_text() == before


def test_batch_sizes_are_fitted_not_asserted(command: Command, recipe: Path) -> None:
    done = command("lr-find", str(recipe), *FEW, "--batch-sizes", "16,64", "--format", "json")
    scaling = json.loads(done.stdout)["scaling"]
    assert [item["batch_size"] for item in scaling["measured"]] == [16, 16, 64, 64]
    assert isinstance(scaling["exponent"], float)
    assert scaling["interval"][0] < scaling["exponent"] < scaling["interval"][1]
    text = command("lr-find", str(recipe), *FEW, "--batch-sizes", "16,64").stdout
    assert "\nfit: at equal steps, rate ~ batch size to the power " in text
    assert text.splitlines()[-1].startswith(
        f"next: dlcheck train {recipe} --set train.batch_size=64 --set optimizer.lr="
    )


def test_a_factory_and_an_output_file(command: Command, tmp_path: Path) -> None:
    write_factory(tmp_path, "print('building')\n" + HEALTHY["mlp"])
    done = command("lr-find", "net.py:make", *FEW, "--output", "report.txt", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "building" in done.stderr
    assert "suggested rate" in (tmp_path / "report.txt").read_text()


def test_the_seed_and_overrides_count(command: Command, recipe: Path) -> None:
    done = command("lr-find", str(recipe), *FEW, "--seed", "7", "--set", "schedule.name=cosine", "--format", "json")
    found = json.loads(done.stdout)
    assert (found["seed"], found["schedule"], found["steps"] <= 60) == (7, "cosine", True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no-such-recipe",), "no-such-recipe"),
        (("small.toml", "--steps", "5"), "at least 60"),
        (("small.toml", "--set", "optimizer.name=lbfgs"), "line search"),
        (("small.toml", "--set", "optimizer.rate=1"), "optimizer.rate"),
        (("small.toml", "--device", "tpu"), "--device tpu"),
        (("small.toml", "--png", "small.toml"), "--png small.toml: exists already"),
        (("small.toml", "--csv", "no/where.csv"), "there is no folder no"),
        (("small.toml", "--csv", "a", "--output", "a"), "another option writes this file"),
        (("small.toml", "--batch-sizes", "16,x"), "expected numbers with commas"),
        (("small.toml", "--batch-sizes", "16"), "two or more different sizes"),
        (("small.toml", "--batch-sizes", "16,32", "--write"), "takes no --write"),
        (("small.toml", "--write", "--set", "train.seed=1"), "takes no --set"),
        (("digits", "--write"), "no recipe file of yours"),
        (("broken.toml",), "broken.toml"),
        (("broken.toml", "--write"), "not a TOML file"),
        (("net.py:make", "--set", "a=1"), "is a factory"),
        (("short.toml",), "schedule.warmup"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: tuple[str, ...], said: str, command: Command, recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.toml").write_text("[data\n")
    (tmp_path / "short.toml").write_text(SMALL + "[schedule]\nname = 'cosine'\nwarmup = 50\n")
    write_factory(tmp_path, HEALTHY["mlp"])
    done = command("lr-find", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert recipe.read_text() == SMALL


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_recipe_that_may_not_be_written_is_refused_at_once(command: Command, recipe: Path) -> None:
    recipe.chmod(0o444)
    done = command("lr-find", str(recipe), "--write")
    assert done.returncode == 2
    assert "may not be written" in done.stderr


def test_help_names_every_option(command: Command) -> None:
    done = command("lr-find", "--help")
    for option in ("--set", "--write", "--batch-sizes", "--png", "--csv", "--steps", "--seed", "--format", "--output"):
        assert option in done.stdout
