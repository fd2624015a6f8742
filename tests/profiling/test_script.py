"""Training loops as people write them, hooked in this process: what the meter makes of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from dlcheck.profiling.gap import GapSampler
from dlcheck.profiling.meter import Meter
from tests.profiling.metered import Watch, descend, loader, model, plain, summed


@pytest.fixture
def watch() -> Iterator[Watch]:
    hooks = (dict(torch.nn.modules.module._global_forward_pre_hooks), torch.autograd.backward, torch.autograd.grad)
    yield Watch()
    assert (
        dict(torch.nn.modules.module._global_forward_pre_hooks),
        torch.autograd.backward,
        torch.autograd.grad,
    ) == hooks


def test_a_plain_loop_is_divided_into_its_parts(watch: Watch) -> None:
    rows = watch(plain()[0])
    assert [(row.epoch, row.first) for row in rows] == [
        (0, True),
        (0, False),
        (0, False),
        (1, True),
        (1, False),
        (1, False),
    ]
    for row in rows:
        assert summed(row) == pytest.approx(row.period)
        assert min(row.forward, row.backward, row.optimizer) > 0
        assert row.samples == 8
        assert row.batch is not None
        assert row.copy == 0.0
    assert watch.steps.optimizers == {"SGD": 6}
    assert watch.steps.device == "cpu"


def test_losses_are_those_of_the_training_and_of_one_that_nobody_watched(watch: Watch) -> None:
    training, watched = plain()
    watch(training)
    assert [float(loss) for loss in watch.losses] == watched
    training, alone = plain()
    training()
    assert alone == watched


def test_hooks_on_all_modules_are_gone_after_a_few_steps(watch: Watch) -> None:
    left: list[int] = []

    def training() -> None:
        network, criterion = model(), nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for x, y in loader(48):
            criterion(network(x), y).backward()
            optimizer.step()
            left.append(len(torch.nn.modules.module._global_forward_pre_hooks))

    rows = watch(training)
    assert left == [1, 1, 0, 0, 0, 0]
    assert all(row.forward > 0 for row in rows)


def test_time_between_forward_and_backward_is_inside_the_step(watch: Watch) -> None:
    rows = watch(plain(gap=0.05)[0])
    assert all(row.inside >= 0.05 > row.outside for row in rows[1:3])


def test_an_evaluation_between_epochs_makes_no_rows(watch: Watch) -> None:
    def training() -> None:
        network = model()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        batches, others = loader(), loader(80)
        with torch.no_grad():  # before anything else, as Lightning does
            for x, _ in others:
                network(x)
        for _ in range(2):
            for x, y in batches:
                descend(functional.cross_entropy(network(x), y))
                optimizer.step()
            with torch.no_grad():
                for x, _ in others:
                    network(x)

    rows = watch(training)
    assert len(rows) == 6
    facts = watch.hooks.training()
    assert facts is not None
    assert (facts.samples, facts.batches) == (24, 3)


def test_an_evaluation_within_an_epoch_is_no_part_of_a_step(watch: Watch) -> None:
    def training() -> None:
        network = model()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for number, (x, y) in enumerate(loader(64)):
            descend(functional.cross_entropy(network(x), y))
            optimizer.step()
            if number == 3:
                for x, _ in loader(8):
                    network(x)
                    time.sleep(0.2)

    rows = watch(training)
    assert len(rows) == 8
    assert rows[3].outside < 0.2


def test_accumulated_gradients_give_a_row_a_batch(watch: Watch) -> None:
    def training() -> None:
        network = model()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for number, (x, y) in enumerate(loader(32)):
            descend(functional.cross_entropy(network(x), y))
            if number % 2:
                optimizer.step()
                optimizer.zero_grad()

    rows = watch(training)
    assert [row.optimizer > 0 for row in rows] == [False, True, False, True]
    assert all(row.backward > 0 and summed(row) == pytest.approx(row.period) for row in rows)


def test_two_networks_and_two_optimizers_share_a_step(watch: Watch) -> None:
    def training() -> None:
        first, second = model(), nn.Linear(2, 1)
        optimizers = [torch.optim.SGD(net.parameters(), lr=0.1) for net in (first, second)]
        for x, _ in loader():
            second(first(x).detach()).mean().backward()
            optimizers[1].step()
            second(first(x)).mean().backward()
            optimizers[0].step()

    rows = watch(training)
    assert len(rows) == 3
    assert all(summed(row) == pytest.approx(row.period) for row in rows)
    assert rows[1].outside < rows[1].period / 2


def test_a_closure_is_forward_and_backward_not_optimizer(watch: Watch) -> None:
    def training() -> None:
        network = model()
        optimizer = torch.optim.LBFGS(network.parameters(), max_iter=3)
        for x, y in loader():

            def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
                optimizer.zero_grad()
                loss = functional.cross_entropy(network(x), y)
                descend(loss)
                return loss

            optimizer.step(closure)  # type: ignore[no-untyped-call]

    rows = watch(training)
    assert len(rows) == 3
    for row in rows:
        assert min(row.forward, row.backward, row.optimizer) > 0
        assert summed(row) == pytest.approx(row.period)


def test_two_loaders_in_step_make_one_row(watch: Watch) -> None:
    def training() -> None:
        network = model()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for (x, y), (other, _) in zip(loader(), loader(), strict=True):
            descend(functional.cross_entropy(network(x + other), y))
            optimizer.step()

    assert len(watch(training)) == 3


def test_a_loop_that_fetches_one_batch_ahead_has_its_rows(watch: Watch) -> None:
    def training() -> None:
        network = model()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        iterator = iter(loader(40))
        batch = next(iterator)
        while batch is not None:
            following = next(iterator, None)
            descend(functional.cross_entropy(network(batch[0]), batch[1]))
            optimizer.step()
            batch = following

    rows = watch(training)
    assert len(rows) >= 4
    assert all(summed(row) == pytest.approx(row.period) for row in rows)


def test_a_script_that_slices_its_own_batches_has_rows_too(watch: Watch) -> None:
    def training() -> None:
        network, x, y = model(), torch.randn(40, 3), torch.zeros(40).long()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for begin in range(0, 40, 8):
            time.sleep(0.02)
            descend(functional.cross_entropy(network(x[begin : begin + 8]), y[begin : begin + 8]))
            optimizer.step()

    watch.steps.loaders = False
    rows = watch(training)
    assert [row.samples for row in rows] == [8, 8, 8, 8]  # where the first began is not known
    assert all(row.got - row.asked >= 0.02 for row in rows)
    assert all(summed(row) == pytest.approx(row.period) for row in rows)


def test_a_compiled_model_is_hooked_as_a_whole(watch: Watch) -> None:
    def training() -> None:
        network = model()
        compiled = torch.compile(network, backend="eager")
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for x, y in loader():
            descend(functional.cross_entropy(compiled(x), y))
            optimizer.step()

    rows = watch(training)
    assert all(row.forward > 0 for row in rows)
    torch.compiler.reset()


def test_the_line_that_runs_in_a_gap_is_found(watch: Watch) -> None:
    gaps = GapSampler()
    gaps.start(watch.meter)
    watch(plain(gap=0.05)[0])
    gaps.stop()
    assert gaps.site is not None
    place = Path(__file__).with_name("metered.py")
    assert gaps.site.file.endswith(place.name)
    assert "time.sleep(gap)" in place.read_text().splitlines()[gaps.site.line - 1]


def test_no_line_is_named_where_hardly_anything_was_seen() -> None:
    gaps = GapSampler()
    gaps.start(Meter(lambda meter: None))
    gaps.stop()
    assert gaps.site is None


@pytest.mark.gpu
def test_copies_to_the_device_are_a_phase_of_their_own() -> None:
    def training() -> None:
        network = model().cuda()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for x, y in loader(64):
            x, y = x.double().float().to("cuda", non_blocking=True), y.cuda()
            descend(functional.cross_entropy(network(x), y))
            optimizer.step()

    watch = Watch()
    rows = watch(training)
    assert watch.steps.device.startswith("cuda")
    assert all(row.copy > 0 and summed(row) == pytest.approx(row.period) for row in rows)
    assert all(row.device is not None and min(row.device[1:]) > 0 for row in rows[1:])
    assert "to" not in vars(torch.Tensor)
    facts = watch.hooks.training()
    assert facts is not None
    assert facts.pinned is False
