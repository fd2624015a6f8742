from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from dlcheck.components.info import DataInfo
from dlcheck.components.initializers import INITIALIZERS, initialize
from dlcheck.components.initializers.lsuv import execution_order, output_variance
from dlcheck.components.models import build_model
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Init, Model
from dlcheck.recipe.override import component_models

INITS: TypeAdapter[Any] = TypeAdapter(Init)
MODELS: TypeAdapter[Any] = TypeAdapter(Model)
TABLE = DataInfo("classification", (300,), 10, {"train": 100})
IMAGES = DataInfo("classification", (3, 8, 8), 10, {"train": 100})
SERIES = DataInfo("classification", (6, 20), 10, {"train": 100})
TEXT = DataInfo("language", (6,), 30, {"train": 100})


def build(keys: Mapping[str, object], info: DataInfo) -> nn.Module:
    return build_model(MODELS.validate_python(keys), info, folder=Path())


def apply(model: nn.Module, keys: Mapping[str, object], info: DataInfo, only: nn.Module | None = None) -> None:
    sample = torch.randint(30, (8, *info.input_shape)) if info is TEXT else torch.randn(8, *info.input_shape)
    initialize(model, INITS.validate_python(keys), sample=(sample,), folder=Path(), only=only)


def wide_mlp(activation: str = "relu") -> nn.Module:
    return build({"name": "mlp", "hidden": [500], "activation": activation}, TABLE)


def first_weight(model: nn.Module) -> Tensor:
    return model.get_parameter("body.layer1.linear.weight").detach()


def test_every_initialisation_of_the_schema_has_a_function() -> None:
    assert set(component_models("init").values()) == INITIALIZERS.sections()


@pytest.mark.parametrize(
    ("keys", "std"),
    [
        ({"name": "normal", "std": 0.03}, 0.03),
        ({"name": "uniform", "std": 0.03}, 0.03),
        ({"name": "lecun"}, sqrt(1 / 300)),
        ({"name": "xavier"}, sqrt(2 / 800)),
        ({"name": "xavier", "distribution": "uniform"}, sqrt(2 / 800)),
        ({"name": "he"}, sqrt(2 / 300)),
        ({"name": "he", "distribution": "uniform", "gain": 0.5}, 0.5 * sqrt(2 / 300)),
    ],
)
def test_weights_have_the_standard_deviation_of_the_name(keys: dict[str, object], std: float) -> None:
    model = wide_mlp()
    apply(model, keys, TABLE)
    weight = first_weight(model)
    assert weight.std().item() == pytest.approx(std, rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=0.02 * std)
    uniform = "uniform" in keys.values()
    assert (weight.abs().max().item() <= std * sqrt(3) * (1 + 1e-6)) == uniform


@pytest.mark.parametrize(
    ("activation", "gain"),
    [("relu", sqrt(2)), ("leaky_relu", sqrt(2 / 1.0001)), ("tanh", 5 / 3), ("sigmoid", 1.0), ("maxout", 1.0)],
)
def test_he_takes_the_gain_of_the_models_activation(activation: str, gain: float) -> None:
    model = wide_mlp(activation)
    apply(model, {"name": "he"}, TABLE)
    assert first_weight(model).std().item() == pytest.approx(gain / sqrt(300), rel=0.02)


def test_he_keeps_the_second_moment_through_deep_rectifiers() -> None:
    model = build({"name": "mlp", "hidden": [400] * 10}, TABLE)
    apply(model, {"name": "he"}, TABLE)
    seen: list[float] = []
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda m, i, o: seen.append(float(o.detach().square().mean())))
    model(torch.randn(256, 300))
    assert all(0.5 < value / seen[0] < 2 for value in seen[:-1])


def test_kernel_pixels_count_as_inputs() -> None:
    model = build({"name": "cnn", "channels": [64, 64]}, IMAGES)
    apply(model, {"name": "lecun"}, IMAGES)
    weight = model.get_parameter("body.stage2.conv.weight")
    assert weight.std().item() == pytest.approx(sqrt(1 / (64 * 9)), rel=0.03)


@pytest.mark.parametrize(("keys", "value"), [({"name": "zeros"}, 0.0), ({"name": "constant", "value": 0.2}, 0.2)])
def test_constants_are_everywhere_but_in_norms(keys: dict[str, object], value: float) -> None:
    model = build({"name": "cnn", "norm": "layer"}, IMAGES)
    apply(model, {**keys, "bias": 0.7}, IMAGES)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            torch.testing.assert_close(module.weight, torch.full_like(module.weight, value))
            bias = module.get_parameter("bias")
            torch.testing.assert_close(bias, torch.full_like(bias, 0.7))
        if isinstance(module, nn.GroupNorm):
            assert bool((module.weight == 1).all())


@pytest.mark.parametrize(("name", "changed"), [("normal", True), ("zeros", True), ("he", False), ("orthogonal", False)])
def test_embeddings_change_where_one_law_holds_for_all(name: str, changed: bool) -> None:
    model = build({"name": "gru"}, TEXT)
    before = model.get_parameter("embedding.weight").detach().clone()
    apply(model, {"name": name}, TEXT)
    assert torch.equal(before, model.get_parameter("embedding.weight")) != changed


@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_orthogonal_rows(gain: float) -> None:
    model = build({"name": "mlp", "hidden": [50]}, TABLE)
    apply(model, {"name": "orthogonal", "gain": gain}, TABLE)
    weight = first_weight(model)
    torch.testing.assert_close(weight @ weight.T, gain**2 * torch.eye(50), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_each_gate_is_orthogonal_by_itself(cell: str, gates: int) -> None:
    model = build({"name": cell, "hidden": 16}, SERIES)
    apply(model, {"name": "orthogonal"}, SERIES)
    for gate in model.get_parameter("recurrent.weight_hh_l0").detach().chunk(gates):
        torch.testing.assert_close(gate @ gate.T, torch.eye(16), rtol=0, atol=1e-5)


def test_fan_of_a_gate_is_its_own() -> None:
    model = build({"name": "lstm", "hidden": 200}, SERIES)
    apply(model, {"name": "xavier"}, SERIES)
    weight = model.get_parameter("recurrent.weight_hh_l0")
    assert weight.std().item() == pytest.approx(sqrt(2 / 400), rel=0.02)


def test_identity_keeps_the_hidden_state() -> None:
    model = build({"name": "rnn", "hidden": 16}, SERIES)
    apply(model, {"name": "identity"}, SERIES)
    torch.testing.assert_close(model.get_parameter("recurrent.weight_hh_l0").detach(), torch.eye(16))
    outer = model.get_parameter("recurrent.weight_ih_l0").detach()
    torch.testing.assert_close(outer @ outer.T, torch.eye(16), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["default", "orthogonal"])
def test_forget_gates_start_open(name: str) -> None:
    model = build({"name": "lstm", "hidden": 8, "layers": 2}, SERIES)
    apply(model, {"name": name, "forget_bias": 1.0}, SERIES)
    for layer in ("l0", "l1"):
        total = model.get_parameter(f"recurrent.bias_ih_{layer}") + model.get_parameter(f"recurrent.bias_hh_{layer}")
        assert bool((total[8:16] == 1).all())
        assert not bool((total[:8] == 1).any())


def test_default_changes_nothing() -> None:
    model = wide_mlp()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    apply(model, {"name": "default"}, TABLE)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("keys", "info"),
    [
        ({"name": "mlp", "activation": "tanh", "hidden": [64, 64, 64]}, TABLE),
        ({"name": "resnet", "norm": "none", "dropout": 0.5}, IMAGES),
    ],
)
def test_lsuv_gives_every_layer_unit_variance(keys: dict[str, object], info: DataInfo) -> None:
    model = build(keys, info)
    sample = (torch.randn(32, *info.input_shape),)
    section = INITS.validate_python({"name": "lsuv", "tolerance": 0.02})
    initialize(model, section, sample=sample, folder=Path())
    assert model.training
    model.eval()
    variances = [output_variance(layer, model, sample) for layer in execution_order(model, sample)]
    assert len(variances) >= 4
    assert all(abs(variance - 1) < 0.02 for variance in variances)


def test_layers_are_taken_in_the_order_in_which_they_run() -> None:
    class Reversed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(3, 2)
            self.first = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.last(self.first(x))
            return y

    model = Reversed()
    assert execution_order(model, (torch.randn(2, 4),)) == [model.first, model.last]


@pytest.mark.parametrize("name", ["he", "lsuv", "zeros"])
def test_only_the_head_changes_when_the_body_is_trained(name: str) -> None:
    model = build({"name": "cnn"}, IMAGES)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    apply(model, {"name": name}, IMAGES, only=model.get_submodule("head"))
    changed = [key for key, value in model.state_dict().items() if not torch.equal(value, before[key])]
    assert sorted(changed) == ["head.bias", "head.weight"]


def test_weight_normalised_layers_take_the_same_law() -> None:
    model = build({"name": "mlp", "hidden": [500], "norm": "weight"}, TABLE)
    apply(model, {"name": "normal", "std": 0.05}, TABLE)
    weight: Tensor = model.get_submodule("body.layer1.linear").weight  # type: ignore[assignment]
    assert weight.std().item() == pytest.approx(0.05, rel=0.02)
    with pytest.raises(DlcheckError, match=r'model\.norm = "weight"'):
        apply(model, {"name": "zeros"}, TABLE)


def test_attention_matrices_are_drawn_one_by_one() -> None:
    model = nn.MultiheadAttention(64, 4)
    section = INITS.validate_python({"name": "orthogonal"})
    initialize(model, section, sample=(), folder=Path())
    for part in model.in_proj_weight.detach().chunk(3):
        torch.testing.assert_close(part @ part.T, torch.eye(64), rtol=0, atol=1e-4)


def test_users_function_is_called_with_the_model_and_its_keys(tmp_path: Path) -> None:
    (tmp_path / "user_init.py").write_text("def set_bias(model, value):\n    model.head.bias.data.fill_(value)\n")
    model = wide_mlp()
    section = INITS.validate_python({"name": "custom", "target": "user_init.py:set_bias", "value": 0.3})
    initialize(model, section, sample=(), folder=tmp_path)
    assert bool((model.get_parameter("head.bias") == 0.3).all())
