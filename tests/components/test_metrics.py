"""Metrics: sums that add up over batches to the share or mean they are named after."""

from typing import Any

import pytest
import torch
from torch import Tensor

from dlcheck.components.info import DataInfo, Task
from dlcheck.components.metrics import build_metric
from dlcheck.recipe.optimizer import CustomLoss, LossSection

AUTO = LossSection(name="auto")


def info(task: Task, outputs: int = 3, **keys: Any) -> DataInfo:
    return DataInfo(task=task, input_shape=(4,), outputs=outputs, sizes={"train": 100}, **keys)


def score(total: Tensor) -> float:
    assert total.shape == (2,)
    assert total.is_floating_point()
    return (total[0] / total[1]).item()


def test_accuracy_adds_up_over_uneven_batches() -> None:
    metric = build_metric(info("classification"), AUTO)
    assert (metric.name, metric.greater_is_better) == ("accuracy", True)
    output, target = torch.eye(3)[[0, 1, 2, 0, 0, 0, 1]], torch.tensor([0, 1, 2, 1, 2, 0, 1])
    parts = [metric.update(output[:4], target[:4]), metric.update(output[4:], target[4:])]
    assert score(torch.stack(parts).sum(0)) == pytest.approx(5 / 7)
    assert torch.stack(parts)[:, 1].tolist() == [4, 3]


def test_accuracy_of_mixed_targets_counts_the_larger_share() -> None:
    metric = build_metric(info("classification"), AUTO)
    target = torch.tensor([[0.7, 0.3, 0], [0.4, 0.6, 0]])
    assert score(metric.update(torch.eye(3)[[0, 0]], target)) == 0.5


@pytest.mark.parametrize("section", [LossSection(name="bce"), CustomLoss(target="a:b")])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_single_outputs_are_logits(section: LossSection | CustomLoss, shape: tuple[int, ...]) -> None:
    metric = build_metric(info("classification", outputs=2), section)
    output = torch.tensor([2.0, -1.0, 0.5, -3.0]).reshape(shape)
    target = torch.tensor([1, 0, 0, 1])
    assert score(metric.update(output, target)) == 0.5
    assert score(metric.update(output, torch.eye(2)[target])) == 0.5


@pytest.mark.parametrize("task", ["language", "caption"])
def test_token_accuracy_leaves_padding_out(task: Task) -> None:
    metric = build_metric(info(task, outputs=5), AUTO)
    output = torch.eye(5)[torch.tensor([[1, 2, 0, 0], [4, 0, 3, 0]])]
    target = torch.tensor([[1, 2, -100, -100], [4, 1, 3, -100]])
    assert metric.update(output, target).tolist() == [4, 5]


def test_regression_error_is_in_the_targets_own_unit() -> None:
    metric = build_metric(info("regression", outputs=1, target_mean=100.0, target_std=20.0), AUTO)
    assert (metric.name, metric.greater_is_better) == ("mae", False)
    output, target = torch.tensor([0.5, -0.5]), torch.tensor([0.0, -1.5])
    assert score(metric.update(output, target)) == pytest.approx(20 * 0.75)
    assert score(metric.update(output[:, None], target)) == pytest.approx(20 * 0.75)  # never (2, 2)


def test_reconstruction_error_counts_every_number() -> None:
    metric = build_metric(info("reconstruction"), AUTO)
    output = torch.zeros(3, 2, 2, requires_grad=True)
    total = metric.update(output, torch.ones(3, 2, 2))
    assert total.tolist() == [12, 12]
    assert not total.requires_grad
