"""Losses against their formulas, what they refuse, and the values they are judged by."""

import math
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from dlcheck.components.info import DataInfo, Task
from dlcheck.components.losses import (
    LOSSES,
    Loss,
    build_loss,
    expected_first_loss,
    outputs_needed,
    trivial_loss,
)
from dlcheck.errors import DlcheckError
from dlcheck.recipe.optimizer import CustomLoss, LossSection, Regularize
from dlcheck.recipe.optimizer import Loss as LossChoice
from dlcheck.recipe.override import component_models


def info(task: Task = "classification", outputs: int = 3, **keys: Any) -> DataInfo:
    return DataInfo(task=task, input_shape=(4,), outputs=outputs, sizes={"train": 100}, **keys)


def section(name: str, **keys: Any) -> LossSection | CustomLoss:
    found: LossSection | CustomLoss = TypeAdapter(LossChoice).validate_python({"name": name, **keys})
    return found


def build(name: str, data: DataInfo, *, smoothing: float = 0.0, folder: Path | None = None, **keys: Any) -> Loss:
    regularize = Regularize(label_smoothing=smoothing)
    return build_loss(section(name, **keys), data, regularize, folder=folder or Path())


def test_every_section_has_a_builder() -> None:
    assert LOSSES.sections() == set(component_models("loss").values())


@pytest.mark.parametrize("task", get_args(Task))
def test_auto_fits_the_task(task: Task) -> None:
    numbers = task in ("regression", "reconstruction")
    assert build("auto", info(task)).name == ("mse" if numbers else "cross_entropy")


def log_softmax(output: Tensor) -> Tensor:
    return output - output.exp().sum(-1, keepdim=True).log()


def test_cross_entropy_weighs_and_smooths() -> None:
    output, target = torch.randn(7, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 2, 1, 0, 0])
    weights, eps = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64), 0.2
    loss = build("cross_entropy", info(), smoothing=eps, class_weights=weights.tolist()).double()
    spread = torch.eye(3, dtype=torch.float64)[target] * (1 - eps) + eps / 3
    expected = -(spread * weights * log_softmax(output)).sum() / weights[target].sum()
    assert loss(output, target).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("weights", ["none", [1.0, 2.0, 0.5]])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_of_certain_probabilities_is_that_of_codes(weights: Any, smoothing: float) -> None:
    loss = build("cross_entropy", info(), smoothing=smoothing, class_weights=weights)
    output, target = torch.randn(7, 3), torch.tensor([0, 1, 2, 2, 1, 0, 0])
    certain = torch.eye(3)[target]
    loss.check(output, certain)
    torch.testing.assert_close(loss(output, certain), loss(output, target))


def test_cross_entropy_over_tokens_ignores_padding() -> None:
    loss = build("auto", info("caption", outputs=5))
    output, target = torch.randn(2, 4, 5), torch.tensor([[1, 2, -100, -100], [4, 0, 3, -100]])
    loss.check(output, target)
    real = target != -100
    expected = -log_softmax(output)[real].gather(-1, target[real][:, None]).mean()
    torch.testing.assert_close(loss(output, target), expected)


def test_balanced_weights_even_classes_out() -> None:
    data = info(class_counts=(60, 30, 10))
    loss = build("cross_entropy", data, class_weights="balanced")
    assert isinstance(loss.weights, Tensor)
    torch.testing.assert_close(loss.weights, torch.tensor([100 / 180, 100 / 90, 100 / 30]))


def test_balanced_weights_leave_absent_classes_out() -> None:
    loss = build("cross_entropy", info(class_counts=(75, 0, 25)), class_weights="balanced")
    assert isinstance(loss.weights, Tensor)
    torch.testing.assert_close(loss.weights, torch.tensor([100 / 150, 0.0, 100 / 50]))


def test_bce_of_two_classes_takes_one_output() -> None:
    data = info(outputs=2)
    assert outputs_needed(section("bce"), data) == 1
    assert outputs_needed(section("auto"), data) == 2
    assert outputs_needed(section("bce"), info(outputs=4)) == 4
    loss = build("bce", data)
    output, target = torch.randn(6, 1), torch.tensor([0, 1, 1, 0, 1, 0])
    loss.check(output, target)
    p = torch.sigmoid(output[:, 0])
    expected = -(target * p.log() + (1 - target) * (1 - p).log()).mean()
    torch.testing.assert_close(loss(output, target), expected)
    torch.testing.assert_close(loss(output[:, 0], target), expected)
    torch.testing.assert_close(loss(output, torch.eye(2)[target]), expected)


def test_bce_smooths_and_weighs_samples() -> None:
    loss = build("bce", info(outputs=2), smoothing=0.2, class_weights=[1.0, 3.0])
    output, target = torch.randn(6, 1), torch.tensor([0, 1, 1, 0, 1, 0])
    p, y, w = torch.sigmoid(output[:, 0]), target * 0.8 + 0.1, 1.0 + 2.0 * target
    expected = -(w * (y * p.log() + (1 - y) * (1 - p).log())).sum() / w.sum()
    torch.testing.assert_close(loss(output, target), expected)


def test_bce_of_more_classes_sets_each_against_the_rest() -> None:
    loss = build("bce", info(outputs=3))
    output, target = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    loss.check(output, target)
    y, p = torch.eye(3)[target], torch.sigmoid(output)
    expected = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    torch.testing.assert_close(loss(output, target), expected)
    several = torch.tensor([[1.0, 1, 0]] * 5)
    loss.check(output, several)
    torch.testing.assert_close(loss(output, several), -(several * p.log() + (1 - several) * (1 - p).log()).mean())


def test_bce_reconstructs_inputs_between_0_and_1() -> None:
    loss = build("bce", info("reconstruction", outputs=4))
    loss.check(torch.randn(5, 4), torch.rand(5, 4))
    with pytest.raises(DlcheckError, match="targets run from -2 to 1, expected 0 to 1"):
        loss.check(torch.randn(2, 2), torch.tensor([[-2.0, 0], [0, 1]]))


@pytest.mark.parametrize("weights", ["none", [1.0, 2.0, 0.5]])
def test_hinge_is_weston_and_watkins_over_classes(weights: Any) -> None:
    loss = build("hinge", info(), margin=0.5, class_weights=weights)
    output, target = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    loss.check(output, target)
    total, weight_sum = 0.0, 0.0
    for scores, y in zip(output.tolist(), target.tolist(), strict=True):
        weight = 1.0 if weights == "none" else weights[y]
        total += weight * sum(max(0, 0.5 - scores[y] + scores[j]) for j in range(3) if j != y) / 3
        weight_sum += weight
    assert loss(output, target).item() == pytest.approx(total / weight_sum, rel=1e-5)


def test_regression_losses_follow_their_formulas() -> None:
    data = info("regression", outputs=1)
    output, target = torch.randn(50), torch.randn(50) * 3
    gap = (output - target).abs()
    huber = torch.where(gap < 0.7, gap**2 / 2, 0.7 * (gap - 0.35)).mean()
    torch.testing.assert_close(build("mse", data)(output, target), (gap**2).mean())
    torch.testing.assert_close(build("mae", data)(output, target), gap.mean())
    torch.testing.assert_close(build("huber", data, delta=0.7)(output, target), huber)


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_regression_never_broadcasts(name: str) -> None:
    loss = build(name, info("regression", outputs=1))
    loss.check(torch.zeros(8, 1), torch.zeros(8, 1))
    for call in (loss.check, loss):
        with pytest.raises(DlcheckError, match=r"output of shape \(8, 1\) .* targets of shape \(8,\)"):
            call(torch.zeros(8, 1), torch.zeros(8))


CODES = torch.zeros(64, dtype=torch.int64)


@pytest.mark.parametrize(
    ("name", "output", "target", "message"),
    [
        ("auto", torch.zeros(64, 8), CODES, r"output of shape \(64, 8\) .* over 3 classes: expected \(64, 3\)"),
        ("auto", torch.zeros(64), CODES, r"output of shape \(64,\) .* expected \(64, 3\)"),
        ("auto", torch.zeros(64, 3), CODES + 3, "class codes run from 3 to 3, expected 0 to 2"),
        ("auto", torch.zeros(64, 3), CODES.float(), "targets are float32 .* expected int64 class codes"),
        ("auto", torch.zeros(64, 3), CODES.int(), "targets are int32"),
        ("auto", torch.zeros(64, 3), CODES[:, None], r"target of shape \(64, 1\) .* expected \(64,\)"),
        ("bce", torch.zeros(64, 2), CODES, r"output of shape \(64, 2\) .* bce over 3 .*: expected \(64, 3\)"),
        ("bce", torch.zeros(64, 3), CODES - 1, "run from -1 to -1"),
        ("hinge", torch.zeros(64, 2), CODES, r"hinge over 3 classes: expected \(64, 3\)"),
        ("hinge", torch.zeros(64, 3), torch.zeros(64, 3), r"target of shape \(64, 3\) does not fit hinge"),
    ],
)
def test_misfits_are_told_before_training(name: str, output: Tensor, target: Tensor, message: str) -> None:
    with pytest.raises(DlcheckError, match=message):
        build(name, info()).check(output, target)


@pytest.mark.parametrize(
    ("output", "target", "message"),
    [
        (torch.zeros(64, 2), CODES, r"bce over 2 classes: expected \(64, 1\)"),
        (torch.zeros(64, 1), CODES + 2, "class codes run from 2 to 2"),
        (torch.zeros(64, 1), torch.zeros(64, 3), r"target of shape \(64, 3\)"),
    ],
)
def test_misfits_of_two_classes_are_told(output: Tensor, target: Tensor, message: str) -> None:
    with pytest.raises(DlcheckError, match=message):
        build("bce", info(outputs=2)).check(output, target)


@pytest.mark.parametrize(
    ("name", "task", "keys", "message"),
    [
        ("mse", "classification", {}, '"mse" does not fit classification data; valid: auto, cross_entropy'),
        ("hinge", "caption", {}, '"hinge" does not fit caption data; valid: auto, cross_entropy'),
        ("cross_entropy", "regression", {}, "valid: auto, mse, mae, huber"),
        ("hinge", "classification", {"smoothing": 0.1}, "label_smoothing = 0.1 needs classes"),
        ("bce", "reconstruction", {"smoothing": 0.1}, "here bce for reconstruction"),
        ("auto", "regression", {"class_weights": [1.0]}, "class_weights does not go with mse"),
        ("bce", "classification", {"class_weights": [1.0] * 3}, "bce of other than two classes"),
        ("auto", "classification", {"class_weights": [1.0]}, "has 1 numbers, but there are 3 classes"),
        ("auto", "classification", {"class_weights": "balanced"}, "needs class counts"),
    ],
)
def test_what_does_not_go_together_is_refused(name: str, task: Task, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DlcheckError, match=message):
        build(name, info(task), **keys)


def best_constant(loss: Loss, counts: tuple[int, ...], outputs: int) -> float:
    """The loss of the best constant output, found by descent."""
    target = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    constant = torch.zeros(outputs, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([constant], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss.double()(constant.expand(len(target), outputs), target)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return closure().item()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", ["none", "balanced", [3.0, 1.0, 0.2]])
def test_trivial_cross_entropy_is_that_of_the_best_constant(weights: Any, smoothing: float) -> None:
    counts = (50, 30, 20)
    data = info(class_counts=counts)
    loss = build("auto", data, smoothing=smoothing, class_weights=weights)
    assert trivial_loss(loss, data) == pytest.approx(best_constant(loss, counts, 3), abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("counts", "weights"), [((70, 30), "none"), ((70, 30), "balanced"), ((50, 30, 20), "none")])
def test_trivial_bce_is_that_of_the_best_constant(counts: tuple[int, ...], weights: Any, smoothing: float) -> None:
    data = info(outputs=len(counts), class_counts=counts)
    loss = build("bce", data, smoothing=smoothing, class_weights=weights)
    outputs = outputs_needed(section("bce"), data)
    assert trivial_loss(loss, data) == pytest.approx(best_constant(loss, counts, outputs), abs=1e-6)


def test_trivial_loss_with_an_absent_class_is_finite() -> None:
    data = info(class_counts=(50, 0, 50))
    assert trivial_loss(build("auto", data), data) == pytest.approx(math.log(2))
    assert trivial_loss(build("auto", data, class_weights="balanced"), data) == pytest.approx(math.log(2))


def test_trivial_loss_of_standardised_numbers_is_their_variance() -> None:
    data = info("regression", outputs=1, target_mean=5.0, target_std=2.0)
    assert trivial_loss(build("mse", data), data) == 1.0
    assert expected_first_loss(build("mse", data), data) == 1.0
    assert trivial_loss(build("mae", data), data) is None
    assert trivial_loss(build("mse", info("regression")), info("regression")) is None
    assert trivial_loss(build("auto", info()), info()) is None  # no class counts


@pytest.mark.parametrize("name", ["cross_entropy", "hinge", "bce"])
@pytest.mark.parametrize("outputs", [2, 5])
def test_expected_first_loss_is_that_of_zeros(name: str, outputs: int) -> None:
    data = info(outputs=outputs)
    loss = build(name, data)
    zeros = torch.zeros(10, outputs_needed(section(name), data))
    first = loss(zeros, torch.arange(10) % outputs).item()
    assert expected_first_loss(loss, data) == pytest.approx(first, rel=1e-6)


OWN = """
import torch

def power(output, target, exponent=2.0):
    return (output - target).abs().pow(exponent).mean()

class Scaled(torch.nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, output, target):
        return self.scale * (output - target).abs().mean()

ready = Scaled(5.0)
each = torch.sub
number = 3
"""


@pytest.fixture
def own_code(tmp_path: Path) -> Path:
    (tmp_path / "own_loss.py").write_text(OWN)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "keys", "expected"),
    [("power", {"exponent": 3.0}, 8.0), ("power", {}, 4.0), ("Scaled", {"scale": 2.5}, 5.0), ("ready", {}, 10.0)],
)
def test_custom_losses_of_every_form(own_code: Path, target: str, keys: dict[str, float], expected: float) -> None:
    loss = build("custom", info("regression"), folder=own_code, target=f"own_loss.py:{target}", **keys)
    output, numbers = torch.full((4,), 2.0), torch.zeros(4)
    loss.check(output, numbers)
    assert loss(output, numbers).item() == expected
    assert loss.name == "custom"


def test_custom_losses_that_are_none_are_refused(own_code: Path) -> None:
    with pytest.raises(DlcheckError, match="expected a module or a function, got int"):
        build("custom", info(), folder=own_code, target="own_loss.py:number")
    loss = build("custom", info(), folder=own_code, target="own_loss.py:each")
    with pytest.raises(DlcheckError, match=r"returned shape \(4,\): expected one number"):
        loss.check(torch.zeros(4), torch.zeros(4))
    with pytest.raises(DlcheckError, match="raised RuntimeError"):
        loss.check(torch.zeros(4), torch.zeros(3))
    with pytest.raises(DlcheckError, match="does not reach a custom loss"):
        build("custom", info(), smoothing=0.1, folder=own_code, target="own_loss.py:power")
