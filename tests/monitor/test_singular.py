"""Operations behind the model whose derivative is infinite at a finite value."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dlcheck.monitor.detection import Origin
from dlcheck.monitor.monitor import Monitor
from dlcheck.monitor.record import Record
from dlcheck.monitor.singular import Singular
from dlcheck.runs.facts import NonFinite, fact


def origin(loss_of: Callable[[Tensor], Tensor], output: Tensor) -> Origin | None:
    """Return what is found of a loss after its backward pass, and check that its gradient says the same."""
    output = output.clone().requires_grad_()
    loss = loss_of(output)
    seen = Singular()
    seen.look(loss, [])
    loss.backward()  # type: ignore[no-untyped-call]
    found = seen.origin(len(output))
    assert output.grad is not None
    assert (found is None) == bool(output.grad.isfinite().all())
    seen.clear()
    assert seen.origin(len(output)) is None
    return found


ROWS = torch.tensor([[1.0, 2.0], [0.0, 0.0], [3.0, 1.0], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("loss_of", "operation", "undefined"),
    [
        pytest.param(lambda x: x.square().sum(1).sqrt().mean(), "sqrt", "square root at 0", id="root"),
        pytest.param(lambda x: torch.where(x > 0, x.log(), 0).mean(), "log", "logarithm of 0", id="masked logarithm"),
        pytest.param(lambda x: torch.where(x > 0, 1 / x, 0).mean(), "reciprocal", "division by 0", id="masked inverse"),
        pytest.param(lambda x: torch.where(x > 0, (2 * x) / x, 0).mean(), "div", "0/0", id="masked quotient"),
        pytest.param(lambda x: (x.abs() ** 0.5).mean(), "pow", "power below 1 at 0", id="power"),
        pytest.param(lambda x: (1 - x / 3).acos().mean(), "acos", "slope of an arc at 1", id="arc"),
    ],
)
def test_the_operation_and_its_rows(loss_of: Callable[[Tensor], Tensor], operation: str, undefined: str) -> None:
    found = origin(loss_of, ROWS)
    assert found is not None
    assert (found.operation, found.undefined, found.backward) == (operation, undefined, True)
    assert operation == "acos" or found.rows == (1,)


@pytest.mark.parametrize(
    "loss_of",
    [
        pytest.param(lambda x: (x.square().sum(1) + 1e-8).sqrt().mean(), id="root with a small number"),
        pytest.param(lambda x: (x - 1).clamp(min=0).sqrt().mean(), id="root of a number kept from below"),
        pytest.param(lambda x: torch.where(x > 0, x, 1).log().mean(), id="logarithm of a number put in its place"),
        pytest.param(lambda x: x.norm(dim=1).mean(), id="norm"),
        pytest.param(lambda x: torch.linalg.vector_norm(x, dim=1).mean(), id="vector norm"),
        pytest.param(lambda x: torch.cdist(x, x).mean(), id="distances"),
        pytest.param(lambda x: x.std(1).mean(), id="deviation of equal numbers"),
        pytest.param(lambda x: (x**2).mean() / 4, id="square"),
        pytest.param(lambda x: functional.mse_loss(x, torch.zeros_like(x)), id="squared distance"),
        pytest.param(lambda x: functional.cross_entropy(x, torch.tensor([0, 1, 0, 1])), id="cross-entropy"),
        pytest.param(lambda x: functional.cosine_similarity(x, x + 1).mean(), id="cosine"),
    ],
)
def test_what_is_finite_is_not_found(loss_of: Callable[[Tensor], Tensor]) -> None:
    assert origin(loss_of, ROWS) is None


def test_a_place_is_found_again_in_the_next_graph_and_left_alone_in_another() -> None:
    seen = Singular()
    x = ROWS.clone().requires_grad_()
    seen.look((x + 1).square().sum(1).sqrt().mean(), [])
    assert seen.origin(4) is None
    seen.clear()
    seen.look(x.square().sum(1).sqrt().mean(), None)
    found = seen.origin(4)
    assert found is not None
    assert found.values == (0.0,)
    seen.clear()
    seen.look(x.square().sum(1).mean(), None)
    seen.look(x.sum(), None)
    assert seen.origin(4) is None


def test_what_a_model_does_itself_is_left_to_the_replay() -> None:
    seen = Singular()
    x = ROWS.clone().requires_grad_()
    begun = torch._C._autograd._get_sequence_nr()
    inside = x.square().sum(1).sqrt()
    ended = torch._C._autograd._get_sequence_nr()
    seen.look(inside.mean(), [(begun, ended)])
    assert seen.origin(4) is None


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_a_step_whose_loss_is_finite_and_whose_gradient_is_not(steps: int) -> None:
    torch.manual_seed(0)
    model, record = nn.Linear(4, 3), Record()
    monitor = Monitor(record)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    monitor.add_model(model)
    monitor.add_optimizer(optimizer)
    x = torch.randn(6, 4)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        apart = 1.0 if step < steps else torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])[:, None]
        loss = ((model(x) - model(x + 1)) * apart).square().sum(1).sqrt().mean()
        monitor.loss(loss)
        loss.backward()
        monitor.backward_ended()
        optimizer.step()
    monitor.close()
    assert record.run().events == ()
    found = fact(record.run(), NonFinite)
    assert found is not None
    assert (found.step, found.kind, found.operation, found.undefined) == (steps, "gradient", "sqrt", "square root at 0")
    assert found.rows == (2,)
    assert found.values == (0.0,)
