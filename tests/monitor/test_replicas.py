"""Replicas of distributed training: two processes that hold the same weights, or do not."""

import contextlib
import json
import multiprocessing
import socket
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch import distributed as dist

from dlcheck.monitor.monitor import Monitor
from dlcheck.monitor.record import Record
from dlcheck.monitor.replicas import FIRST, ReplicaCheck, rank
from dlcheck.rules import diagnose
from dlcheck.runs import Run
from dlcheck.runs.facts import Replicas, fact

CASES = ("equal", "weights", "swapped", "buffers", "both", "averaged")


def change(model: nn.Sequential, case: str, step: int) -> None:
    """Do to the second process's model what makes the case."""
    weight, running = model[3].weight, model[1].running_mean
    assert isinstance(weight, Tensor)
    assert isinstance(running, Tensor)
    if dist.get_rank() == 1 and step == (5 if case == "averaged" else 20):
        if case in ("weights", "both", "averaged"):
            weight[0, :2] += 0.01
        elif case == "swapped":
            weight[0, :2] = weight[0, :2].flip(0)
    if dist.get_rank() == 1 and step == 5 and case in ("buffers", "both"):
        running += 1
    if step == 30 and case == "averaged":
        for tensor in [*model.parameters(), *model.buffers()]:
            dist.broadcast(tensor, 0)


def train(case: str) -> tuple[object, list[object]]:
    """Train in one of two processes alike; return what is known of the other, and what of the monitor failed."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    # Without averaged gradients, steps would carry what is changed in one layer to all others.
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1 if case == "equal" else 0.0)
    record = Record()
    monitor = Monitor(record)
    monitor.add_model(model)
    monitor.add_optimizer(optimizer)
    for step in range(1, 2 * FIRST + 2):
        optimizer.zero_grad()
        loss = model(torch.randn(16, 4)).square().mean()
        monitor.loss(loss)
        loss.backward()
        monitor.backward_ended()
        optimizer.step()
        with torch.no_grad():
            change(model, case, step)
    dist.barrier()
    monitor.close()
    return record.run().facts.get("replicas"), [event.detail for event in record.run().events]


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def process(place: int, ports: list[int], file: Path) -> None:
    """Train all cases, each with a group and a store of its own."""
    found = {}
    for port, case in zip(ports, CASES, strict=True):
        address = f"tcp://127.0.0.1:{port}"
        dist.init_process_group("gloo", init_method=address, rank=place, world_size=2)
        found[case] = train(case)
        dist.barrier()
        dist.destroy_process_group()
    if place == 0:
        file.write_text(json.dumps(found), encoding="utf-8")


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Replicas]:
    """Train in two processes, in several ways, and return what the first one knows of the other."""
    if not (dist.is_available() and dist.is_gloo_available() and sys.platform == "linux"):
        pytest.skip("PyTorch is built without distributed training, or processes cannot be forked safely")
    file = tmp_path_factory.mktemp("replicas") / "found"
    # PyTorch need not be imported anew, nor its compiler, which a first optimizer imports.
    torch.optim.SGD([torch.zeros(1)])
    context = multiprocessing.get_context("fork")
    ports = free_ports(len(CASES))
    both = [context.Process(target=process, args=(place, ports, file)) for place in range(2)]
    for one in both:
        one.start()
    try:
        for one in both:
            one.join(timeout=60)
        assert [one.exitcode for one in both] == [0, 0]
    finally:
        for one in both:
            one.kill()
            one.join()
    known = {}
    for case, (facts, events) in json.loads(file.read_text(encoding="utf-8")).items():
        assert events == []
        replicas = fact(Run(facts={"replicas": facts}), Replicas)
        assert replicas is not None
        known[case] = replicas
    return known


def findings(replicas: Replicas) -> list[tuple[str, str, str | None]]:
    outcome = diagnose(Run(facts=dict(replicas.as_dict())), select=("G315",))
    return [(one.code, one.severity.label, one.where.layer) for one in outcome.findings]


def test_replicas_that_are_alike(cases: dict[str, Replicas]) -> None:
    found = cases["equal"]
    assert (found.ranks, found.checks, found.different, found.layers, found.step) == (2, 2, 0, (), None)
    assert found.largest == 0
    assert findings(found) == []


@pytest.mark.parametrize("case", ["weights", "swapped", "both"])
def test_a_rank_with_other_weights_is_found_by_name(cases: dict[str, Replicas], case: str) -> None:
    found = cases[case]
    assert (found.checks, found.different, found.step) == (2, 1, 2 * FIRST)
    assert found.layers == ("3.weight",)
    assert (found.buffers_only, found.met_again) == (False, False)
    ((code, severity, layer),) = findings(found)
    assert (code, severity, layer) == ("G315", "error", "3.weight")


def test_weights_that_are_averaged_now_and_then_are_a_choice(cases: dict[str, Replicas]) -> None:
    found = cases["averaged"]
    assert (found.different, found.step, found.met_again, found.layers) == (1, FIRST, True, ("3.weight",))
    assert [severity for _, severity, _ in findings(found)] == ["info"]


def test_running_statistics_of_each_rank_are_its_own(cases: dict[str, Replicas]) -> None:
    found = cases["buffers"]
    assert found.buffers_only
    assert (found.layers, found.step) == (("1.running_mean",), FIRST)
    assert not [one for one in findings(found) if one[1] in ("warning", "error")]


def test_a_process_that_trains_alone_is_compared_with_none() -> None:
    check = ReplicaCheck()
    check.models.append(("", nn.Linear(2, 2)))
    for step in range(1, 4 * FIRST):
        check.step(step)
    assert check.fact() is None
    assert rank() == 0
