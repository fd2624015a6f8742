"""One training on two hosts, of which one loses its connection: network namespaces with addresses of their own."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import Net, hosts, torchrun, until
from tests.watching.ddp import SCRIPT, diagnosed

pytestmark = pytest.mark.slow
LIMIT = 8
"""Seconds of --collective-timeout."""
BOUND_S = 120
"""Within which both hosts must have ended: the limit, some beats, the diagnosis, on a machine that is busy."""


def word(run: Path, rank: int) -> dict[str, Any]:
    try:
        return dict(json.loads((run / "ranks" / str(rank) / "rank.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


def begin(net: Net, here: Path, there: Path, *watch: str, common: bool = False) -> list[subprocess.Popen[str]]:
    """Start the two ranks, each on a disk of its own, or both on one."""
    for folder in (here, there):
        folder.mkdir(exist_ok=True)
        (folder / "train.py").write_text(SCRIPT, encoding="utf-8")
    first, second = net.hosts
    launchers = [first.start(torchrun(0, first, watch), here)]
    command = torchrun(1, first, watch)
    if not common:  # the second host sees an empty disk where the first one's folder is
        command = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {here} && exec "$@"', "sh", *command]
    return [*launchers, second.start(command, here if common else there)]


WATCH = ("-m", "dlcheck", "watch", "--quiet", "--run-dir", "run")


@pytest.mark.parametrize("common", [False, True], ids=["own disks", "a common disk"])
def test_a_host_that_is_cut_off_is_told_and_both_sides_end(tmp_path: Path, common: bool) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    options = ("--collective-timeout", str(LIMIT), "train.py", "clean", "100000", "0.02")
    with hosts(2) as net:
        first, second = net.hosts
        launcher, _ = begin(net, here, there, *WATCH, *options, common=common)
        run = here / "run"
        until(lambda: word(run, 0).get("step", 0) > 20, BOUND_S, "two hosts train", net.hosts)
        time.sleep(3)  # until each has spoken some words
        second.cut()
        assert launcher.wait(BOUND_S) != 0
        told = first.said()
        # Who can still read the other's words knows that both wait, and that only the way between them is cut.
        expected = (
            ["G321 hung-collective", "all of them came: what is cut is the way between them"]
            if common
            else ["G320 lost-rank", "rank 1 of 2 was not heard of for"]
        )
        assert all(text in told for text in expected), first.screen.read_text("utf-8")
        # The host that was cut off has nobody to ask, and ends by itself with a line of its own. Its launcher waits
        # for an answer of the store on the other host, and for longer.
        line = r"dlcheck: rank 1 of 2 waited \d+ s in backward \(train.py, line \d+\) after step \d+, and is ended"
        until(lambda: re.search(line, second.said()), BOUND_S, "the other side ends")
    assert expected[0][:4] in [one["code"] for one in diagnosed(run) if one["primary"]]


def test_hosts_without_a_common_disk_tell_each_other_by_the_store(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with hosts(2) as net:
        first, second = net.hosts
        for launcher in begin(net, here, there, *WATCH, "train.py", "raise", "60", "0.02"):
            assert launcher.wait(BOUND_S) != 0
        assert "ValueError: a broken batch" in second.said(), second.screen.read_text("utf-8")
        expected = "rank 1 of 2 ended with ValueError: a broken batch"
        assert expected in first.said(), first.screen.read_text("utf-8")
    assert word(here / "run", 1)["host"] == second.name
    (finding,) = [one for one in diagnosed(here / "run") if one["code"] == "G320"]
    assert finding["evidence"]["host"] == second.name


TRAIN = """
import datetime

from dlcheck.__main__ import main
from dlcheck.training import ranks

ranks.TIMEOUT = datetime.timedelta(seconds=15)  # ten minutes are too long for a test
main()
"""


def test_a_training_of_dlcheck_s_own_that_is_cut_off_ends_with_a_line_and_keeps_its_epochs(tmp_path: Path) -> None:
    (tmp_path / "quick.py").write_text(TRAIN, encoding="utf-8")
    command = ["quick.py", "train", "digits-mlp", "--run-dir", "run", "--device", "cpu", "--set", "train.epochs=5000"]
    metrics = tmp_path / "run" / "metrics.csv"
    with hosts(2) as net:
        first, second = net.hosts
        launcher = first.start(torchrun(0, first, command), tmp_path)
        second.start(torchrun(1, first, command), tmp_path)
        until(lambda: metrics.exists() and len(metrics.read_text().splitlines()) > 3, BOUND_S, "epochs", net.hosts)
        second.cut()
        assert launcher.wait(BOUND_S) != 0
        line = "dlcheck: rank 0: another process of this training is gone"
        assert line in first.said(), first.screen.read_text("utf-8")
    assert list((tmp_path / "run" / "checkpoints").iterdir())
    assert len(metrics.read_text(encoding="utf-8").splitlines()) > 3
