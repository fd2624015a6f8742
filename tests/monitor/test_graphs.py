"""Graphs that outlive their step: counted by what keeps them."""

import torch
from torch import Tensor, nn

from dlcheck.monitor.graphs import MOST_COUNTS, Graphs
from dlcheck.runs.facts import GraphGrowth
from tests.monitor.loop import FEW, Loop


def losses(count: int, graphs: Graphs) -> list[Tensor]:
    """Return losses with their graphs, and tell of each."""
    weight = torch.ones(2, requires_grad=True)
    made = []
    for _ in range(count):
        made.append((weight * 2).sum())
        graphs.add(made[-1])
    return made


def trained(keep: str) -> GraphGrowth:
    model = nn.Linear(8, 3)
    kept: list[Tensor] = []

    def loss(y: Tensor, step: int) -> Tensor:
        value = y.square().mean()
        if keep == "all":
            kept.append(value)
        elif keep == "sum":
            kept[:] = [sum(kept) + value]
        elif keep == "window":
            kept[:] = [*kept[-4:], value]
        elif keep == "numbers":
            kept.append(value.detach())
        return value

    return Loop(model, torch.optim.SGD(model.parameters(), lr=0.01), loss).run().known(GraphGrowth)


def test_a_sum_of_losses_keeps_them_all() -> None:
    for keep in ("all", "sum"):
        fact = trained(keep)
        assert fact.steps == FEW
        assert fact.alive == FEW - 1  # besides the last one, which its variable holds
        assert abs(fact.alive_middle - FEW / 2) <= 8
        assert fact.highest == fact.alive
        assert not fact.crashed


def test_numbers_and_nothing_keep_none() -> None:
    for keep in ("numbers", "nothing"):
        fact = trained(keep)
        assert (fact.alive, fact.alive_middle, fact.highest) == (0, 0, 0)


def test_a_window_does_not_grow() -> None:
    fact = trained("window")
    assert (fact.alive, fact.alive_middle, fact.highest) == (4, 4, 4)


def test_a_sum_that_is_begun_anew_each_epoch() -> None:
    graphs = Graphs()
    kept: list[Tensor] = []
    for _ in range(4):
        kept = []
        graphs.epoch()
        kept = losses(16, graphs)
    fact = graphs.fact()
    assert fact is not None
    assert (fact.steps, fact.epoch_steps, fact.alive, fact.highest, len(kept)) == (64, 16, 15, 15, 16)


def test_one_mark_may_stand_for_several() -> None:
    graphs, weight, kept = Graphs(), torch.ones(2, requires_grad=True), []
    for _ in range(64):
        kept.append((weight * 2).sum())
        graphs.passing(kept[-1])
    fact = graphs.fact()
    assert fact is not None
    assert abs(fact.alive - 63) <= fact.resolution
    del kept
    after = graphs.fact()
    assert after is not None
    assert after.alive == 0


def test_losses_without_a_graph_and_none_at_all() -> None:
    graphs = Graphs()
    assert graphs.fact() is None
    graphs.add(torch.ones(()))
    fact = graphs.fact()
    assert fact is not None
    assert (fact.steps, fact.alive) == (1, 0)


def test_memory_that_grows_by_a_known_slope() -> None:
    graphs = Graphs()
    kept = losses(1, graphs)
    for step in range(0, 1000, 50):
        graphs.memory(step, 100.0 + 0.25 * step)
    fact = graphs.fact()
    assert fact is not None
    assert fact.memory_slope is not None
    assert abs(fact.memory_slope - 0.25) < 1e-9
    assert kept


def test_a_long_training_takes_no_more_memory_of_its_counts() -> None:
    graphs, weight = Graphs(), torch.ones(1, requires_grad=True)
    held: list[torch.Tensor] = []
    for step in range(40_000):
        loss = (weight * 2).sum()
        if step in (100, 30_000):
            held.append(loss)
        graphs.add(loss)
    found = graphs.fact()
    assert len(graphs._counts) <= MOST_COUNTS
    assert found is not None
    assert (found.alive, found.alive_middle, found.highest) == (2, 1, 2)
