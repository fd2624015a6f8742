from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models import build_model
from dlcheck.components.transfer import load_weights
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Model

ADAPTER: TypeAdapter[Any] = TypeAdapter(Model)


def images(channels: int = 3, outputs: int = 5, side: int = 32) -> DataInfo:
    return DataInfo("classification", (channels, side, side), outputs, {"train": 100})


def build(info: DataInfo, **keys: object) -> nn.Module:
    given = keys if "name" in keys else {"name": "cnn", "channels": [4, 6], **keys}
    return build_model(ADAPTER.validate_python(given), info, folder=Path())


def load(model: nn.Module, weights: Path | str, **keys: object) -> None:
    load_weights(model, ADAPTER.validate_python({"name": "cnn", "weights": str(weights), **keys}))


def body(model: nn.Module) -> dict[str, Tensor]:
    return {name: value for name, value in model.state_dict().items() if not name.startswith("head")}


@pytest.mark.parametrize("form", ["bare", "checkpoint", "compiled"])
def test_checkpoint_is_loaded_whole(tmp_path: Path, form: str) -> None:
    trained, model = build(images(), norm="batch"), build(images(), norm="batch")
    trained(torch.randn(4, 3, 32, 32))
    state: dict[str, Any] = trained.state_dict()
    if form == "checkpoint":
        state = {"model": state, "epoch": 3}
    if form == "compiled":
        state = {f"_orig_mod.{name}": value for name, value in state.items()}
    torch.save(state, tmp_path / "w.pt")
    load(model, tmp_path / "w.pt")
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.eval()(x), trained.eval()(x))


def test_head_for_other_classes_stays_fresh(tmp_path: Path) -> None:
    trained, model = build(images(outputs=9)), build(images(outputs=5))
    fresh = model.get_parameter("head.weight").detach().clone()
    torch.save(trained.state_dict(), tmp_path / "w.pt")
    load(model, tmp_path / "w.pt")
    assert torch.equal(model.get_parameter("head.weight"), fresh)
    assert all(torch.equal(value, body(trained)[name]) for name, value in body(model).items())


@pytest.mark.parametrize("channels", [1, 4])
def test_equal_channels_give_the_same_features_as_before(tmp_path: Path, channels: int) -> None:
    trained, model = build(images(3)), build(images(channels))
    torch.save(trained.state_dict(), tmp_path / "w.pt")
    load(model, tmp_path / "w.pt")
    gray = torch.randn(2, 1, 32, 32)
    seen = (network.get_submodule("body")(gray.expand(-1, count, -1, -1))
            for network, count in ((trained, 3), (model, channels)))  # fmt: skip
    torch.testing.assert_close(*seen, rtol=1e-4, atol=1e-5)


def test_without_weights_nothing_changes() -> None:
    model = build(images())
    before = body(model)["body.stage1.conv.weight"].clone()
    load_weights(model, ADAPTER.validate_python({"name": "cnn"}))
    assert torch.equal(body(model)["body.stage1.conv.weight"], before)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DlcheckError, match=r"model\.weights = .*none\.pt.*no such file"):
        load(build(images()), tmp_path / "none.pt")


class Dangerous:
    """An object that a safe reader must not bring to life."""


@pytest.mark.parametrize("content", ["garbage", "object", "list", "empty"])
def test_unreadable_file_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "w.pt"
    if content == "garbage":
        path.write_bytes(b"no weights at all")
    elif content == "empty":
        path.write_bytes(b"")
    else:
        torch.save(Dangerous() if content == "object" else [torch.ones(2)], path)
    with pytest.raises(DlcheckError, match=r"model\.weights = ") as caught:
        load(build(images()), path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("channels", "message"),
    [([4], "lacks body.stage2"), ([4, 7], r"body\.stage2\.conv\.weight has the shape \(7, 4, 3, 3\).*\(6, 4, 3, 3\)")],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, channels: list[int], message: str) -> None:
    torch.save(build(images(), channels=channels, hidden=[]).state_dict(), tmp_path / "w.pt")
    with pytest.raises(DlcheckError, match=message):
        load(build(images(), hidden=[]), tmp_path / "w.pt")


def test_names_without_a_match_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "w.pt")
    with pytest.raises(DlcheckError, match="no name in it is one of this model"):
        load(build(images()), tmp_path / "w.pt")


TORCHVISION = {"name": "torchvision", "architecture": "squeezenet1_1"}


def test_torchvisions_weights_come_from_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import (  # type: ignore[import-untyped]
        SqueezeNet1_1_Weights,
        squeezenet1_1,
    )

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    published = squeezenet1_1()
    place = tmp_path / "hub" / "checkpoints" / Path(SqueezeNet1_1_Weights.DEFAULT.url).name
    place.parent.mkdir(parents=True)
    torch.save(published.state_dict(), place)
    model = build(images(1), **TORCHVISION)
    load(model, "DEFAULT", **TORCHVISION)
    kernels = published.get_parameter("features.0.weight").sum(dim=1, keepdim=True)
    torch.testing.assert_close(model.get_parameter("features.0.weight"), kernels)
    theirs, ours = (network.get_parameter("features.12.expand3x3.weight") for network in (published, model))
    assert torch.equal(theirs, ours)


def test_failed_download_says_which_file_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    with pytest.raises(DlcheckError, match=r"no route to host.*squeezenet1_1-\w+\.pth at .*checkpoints") as caught:
        load(build(images(), **TORCHVISION), "DEFAULT", **TORCHVISION)
    assert str(tmp_path) in str(caught.value)


def test_unknown_name_of_weights_is_refused() -> None:
    with pytest.raises(DlcheckError, match=r'model\.weights = "IMAGENET1K_V9".*IMAGENET1K_V1'):
        load(build(images(), **TORCHVISION), "IMAGENET1K_V9", **TORCHVISION)
