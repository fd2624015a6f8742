"""A model whose parts lie on different devices."""

from functools import partial

import pandas as pd
import pytest
import torch
from torch import nn

from dlcheck.errors import DlcheckError
from dlcheck.training.placement import place_parts
from tests.training.conftest import RunTraining

CPU, OTHER = torch.device("cpu"), torch.device("meta")
"""The meta device stands for a second one: it computes shapes only, and refuses tensors that lie elsewhere."""


class Two(nn.Module):
    """Two parts with an activation between them, and a head that no name covers."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8))
        self.middle = nn.Linear(8, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.head(self.middle(self.features(inputs)))
        return output


def seen_devices(model: nn.Module) -> dict[str, str]:
    """Return where each part's input was when it computed."""
    seen: dict[str, str] = {}

    def see(name: str, module: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        seen[name] = str(inputs[0].device)

    for name, module in model.named_modules():
        module.register_forward_pre_hook(partial(see, name))
    model(torch.randn(3, 4))
    return seen


def test_each_part_lies_where_its_name_or_the_deeper_one_says() -> None:
    model = place_parts(Two(), {"features": CPU, "middle": OTHER, "features.2": OTHER}, OTHER)
    assert {name: str(parameter.device) for name, parameter in model.named_parameters() if "bias" in name} == {
        "features.0.bias": "cpu",
        "features.2.bias": "meta",
        "middle.bias": "meta",
        "head.bias": "cpu",  # no name covers it: the first device
    }


def test_inputs_are_moved_to_where_each_part_computes() -> None:
    model = place_parts(Two(), {"features": CPU, "middle": OTHER, "head": OTHER}, OTHER)
    assert seen_devices(model) == {
        "": "cpu",
        "features": "cpu",
        "features.0": "cpu",
        "features.1": "cpu",
        "features.2": "cpu",
        "middle": "meta",
        "head": "meta",
    }
    assert model(torch.randn(3, 4)).device == OTHER


def test_the_output_comes_home() -> None:
    model = place_parts(Two(), {"features": OTHER, "middle": OTHER, "head": OTHER}, OTHER)
    assert model(torch.randn(3, 4)).shape == (3, 2)
    home = place_parts(Two(), {"features": CPU}, OTHER)
    assert home(torch.randn(3, 4)).device == OTHER


def test_a_name_that_is_no_part_is_told_with_those_that_are() -> None:
    with pytest.raises(DlcheckError, match=r'model\.device_map: the model has no part "feature"; did you mean'):
        place_parts(Two(), {"feature": CPU}, CPU)
    with pytest.raises(DlcheckError, match="its parts: features, head, middle"):
        place_parts(Two(), {"zzz": CPU}, CPU)


def test_a_recipe_lays_its_model_over_devices_and_trains_as_on_one(run: RunTraining) -> None:
    parts = 'model.device_map={ body = "cpu", head = "cpu" }'
    whole, laid = run("train.epochs=1"), run("train.epochs=1", parts)
    assert laid.recipe.model.device_map == {"body": "cpu", "head": "cpu"}
    columns = ["train_loss", "val_loss", "val_accuracy"]
    tables = [pd.read_csv(result.folder / "metrics.csv")[columns] for result in (whole, laid)]
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)


@pytest.mark.skipif(torch.cuda.device_count() > 6, reason="has the device")
def test_a_device_that_is_not_here_is_refused_in_one_line(run: RunTraining) -> None:
    with pytest.raises(DlcheckError, match=r'model.device_map: head = "cuda:6": PyTorch sees \d CUDA devices here'):
        run('model.device_map={ head = "cuda:6" }')
    with pytest.raises(DlcheckError, match=r"model\..*device_map"):
        run('model.device_map={ head = "tpu" }')
