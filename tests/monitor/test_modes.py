"""Modes of dropout and batch norm, and over how many values batch norms are taken."""

import pytest
import torch
from torch import Tensor, nn

from dlcheck.runs.facts import BatchNormBatches, Dropouts, TrainingMode
from tests.monitor.loop import FEW, Loop, noise


def network(rate: float = 0.25) -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(rate), nn.Linear(6, 3))


def loop(model: nn.Module, *, evaluating: nn.Module | None = None, since: int = 1) -> Loop:
    """Return a loop that puts a module into evaluation mode from a step on."""

    def loss(y: Tensor, step: int) -> Tensor:
        if evaluating is not None and step == since - 1:
            evaluating.eval()
        return y.square().mean()

    if evaluating is not None and since == 1:
        evaluating.eval()
    return Loop(model, torch.optim.SGD(model.parameters(), lr=0.01), loss)


def test_all_in_training_mode() -> None:
    fact = loop(network()).run().known(TrainingMode)
    assert (fact.steps, fact.in_eval_mode, fact.modules, fact.first_step) == (FEW, 0, (), None)
    assert not any((fact.dropout, fact.batchnorm, fact.never_trained_mode, fact.partly))


def test_evaluation_mode_from_the_beginning() -> None:
    model = network()
    fact = loop(model, evaluating=model).run().known(TrainingMode)
    assert (fact.in_eval_mode, fact.modules, fact.first_step) == (FEW, ("1", "3"), 1)
    assert (fact.dropout, fact.batchnorm, fact.only_batchnorm) == (True, True, False)
    assert (fact.never_trained_mode, fact.partly) == (True, False)


def test_evaluation_mode_that_was_never_left() -> None:
    model = network()
    fact = loop(model, evaluating=model, since=17).run().known(TrainingMode)
    # The step in which the mode changes, after its forward pass, may count with the later ones.
    assert fact.in_eval_mode in (FEW - 16, FEW - 15)
    assert fact.first_step in (16, 17)
    assert not fact.never_trained_mode


def test_a_part_that_is_kept_in_evaluation_mode() -> None:
    model = network()
    fact = loop(model, evaluating=model[1]).run().known(TrainingMode)
    assert (fact.modules, fact.only_batchnorm, fact.partly) == (("1",), True, True)
    assert not fact.dropout


def test_modules_without_a_mode_that_matters() -> None:
    for model in (nn.Sequential(nn.Linear(8, 3), nn.Dropout(0.0)), nn.Sequential(nn.Linear(8, 3), nn.LayerNorm(3))):
        assert loop(model, evaluating=model).run().fact(TrainingMode) is None
    frozen = nn.Sequential(nn.BatchNorm1d(8).requires_grad_(False), nn.Linear(8, 3))
    assert loop(frozen, evaluating=frozen[0]).run().fact(TrainingMode) is None


def test_values_that_batch_norms_see() -> None:
    fact = loop(network()).run(32, [*[torch.randn(16, 8)] * 31, torch.randn(2, 8)]).known(BatchNormBatches)
    assert (fact.layers, fact.layer_count) == (("1",), 1)
    assert (fact.batch, fact.smallest, fact.values, fact.smallest_values) == (16, 2, 16, 2)


def test_values_of_maps_are_those_of_all_positions() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))
    fact = loop(model).run(8, [torch.randn(3, 1, 8, 8)] * 8).known(BatchNormBatches)
    assert (fact.batch, fact.values, fact.smallest_values) == (3, 3 * 36, 3 * 36)


def test_batch_norms_in_evaluation_mode_take_no_batch() -> None:
    model = network()
    assert loop(model, evaluating=model[1]).run().fact(BatchNormBatches) is None


@pytest.mark.parametrize("on_output", [True, False])
def test_dropouts_and_their_rates(on_output: bool) -> None:
    layers = [nn.Linear(8, 6), nn.Dropout(0.25), nn.Linear(6, 3)]
    model = nn.Sequential(*layers, nn.Dropout(0.5)) if on_output else nn.Sequential(*layers, nn.Dropout(0.0))
    fact = loop(model).run().known(Dropouts)
    assert dict(zip(fact.layers, fact.rates, strict=True)) == ({"1": 0.25, "3": 0.5} if on_output else {"1": 0.25})
    assert fact.on_output is on_output


def test_names_of_several_models() -> None:
    first, second = network(0.1), network(0.2)
    both = nn.ModuleList([first, second])
    made = Loop(first, torch.optim.SGD(both.parameters(), lr=0.01))
    made.monitor.add_model(second, "critic")
    made.loss = lambda y, _: y.square().mean() + second(next(noise())).square().mean()
    fact = made.run().known(Dropouts)
    assert dict(zip(fact.layers, fact.rates, strict=True)) == {"3": 0.1, "critic.3": 0.2}
