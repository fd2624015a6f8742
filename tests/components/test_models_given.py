"""Models that come from elsewhere: torchvision's and the user's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models import build_model
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Model

ADAPTER: TypeAdapter[Any] = TypeAdapter(Model)

USER_CODE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden, info):
        super().__init__()
        self.body = nn.Linear(info.input_shape[0], hidden)
        self.head = nn.Linear(hidden, info.outputs)
    def forward(self, x):
        return self.head(self.body(x))

def plain():
    return nn.Linear(4, 3)

def number():
    return 3

def broken(info):
    raise ValueError("no luck")
"""


def build(keys: Mapping[str, object], info: DataInfo, folder: Path = Path()) -> nn.Module:
    return build_model(ADAPTER.validate_python(keys), info, folder=folder)


def images(channels: int, side: int) -> DataInfo:
    return DataInfo("classification", (channels, side, side), 7, {"train": 100})


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5", "squeezenet1_1", "mobilenet_v3_small"])
@pytest.mark.parametrize("channels", [1, 3])
def test_torchvision_network_is_fitted_to_channels_and_classes(name: str, channels: int) -> None:
    model = build({"name": "torchvision", "architecture": name}, images(channels, 32))
    assert model(torch.randn(2, channels, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_classifiers_are_left_out(name: str) -> None:
    with torch.device("meta"):
        model = build({"name": "torchvision", "architecture": name}, images(3, 96))
        assert model.train()(torch.randn(2, 3, 96, 96)).shape == (2, 7)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_dropout_precedes_the_head(name: str) -> None:
    plain, dropped = (
        build({"name": "torchvision", "architecture": name, "dropout": rate}, images(1, 32)).eval()
        for rate in (0.0, 0.9)
    )
    assert list(plain.state_dict()) == list(dropped.state_dict())
    x = torch.randn(1, 1, 32, 32)
    torch.testing.assert_close(dropped(x), dropped(x))
    for module in dropped.modules():  # batch statistics would hide the dropout's effect
        module.training = not isinstance(module, nn.BatchNorm2d)
    assert not torch.equal(dropped(x), dropped(x))


def test_vision_transformer_takes_the_size_of_the_images() -> None:
    with torch.device("meta"):
        model = build({"name": "torchvision", "architecture": "vit_b_16"}, images(3, 32))
        assert model(torch.randn(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize(
    ("keys", "side", "message"),
    [
        ({"architecture": "resnet19"}, 32, r"model\.architecture = 'resnet19'.*did you mean 'resnet1"),
        ({"architecture": "fcn_resnet50"}, 32, r"no such network"),
        ({"architecture": "alexnet"}, 16, r"'alexnet': images of 16×16 pixels are too small"),
        ({"architecture": "vit_b_16"}, 20, r"'vit_b_16' does not fit images of 20×20"),
    ],
)
def test_what_torchvision_does_not_have_is_refused(keys: dict[str, object], side: int, message: str) -> None:
    with pytest.raises(DlcheckError, match=message), torch.device("meta"):
        build({"name": "torchvision", **keys}, images(3, side))


@pytest.fixture
def user_folder(tmp_path: Path) -> Path:
    (tmp_path / "user_models.py").write_text(USER_CODE)
    return tmp_path


def test_users_model_receives_keys_and_info(user_folder: Path) -> None:
    info = DataInfo("classification", (4,), 3, {"train": 9})
    model = build({"target": "user_models.py:Net", "name": "custom", "hidden": 6}, info, user_folder)
    assert model(torch.randn(2, 4)).shape == (2, 3)
    assert model.get_parameter("body.weight").shape == (6, 4)


def test_users_model_need_not_take_info(user_folder: Path) -> None:
    info = DataInfo("classification", (4,), 3, {"train": 9})
    assert isinstance(build({"name": "custom", "target": "user_models.py:plain"}, info, user_folder), nn.Linear)


@pytest.mark.parametrize(
    ("name", "message"), [("number", r"returned int; valid: a torch\.nn\.Module"), ("broken", "no luck")]
)
def test_users_failures_are_named(user_folder: Path, name: str, message: str) -> None:
    info = DataInfo("classification", (4,), 3, {"train": 9})
    with pytest.raises(DlcheckError, match=message):
        build({"name": "custom", "target": f"user_models.py:{name}"}, info, user_folder)
