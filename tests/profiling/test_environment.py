"""Cores, quotas, pressure and who uses the machine, from its files."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dlcheck.profiling.cgroup import memory_limit, quota, throttling
from dlcheck.profiling.environment import Environment, Window
from dlcheck.profiling.found import Found
from dlcheck.profiling.processes import tree
from tests.profiling.machine import Machine
from tests.profiling.played import Played


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_cores_are_those_of_the_affinity_and_of_the_tightest_quota(machine: Machine) -> None:
    assert machine.environment().cores == 4
    assert machine.environment(cores=2).cores == 2
    machine.file("proc/self/cgroup", "0::/pod/box\n")
    machine.file("sys/fs/cgroup/pod/box/cpu.max", "max 100000\n")
    assert machine.environment().cores == 4
    machine.file("sys/fs/cgroup/pod/cpu.max", "150000 100000\n")
    assert machine.environment().cores == 1.5


def test_the_first_version_of_control_groups_is_read_as_well(machine: Machine) -> None:
    machine.file("proc/self/cgroup", "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\n")
    machine.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
    machine.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    machine.file("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n")
    assert quota(machine.root) is None
    assert machine.environment().memory_bytes == 16_000_000 * 1024
    assert machine.environment().memory_free == 9_000_000 * 1024
    assert throttling(machine.root) is None
    assert memory_limit(machine.root) is None
    machine.file("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "300000\n")
    machine.file("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n")
    machine.file(
        "sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.stat", "nr_periods 50\nnr_throttled 10\nthrottled_time 2000000000\n"
    )
    machine.file("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "1073741824\n")
    assert quota(machine.root) == 3
    told = throttling(machine.root)
    assert told is not None
    assert (told.periods, told.throttled) == (50, 10)
    assert told.seconds == pytest.approx(2.0)
    assert machine.environment().memory_bytes == 1 << 30
    assert machine.environment().memory_free == 1 << 30


def test_who_keeps_the_cores_busy(machine: Machine) -> None:
    environment = machine.environment(variables={"OMP_NUM_THREADS": "8", "HOME": "/root"})
    before = environment.snapshot()
    machine.pass_by(10, own=1.25, others=2.0, stalled=0.3)
    window = Window(before, environment.snapshot())
    machine.pass_by(99, own=4, others=0)  # between two windows
    second = environment.snapshot()
    machine.pass_by(10, own=0.75, others=1.0, stalled=0.1)
    windows = [window, Window(second, environment.snapshot())]
    use = environment.cpu_use(windows, [], Found("workers", workers=3, threads=2, worker_threads=4))
    assert use.own_cores == pytest.approx(1.0, abs=0.01)
    assert use.others_cores == pytest.approx(1.5, abs=0.02)
    assert use.pressure == pytest.approx(20)
    assert use.throttled_share is None
    assert (use.cores, use.threads, use.workers, use.worker_threads) == (4, 2, 3, 4)
    assert use.variables == ("OMP_NUM_THREADS=8",)


def test_only_cores_that_this_process_may_use_count(machine: Machine) -> None:
    environment = machine.environment(cores=2)
    before = environment.snapshot()
    machine.pass_by(10, own=1.0, others=3.0)
    use = environment.cpu_use([Window(before, environment.snapshot())], [], Found("main"))
    assert use.others_cores == pytest.approx(1.0, abs=0.01)


def test_core_time_of_workers_that_have_ended_is_not_lost(machine: Machine) -> None:
    environment = machine.environment()
    machine.process(701, 700, 3.0, memory=1 << 20)
    machine.process(800, 1, 77.0)
    before = environment.snapshot()
    assert before.memory == {700: 1 << 28, 701: 1 << 20}
    (machine.root / "proc/701/stat").unlink()
    machine.now += 4
    machine.process(700, os.getpid(), machine.own, ended=5.0)
    use = environment.cpu_use([Window(before, environment.snapshot())], [], Found("main"))
    assert use.own_cores == pytest.approx(0.5)


def test_what_the_system_does_not_tell_is_none(tmp_path: Path) -> None:
    environment = Environment(tmp_path, affinity=frozenset({0}), variables={})
    window = Window(environment.snapshot(), environment.snapshot())
    use = environment.cpu_use([window], [], Found("main"))
    assert (use.own_cores, use.others_cores, use.pressure, use.throttled_share) == (None, None, None, None)
    assert (use.main_queue_share, use.worker_queue_share) == (None, None)
    assert (environment.memory_bytes, environment.shared_free) == (None, None)
    assert environment.shared_memory(Found("workers", workers=2, batch_bytes=10)) is None


def test_a_window_that_is_too_short_tells_nothing_of_cores(machine: Machine) -> None:
    environment = machine.environment()
    before = environment.snapshot()
    machine.pass_by(0.05, own=1, others=0)
    assert environment.cpu_use([Window(before, environment.snapshot())], [], Found("main")).others_cores is None


@pytest.mark.parametrize(("held", "waited", "share"), [(20, 10.0, 0.5), (4, 10.0, 0.1), (20, 1.0, 0.1), (0, 0.0, 0.0)])
def test_a_quota_that_holds_back(machine: Machine, held: int, waited: float, share: float) -> None:
    def told(periods: int, throttled: int, seconds: float) -> None:
        content = f"nr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec {round(seconds * 1e6)}\n"
        machine.file("sys/fs/cgroup/cpu.stat", content)

    machine.file("sys/fs/cgroup/cpu.max", "200000 100000\n")
    told(100, 7, 3.0)
    environment = machine.environment()
    before = environment.snapshot()
    machine.pass_by(10, own=1, others=0)
    told(140, 7 + held, 3.0 + waited)
    use = environment.cpu_use([Window(before, environment.snapshot())], [], Found("main"))
    assert use.throttled_share == pytest.approx(share)
    assert use.cores == 2


def test_waiting_for_cores_is_that_of_the_steps(machine: Machine) -> None:
    played = Played(workers=1, fetch=0.005, queue=0.0135)
    use = machine.environment().cpu_use([], played.steps(40, skip=6), played.found)
    assert use.main_queue_share == pytest.approx(0.5, abs=0.02)
    assert use.worker_queue_share == 0


def test_room_for_batches_on_their_way() -> None:
    environment = Environment()
    found = Found("workers", workers=4, prefetch=3, batch_bytes=1000)
    told = environment.shared_memory(found)
    assert told is not None
    assert (told.need, told.batch, told.free, told.crashed) == (13_000, 1000, environment.shared_free, False)
    assert environment.shared_memory(replace(found, workers=0)) is None
    assert environment.shared_memory(replace(found, batch_bytes=None)) is None
    default = environment.shared_memory(replace(found, prefetch=None))
    assert default is not None
    assert default.need == 9000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_machine_tells_of_this_process_and_its_children() -> None:
    code = "import time\nt = time.process_time()\nwhile time.process_time() - t < 0.3: pass\nprint(); input()"
    environment = Environment()
    before = environment.snapshot()
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        after = environment.snapshot()
        assert child.pid in tree(os.getpid())
        assert after.memory is not None
        assert after.memory[child.pid] > 1 << 20
        child.communicate(b"\n")
    assert before.own_s is not None
    assert after.own_s is not None
    assert after.own_s - before.own_s >= 0.25
    ended = environment.snapshot()
    assert ended.own_s == before.own_s
    assert ended.self_s is not None
    assert before.self_s is not None
    assert ended.self_s - before.self_s >= 0.25
    assert before.busy_s is not None
    assert after.busy_s is not None
    assert after.busy_s - before.busy_s >= 0.25
    assert 0 < environment.cores <= (os.cpu_count() or 1)
