"""Batches gathered from memory: every sample once, in an order that seed and epoch decide."""

import pytest
import torch

from dlcheck.components.batches import Batch, Batches
from dlcheck.components.data.order import seed_of
from dlcheck.components.data.tensor_batches import BLOCK_BYTES, TensorBatches, WindowBatches


def numbered(samples: int, width: int = 3) -> Batch:
    return torch.arange(samples).float()[:, None].repeat(1, width), torch.arange(samples)


def order(batches: Batches, epoch: int, start: int = 0) -> list[int]:
    return [int(i) for *_, target in batches.epoch(epoch, start) for i in target]


@pytest.mark.parametrize("batch_size", [1, 7, 32, 100, 1000, None])
def test_an_epoch_visits_every_sample_once_with_its_own_target(batch_size: int | None) -> None:
    batches = TensorBatches(numbered(100), batch_size, seed=3, shuffle=True)
    seen = list(batches.epoch(0))
    assert len(seen) == len(batches)
    assert all(torch.equal(x[:, 0].long(), y) for x, y in seen)
    assert sorted(order(batches, 0)) == list(range(100))


def test_full_batch_is_one_batch() -> None:
    (only,) = TensorBatches(numbered(50), None).epoch(0)
    assert len(only[0]) == 50


def test_blocks_do_not_change_what_the_batches_hold() -> None:
    wide = BLOCK_BYTES // 4 // 100  # 100 samples a block: many blocks in this epoch
    batches = TensorBatches(numbered(1000, wide), 30, seed=1, shuffle=True)
    narrow = TensorBatches(numbered(1000, 1), 30, seed=1, shuffle=True)
    assert [len(y) for _, y in batches.epoch(2)] == [30] * 33 + [10]
    assert order(batches, 2) == order(narrow, 2)


def test_epochs_and_seeds_differ_and_repeat() -> None:
    batches = TensorBatches(numbered(64), 8, seed=0, shuffle=True)
    assert order(batches, 0) == order(batches, 0)
    assert order(batches, 0) != order(batches, 1)
    assert order(batches, 0) != order(TensorBatches(numbered(64), 8, seed=1, shuffle=True), 0)


def test_neighbouring_seeds_and_epochs_do_not_meet() -> None:
    assert len({seed_of(seed, epoch) for seed in range(20) for epoch in range(20)}) == 400
    assert seed_of(-1, 0) >= 0


@pytest.mark.parametrize("drop_last", [False, True])
def test_starting_later_gives_the_same_rest(drop_last: bool) -> None:
    batches = TensorBatches(numbered(103), 10, seed=5, shuffle=True, drop_last=drop_last)
    whole = order(batches, 4)
    for start in range(len(batches) + 2):
        assert order(batches, 4, start) == whole[start * 10 :]


def test_drop_last_leaves_only_whole_batches() -> None:
    batches = TensorBatches(numbered(103), 10, drop_last=True)
    assert len(batches) == 10
    assert {len(y) for _, y in batches.epoch(0)} == {10}
    assert len(list(TensorBatches(numbered(3), 10, drop_last=True).epoch(0))) == 1


def test_order_does_not_touch_the_global_generator() -> None:
    state = torch.get_rng_state()
    list(TensorBatches(numbered(10), 3, shuffle=True).epoch(0))
    assert torch.equal(state, torch.get_rng_state())


def test_transform_sees_every_batch() -> None:
    batches = TensorBatches(numbered(10), 4, transform=lambda batch: (batch[0] * 2, batch[1]))
    assert all(torch.equal(x[:, 0], 2.0 * y) for x, y in batches.epoch(0))


class TestWindows:
    def test_targets_are_the_inputs_one_later(self) -> None:
        windows = WindowBatches(torch.arange(100), 8, 4, shuffle=True)
        for inputs, target in windows.epoch(1):
            assert torch.equal(inputs + 1, target)
            assert inputs.dtype == torch.int64

    def test_unshuffled_windows_lie_end_to_end(self) -> None:
        windows = WindowBatches(torch.arange(33), 8, None)
        (inputs, target) = next(windows.epoch(0))
        assert torch.equal(inputs.flatten(), torch.arange(32))
        assert target[-1, -1] == 32

    def test_shuffled_epochs_cut_at_other_places_but_never_twice(self) -> None:
        windows = WindowBatches(torch.arange(1000), 10, 16, seed=2, shuffle=True)
        firsts = set()
        for epoch in range(12):
            starts = torch.cat([inputs[:, 0] for inputs, _ in windows.epoch(epoch)])
            assert len(starts) == windows.samples == 98
            assert len(set((starts % 10).tolist())) == 1
            assert len(set(starts.tolist())) == 98
            firsts.add(int(starts[0] % 10))
        assert len(firsts) > 3

    def test_starting_later_gives_the_same_rest(self) -> None:
        windows = WindowBatches(torch.arange(1000), 10, 16, seed=2, shuffle=True)
        whole = [inputs for inputs, _ in windows.epoch(3)]
        rest = [inputs for inputs, _ in windows.epoch(3, 4)]
        assert all(torch.equal(a, b) for a, b in zip(whole[4:], rest, strict=True))

    @pytest.mark.parametrize("length", [9, 10, 16, 17, 18])
    def test_short_sequences_have_at_least_one_window(self, length: int) -> None:
        windows = WindowBatches(torch.arange(length), 8, 4, shuffle=True)
        for epoch in range(20):
            assert len(list(windows.epoch(epoch))) == len(windows) == 1
