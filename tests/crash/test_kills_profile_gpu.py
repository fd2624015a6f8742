"""``dlcheck profile-gpu`` killed at random moments leaves no process and no half of a recipe behind."""

import tomllib
from pathlib import Path

import pytest

from tests.crash.killing import Killer, Whom, kills, readable, whole
from tests.crash.test_signals_searches import SMALL

VICTIMS: list[Whom] = ["first", "all", "one", "one"]
pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")


@pytest.mark.slow
def test_a_profile_killed_at_any_moment_leaves_the_recipe_whole(tmp_path: Path) -> None:
    killer, text = Killer(), SMALL.replace("threads = 1\n", "")
    recipe, count = tmp_path / "r.toml", 0
    command = ["profile-gpu", "r.toml", "--quiet", "--device", "cpu", "--budget", "10", "--write", "--run-dir"]
    recipe.write_text(text, encoding="utf-8")
    status, took_s = whole([*command, "whole"], tmp_path)
    assert status in (0, 1), (tmp_path / "output.txt").read_text()
    while killer.kills < kills(12):
        count += 1
        recipe.write_text(text, encoding="utf-8")
        told = f"seed {killer.seed}, profile {count}, after {killer.kills} kills"
        killed = killer.kill([*command, f"run-{count}"], tmp_path, took_s, killer.chance.choice(VICTIMS))
        assert readable(tmp_path / f"run-{count}"), told
        now = recipe.read_text(encoding="utf-8")
        assert tomllib.loads(now)["optimizer"]["lr"] == 1e-6, told
        assert now.startswith("# a comment that stays"), told
        assert killed or killer.status in (0, 1, 2), told
        assert "Traceback" not in (tmp_path / "output.txt").read_text(encoding="utf-8"), told
    recipe.write_text(text, encoding="utf-8")
    assert whole([*command, "again"], tmp_path)[0] == status
    print(f"profile-gpu: {killer.kills} kills, a whole profile {took_s:.1f} s")
