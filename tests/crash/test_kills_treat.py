"""``dlcheck treat`` killed at random moments goes on in its folder, and trains nothing twice."""

from pathlib import Path

import pytest

from dlcheck.runs.folder import read_object
from tests.crash.killing import Killer, Whom, kills, readable, whole
from tests.crash.test_signals_searches import SMALL

VICTIMS: list[Whom] = ["first", "all", "one"]
pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")


def ended_runs(path: Path) -> dict[str, bytes]:
    """Return the tables of the trainings that have ended, by their folders."""
    runs = [run for run in path.glob("runs/*") if read_object(run / "facts.json").get("finished")]
    return {run.name: (run / "metrics.csv").read_bytes() for run in runs}


@pytest.mark.slow
def test_a_treatment_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    killer = Killer()
    (tmp_path / "r.toml").write_text(SMALL, encoding="utf-8")
    command = ["treat", "r.toml", "--yes", "--quiet", "--device", "cpu", "--run-dir"]
    status, took_s = whole([*command, "whole"], tmp_path)
    assert status in (0, 1), (tmp_path / "output.txt").read_text()
    cured = (tmp_path / "whole" / "cured.toml").read_text(encoding="utf-8")
    count = 0
    while killer.kills < kills(14):
        count += 1
        path, before = tmp_path / f"treat-{count}", dict[str, bytes]()
        for _ in range(4):
            told = f"seed {killer.seed}, treatment {count}, after {killer.kills} kills"
            killed = killer.kill([*command, path.name], tmp_path, took_s, killer.chance.choice(VICTIMS))
            now = ended_runs(path)
            assert {name: now.get(name) for name in before} == before, told
            assert all(readable(run) for run in path.glob("runs/*")), told
            before = now
            if not killed:
                assert killer.status == status, told
                break
        assert whole([*command, path.name], tmp_path)[0] == status, (tmp_path / "output.txt").read_text()
        now = ended_runs(path)
        assert {name: now.get(name) for name in before} == before, told
        assert (path / "cured.toml").read_text(encoding="utf-8") == cured, told
        assert (tmp_path / "r.toml").read_text(encoding="utf-8") == SMALL
        for run in (tmp_path / "whole" / "runs").iterdir():
            assert (path / "runs" / run.name).exists(), told
        assert not list(path.rglob(".*.tmp*")), told
    print(f"treat: {killer.kills} kills, a whole treatment {took_s:.1f} s")
