"""Each fault and each style can be planted, changes only its plan, and is the same for the same seed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from dlcheck.rules.registry import all_rules
from tests.benchmarks.faults.loop import Training
from tests.benchmarks.faults.plan import Data, Plan
from tests.benchmarks.faults.plants import FAULTS
from tests.benchmarks.faults.plants.kinds import WEIGHTED
from tests.benchmarks.faults.styles import STYLES

STOPPED = {"labels-from-one", "logits-into-bce", "detached-loss", "everything-frozen", "batch-norm-of-one"}
"""PyTorch refuses these itself."""


def _data(task: str, *shape: int, outputs: int) -> Data:
    x, x_val = torch.randn(50, *shape), torch.randn(25, *shape)
    flat = torch.cat([x, x_val]).flatten(1)
    if task == "classes":
        y = (flat[:, :outputs]).argmax(1)
    else:
        y = flat[:, :1] + flat[:, 1:2]
        y = (y > 0).float() if task == "binary" else y
    return Data(task, x, y[:50], x_val, y[50:], task, outputs if task == "classes" else 0)


def _classes() -> Plan:
    model = nn.Sequential(
        *(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 8), nn.ReLU()),
        nn.Linear(8, 3),
    )
    return _plan(_data("classes", 6, outputs=3), model, nn.CrossEntropyLoss(), torch.optim.AdamW)


def _numbers() -> Plan:
    layers = [nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)]
    return _plan(
        _data("numbers", 6, outputs=1),
        nn.Sequential(*layers),
        nn.MSELoss(),
        lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9),
    )


def _binary() -> Plan:
    model = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 1))
    return _plan(_data("binary", 6, outputs=1), model, nn.BCEWithLogitsLoss(), torch.optim.RMSprop)


def _images() -> Plan:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4 * 4, 3))
    return _plan(_data("classes", 1, 6, 6, outputs=3), model, nn.CrossEntropyLoss(), torch.optim.Adam)


def _plan(data: Data, model: nn.Module, loss: Any, optimizer: Any) -> Plan:
    return Plan(data, model, loss, optimizer, 1e-2, batch=16, epochs=9, seed=3)


PLANS: dict[str, Callable[[], Plan]] = {
    "classes": _classes,
    "numbers": _numbers,
    "binary": _binary,
    "images": _images,
}
CHANGES: dict[str, Any] = {f"fault {name}": fault for name, fault in FAULTS.items()} | {
    f"style {name}": style for name, style in STYLES.items()
}


def _made(kind: str) -> Plan:
    torch.manual_seed(0)
    return PLANS[kind]()


def _do(change: Any, plan: Plan) -> str | None:
    where: str | None = change.plant(plan) if hasattr(change, "plant") else change.apply(plan)
    return where


def _tensors(plan: Plan) -> list[torch.Tensor]:
    data = plan.data
    order = [] if plan.order is None else [plan.order(data)]
    return [data.x, data.y, data.x_val, data.y_val, *plan.model.state_dict().values(), *order]


def _settings(plan: Plan) -> list[Any]:
    kept = {name: value for name, value in vars(plan).items() if isinstance(value, int | float | bool | str | dict)}
    return [kept, repr(plan.model)]


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_leaves_data_and_random_numbers_alone_and_repeats(name: str) -> None:
    fitting = [kind for kind in PLANS if CHANGES[name].fits(_made(kind))]
    assert fitting
    for kind in fitting:
        again = _made(kind)
        place = _do(CHANGES[name], again)
        plan = _made(kind)
        data, random = plan.data, torch.get_rng_state()
        before = [one.clone() for one in (data.x, data.y, data.x_val, data.y_val)]
        where = _do(CHANGES[name], plan)
        assert torch.equal(torch.get_rng_state(), random)
        assert _same(before, [data.x, data.y, data.x_val, data.y_val])
        assert where is None or where in dict(plan.model.named_modules())
        assert place == where
        assert _settings(again) == _settings(plan)
        assert _same(_tensors(again), _tensors(plan))


def _same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(one.nan_to_num(7e7), other.nan_to_num(7e7)) for one, other in pairs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CHANGES)
def test_it_trains_or_is_refused_by_pytorch(name: str) -> None:
    plan = next(plan for kind in PLANS if CHANGES[name].fits(plan := _made(kind)))
    clean = plan.data
    _do(CHANGES[name], plan)
    plan.epochs = min(plan.epochs, 2)
    training = Training(plan, clean)
    if name.removeprefix("fault ") in STOPPED:
        with pytest.raises((RuntimeError, ValueError, IndexError)):
            training.run()
    else:
        assert training.run().steps > 0


@pytest.mark.parametrize("kind", PLANS)
def test_a_plan_that_a_fault_does_not_fit_is_left_as_it_was(kind: str) -> None:
    plan = _made(kind)
    strangers = [fault for fault in FAULTS.values() if not fault.fits(plan)]
    assert strangers
    for fault in strangers:
        fields = dict(vars(plan))
        before = [one.clone() for one in _tensors(plan)]
        with pytest.raises(ValueError, match="does not fit"):
            fault.plant(plan)
        assert all(vars(plan)[key] is value for key, value in fields.items())
        assert _same(before, _tensors(plan))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_rules_that_exist(name: str) -> None:
    fault = FAULTS[name]
    assert fault.codes
    assert fault.codes | fault.alternatives <= set(all_rules())
    assert not fault.codes & fault.alternatives
    assert fault.seen
    assert fault.seen <= {"log", "live", "check"}
    assert fault.origin
    assert fault.summary.endswith(".")
    assert "\n" not in fault.summary


@pytest.mark.parametrize("kind", PLANS)
def test_the_score_gets_samples_on_the_scale_that_training_had(kind: str) -> None:
    clean = _made(kind).data
    rescaling = [fault for fault in FAULTS.values() if fault.clean(clean) is not clean]
    assert len(rescaling) >= 3
    for fault in rescaling:
        if fault.fits(plan := _made(kind)):
            fault.plant(plan)
            ready = fault.clean(clean)
            assert torch.equal(ready.x_val, plan.data.x_val)
            assert torch.equal(ready.y_val, plan.data.y_val)


def test_there_are_faults_of_every_family_and_styles_enough() -> None:
    assert {fault.family for fault in FAULTS.values()} == {"data", "model", "loss", "optimizer", "loop", "schedule"}
    assert len(FAULTS) >= 40
    assert len(STYLES) >= 14
    for name in [*FAULTS, *STYLES]:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert not set(FAULTS) & set(STYLES)


def test_dead_units_are_dead_and_saturated_ones_saturated() -> None:
    plan = _made("images")
    name = FAULTS["dead-relu"].plant(plan)
    layer = plan.model.get_submodule(str(name))
    assert isinstance(layer, WEIGHTED)
    assert layer(plan.data.x).max() < 0
    plan = _made("numbers")
    FAULTS["saturated-tanh"].plant(plan)
    assert isinstance(plan.model, nn.Sequential)
    assert plan.model[:2](plan.data.x).abs().mean() > 0.9


def test_averaged_weights_do_not_touch_training() -> None:
    losses = []
    for style in ("plain", "averaged-weights"):
        plan = _made("images")
        STYLES[style].apply(plan)
        torch.manual_seed(1)
        losses.append(Training(plan, plan.data).run().log)
    assert losses[0] == losses[1]
