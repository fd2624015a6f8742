"""What single measures say of small arrays."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from dlcheck.checks.data.features import reduce
from dlcheck.checks.data.labels import label_order, label_range, validation_size
from dlcheck.checks.data.leak import is_code
from dlcheck.checks.data.near import difference_hash
from dlcheck.checks.data.noise import label_noise
from dlcheck.checks.data.overlap import split_overlap
from dlcheck.checks.data.read import read
from dlcheck.checks.data.samples import Samples, row_digests
from dlcheck.checks.data.shift import compare_features, tell_apart
from dlcheck.checks.data.signal import label_signal
from dlcheck.checks.foreign import ForeignBatches
from dlcheck.components.data.loader_batches import LoaderBatches, LoaderSettings
from tests.checks.data.patients import admit, examined, foreign, found


def samples(x: np.ndarray, y: np.ndarray) -> Samples:
    return Samples(x.astype(np.float32), y, np.arange(len(x)), len(x), y)


def test_codes_outside_their_range_are_counted() -> None:
    good, bad = np.array([0, 1, 2, -100]), np.array([1, 3, -1, 2])
    fact = label_range([("train", good, np.arange(4)), ("val", bad, np.arange(10, 14))], 3, ignored=-100)
    assert (fact.labels, fact.bad, fact.low, fact.high) == (7, 2, -1, 3)
    assert (fact.split, fact.examples) == ("val", (11, 12))


def test_codes_of_sequences_are_named_by_sample() -> None:
    fact = label_range([("train", np.array([[0, 1], [1, 5]]), np.array([4, 9]))], 2)
    assert (fact.bad, fact.examples) == (1, (9,))


def test_size_of_validation_is_the_width_of_its_interval() -> None:
    assert validation_size(100, np.repeat([0, 1], 50), 2, None).half_width == pytest.approx(0.096, abs=0.001)
    assert validation_size(400, np.zeros(400), 3, 0.9).half_width == pytest.approx(0.029, abs=0.001)
    assert validation_size(400, np.zeros(400), 3, 0.9).smallest_class == 0
    assert validation_size(50, None, None, None).half_width is None


def test_runs_of_labels_follow_their_law_in_random_order() -> None:
    rng = np.random.default_rng(0)
    z = [label_order([[rng.permutation(np.arange(300) % 4)]], classes=4).z for _ in range(300)]
    assert np.mean(z) == pytest.approx(0, abs=0.2)
    assert np.std(z) == pytest.approx(1, abs=0.15)


def test_sorted_labels_have_few_runs_and_batches_of_one_class() -> None:
    batches = np.split(np.sort(np.arange(400) % 4), 10)
    fact = label_order([batches], classes=4)
    assert (fact.runs, fact.labels) == (4, 400)
    assert fact.z < -10
    assert fact.p < 1e-20
    assert fact.batch_diversity is not None
    assert fact.batch_diversity < 0.4


def test_random_batches_are_as_varied_as_expected() -> None:
    rng = np.random.default_rng(0)
    fact = label_order([np.split(rng.permutation(np.arange(1000) % 5), 100)], classes=5)
    assert fact.batch_diversity == pytest.approx(1, abs=0.03)


def test_numbers_count_as_above_or_below_their_median() -> None:
    fact = label_order([[np.arange(50.0)[:, None], np.arange(50.0, 100)[:, None]]], classes=None)
    assert (fact.runs, fact.classes) == (2, 2)


def test_labels_of_a_parity_are_not_told_from_chance_and_not_reordered() -> None:
    x = np.random.default_rng(0).integers(0, 2, (700, 9))
    y = x.sum(axis=1) % 2
    fact = label_signal(samples(x[:500], y[:500]), samples(x[500:], y[500:]), 2)
    assert fact is not None
    assert fact.train_low < 0.55
    assert fact.shift == 0
    assert fact.reordered_score is None


def test_models_that_know_little_contradict_no_label() -> None:
    x = np.random.default_rng(0).standard_normal((600, 8))
    y = (x[:, 0] + 3 * np.random.default_rng(1).standard_normal(600) > 0).astype(np.int64)
    fact = label_noise(samples(x, y), 2)
    assert fact is not None
    assert (fact.share_low, fact.share_high) == (0.0, 1.0)


def test_wide_inputs_are_reduced_without_a_matrix_of_all_pairs() -> None:
    x = np.random.default_rng(0).standard_normal((200, 3)) @ np.random.default_rng(1).standard_normal((3, 20_000))
    few, other = reduce(x.astype(np.float32), x[:7].astype(np.float32), scale=False)
    assert few.shape[1] == 3
    assert np.allclose(few[:7], other, atol=1e-4)
    distance = np.linalg.norm(x[0] - x[1]) / np.linalg.norm(x[2] - x[3])
    assert np.linalg.norm(few[0] - few[1]) / np.linalg.norm(few[2] - few[3]) == pytest.approx(distance, rel=1e-3)


def test_labels_of_a_series_are_never_shifted() -> None:
    walk = np.random.default_rng(0).standard_normal(700).cumsum()
    windows = np.lib.stride_tricks.sliding_window_view(walk, 8)
    steps = np.diff(walk[7:], append=0) > 0
    y = steps.astype(np.int64)
    fact = label_signal(samples(windows[:450], y[:450]), samples(windows[450:], y[450:]), 2)
    assert fact is not None
    assert fact.shift is None


def test_a_code_of_the_target_is_one_value_a_class_or_a_line() -> None:
    y = np.arange(60) % 3
    assert is_code(np.array([5.0, -1, 2], dtype=np.float32)[y], y, 3)
    assert not is_code(np.array([5.0, -1, 5], dtype=np.float32)[y], y, 3)
    assert not is_code((y + np.random.default_rng(0).normal(0, 0.01, 60)).astype(np.float32), y, 3)
    numbers = np.random.default_rng(0).standard_normal(60)
    assert is_code((3 - 2 * numbers).astype(np.float32), numbers, None)
    assert not is_code((numbers**3).astype(np.float32), numbers, None)


def test_no_near_pairs_in_clouds_however_dense() -> None:
    rng = np.random.default_rng(0)
    for width in (1, 2, 5, 20):
        x, other = (rng.standard_normal((count, width)) for count in (800, 300))
        zeros = [np.zeros(len(part)) for part in (x, other)]
        assert split_overlap(samples(x, zeros[0]), samples(other, zeros[1]), "val").near == 0


def test_equal_samples_are_counted_with_their_labels_and_places() -> None:
    x = np.random.default_rng(0).standard_normal((50, 4))
    train = samples(np.concatenate((x, x[:3])), np.arange(53))
    held = samples(np.concatenate((x[:5], x[:5] + 9)), np.array([0, 1, 9, 9, 9] + [0] * 5))
    fact = split_overlap(train, held, "test")
    assert (fact.exact, fact.same_label, fact.train_duplicates, fact.samples) == (5, 2, 3, 10)
    assert fact.examples[:2] == ((0, 0), (1, 1))


def test_hashes_tell_bits_apart() -> None:
    assert len(set(row_digests(np.array([[0.0], [-0.0], [0.0]])))) == 2
    rising = np.arange(64.0, dtype=np.float32).reshape(1, 8, 8)
    assert difference_hash(rising).all()
    assert not difference_hash(-rising).any()


def test_splits_drawn_alike_are_seldom_told_apart() -> None:
    rng = np.random.default_rng(0)
    lows, shifted = [], 0
    for _ in range(8):
        x, other = (rng.standard_normal((count, 5)).astype(np.float32) for count in (300, 120))
        shifted += int((compare_features(x, other).p < 0.01).sum())
        lows.append(tell_apart(x, other)[1])
    assert shifted <= 1
    assert np.mean([low > 0.5 for low in lows]) <= 0.25
    assert max(lows) < 0.6


class Jittered(Dataset[tuple[torch.Tensor, int]]):
    """Images that change each time they are read, as with augmentation left on."""

    def __init__(self, numpy: bool = False) -> None:
        x = np.random.default_rng(0).standard_normal((96, 1, 6, 6))
        self.x, self.numpy = torch.tensor(x).float(), numpy
        self.targets = [i % 2 for i in range(96)]

    def __len__(self) -> int:
        return 96

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        noise = float(np.random.normal()) if self.numpy else float(torch.randn(()))
        return self.x[index] + noise, self.targets[index]


def test_augmentation_left_on_in_validation() -> None:
    calm = DataLoader(TensorDataset(torch.randn(96, 36), torch.arange(96) % 2), 32, shuffle=True)
    report = examined(foreign(calm, DataLoader(Jittered(), 32), features=36), "validation read twice")
    assert list(found(report)) == ["D111"]
    report = examined(foreign(calm, calm, features=36), "validation read twice")
    assert found(report) == {}  # another order is no change


def test_augmentation_left_on_in_a_recipe() -> None:
    target = "tests.checks.data.test_measures:jittered"
    report = examined(admit(f"name = 'custom'\ntarget = '{target}'"), "validation read twice", "samples in both splits")
    assert list(found(report)) == ["D111"]


def jittered() -> Jittered:
    """Return the data of the recipe above."""
    return Jittered()


def same_seed(worker: int) -> None:
    np.random.seed(3)


def test_workers_that_all_begin_alike() -> None:
    loader = DataLoader(Jittered(numpy=True), 16, shuffle=True, num_workers=2, worker_init_fn=same_seed)
    report = examined(foreign(loader, features=36), "worker seeds")
    assert list(found(report)) == ["D114"]
    loader = DataLoader(Jittered(numpy=True), 16, shuffle=True, num_workers=2)
    assert found(examined(foreign(loader, features=36), "worker seeds")) == {}


def test_workers_of_a_recipe_draw_differently() -> None:
    batches = LoaderBatches(Jittered(numpy=True), 16, settings=LoaderSettings(workers=2))
    patient = foreign([])
    patient.train = batches
    report = examined(patient, "worker seeds")
    assert found(report) == {}
    assert [row.result for row in report.exams] == ["clean"]


def test_reading_names_places_of_shuffled_loaders() -> None:
    x = torch.arange(40.0)[:, None].repeat(1, 3)
    loader = DataLoader(TensorDataset(x, torch.arange(40) % 2), 8, shuffle=True)
    batches = ForeignBatches(loader, "train")
    state = torch.get_rng_state()
    got = read(batches)
    assert torch.equal(state, torch.get_rng_state())
    assert got.whole
    assert got.inputs[:, 0].tolist() == got.index.tolist() == list(range(40))


def test_reading_an_iterable_keeps_its_order_without_places() -> None:
    got = read(ForeignBatches([(torch.ones(4, 2), torch.zeros(4)), (torch.ones(3, 2), torch.ones(3))], "train"))
    assert got.target.tolist() == [0] * 4 + [1] * 3
    assert set(got.index.tolist()) == {-1}


def test_target_scale_of_unscaled_numbers() -> None:
    x = torch.randn(200, 6)
    loader = DataLoader(TensorDataset(x, 5000 + 2000 * x[:, :1]), 50, shuffle=True)
    report = examined(foreign(loader, outputs=1), "target scale")
    assert list(found(report)) == ["D116"]
