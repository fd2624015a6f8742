"""Memory of a subject, and the search for the largest batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dlcheck.checks.memory import need as predicted
from dlcheck.errors import DlcheckError
from dlcheck.profiling.aside import aside
from dlcheck.profiling.fitting import largest_fitting
from dlcheck.profiling.memory import largest_batch, measured_here, memory_need, predicted_here, step_fits
from dlcheck.profiling.settings import Subject
from dlcheck.runs.facts import MemoryNeed
from tests.checks.factories import HEALTHY, write_factory


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_largest_that_fits_is_found(limit: int, guess: int) -> None:
    found = largest_fitting(lambda size: size <= limit, guess, tries=100)
    assert found is not None
    assert found <= limit
    assert limit - found <= max(1, 0.02 * limit)


def test_good_guess_needs_few_tries_and_never_goes_far_beyond() -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= 1000

    assert largest_fitting(fits, 950) in range(980, 1001)
    assert len(tried) <= 7
    assert max(tried) <= 1250


def test_nothing_fits() -> None:
    assert largest_fitting(lambda _: False, 64, tries=100) is None


def test_recipe_is_predicted_and_measured() -> None:
    need = predicted_here(Subject("recipe", "digits-mlp", device="cpu"))
    assert need.total == pytest.approx(measured_here(), rel=0.02)
    assert largest_batch(Subject("recipe", "digits-mlp", device="cpu"), need) is need


@pytest.mark.slow
def test_factory_is_predicted_and_measured_in_its_own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    need = memory_need(Subject("factory", write_factory(tmp_path, HEALTHY["cnn"]), device="cpu"), timeout_s=120)
    assert need is not None
    assert need.measured_peak is not None
    assert need.total == pytest.approx(need.measured_peak, rel=0.02)


def test_prediction_stands_where_the_peak_cannot_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    class Child:
        def call(self, function: object, *args: object, timeout_s: float) -> object:
            if function is measured_here:
                raise DlcheckError("no answer within 1 s")
            return MemoryNeed(1, 1, 0, 1, 1, 0, 32, 4, 1.0)

        def __enter__(self) -> Child:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("dlcheck.profiling.memory.Aside", Child)
    need = memory_need(Subject("recipe", "digits"))
    assert need is not None
    assert (need.total, need.measured_peak) == (4, None)
    assert need.note == "the peak was not measured: no answer within 1 s"


def test_size_of_a_batch_is_tried_beyond_the_data_too() -> None:
    assert step_fits(Subject("recipe", "digits-mlp", device="cpu"), 3000)


SCRIPT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
optimizer = torch.optim.Adam(model.parameters())
data = TensorDataset(torch.randn(640, 64), torch.randint(10, (640,)))
for epoch in range({epochs}):
    for x, y in DataLoader(data, 32):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
"""


def test_step_of_a_script_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT.format(epochs=50))
    need = memory_need(Subject("script", str(path)), timeout_s=120)
    assert need is not None
    sizes = (64 * 256 + 256) + (256 * 256 + 256) + (256 * 10 + 10)
    assert need.parameters == 4 * sizes
    assert 8 * sizes <= need.optimizer <= 8 * sizes + 4 * 6
    assert need.batch == 32 * 64 * 4
    assert need.batch_size == 32
    # As the same step, taken by itself.
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    batch = (torch.randn(32, 64), torch.randint(10, (32,)))
    alone = predicted(model, nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters()), batch)
    assert need.total == pytest.approx(alone.total, rel=0.02)
    assert need.total == sum(getattr(need, part.name) for part in need.most)
    assert largest_batch(Subject("script", str(path)), need) is need


@pytest.mark.gpu
def test_largest_batch_on_cuda_fits_and_a_larger_does_not() -> None:
    subject = Subject("recipe", "digits", device="cuda")
    need = memory_need(subject)
    assert need is not None
    found = largest_batch(subject, need)
    assert found.largest_batch is not None
    assert aside(step_fits, subject, found.largest_batch)
    assert found.largest_batch < 1.3 * torch.cuda.get_device_properties(0).total_memory / need.per_sample
