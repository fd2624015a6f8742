from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models import build_model
from dlcheck.components.transfer import apply_transfer, freeze_modes, model_parts, transfer_advice
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Mlp, Model

ADAPTER: TypeAdapter[Any] = TypeAdapter(Model)
IMAGES = DataInfo("classification", (3, 32, 32), 5, {"train": 100})


def section_of(keys: Mapping[str, object]) -> Any:
    return ADAPTER.validate_python(keys)


def build(keys: Mapping[str, object], info: DataInfo = IMAGES) -> nn.Module:
    return build_model(section_of(keys), info, folder=Path())


def stage_names(model: nn.Module) -> list[str]:
    return [name for name, _ in model_parts(model).stages]


@pytest.mark.parametrize(
    ("keys", "stages", "head"),
    [
        ({"name": "mlp"}, ["body.layer1", "body.layer2"], "head"),
        ({"name": "mlp", "hidden": []}, [], "head"),
        ({"name": "lenet5"}, ["body.conv1", "body.conv2", "body.layer1", "body.layer2"], "head"),
        ({"name": "resnet", "blocks": [1, 1]}, ["body.stem", "body.stage1.block1", "body.stage2.block1"], "head"),
        ({"name": "transformer", "layers": 2}, ["embedding", "blocks.block1", "blocks.block2"], "head"),
        ({"name": "nin", "width": 0.1}, [f"body.block{i}.conv{j}" for i in (1, 2, 3) for j in (1, 2, 3)][:-1],
         "head.conv"),
    ],
)  # fmt: skip
def test_our_networks_come_apart_into_stages(keys: dict[str, object], stages: list[str], head: str) -> None:
    model = build(keys)
    assert stage_names(model) == stages
    assert model_parts(model).head[0] == head


@pytest.mark.parametrize(
    ("name", "count", "head"),
    [("alexnet", 7, "classifier.6"), ("vgg11_bn", 10, "classifier.6"), ("resnet18", 9, "fc"),
     ("vit_b_32", 13, "heads.head"), ("squeezenet1_1", 9, "classifier.1"), ("swin_t", 16, "head")],
)  # fmt: skip
def test_torchvisions_networks_come_apart_too(name: str, count: int, head: str) -> None:
    with torch.device("meta"):
        model = build(
            {"name": "torchvision", "architecture": name},
            DataInfo("classification", (3, 224, 224), 5, {"train": 100}),
        )
    parts = model_parts(model)
    assert (len(parts.stages), parts.head[0]) == (count, head)


@pytest.mark.parametrize("name", ["cnn", "resnet", "densenet", "lstm", "mlp"])
def test_parts_hold_every_parameter_once(name: str) -> None:
    model = build({"name": name})
    parts = model_parts(model)
    held = [p for _, part in [*parts.stages, parts.head] for p in part.parameters()]
    assert len(held) == len(set(held))
    assert set(held) == set(model.parameters())


def test_norm_goes_with_the_layer_before_it() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    assert stage_names(model) == ["0"]
    assert sum(1 for _ in model_parts(model).stages[0][1].parameters()) == 4


def test_wrapped_network_comes_apart_like_the_network() -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = build({"name": "mlp"})

    assert stage_names(Wrapper()) == ["network.body.layer1", "network.body.layer2"]


def test_model_without_parameters_is_refused() -> None:
    with pytest.raises(DlcheckError, match="no parameters"):
        model_parts(nn.ReLU())


@pytest.mark.parametrize(
    ("stages", "learning"),
    [("all", {"layer1", "layer2", "layer3", "head"}), ("head", {"head"}), (1, {"layer3", "head"}),
     (3, {"layer1", "layer2", "layer3", "head"})],
)  # fmt: skip
def test_last_stages_learn_and_the_others_are_frozen(stages: Literal["all", "head"] | int, learning: set[str]) -> None:
    section = Mlp(name="mlp", hidden=[8, 8, 8], train_stages=stages, body_lr_factor=0.1)
    model = build_model(section, IMAGES, folder=Path())
    factors = apply_transfer(model, section)
    unfrozen = {name.split(".")[-3] if "body" in name else "head"
                for name, p in model.named_parameters() if p.requires_grad}  # fmt: skip
    assert unfrozen == learning
    assert {name: 1.0 if name.startswith("head") else 0.1 for name, _ in model.named_parameters()} == factors


def test_frozen_layers_can_learn_again() -> None:
    model = build({"name": "mlp"})
    apply_transfer(model, section_of({"name": "mlp", "train_stages": "head"}))
    apply_transfer(model, section_of({"name": "mlp", "train_stages": "all"}))
    assert all(p.requires_grad for p in model.parameters())


def test_too_many_stages_are_refused_with_their_number() -> None:
    section = section_of({"name": "mlp", "train_stages": 3})
    with pytest.raises(DlcheckError, match=r"model\.train_stages = 3: this network has 2 stages"):
        apply_transfer(build({"name": "mlp"}), section)


@pytest.mark.parametrize("norm", ["batch", "decorrelated"])
def test_frozen_batch_norm_keeps_its_statistics(norm: str) -> None:
    keys = {"name": "cnn", "norm": norm, "channels": [4, 4], "train_stages": 2}
    model = build(keys)
    apply_transfer(model, section_of(keys))
    frozen, learning = (model.get_buffer(f"body.stage{i}.norm.running_mean") for i in (1, 2))
    before = frozen.clone(), learning.clone()
    model.train()
    freeze_modes(model)
    model(torch.randn(4, 3, 32, 32))
    assert torch.equal(frozen, before[0])
    assert not torch.equal(learning, before[1])


def info(per_class: int) -> DataInfo:
    return DataInfo("classification", (3, 32, 32), 5, {"train": 5 * per_class}, class_counts=(per_class,) * 5)


@pytest.mark.parametrize(
    ("per_class", "source", "stages", "factor", "agrees"),
    [
        (100, "similar", "head", 1.0, True),
        (100, "similar", "all", 0.1, False),
        (100, "different", 2, 1.0, True),
        (100, "different", "head", 1.0, False),
        (5000, "similar", "all", 0.1, True),
        (5000, "similar", "all", 1.0, False),
        (5000, "different", "all", 1.0, True),
        (5000, "different", "head", 1.0, False),
    ],
)
def test_advice_of_the_four_cases(
    per_class: int,
    source: Literal["similar", "different"],
    stages: Literal["all", "head"] | int,
    factor: float,
    agrees: bool,
) -> None:
    section = Mlp(name="mlp", weights="w.pt", source=source, train_stages=stages, body_lr_factor=factor)
    advice = transfer_advice(section, info(per_class))
    assert advice is not None
    assert advice.agrees == agrees
    assert ("little" if per_class == 100 else "much") in advice.case
    assert source in advice.case


def test_unknown_source_gets_both_answers() -> None:
    advice = transfer_advice(Mlp(name="mlp", weights="w.pt", train_stages="head"), info(100))
    assert advice is not None
    assert 'train_stages = "head"' in advice.advice
    assert "train_stages = 2" in advice.advice
    assert advice.agrees


def test_no_advice_without_trained_weights() -> None:
    assert transfer_advice(Mlp(name="mlp"), info(100)) is None
