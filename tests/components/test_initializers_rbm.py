from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from dlcheck.components.info import DataInfo
from dlcheck.components.initializers import initialize
from dlcheck.components.initializers.rbm import Rbm
from dlcheck.components.models import build_model
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Model, RbmInit

MODELS: TypeAdapter[Any] = TypeAdapter(Model)
INFO = DataInfo("classification", (24,), 4, {"train": 400})


def stripes(count: int = 400) -> Tensor:
    """Four patterns of 24 binary pixels, each pixel flipped one time in twenty."""
    patterns = (torch.arange(24)[None] // torch.tensor([[1], [2], [3], [6]])) % 2
    chosen = patterns[torch.arange(count) % 4].float()
    return (chosen - (torch.rand_like(chosen) < 0.05).float()).abs()


def build(keys: Mapping[str, object], info: DataInfo = INFO) -> nn.Module:
    return build_model(MODELS.validate_python(keys), info, folder=Path())


def pretrain(model: nn.Module, x: Tensor, **keys: Any) -> None:
    section = RbmInit(name="rbm", **keys)
    initialize(model, section, sample=(x[:32],), train_inputs=x.split(100), folder=Path())  # type: ignore[no-untyped-call]


def missed(machine: Rbm, x: Tensor) -> float:
    """Mean squared difference between inputs and what comes back from the hidden units."""
    return float((x - machine.visible(machine.hidden(x))).square().mean())


def test_reconstruction_error_falls_far_below_that_of_the_mean() -> None:
    x = stripes()
    machine = Rbm(24, 16, torch.device("cpu"))
    before = missed(machine, x)
    machine.fit(x, RbmInit(name="rbm", epochs=40, lr=0.2, batch_size=32))
    assert before == pytest.approx(0.25, abs=0.01)
    assert missed(machine, x) < 0.3 * float(x.var(dim=0).mean())


def test_step_is_the_difference_of_data_and_fantasy_correlations() -> None:
    machine = Rbm(3, 2, torch.device("cpu"))
    machine.weight.zero_()
    machine.hidden_bias.fill_(50.0)  # hidden units are on, whatever is sampled
    machine.step(torch.tensor([[1.0, 0.0, 1.0]]), lr=0.1)
    torch.testing.assert_close(machine.weight, torch.tensor([[0.05, -0.05, 0.05]]).expand(2, 3))
    torch.testing.assert_close(machine.visible_bias, torch.tensor([0.05, -0.05, 0.05]))
    torch.testing.assert_close(machine.hidden_bias, torch.tensor([50.0, 50.0]))


def test_scaling_of_the_inputs_is_folded_into_the_first_layer() -> None:
    x = stripes()
    standardised = (x - 0.5) * 4 + 1
    keys = {"name": "mlp", "hidden": [10, 6], "activation": "sigmoid"}
    plain, scaled = build(keys), build(keys)
    for model, data in ((plain, x), (scaled, standardised)):
        torch.manual_seed(3)
        pretrain(model, data, epochs=5)
    plain.head, scaled.head = nn.Identity(), nn.Identity()
    torch.testing.assert_close(plain(x), scaled(standardised), rtol=1e-3, atol=1e-4)


def test_hidden_layers_change_and_the_head_does_not() -> None:
    model = build({"name": "mlp", "hidden": [10, 6], "activation": "sigmoid"})
    before = {key: value.clone() for key, value in model.state_dict().items()}
    pretrain(model, stripes(), epochs=1)
    same = [key for key, value in model.state_dict().items() if torch.equal(value, before[key])]
    assert sorted(same) == ["head.bias", "head.weight"]


def test_constant_columns_do_no_harm() -> None:
    x = stripes()
    x[:, 3] = 7.0
    model = build({"name": "mlp", "hidden": [10], "activation": "sigmoid"})
    pretrain(model, x, epochs=1)
    assert bool(model(x).isfinite().all())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"name": "lstm"}, r'valid with model\.name = "mlp" only'),
        ({"name": "mlp", "activation": "maxout"}, "maxout"),
        ({"name": "mlp", "hidden": []}, r"model\.hidden is empty"),
    ],
)
def test_models_without_sigmoid_layers_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(DlcheckError, match=message):
        pretrain(build(keys), stripes())


def test_trained_weights_are_not_overwritten() -> None:
    model = build({"name": "mlp"})
    with pytest.raises(DlcheckError, match=r"model\.weights"):
        initialize(model, RbmInit(name="rbm"), sample=(stripes(),), folder=Path(), only=model.get_submodule("head"))
