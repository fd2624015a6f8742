"""Every example of code in the README runs as it stands: loops that are watched, a rule, a reader, a component."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.readme import Block, blocks

LOOPS = [block for block in blocks() if block.kind == "python" and block.section == "From Python: three loops"]
FILES = {found[1]: block for block in blocks() if (found := re.match(r"# (\w+\.(?:py|toml))\n", block.text))}
READERS = "import sys, dlcheck.runs.readers as package; package.__path__.append(sys.argv[1]); "
"""A reader lies in dlcheck's own folder of readers; here in one beside it."""


def python(folder: Path, *words: str) -> str:
    """Run Python in a folder, with its modules first; fail with what it printed."""
    surroundings = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def put(folder: Path, *names: str) -> None:
    """Write files as the README shows them."""
    for name in names:
        (folder / name).write_text(FILES[name].text, encoding="utf-8")


def needs(block: Block) -> str:
    return next(
        (name for name in ("lightning", "transformers") if re.search(rf"^(from|import) {name}", block.text, re.M)), ""
    )


@pytest.mark.slow
@pytest.mark.parametrize("block", [pytest.param(block, id=needs(block) or "plain") for block in LOOPS])
def test_each_loop_runs_and_its_sickness_is_found(block: Block, tmp_path: Path) -> None:
    if needs(block) and importlib.util.find_spec(needs(block)) is None:
        pytest.skip(f"{needs(block)} is not installed")
    (tmp_path / "loop.py").write_text(block.text, encoding="utf-8")
    assert python(tmp_path, "loop.py").splitlines()[-1].startswith("sick G304")


def test_there_are_three_loops() -> None:
    assert [needs(block) for block in LOOPS] == ["", "lightning", "transformers"]


def test_the_example_of_a_rule_is_found_and_its_test_passes(tmp_path: Path) -> None:
    put(tmp_path, "rounded_loss.py", "test_rounded_loss.py")
    project = tomllib.loads(FILES["pyproject.toml"].text)["project"]
    installed = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    installed.mkdir()  # what installing that project leaves behind
    (installed / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = project["entry-points"].items()
    text = "".join(
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in each.items()) for group, each in groups
    )
    (installed / "entry_points.txt").write_text(text)
    page = python(tmp_path, "-m", "dlcheck", "explain", "rounded-loss")
    assert page.startswith("X901 rounded-loss (info)")
    assert "distinct = 0.3: Share of different values below which it is told." in page
    assert "2 passed" in python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_rounded_loss.py")


def test_the_example_of_a_reader_is_found_and_its_test_passes(tmp_path: Path) -> None:
    (tmp_path / "readers").mkdir()
    put(tmp_path / "readers", "piped_log.py")
    put(tmp_path, "test_piped_log.py")
    test = "import pytest; raise SystemExit(pytest.main(['-q', '-p', 'no:cacheprovider', 'test_piped_log.py']))"
    assert "1 passed" in python(tmp_path, "-c", READERS + test, str(tmp_path / "readers"))


@pytest.mark.slow
def test_the_example_of_a_component_trains_and_its_test_passes(tmp_path: Path) -> None:
    put(tmp_path, "two_paths.py", "two_paths.toml", "test_two_paths.py")
    assert "1 passed" in python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_two_paths.py")


@pytest.mark.parametrize("name", sorted(FILES))
def test_each_example_is_well_formed(name: str) -> None:
    text = FILES[name].text
    if name.endswith(".py"):
        compile(text, name, "exec")
        assert max(map(len, text.splitlines())) <= 120
    else:
        tomllib.loads(text)


@pytest.mark.parametrize(
    "block", [pytest.param(one, id=str(one.line)) for one in blocks() if one.kind in ("toml", "python", "json")]
)
def test_each_block_of_code_can_be_parsed(block: Block) -> None:
    text = re.sub(r"^\.\.\.\n", "", block.text, flags=re.M)
    if block.kind == "toml":
        assert tomllib.loads(text)
    elif block.kind == "json":
        assert json.loads(text)
    else:
        compile(text, "README.md", "exec")
