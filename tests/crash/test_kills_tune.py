"""``dlcheck tune`` killed at random moments loses no finished trial, and the same command ends the study."""

from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.tuning.trials import Ending, StudyView, TrialRow, read_study
from tests.crash.killing import Killer, Whom, kills, readable, whole
from tests.crash.test_signals_searches import SMALL

TRIALS = 6
SEARCH = """
[tune.confirm]
top = 1
seeds = 1
[search]
"optimizer.lr" = { log = [1e-3, 1e-1] }
"""
WAYS: dict[str, tuple[list[str], list[Whom], int]] = {
    "one worker": ([], ["first"], 14),
    "two workers": (["--workers", "2"], ["first", "one", "all"], 9),
    "two workers, batches": (["--workers", "2", "--deterministic"], ["first", "one", "all"], 6),
}
pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")


def study(path: Path) -> StudyView | None:
    try:
        return read_study(path)
    except DlcheckError as error:
        if "\n" in str(error):
            raise
        return None  # killed before it was made


def finished(found: StudyView | None) -> dict[int, TrialRow]:
    """Return the trials that a study has results of."""
    lost = (None, Ending.lost, Ending.stopped)
    return {} if found is None else {row.number: row for row in found.trials if row.ending not in lost}


def readable_trials(path: Path) -> bool:
    return all(readable(trial) for trial in (path / "trials").glob("[0-9]*"))


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_search_killed_at_any_moment_loses_no_finished_trial(way: str, tmp_path: Path) -> None:
    killer, (options, victims, wanted) = Killer(), WAYS[way]
    (tmp_path / "r.toml").write_text(SMALL.replace("lr = 1e-6  # far too low", "lr = 0.01") + SEARCH, encoding="utf-8")
    command = ["tune", "r.toml", "--quiet", "--device", "cpu", "--trials", str(TRIALS), *options, "--study-dir"]
    status, took_s = whole([*command, "whole"], tmp_path)
    assert status in (0, 1), (tmp_path / "output.txt").read_text()
    count = 0
    while killer.kills < kills(wanted):
        count += 1
        path, before = tmp_path / f"study-{count}", dict[int, TrialRow]()
        for _ in range(3):
            told = f"seed {killer.seed}, {way}, study {count}, after {killer.kills} kills"
            killed = killer.kill([*command, path.name], tmp_path, took_s, killer.chance.choice(victims))
            now = finished(study(path))
            assert {number: now.get(number) for number in before} == before, told
            assert readable_trials(path), told
            before = now
            if not killed:
                assert killer.status in (0, 1), told
                break
        assert whole([*command, path.name], tmp_path)[0] in (0, 1), (tmp_path / "output.txt").read_text()
        found = study(path)
        assert found is not None
        now = finished(found)
        assert {number: now.get(number) for number in before} == before, told
        # A trial whose own worker is killed twice is taken for what kills it, and left out.
        given_up = [row for row in found.trials if row.counts and row.ending is Ending.lost]
        assert not given_up or "one" in victims, told
        assert sum(row.counts for row in found.trials) == len(now) + len(given_up) == TRIALS, told
        assert sum(row.baseline and row.counts for row in found.trials) == 1, told
        values = [tuple(row.raw.values()) for row in now.values()]
        assert len(set(values)) == len(now), told
        assert (path / "best.toml").exists(), told
        assert not list(path.rglob(".*.tmp*")), told
    print(f"{way}: {killer.kills} kills, a whole search {took_s:.1f} s")
