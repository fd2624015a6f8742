from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models import build_model
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Model

ADAPTER: TypeAdapter[Any] = TypeAdapter(Model)
CLASSIC = ["lenet5", "alexnet", "zfnet", "vgg", "nin", "googlenet"]
RESIDUAL = ["resnet", "preact_resnet", "senet", "densenet", "resnext"]
STYLED = ["mlp", "cnn", *CLASSIC, *RESIDUAL]
NAMES = [*STYLED, "rnn", "lstm", "gru", "transformer"]


def images(channels: int, side: int, outputs: int = 10) -> DataInfo:
    return DataInfo("classification", (channels, side, side), outputs, {"train": 100})


def build(keys: Mapping[str, object], info: DataInfo) -> nn.Module:
    return build_model(ADAPTER.validate_python(keys), info, folder=Path())


def small(name: str) -> dict[str, object]:
    """Narrow the wide networks: the tests are about structure."""
    return {"name": name, "width": 0.1} if name in ("alexnet", "zfnet", "vgg", "nin", "googlenet") else {"name": name}


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [8, 28, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_images_give_one_score_per_class(name: str, channels: int, side: int) -> None:
    model = build(small(name), images(channels, side))
    assert model(torch.randn(2, channels, side, side)).shape == (2, 10)


@pytest.mark.parametrize("depth", [8, 13, 16, 19])
def test_vgg_has_as_many_weight_layers_as_its_depth(depth: int) -> None:
    model = build({"name": "vgg", "depth": depth, "width": 0.05}, images(3, 32))
    assert sum(isinstance(module, (nn.Conv2d, nn.Linear)) for module in model.modules()) == depth


@pytest.mark.parametrize("name", STYLED)
def test_gradient_reaches_every_parameter(name: str) -> None:
    model = build({**small(name), "norm": "batch", "activation": "tanh"}, images(1, 8))
    model(torch.randn(8, 1, 8, 8)).square().sum().backward()
    assert [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", NAMES)
def test_samples_do_not_see_each_other_in_evaluation(name: str) -> None:
    model = build(small(name), images(1, 8)).eval()
    x = torch.randn(3, 1, 8, 8)
    changed = torch.cat([x[:1], torch.randn(2, 1, 8, 8)])
    torch.testing.assert_close(model(x)[0], model(changed)[0])
    assert not torch.allclose(model(x)[1], model(changed)[1], atol=1e-7)


@pytest.mark.parametrize("name", STYLED)
@pytest.mark.parametrize("activation", ["sigmoid", "elu", "maxout"])
def test_activation_takes_effect(name: str, activation: str) -> None:
    kinds = {"sigmoid": "Sigmoid", "elu": "ELU", "maxout": "Maxout"}
    model = build({**small(name), "activation": activation}, images(1, 8))
    found = [type(module).__name__ for module in model.modules()]
    assert kinds[activation] in found
    assert "ReLU" not in found or name == "senet"  # the squeezing layers have a ReLU of their own
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("name", STYLED[1:])
@pytest.mark.parametrize(
    ("norm", "kinds"),
    [
        ("none", set()),
        ("batch", {"BatchNorm1d", "BatchNorm2d"}),
        ("layer", {"GroupNorm", "LayerNorm"}),
        ("group", {"GroupNorm"}),
        ("instance", {"InstanceNorm2d"}),
        ("weight", {"_WeightNorm"}),
        ("decorrelated", {"DecorrelatedBatchNorm"}),
    ],
)
def test_norm_takes_effect(name: str, norm: str, kinds: set[str]) -> None:
    model = build({**small(name), "norm": norm}, images(1, 8))
    found = {type(module).__name__ for module in model.modules() if "Norm" in type(module).__name__}
    assert found <= kinds
    assert bool(found) == bool(kinds)
    assert model(torch.randn(4, 1, 8, 8)).isfinite().all()


@pytest.mark.parametrize("name", STYLED)
def test_dropout_takes_effect_in_training_only(name: str) -> None:
    model = build({**small(name), "dropout": 0.5, "norm": "none"}, images(1, 8))
    x = torch.randn(2, 1, 8, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    torch.testing.assert_close(model(x), model(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", [*CLASSIC, *RESIDUAL])
def test_width_takes_effect(name: str) -> None:
    narrow, wide = (1, 2) if name in CLASSIC else (8, 16)
    counts = [count(build({"name": name, "width": w * 0.1 if name in CLASSIC else w}, images(1, 8)))
              for w in (narrow, wide)]  # fmt: skip
    assert 2 < counts[1] / counts[0] < 5


@pytest.mark.parametrize("name", STYLED)
def test_nothing_works_in_place(name: str) -> None:
    model = build(small(name), images(1, 8))
    seen: list[tuple[Tensor, Tensor]] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((output, output.detach().clone()))

    for module in model.modules():
        module.register_forward_hook(keep)
    model(torch.randn(2, 1, 8, 8))
    assert seen
    assert all(torch.equal(now, then) for now, then in seen)


@pytest.mark.parametrize(
    ("norm", "kind"),
    [("batch", "BatchNorm1d"), ("layer", "LayerNorm"), ("group", "GroupNorm"), ("weight", "_WeightNorm"),
     ("decorrelated", "DecorrelatedBatchNorm")],
)  # fmt: skip
def test_norm_takes_effect_between_fully_connected_layers(norm: str, kind: str) -> None:
    model = build({"name": "mlp", "norm": norm}, images(1, 8))
    assert sum(type(module).__name__ == kind for module in model.modules()) == 2
    assert model(torch.randn(4, 1, 8, 8)).isfinite().all()


def test_convolutions_before_batch_norm_have_no_bias() -> None:
    model = build({"name": "cnn", "norm": "batch"}, images(1, 8))
    assert all(module.bias is None for module in model.modules() if isinstance(module, nn.Conv2d))


def test_residual_block_adds_its_input() -> None:
    model = build({"name": "resnet", "blocks": [1], "width": 4}, images(1, 8))
    block = model.get_submodule("body.stage1.block1")
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    x = torch.rand(2, 4, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_squeeze_and_excitation_weighs_whole_channels() -> None:
    model = build({"name": "senet", "blocks": [1], "width": 4}, images(1, 8))
    excitation = model.get_submodule("body.stage1.block1.residual.excitation")
    x = torch.rand(2, 4, 8, 8) + 0.1
    ratio = (excitation(x) / x).flatten(2)
    torch.testing.assert_close(ratio, ratio[:, :, :1].expand_as(ratio))
    assert bool(((ratio > 0) & (ratio < 1)).all())


def test_densenet_layer_keeps_all_earlier_channels() -> None:
    model = build({"name": "densenet", "blocks": [2], "width": 4}, images(1, 8))
    layer = model.get_submodule("body.stage1.layer2")
    x = torch.randn(2, 12, 8, 8)
    y = layer(x)
    assert y.shape == (2, 16, 8, 8)
    torch.testing.assert_close(y[:, :12], x)


def test_mlp_without_hidden_layers_is_linear() -> None:
    model = build({"name": "mlp", "hidden": []}, DataInfo("regression", (5,), 1, {"train": 9}))
    a, b = torch.randn(3, 5), torch.randn(3, 5)
    torch.testing.assert_close(model(a + b), model(a) + model(b) - model(torch.zeros(3, 5)))


def test_bce_gets_its_single_output() -> None:
    section = ADAPTER.validate_python({"name": "mlp"})
    model = build_model(section, DataInfo("classification", (5,), 2, {"train": 9}), folder=Path(), outputs=1)
    assert model(torch.randn(3, 5)).shape == (3, 1)


@pytest.mark.parametrize("kernel", [1, 2, 4, 5])
def test_cnn_takes_kernels_of_any_size(kernel: int) -> None:
    model = build({"name": "cnn", "kernel": kernel, "channels": [4, 4, 4, 4]}, images(1, 8))
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 10)


def test_average_pooling_is_used_when_asked_for() -> None:
    found = {type(m) for m in build({"name": "cnn", "pool": "average"}, images(1, 8)).modules()}
    assert nn.AvgPool2d in found
    assert nn.MaxPool2d not in found


PUBLISHED = [
    ({"name": "lenet5"}, images(1, 32), 61_706),
    ({"name": "alexnet"}, images(3, 224, 1000), 61_100_840),
    ({"name": "zfnet"}, images(3, 224, 1000), 62_357_608),
    ({"name": "vgg", "depth": 11}, images(3, 224, 1000), 132_863_336),
    ({"name": "vgg", "depth": 16}, images(3, 224, 1000), 138_357_544),
    ({"name": "vgg", "depth": 19, "norm": "batch"}, images(3, 224, 1000), 143_678_248 - 5_504),
    ({"name": "nin"}, images(3, 224, 1000), 7_595_176),
    ({"name": "googlenet"}, images(3, 224, 1000), 6_998_552),
    ({"name": "resnet", "width": 64, "blocks": [2, 2, 2, 2]}, images(3, 224, 1000), 11_689_512),
    ({"name": "resnet", "width": 64, "blocks": [3, 4, 6, 3]}, images(3, 224, 1000), 21_797_672),
    ({"name": "senet", "width": 64, "blocks": [2, 2, 2, 2]}, images(3, 224, 1000), 11_778_592),
    ({"name": "resnext", "width": 64, "groups": 32, "blocks": [3, 4, 6, 3]}, images(3, 224, 1000), 25_028_904),
    ({"name": "densenet", "width": 32, "blocks": [6, 12, 24, 16]}, images(3, 224, 1000), 7_978_856),
]  # fmt: skip
"""Counts of the papers or of torchvision; its VGG with norms keeps 5504 biases that have no effect."""


@pytest.mark.parametrize(("keys", "info", "published"), PUBLISHED)
def test_original_has_the_published_number_of_parameters(
    keys: dict[str, object], info: DataInfo, published: int
) -> None:
    with torch.device("meta"):
        assert count(build({**keys, "original": True}, info)) == published


def test_pre_activation_leaves_the_number_of_weights_as_it_is() -> None:
    keys = {"width": 64, "blocks": [2, 2, 2, 2], "original": True}
    with torch.device("meta"):
        plain, early = (build({"name": n, **keys}, images(3, 224)) for n in ("resnet", "preact_resnet"))
    weights = [sum(p.numel() for p in model.parameters() if p.dim() > 1) for model in (plain, early)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("name", [*CLASSIC, *RESIDUAL])
def test_original_runs_at_its_size(name: str) -> None:
    info = images(3, 28 if name == "lenet5" else 224, 7)
    keys = {"width": 0.1} if name in CLASSIC else {"width": 8}
    model = build({"name": name, "original": True, **keys}, info)
    assert model(torch.randn(1, *info.input_shape).expand(2, -1, -1, -1)).shape == (2, 7)


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "zfnet", "vgg", "nin", "densenet"])
def test_original_refuses_images_that_are_too_small(name: str) -> None:
    with pytest.raises(DlcheckError, match=r"(8×8 pixels|not 8×8).*original"):
        build({"name": name, "original": True, **({"blocks": [2, 2, 2, 2]} if name == "densenet" else {})},
              images(1, 8))  # fmt: skip


@pytest.mark.parametrize("name", ["cnn", "resnet", "vgg", "torchvision"])
def test_networks_of_convolutions_refuse_tables(name: str) -> None:
    with pytest.raises(DlcheckError, match=rf'model\.name = "{name}" needs images.*\(4,\).*valid'):
        build({"name": name}, DataInfo("classification", (4,), 3, {"train": 100}))


def test_groups_that_do_not_divide_are_refused() -> None:
    with pytest.raises(DlcheckError, match=r"model\.groups = 5"):
        build({"name": "resnext", "groups": 5}, images(1, 8))


def test_vgg8_was_never_published() -> None:
    with pytest.raises(DlcheckError, match=r"model\.depth = 8"):
        build({"name": "vgg", "depth": 8, "original": True}, images(3, 224))
