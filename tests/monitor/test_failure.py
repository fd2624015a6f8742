"""The first number that is none: which module, operation, rows and line made it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dlcheck.monitor.monitor import Monitor
from dlcheck.monitor.record import Record
from dlcheck.runs.facts import NonFinite, fact

HERE = Path(__file__)
Function = Callable[[Tensor], Tensor]


class Net(nn.Module):
    """A linear layer, with something between it and the answer."""

    def __init__(self, between: Function = lambda x: x, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.odd, self.between = nn.Linear(4, 3), activation or nn.Identity(), between

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.between(self.odd(self.body(x)))
        return result


class Odd(nn.Module):
    """A module that calls a function."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def fail(
    model: nn.Module,
    loss_of: Callable[[Tensor], Tensor],
    x: Tensor | None = None,
    *,
    again: bool = False,
    steps: int = 1,
) -> NonFinite | None:
    """Train, and return what the monitor found."""
    record = Record()
    monitor = Monitor(record)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    monitor.add_model(model)
    monitor.add_optimizer(optimizer)
    x = torch.randn(6, 4) if x is None else x
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model(x))
        monitor.loss(loss, again=(lambda: loss_of(model(x))) if again else None)
        loss.backward()  # type: ignore[no-untyped-call]
        monitor.backward_ended()
        optimizer.step()
    monitor.close()
    assert record.run().events == ()
    return fact(record.run(), NonFinite)


def zero_in(x: Tensor, *rows: int) -> Tensor:
    """Return it with some rows multiplied by zero."""
    keep = torch.ones(len(x), 1)
    keep[list(rows)] = 0
    return x * keep


def marked(text: str) -> int:
    """Return the line of this file that holds a text for the first time."""
    return next(n for n, line in enumerate(HERE.read_text(encoding="utf-8").splitlines(), start=1) if text in line)


def log_of_zero(x: Tensor) -> Tensor:
    return torch.log(zero_in(x.abs(), 2, 4))  # first


def test_an_undefined_operation_inside_the_model_is_named_with_module_rows_values_and_line() -> None:
    found = fail(Net(activation=Odd(log_of_zero)), lambda y: y.square().mean())
    assert found is not None
    assert (found.kind, found.module, found.module_type, found.operation) == ("activation", "odd", "Odd", "log")
    assert (found.undefined, found.rows, set(found.values)) == ("logarithm of 0", (2, 4), {0.0})
    assert (found.replayed, found.reproduced, found.backward, found.overflow) == (True, True, False, False)
    assert found.site is not None
    assert found.site.line == marked("# first")
    assert Path(found.site.file).name == HERE.name
    assert found.step == 1


@pytest.mark.parametrize(
    ("function", "operation", "words"),
    [
        (lambda x: zero_in(x, 1) / zero_in(x, 1), "div", "0/0"),
        (lambda x: x / zero_in(x.detach(), 1), "div", "division by 0"),
        (lambda x: torch.sqrt(-x.abs()), "sqrt", "square root of a negative number"),
        (lambda x: zero_in(x.abs(), 1).rsqrt(), "rsqrt", "division by the square root of 0"),
        (lambda x: (-x.abs()) ** 0.5, "pow", "fractional power of a negative number"),
        (
            lambda x: x.masked_fill(torch.tensor([[True] * 3] + [[False] * 3] * 5), -math.inf).softmax(-1),
            "softmax",
            "softmax",
        ),
        (lambda x: torch.acos(x.abs() + 2), "acos", "arc of a number beyond 1"),
        (lambda x: torch.log1p(-1 - zero_in(x.abs(), 3)), "log1p", "logarithm"),
        (lambda x: x * x[:1].flatten()[:1].std(), "std", "standard deviation of one number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.filterwarnings("ignore:std.*degrees of freedom")
def test_what_is_undefined_is_said_in_words(function: Function, operation: str, words: str) -> None:
    found = fail(Net(activation=Odd(function)), lambda y: y.square().mean())
    assert found is not None
    assert (found.operation, found.module) == (operation, "odd")
    assert words in found.undefined


def nll(y: Tensor) -> Tensor:
    return -torch.log10(zero_in(y.softmax(-1), 5)[:, 0]).mean()  # second


def test_a_loss_that_can_be_computed_again_gives_operation_and_line() -> None:
    found = fail(Net(), nll, again=True)
    assert found is not None
    assert (found.kind, found.module, found.operation, found.undefined) == ("loss", "", "log10", "logarithm of 0")
    assert (found.rows, found.site and found.site.line) == ((5,), marked("# second"))
    assert found.replayed
    assert found.reproduced
    assert math.isinf(found.loss or 0.0)


def test_a_loss_that_cannot_is_read_from_what_its_graph_has_saved() -> None:
    found = fail(Net(), lambda y: -torch.log2(zero_in(y.softmax(-1), 5)[:, 0]).mean())  # third
    assert found is not None
    assert (found.kind, found.operation, found.undefined) == ("loss", "log2", "logarithm of 0")
    assert (found.rows, set(found.values)) == ((5,), {0.0})
    assert not found.reproduced


def test_a_batch_without_a_single_target_has_no_mean() -> None:
    targets = torch.full((6,), -100)
    found = fail(Net(), lambda y: functional.cross_entropy(y, targets))
    assert found is not None
    assert (found.operation, found.undefined) == ("nll_loss", "mean over no targets")


@pytest.mark.parametrize("again", [True, False])
def test_a_derivative_that_is_not_defined_is_found_in_the_backward_pass(again: bool) -> None:
    model = Net(activation=Odd(lambda x: torch.sqrt(zero_in(x.square(), 3))))  # fourth
    found = fail(model, lambda y: y.mean(), again=again)
    assert found is not None
    assert (found.kind, found.operation, found.undefined) == ("gradient", "sqrt", "square root at 0")
    assert (found.backward, found.rows, found.loss is not None and math.isfinite(found.loss)) == (True, (3,), True)
    assert found.site is not None
    assert found.site.line == marked("# fourth")


def test_the_untaken_branch_of_where_is_found() -> None:
    def loss(y: Tensor) -> Tensor:
        positive = zero_in(y.abs(), 0)
        return torch.where(positive > 0, positive.log(), positive).mean()

    found = fail(Net(), loss, again=True)
    assert found is not None
    assert (found.kind, found.operation, found.undefined) == ("gradient", "log", "logarithm of 0")


def test_a_batch_that_is_not_finite_is_to_blame_itself() -> None:
    x = torch.randn(6, 4)
    x[1, 2], x[4, 0] = math.nan, math.inf
    found = fail(Net(), lambda y: y.square().mean(), x)
    assert found is not None
    assert (found.kind, found.input_nonfinite, found.rows, found.undefined) == ("input", True, (1, 4), "")


def test_weights_that_are_not_finite_are_to_blame_themselves() -> None:
    model = Net()
    with torch.no_grad():
        model.body.weight[0, 0] = math.nan
    found = fail(model, lambda y: y.square().mean())
    assert found is not None
    assert (found.kind, found.weight_nonfinite, found.undefined) == ("weight", True, "")


def test_numbers_that_grow_beyond_their_type_overflow() -> None:
    found = fail(Net(activation=Odd(lambda x: (200 * x.abs() + 100).exp())), lambda y: y.mean())
    assert found is not None
    assert (found.overflow, found.operation, found.undefined, found.module) == (True, "exp", "", "odd")


class Masked(nn.Module):
    """Attention that may look back only."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.head(x) @ x.T
        mask = torch.triu(torch.full_like(scores, -math.inf), 1)
        result: Tensor = (scores + mask).softmax(-1) @ x
        return result


def test_a_mask_of_infinities_is_none() -> None:
    assert fail(Masked(), lambda y: y.square().mean(), steps=3) is None


def test_a_mask_of_infinities_is_not_taken_for_the_cause() -> None:
    model = nn.Sequential(Masked(), Odd(lambda x: zero_in(x.abs(), 1).log()))
    found = fail(model, lambda y: y.square().mean())
    assert found is not None
    assert (found.module, found.operation) == ("1", "log")


def test_dropout_falls_alike_in_the_replay() -> None:
    torch.manual_seed(3)
    model = Net(activation=nn.Sequential(nn.Dropout(0.5), Odd(lambda x: 1 / x)))
    found = fail(model, lambda y: y.mean())
    assert found is not None
    assert found.reproduced
    assert (found.operation, found.undefined) == ("reciprocal", "division by 0")


def test_what_a_loss_scaler_skips_is_expected() -> None:
    model, record = Net(), Record()
    monitor = Monitor(record)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    monitor.add_model(model)
    monitor.add_optimizer(optimizer)
    monitor.add_scaler(scaler)
    for _ in range(12):
        optimizer.zero_grad()
        product = scaler.scale(3 * model(torch.randn(6, 4)).square().sum())
        monitor.loss(product)
        product.backward()
        scaler.step(optimizer)
        scaler.update()
    monitor.close()
    found = fact(record.run(), NonFinite)
    assert found is None or found.skipped_by_scaler
    from dlcheck.runs.facts import LossScale

    scale = fact(record.run(), LossScale)
    assert scale is not None
    assert 0 < scale.skipped < 12
    assert scale.last < scale.first == 2.0**127


def test_a_step_that_cannot_be_computed_again_is_told_all_the_same() -> None:
    calls = []

    def twice(x: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("only once")
        return x * math.nan

    record = Record()
    monitor, model = Monitor(record), Net(twice)
    monitor.add_model(model)
    loss = model(torch.randn(6, 4)).mean()
    monitor.loss(loss)
    loss.backward()
    monitor.close()
    found = fact(record.run(), NonFinite)
    assert found is not None
    assert (found.kind, found.replayed) == ("loss", False)
    assert [event.detail["part"] for event in record.run().events] == ["replay"]
