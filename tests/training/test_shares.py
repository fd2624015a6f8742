"""What each process takes of a batch: together they take all of it, once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.components.batches import WHOLE, Share
from dlcheck.components.data.loader_batches import LoaderBatches
from dlcheck.components.data.tensor_batches import TensorBatches, WindowBatches
from dlcheck.errors import DlcheckError
from dlcheck.training.ranks import ALONE, Ranks, rank_device, told
from dlcheck.training.shares import rate_rules


@given(st.integers(1, 200), st.integers(1, 17))
def test_shares_lie_end_to_end_and_differ_by_one_row(rows: int, size: int) -> None:
    shares = [Share(rank, size) for rank in range(size)]
    counts = [share.rows(rows) for share in shares]
    assert sum(counts) == rows
    assert max(counts) - min(counts) <= 1
    taken = [row for share in shares if share.rows(rows) for row in range(*share.bounds(rows))]
    assert taken == list(range(rows))


@given(st.integers(1, 9), st.integers(2, 17))
def test_who_gets_no_row_still_has_one_to_pass_forward(rows: int, size: int) -> None:
    for rank in range(size):
        first, behind = Share(rank, size).bounds(rows)
        assert 0 <= first < behind <= rows
        assert behind - first == max(1, Share(rank, size).rows(rows))


def batches(kind: str) -> TensorBatches | LoaderBatches:
    numbers = torch.arange(50)
    if kind == "tensors":
        return TensorBatches((numbers.float(), numbers), 8, seed=3, shuffle=True)
    if kind == "windows":
        return WindowBatches(torch.arange(400), 7, 8, seed=3, shuffle=True)
    return LoaderBatches(torch.utils.data.TensorDataset(numbers.float(), numbers), 8, seed=3, shuffle=True)


@pytest.mark.parametrize("kind", ["tensors", "windows", "loader"])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_parts_of_a_batch_make_up_the_batch(kind: str, size: int) -> None:
    whole = list(batches(kind).epoch(2, 1))
    parts = []
    for rank in range(size):
        own = batches(kind)
        own.share = Share(rank, size)
        parts.append(list(own.epoch(2, 1)))
    assert {len(part) for part in parts} == {len(whole)}
    for number, batch in enumerate(whole):
        counts = [Share(rank, size).rows(len(batch[-1])) for rank in range(size)]
        joined = torch.cat([parts[rank][number][-1] for rank in range(size) if counts[rank]])
        assert torch.equal(joined, batch[-1])


@pytest.mark.parametrize("kind", ["tensors", "windows", "loader"])
def test_the_whole_share_changes_nothing(kind: str) -> None:
    own = batches(kind)
    assert own.share == WHOLE
    own.share = Share(0, 1)
    for before, after in zip(batches(kind).epoch(0), own.epoch(0), strict=True):
        assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_the_rates_of_larger_batches_are_told_and_not_taken() -> None:
    words = rate_rules(64, 2, 0.1)
    assert words == (
        "2 processes: each takes 32 of a batch of 64, the rate of 0.1 stays; "
        "for a batch of 128 the linear rule gives 0.2, the square-root rule 0.141"
    )
    assert "21 or 22 of a batch of 64" in rate_rules(64, 3, 0.1)


def test_alone_nothing_is_asked_of_anybody() -> None:
    numbers = torch.tensor([1.0, 2.0])
    assert ALONE.leads
    assert ALONE.mean(numbers) is numbers
    assert ALONE.sum(numbers) is numbers
    assert ALONE.any([True, False]) == [True, False]
    assert ALONE.gather("x") == ALONE.everywhere("x") == ["x"]


def test_what_a_launcher_tells_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told() == ALONE
    for name, value in (("RANK", "3"), ("WORLD_SIZE", "4"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert told() == Ranks(3, 4, 1)
    monkeypatch.setenv("WORLD_SIZE", "many")
    assert told() == ALONE


def test_one_gpu_for_all_is_refused() -> None:
    assert rank_device("cpu", Ranks(1, 2, 1)) == "cpu"
    assert rank_device("cuda", Ranks(1, 2, 1)) == "cuda:1"
    assert rank_device("cuda:1", ALONE) == "cuda:1"
    with pytest.raises(DlcheckError, match="a GPU of its own"):
        rank_device("cuda:1", Ranks(1, 2, 1))
