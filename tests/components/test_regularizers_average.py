"""Averaged weights: the averages themselves, and giving the model its own weights back."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcheck.components.regularizers import WeightAverage, build_average
from dlcheck.recipe.optimizer import Regularize


def build(model: nn.Module, average: Any, total_steps: int = 8, **keys: Any) -> WeightAverage:
    built = build_average(Regularize(average=average, **keys), model, total_steps)
    assert built is not None
    return built


def with_norm() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def move(model: nn.Module) -> None:
    """Stand in for an optimizer step, running statistics included."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    model(torch.randn(6, 3))


def walk(model: nn.Module, average: WeightAverage, steps: range) -> list[dict[str, Tensor]]:
    states = []
    for step in steps:
        move(model)
        average.update(step)
        states.append(copy.deepcopy(model.state_dict()))
    return states


def averaged(model: nn.Module, average: WeightAverage) -> dict[str, Tensor]:
    with average.applied():
        return copy.deepcopy(model.state_dict())


def test_no_average_by_default() -> None:
    assert build_average(Regularize(), nn.Linear(1, 1), 10) is None


def test_ema_weighs_steps_exponentially() -> None:
    model = with_norm()
    average = build(model, "ema", average_decay=0.8)
    states = walk(model, average, range(5))
    for name, value in averaged(model, average).items():
        if value.is_floating_point():
            expected = states[0][name]
            for state in states[1:]:
                expected = 0.8 * expected + 0.2 * state[name]
            torch.testing.assert_close(value, expected)


@pytest.mark.parametrize(("first", "last"), [(0, 8), (1, 9)])
def test_swa_is_the_plain_mean_from_its_start_on(first: int, last: int) -> None:
    model = with_norm()
    average = build(model, "swa", average_start=0.75)
    states = walk(model, average, range(first, last))
    tail = [state for step, state in zip(range(first, last), states, strict=True) if step >= 6]
    for name, value in averaged(model, average).items():
        if value.is_floating_point():
            torch.testing.assert_close(value, torch.stack([state[name] for state in tail]).mean(0))


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_the_model_gets_its_own_weights_back_bit_for_bit(kind: str) -> None:
    model = with_norm()
    average = build(model, kind, average_start=0.0)
    own = walk(model, average, range(5))[-1]
    places = [parameter.data_ptr() for parameter in model.parameters()]
    inside = averaged(model, average)
    assert not torch.equal(inside["0.weight"], own["0.weight"])
    assert not torch.equal(inside["1.running_mean"], own["1.running_mean"])
    assert torch.equal(inside["1.num_batches_tracked"], own["1.num_batches_tracked"])
    with pytest.raises(ZeroDivisionError), average.applied():
        _ = 1 / 0  # what goes wrong inside must not leave the average behind
    assert all(torch.equal(value, own[name]) for name, value in model.state_dict().items())
    assert [parameter.data_ptr() for parameter in model.parameters()] == places


def test_before_its_start_the_average_is_the_model() -> None:
    model = with_norm()
    average = build(model, "swa", total_steps=100)
    own = walk(model, average, range(5))[-1]
    assert all(torch.equal(value, own[name]) for name, value in averaged(model, average).items())


@pytest.mark.parametrize("kind", ["ema", "swa"])
@pytest.mark.parametrize("pause", [1, 4])
def test_a_saved_average_continues_exactly(kind: str, pause: int, tmp_path: Path) -> None:
    def run(resume: bool) -> dict[str, Tensor]:
        torch.manual_seed(0)
        model = with_norm()
        average = build(model, kind, average_start=0.25)
        walk(model, average, range(pause))
        if resume:
            torch.save(average.state_dict(), tmp_path / "saved.pt")
            average = build(model, kind, average_start=0.25)
            average.load_state_dict(torch.load(tmp_path / "saved.pt", weights_only=True))
        walk(model, average, range(pause, 8))
        return averaged(model, average)

    straight, resumed = run(resume=False), run(resume=True)
    assert all(torch.equal(straight[name], value) for name, value in resumed.items())
