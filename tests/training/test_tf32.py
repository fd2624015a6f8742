"""``train.tf32`` reaches PyTorch, and leaves it when a recipe does not ask for it."""

from pathlib import Path

import torch

from dlcheck.training.assemble import assemble
from tests.training.conftest import tiny


def test_a_recipe_switches_tf32_on_and_the_next_one_off(tmp_path: Path) -> None:
    allowed = []
    for overrides in (["train.tf32=true"], []):
        assemble(tiny(*overrides).recipe, folder=tmp_path, device=torch.device("cpu"))
        allowed.append(torch.backends.cuda.matmul.allow_tf32)
    assert allowed == [True, False]
