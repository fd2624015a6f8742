"""Scripts of several ranks under ``torchrun -m dlcheck watch``: real processes, and real faults of one of them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch import distributed as dist

from tests.watching.ddp import ROOT, SCRIPT, Launched, diagnosed, launch, line_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or not dist.is_available() or not dist.is_gloo_available(), reason="needs gloo on Linux"
    ),
]


def told(findings: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what is said of the ranks."""
    ranked = [one for one in findings if one["code"] in ("G320", "G321", "P516")]
    return [(one["code"], one["summary"], one["evidence"], one["where"]["line"]) for one in ranked]


def only(launched: Launched, code: str) -> dict[str, Any]:
    """Return the one finding about ranks; a later diagnosis of the folder finds the same."""
    assert launched.codes == [code], launched.stderr
    assert told(diagnosed(launched.folder)) == told(launched.found)
    return next(one for one in launched.found if one["code"] == code)


def test_a_healthy_script_is_clean_and_every_rank_leaves_its_part(tmp_path: Path) -> None:
    launched = launch(tmp_path, 2, "clean", steps=160)
    assert launched.status == 0, launched.stderr
    assert (launched.codes, launched.verdict) == ([], "healthy")
    assert sorted(launched.stdout.split("\n")) == ["", "rank 0 done", "rank 1 done"]
    assert launched.stderr.count("wrote found.json") == 1
    for rank in range(2):
        word = launched.word(rank)
        assert (word["ending"], word["step"], word["size"]) == ("finished", 160, 2)
        assert len(word["own_s"]) >= 8
    assert not list(launched.folder.glob("ranks/*/crash.txt"))
    # What one rank alone met can be looked at by itself.
    assert diagnosed(launched.folder / "ranks" / "1") is not None


def test_a_rank_that_is_killed_is_named(tmp_path: Path) -> None:
    launched = launch(tmp_path, 3, "kill")
    assert launched.status != 0
    finding = only(launched, "G320")
    assert "rank 1 of 3 went without a word" in finding["summary"]
    assert finding["evidence"]["last_step_of_others"] == 50
    assert "SIGKILL" in launched.stderr  # the launcher's own word


def test_rank_0_that_is_killed_is_told_by_another(tmp_path: Path) -> None:
    text = SCRIPT.replace("if rank == 1 and", "if rank == 0 and")
    launched = launch(tmp_path, 2, "kill", text=text)
    assert "rank 0 went without a word: dlcheck diagnose run" in launched.stderr
    assert not launched.found
    (finding,) = [one for one in diagnosed(launched.folder) if one["code"] == "G320"]
    assert "rank 0 of 2 went without a word" in finding["summary"]


def test_a_rank_that_raises_is_named_with_its_line(tmp_path: Path) -> None:
    launched = launch(tmp_path, 2, "raise")
    finding = only(launched, "G320")
    assert "rank 1 of 2 ended with ValueError: a broken batch" in finding["summary"]
    assert finding["where"]["line"] == line_of("a broken batch")


def test_a_rank_with_fewer_batches_is_named(tmp_path: Path) -> None:
    finding = only(launch(tmp_path, 2, "short", "--collective-timeout", "10"), "G320")
    assert "rank 1 of 2 came to its end after step 50" in finding["summary"]


def test_a_hang_is_ended_and_tells_who_waited_where_for_whom(tmp_path: Path) -> None:
    launched = launch(tmp_path, 3, "hang", "--collective-timeout", "6")
    assert launched.status != 0
    finding = only(launched, "G321")
    assert "ranks 0 and 2 of 3 waited" in finding["summary"]
    assert "rank 1 never came: it was in time.sleep(3600)" in finding["summary"]
    assert finding["where"]["line"] == line_of("loss.backward()")
    line = line_of("loss.backward()")
    for rank in (0, 2):
        assert f"dlcheck: rank {rank} of 3 waited" in launched.stderr
        assert f"in backward (train.py, line {line}) after step 50, and is ended" in launched.stderr


def test_a_rank_that_leaves_a_collective_call_out_is_found(tmp_path: Path) -> None:
    """Gloo ends a rank whose neighbour sends what it does not expect; which one of the two is a race."""
    launched = launch(tmp_path, 2, "skip", "--collective-timeout", "6")
    found = launched.found or diagnosed(launched.folder)
    codes = {one["code"] for one in found if one["primary"] and one["severity"] == "error"}
    assert codes & {"G320", "G321"}, launched.stderr
    first = next(one for one in found if one["code"] in codes)
    lines = {line_of("loss.backward()"), line_of("dist.all_reduce(loss.detach())")}
    assert first["where"]["line"] in lines, launched.stderr
    assert any("same collective calls in the same order" in one["text"] for one in first["remedies"])


def test_a_slow_rank_is_named_with_its_ratio(tmp_path: Path) -> None:
    launched = launch(tmp_path, 2, "slow", steps=200, pause=0.02)
    finding = only(launched, "P516")
    evidence = finding["evidence"]
    assert evidence["rank"] == 1
    assert 1.5 < evidence["ratio_low"] <= evidence["ratio"] <= evidence["ratio_high"] < 4
    assert launched.status == 0  # a warning


def test_a_launch_that_starts_again_makes_a_folder_of_its_own(tmp_path: Path) -> None:
    launched = launch(tmp_path, 2, "raise", launcher=["--max-restarts=1"])
    assert (tmp_path / "run-restart1" / "ranks" / "1" / "rank.json").exists(), launched.stderr
    assert "a broken batch" in (tmp_path / "run" / "ranks" / "1" / "rank.json").read_text(encoding="utf-8")
    assert (tmp_path / "found-restart1.json").exists()


def test_a_rank_that_is_not_watched_makes_nobody_wait(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    watch = f"{sys.executable} -m dlcheck watch --run-dir run train.py clean 40 0.01"
    shell = f'if [ "$RANK" = 0 ]; then exec {watch}; else exec {sys.executable} train.py clean 40 0.01; fi'
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    done = subprocess.run(
        [*command, "sh", "-c", shell],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")) == ["", "rank 0 done", "rank 1 done"]
    assert [path.name for path in (tmp_path / "run" / "ranks").iterdir()] == ["0"]
