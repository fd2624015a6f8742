"""What a rank knows of itself and of the others: its place, its pace, where its main thread stands, who is gone."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from torch import distributed as dist
from torch import nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from dlcheck.monitor.ranks import others
from dlcheck.monitor.ranks.courier import Courier
from dlcheck.monitor.ranks.others import look_around
from dlcheck.monitor.ranks.pace import FIRST_BLOCK, MOST_BLOCKS, Blocks, Pace
from dlcheck.monitor.ranks.stance import Stance, calls_made, stance
from dlcheck.monitor.ranks.world import World, host_name
from dlcheck.runs.facts import RankState, Site
from dlcheck.runs.ranks import CRASH, Seen, Word, place_of, rank_facts, read_words, write_word

TORCHRUN = {
    "RANK": "1",
    "WORLD_SIZE": "4",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
    "TORCHELASTIC_RESTART_COUNT": "2",
}


def word(rank: int, **more: object) -> Word:
    usual: dict[str, object] = {"host": host_name(), "pid": os.getpid(), "beat": 1, "wall": 1000.0, "step": 10}
    return Word(rank=rank, size=2, **(usual | more))  # type: ignore[arg-type]


def states(*words: Word) -> tuple[RankState, ...]:
    from dlcheck.runs import Run
    from dlcheck.runs.facts import Ranks, fact

    found = fact(Run(facts=rank_facts({one.rank: one for one in words})), Ranks)
    assert found is not None
    return found.states


def test_a_launcher_tells_a_process_its_place() -> None:
    world = World.of(TORCHRUN)
    assert world == World(1, 4, 2, ("10.0.0.1", 29500))
    assert world is not None
    assert world.named(Path("a/run")) == Path("a/run-restart2")
    assert world.named(Path("found.json")) == Path("found-restart2.json")
    assert not world.leads
    place = World.of(TORCHRUN | {"RANK": "0", "LOCAL_RANK": "3"})
    assert place is not None
    assert (place.leads, place.local) == (True, 3)
    assert (world.beat_s, World(0, 1000).beat_s) == (1.0, 5.0)


@pytest.mark.parametrize(
    "change", [{"WORLD_SIZE": "1", "RANK": "0"}, {"RANK": "4"}, {"RANK": "x"}, {"RANK": ""}, {"WORLD_SIZE": "-2"}]
)
def test_a_process_alone_or_with_a_place_that_cannot_be_has_none(change: dict[str, str]) -> None:
    assert World.of(TORCHRUN | change) is None
    assert World.of({}) is None


def test_means_of_blocks_stay_few_and_right_however_long_it_takes() -> None:
    blocks = Blocks()
    for step in range(10_000):
        blocks.add(float(step), 2.0 * step)
    assert MOST_BLOCKS / 2 <= len(blocks.own) < MOST_BLOCKS
    assert blocks.size % FIRST_BLOCK == 0
    first = (blocks.size - 1) / 2
    assert blocks.own[0] == pytest.approx(first)
    assert blocks.own[1] == pytest.approx(first + blocks.size)
    assert blocks.period == pytest.approx([2 * one for one in blocks.own])


def test_the_own_time_of_a_step_ends_with_the_last_gradient() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    pace = Pace()
    pace.install()
    pace.follow(model)
    try:
        for _ in range(2 * FIRST_BLOCK + 1):
            model(torch.randn(8, 4)).square().mean().backward()
            optimizer.step()
            optimizer.step()  # as of a second optimizer: no step of its own
    finally:
        pace.remove()
    assert len(pace.blocks.own) == 2
    assert all(0 < own < period for own, period in zip(pace.blocks.own, pace.blocks.period, strict=True))
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
    assert pace.steps == 2 * (2 * FIRST_BLOCK + 1)


def test_a_look_at_a_thread_names_its_line_what_it_does_and_the_call_that_waits(tmp_path: Path) -> None:
    file = tmp_path / "torch" / "distributed" / "distributed_c10d.py"
    file.parent.mkdir(parents=True)
    script = tmp_path / "train.py"
    script.write_text("def step(x):\n    y = 1 + (\n        all_reduce(x) or 0)\n", encoding="utf-8")
    seen: list[Stance] = []

    def look(frame: FrameType) -> None:
        seen.append(stance(frame, lambda name: name == str(script), lambda name: Path(name).name))

    names: dict[str, Any] = {"look": look}
    source = "import sys\ndef all_reduce(x):\n    return look(sys._getframe())\n"
    exec(compile(source, str(file), "exec"), names)
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), names)
    names["step"](0)
    (found,) = seen
    assert (found.site, found.doing, found.call) == (Site("train.py", 3), "all_reduce(x)", "all_reduce")
    assert stance(None, lambda name: True, str).site is None


def test_calls_of_all_groups_are_counted(store: TCPStore) -> None:
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        before = calls_made()
        dist.all_reduce(torch.ones(2))
        assert calls_made() > before
    finally:
        dist.destroy_process_group()


def test_words_survive_their_file_and_what_is_no_word_is_left_out(tmp_path: Path) -> None:
    told = word(1, site=Site("train.py", 3), seen=(Seen(0, 2.5, None),), own_s=(0.1,), period_s=(0.2,), block=4)
    write_word(place_of(tmp_path, 1), told)
    for rank, text in ((0, "{"), (2, '{"rank": 7}'), (3, "[]")):
        place_of(tmp_path, rank).mkdir()
        (place_of(tmp_path, rank) / "rank.json").write_text(text, encoding="utf-8")
    assert read_words(tmp_path) == {1: told}
    assert read_words(tmp_path / "none") == {}


def test_a_fault_of_native_code_is_read_with_the_user_s_line(tmp_path: Path) -> None:
    write_word(place_of(tmp_path, 1), word(1))
    thread = 'Thread 0x1 (most recent call first):\n  File "/x/site-packages/a.py", line 3 in b\n'
    text = f'Fatal Python error: Aborted\n\n{thread}  File "/home/me/train.py", line 38 in main\n'
    (place_of(tmp_path, 1) / CRASH).write_text(text, encoding="utf-8")
    found = read_words(tmp_path)[1]
    assert (found.detail, found.site) == ("Aborted", Site("/home/me/train.py", 38))
    (place_of(tmp_path, 1) / CRASH).write_text("", encoding="utf-8")
    assert read_words(tmp_path)[1].detail == ""


def test_silence_is_counted_from_what_others_saw_else_from_the_newest_word() -> None:
    left, gone = word(0, ending="exception", wall=1010.0), word(1, wall=1001.0)
    assert [one.silent_s for one in states(left, gone)] == [0.0, 9.0]
    seen = word(0, ending="exception", wall=1010.0, seen=(Seen(1, 5.0, False),))
    assert [(one.silent_s, one.alive) for one in states(seen, gone)] == [(0.0, None), (5.0, False)]
    assert [one.silent_s for one in states(left, word(1, wall=1008.0))] == [0.0, 0.0]


def test_times_of_ranks_are_compared_over_equally_long_blocks() -> None:
    from dlcheck.runs import Run
    from dlcheck.runs.facts import RankTimes, fact

    fine = word(0, block=4, own_s=(1.0, 3.0, 5.0, 7.0, 9.0), period_s=(2.0,) * 5)
    coarse = word(1, block=8, own_s=(4.0, 8.0, 12.0), period_s=(4.0,) * 3)
    found = fact(Run(facts=rank_facts({0: fine, 1: coarse})), RankTimes)
    assert found is not None
    assert (found.block, [one.own_s for one in found.paces]) == (8, [(2.0, 6.0), (4.0, 8.0)])
    assert "rank_times" not in rank_facts({0: fine, 1: word(1)})
    assert rank_facts({0: Word(0, 1, "h", 1)}) == {}


@pytest.fixture
def store() -> TCPStore:
    if not dist.is_available():
        pytest.skip("PyTorch is built without distributed training")
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def test_couriers_carry_the_folder_and_the_words(store: TCPStore, tmp_path: Path) -> None:
    first, second = (Courier(World(rank, 2, 0, ("127.0.0.1", store.port))) for rank in range(2))
    first.announce(str(tmp_path))
    first.start()
    second.start()
    try:
        assert second.announced.wait(20)
        assert second.run == str(tmp_path)
        second.tell(word(1, step=7))
        first.want([0, 1])
        waited = threading.Event()
        for _ in range(200):
            if 1 in first.words:
                break
            waited.wait(0.1)
        assert first.words[1][0].step == 7
    finally:
        for one in (first, second):
            one.stop()


def test_a_store_that_is_not_there_stops_nobody() -> None:
    courier = Courier(World(1, 2, 0, None))
    courier.start()
    courier.tell(word(1))
    assert not courier.announced.wait(0.2)
    courier.stop()


def test_a_process_that_is_gone_is_seen_at_once_and_one_that_speaks_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    monkeypatch.setattr(World, "beat_s", 0.1)
    world = World(0, 2)
    write_word(place_of(tmp_path, 1), word(1, pid=dead.pid))
    view = look_around(world, tmp_path, Courier(world), failed=True)
    assert [(one.rank, one.alive) for one in view.seen] == [(1, False)]
    write_word(place_of(tmp_path, 1), word(1, ending="finished", beat=2))
    assert look_around(world, tmp_path, Courier(world), failed=True).seen == ()
    monkeypatch.setattr(others, "SILENT_BEATS", 1.5)
    write_word(place_of(tmp_path, 1), word(1, host="elsewhere", beat=3))
    (silent,) = look_around(world, tmp_path, Courier(world), failed=True).seen
    assert silent.alive is None
    assert silent.silent_s >= 0.15
