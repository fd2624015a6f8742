"""Searches that take a second."""

from pathlib import Path

import pytest

from dlcheck.recipe import LoadedRecipe, load_recipe

DATA = '[data]\nname = "digits"\nlimit = 128\n'
TRAIN = "[train]\nepochs = 2\nbatch_size = 32\n"
TINY = DATA + '[model]\nname = "mlp"\nhidden = [16]\n[optimizer]\nname = "adam"\nlr = 0.01\n' + TRAIN
RATES = '[search]\n"optimizer.lr" = { log = [1e-3, 1e-1] }\n"model.dropout" = { float = [0.0, 0.3] }\n'

MODES = '''
import torch
from torch import nn


class Net(nn.Module):
    """A small network that goes wrong in the way that ``mode`` says."""

    def __init__(self, info, mode="fine"):
        super().__init__()
        self.mode, self.calls = mode.split("-")[0], 0
        self.hidden, self.relu, self.out = nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, info.outputs)
        if self.mode == "dead":
            nn.init.constant_(self.hidden.bias, -1000.0)

    def forward(self, x):
        self.calls += self.training
        answer = self.out(self.relu(self.hidden(x.flatten(1))))
        if self.mode == "explode" and self.calls > 3:
            answer = answer * 1000.0**min(self.calls, 9)
        if self.training and self.calls > 3:
            if self.mode == "nan":
                answer = answer * torch.nan
            if self.mode == "memory":
                raise torch.OutOfMemoryError("tried to allocate 3 GiB")
            if self.mode == "raise":
                raise RuntimeError("a fault of the user's")
        return answer * (0.0 if self.mode == "constant" else 1.0)
'''


@pytest.fixture
def tiny(tmp_path: Path) -> LoadedRecipe:
    """Return a small recipe with a search of its own."""
    return written(tmp_path, TINY + RATES)


def written(folder: Path, text: str, *overrides: str, name: str = "tiny") -> LoadedRecipe:
    """Write a recipe, and load it with overrides."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path, overrides)


def with_modes(folder: Path, modes: list[str], *overrides: str, first: str = "fine") -> LoadedRecipe:
    """Return a recipe whose search goes through the ways in which its network goes wrong, in any order."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "modes.py").write_text(MODES, encoding="utf-8")
    model = f'[model]\ntarget = "modes.py:Net"\nmode = "{first}"\n'
    text = (
        DATA + model + '[optimizer]\nname = "adam"\nlr = 0.01\n' + TRAIN.replace("= 2", "= 6").replace("= 32", "= 16")
    )
    text += f'[tune]\nsampler = "grid"\npruner = "none"\n[search]\n"model.mode" = {{ choice = {modes} }}\n'
    return written(folder, text, *overrides, name="modes")
