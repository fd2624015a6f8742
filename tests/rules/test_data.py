"""Rules on data at their borders: what is a fault, and what only looks like one."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dlcheck.findings import Severity
from dlcheck.runs.facts import (
    ClassBalance,
    ConstantFeatures,
    InputValues,
    LabelNoise,
    LabelOrder,
    LabelRange,
    Site,
    SplitOverlap,
    SplitShift,
    TargetInFeatures,
    TargetScale,
    ValidationRepeat,
    ValidationSize,
    WorkerSeeds,
)
from tests.rules.examples_data import RAW_BYTES, SHIFT, STANDARD
from tests.rules.fact_runs import fact_run
from tests.rules.judging import found, severity, why

INFO, WARNING, ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR
SITE = Site("train.py", 31)


# D101


def test_nan_that_the_network_replaces_is_information() -> None:
    seen = InputValues(900, 3, 0.0, 1.0, -3.0, 3.0, step=4)
    calm = found(fact_run(seen, curves={"train_loss": [1.0, 0.5, 0.3]}), "D101")
    lost = found(fact_run(seen, curves={"train_loss": [1.0, math.nan, math.nan]}), "D101")
    assert calm is not None
    assert calm.severity is INFO
    assert lost is not None
    assert lost.severity is ERROR


def test_only_nan_is_found_although_no_finite_value_has_a_mean() -> None:
    seen = InputValues(900, 900, math.nan, math.nan, math.nan, math.nan, rows=(0, 1), site=SITE)
    finding = found(fact_run(seen), "D101")
    assert finding is not None
    assert (finding.severity, finding.where.file, finding.where.line) == (ERROR, "train.py", 31)
    assert "train.py, line 31" in finding.summary
    assert why(seen, "D102")


# D102

WINE = InputValues(2000, 0, 69.0, 216.0, 0.1, 1680.0, feature_std_low=0.12, feature_std_high=315.0)
CO2 = InputValues(2000, 0, 350.0, 17.0, 313.0, 374.0)
CLEAN_INPUTS = {
    "standardised with outliers": replace(STANDARD, low=-40.0, high=95.0),
    "images from 0 to 1": InputValues(9000, 0, 0.45, 0.25, 0.0, 1.0),
    "pale images": InputValues(9000, 0, 0.85, 0.12, 0.3, 1.0),
    "digits from 0 to 16": InputValues(9000, 0, 4.9, 6.0, 0.0, 16.0, whole=True),
    "one-hot of ten thousand": InputValues(
        90_000, 0, 1e-4, 0.0099, 0.0, 1.0, whole=True, feature_std_low=0.001, feature_std_high=0.3
    ),
    "rare words, weighed": InputValues(90_000, 0, 5e-4, 0.006, 0.0, 0.9, feature_std_low=1e-4, feature_std_high=0.1),
    "log-normal": InputValues(9000, 0, 7.4, 54.0, 0.001, 900.0, feature_std_low=20.0, feature_std_high=90.0),
    "iris": InputValues(600, 0, 3.5, 2.0, 0.1, 7.9, feature_std_low=0.43, feature_std_high=1.8),
    "diabetes": InputValues(4400, 0, 0.0, 0.0476, -0.14, 0.2, feature_std_low=0.0476, feature_std_high=0.0476),
    "tokens": InputValues(9000, 0, 4000.0, 3000.0, 0.0, 30_000.0, whole=True, floating=False),
    "normalised by the network": replace(RAW_BYTES, normalized_first=True),
    "constant": InputValues(9000, 0, 0.0, 0.0, 0.0, 0.0),
}
UNSCALED_INPUTS = {
    "raw bytes": RAW_BYTES,
    "table in units of its source": WINE,
    "far from 0": CO2,
    "16-bit images": InputValues(9000, 0, 9000.0, 8000.0, 0.0, 65_535.0, whole=True),
    "divided by 255 twice": InputValues(9000, 0, 0.0005, 0.0012, 0.0, 0.0039),
}


@pytest.mark.parametrize("seen", CLEAN_INPUTS.values(), ids=CLEAN_INPUTS)
def test_usual_inputs_are_clean(seen: InputValues) -> None:
    assert severity(seen, "D102") is None


@pytest.mark.parametrize("seen", UNSCALED_INPUTS.values(), ids=UNSCALED_INPUTS)
def test_unscaled_inputs_are_found_and_patched(seen: InputValues) -> None:
    recipe = {"data": {"name": "csv", "normalize": "none"}}
    finding = found(replace(fact_run(seen), meta={"recipe": recipe}), "D102")
    assert finding is not None
    assert finding.severity is WARNING
    assert {"data.normalize": "standardize"} in [remedy.patch for remedy in finding.remedies]


# D103, D104


def test_constant_columns_are_told_and_blank_inputs_an_error() -> None:
    assert severity(ConstantFeatures(64, 3, image=True, samples=100), "D103") is None
    assert severity(ConstantFeatures(13, 0, samples=100), "D103") is None
    assert severity(ConstantFeatures(13, 2, samples=100), "D103") is INFO
    assert severity(ConstantFeatures(64, 64, image=True, samples=100), "D103") is ERROR
    assert why(ConstantFeatures(13, 2, samples=4), "D103")
    assert why(ConstantFeatures(0, 0, samples=100), "D103")


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(1, 10, "counted from 1"), (-1, 9, "missing label"), (0, 12, "fewer outputs")],
)
def test_labels_out_of_range_have_their_cause(low: int, high: int, word: str) -> None:
    finding = found(fact_run(LabelRange(1000, 40, low, high, classes=10, crashed=True, site=SITE)), "D104")
    assert finding is not None
    assert word in finding.cause
    assert "stopped the script" in finding.summary
    assert why(LabelRange(0, 0, 0, 0, classes=10), "D104")


# D105


def test_imbalance_counts_once_the_trained_network_shows_it() -> None:
    counts, actual = (950, 50), (190, 20)
    never = ClassBalance(counts, predicted=(210, 0), recalled=(190, 0), actual=actual)
    learned = ClassBalance(counts, predicted=(191, 19), recalled=(188, 17), actual=actual)
    few = ClassBalance(counts, predicted=(196, 0), recalled=(190, 0), actual=(190, 6))
    assert severity(never, "D105") is WARNING
    assert severity(learned, "D105") is INFO
    assert severity(few, "D105") is INFO
    assert severity(replace(never, weighted=True), "D105") is None
    assert severity(ClassBalance((95, 10), predicted=(30, 0), recalled=(20, 0), actual=(20, 10)), "D105") is None
    assert severity(ClassBalance((95, 0, 90)), "D105") is INFO
    assert why(ClassBalance(()), "D105")
    assert why(ClassBalance((0, 0)), "D105")


# D106

OVERLAP = SplitOverlap(split="val", samples=200, train_samples=1000, exact=0)
WHOLE = SplitOverlap(split="val", samples=1000, train_samples=1000, exact=1000, same_dataset=True)
OVERLAPS = {
    "none": (OVERLAP, None),
    "one twin": (replace(OVERLAP, samples=30, train_samples=120, exact=1), INFO),
    "two twins": (replace(OVERLAP, exact=2), INFO),
    "a fifth": (replace(OVERLAP, exact=40), ERROR),
    "one in fifty": (replace(OVERLAP, exact=4), WARNING),
    "every fourth, of data with copies": (replace(OVERLAP, exact=50, train_duplicates=150), WARNING),
    "few values": (replace(OVERLAP, exact=150, train_duplicates=700, distinct_values=320), INFO),
    "more than copies explain": (replace(OVERLAP, exact=150, train_duplicates=50), ERROR),
    "more than few values explain": (replace(OVERLAP, exact=190, train_duplicates=50, distinct_values=10_000), ERROR),
    "a part of training validates": (replace(OVERLAP, exact=200, same_dataset=True, site=SITE), ERROR),
    "near ones, a few": (replace(OVERLAP, near=6), INFO),
    "near ones, many": (replace(OVERLAP, near=60), WARNING),
    "the training loader evaluates": (replace(WHOLE, same_loader=True, site=SITE), INFO),
    "training data under no name": (replace(WHOLE, site=SITE), INFO),
    "training data under its own name": (replace(WHOLE, site=SITE, named="train_data"), INFO),
    "training data as validation": (replace(WHOLE, site=SITE, named="val_loader"), ERROR),
    "training data as a recipe's validation": (WHOLE, ERROR),
    "more than there are": (replace(OVERLAP, exact=400), ERROR),
}


@pytest.mark.parametrize(("seen", "expected"), OVERLAPS.values(), ids=OVERLAPS)
def test_overlap_of_splits(seen: SplitOverlap, expected: Severity | None) -> None:
    assert severity(seen, "D106") == expected


def test_a_data_set_with_copies_is_told_from_a_leak() -> None:
    copies = found(fact_run(replace(OVERLAP, exact=50, train_duplicates=150)), "D106")
    leak = found(fact_run(replace(OVERLAP, exact=40, split="test")), "D106")
    twin = found(fact_run(replace(OVERLAP, exact=1)), "D106")
    assert twin is not None
    assert twin.summary == "1 of 200 validation samples equals a training sample: it may well be a twin by chance"
    assert copies is not None
    assert "the data set itself holds copies (150 within training)" in copies.summary
    assert leak is not None
    assert "40 of 200 test samples" in leak.summary
    assert why(replace(OVERLAP, samples=0), "D106")


# D107, D108, D109

SHIFTS = {
    "both agree": (SHIFT, WARNING),
    "by time": (replace(SHIFT, method="time"), INFO),
    "by groups": (replace(SHIFT, method="group"), INFO),
    "features alone": (replace(SHIFT, auc=0.52, auc_low=0.47), INFO),
    "classifier alone": (replace(SHIFT, shifted=0, largest_statistic=0.05), INFO),
    "significant and tiny": (replace(SHIFT, largest_statistic=0.04, auc=0.55, auc_low=0.53), None),
    "no classifier": (replace(SHIFT, auc=None, auc_low=None, auc_high=None), INFO),
    "label frequencies alone": (replace(SHIFT, shifted=0, auc=0.5, auc_low=0.45, label_p=1e-9), None),
    "no number": (replace(SHIFT, auc=math.nan, auc_low=math.nan, shifted=0), None),
}


@pytest.mark.parametrize(("seen", "expected"), SHIFTS.values(), ids=SHIFTS)
def test_shift_between_splits(seen: SplitShift, expected: Severity | None) -> None:
    assert severity(seen, "D107") == expected


SIZES = {
    "wide": (ValidationSize(22, half_width=0.2), INFO),
    "useless": (ValidationSize(8, half_width=0.33), WARNING),
    "narrow": (ValidationSize(400, half_width=0.05), None),
    "a class without samples": (ValidationSize(400, half_width=0.05, classes=10, smallest_class=0), INFO),
    "regression": (ValidationSize(80), None),
    "small regression": (ValidationSize(20), INFO),
    "regression on a handful": (ValidationSize(5), WARNING),
    "no number": (ValidationSize(80, half_width=math.nan), None),
}


@pytest.mark.parametrize(("seen", "expected"), SIZES.values(), ids=SIZES)
def test_size_of_validation(seen: ValidationSize, expected: Severity | None) -> None:
    assert severity(seen, "D108") == expected


def test_no_validation_at_all_is_not_judged_by_its_size() -> None:
    assert why(ValidationSize(0), "D108")


SORTED = LabelOrder(1000, 10, 10, 900.0, -90.0, 0.0)
ORDERS = {
    "sorted, not shuffled": (replace(SORTED, shuffled=False, batch_diversity=0.15), WARNING),
    "sorted, the same order twice": (replace(SORTED, same_order=True), WARNING),
    "sorted, one epoch of an unknown loader": (SORTED, INFO),
    "drawn in stretches at random": (replace(SORTED, shuffled=True), None),
    "another order each epoch": (replace(SORTED, same_order=False), None),
    "a series": (replace(SORTED, shuffled=False, sequence=True), None),
    "one full batch": (replace(SORTED, shuffled=False, batch_diversity=1.0), None),
    "not shuffled, in random order": (replace(SORTED, runs=898, z=-0.2, p=0.4, shuffled=False), None),
    "more runs than random": (replace(SORTED, runs=990, z=9.0, p=1.0, shuffled=False), None),
    "significant and slight": (replace(SORTED, labels=10**6, runs=860_000, expected_runs=9e5, shuffled=False), None),
}


@pytest.mark.parametrize(("seen", "expected"), ORDERS.values(), ids=ORDERS)
def test_order_of_training_samples(seen: LabelOrder, expected: Severity | None) -> None:
    assert severity(seen, "D109") == expected


def test_labels_all_alike_have_no_order() -> None:
    assert why(LabelOrder(100, 1, 1, 1.0, math.nan, math.nan), "D109")


# D111, D113 to D116


def test_validation_may_come_in_another_order_but_not_changed() -> None:
    assert severity(ValidationRepeat(64, 0, 0.0, reordered=True), "D111") is None
    assert severity(ValidationRepeat(64, 64, 1e-6), "D111") is None
    assert severity(ValidationRepeat(64, 64, math.nan), "D111") is None
    assert severity(ValidationRepeat(64, 1, 0.4), "D111") is WARNING
    assert severity(ValidationRepeat(64, 64, math.inf), "D111") is WARNING
    assert why(ValidationRepeat(0, 0, 0.0), "D111")


STRONG = TargetInFeatures(13, "r2", 0.0, best=0.995, best_low=0.993, feature=4, second=0.4, rest=0.6, samples=400)
TARGETS = {
    "equal": (replace(STRONG, equal=True), ERROR),
    "the one feature there is": (replace(STRONG, features=1, equal=True), None),
    "stands out": (replace(STRONG, rest_high=0.65), WARNING),
    "others know it too": (replace(STRONG, rest=0.995, rest_high=0.997), INFO),
    "a neighbour in time": (replace(STRONG, second=0.98, rest_high=0.99), INFO),
    "nothing to compare with": (STRONG, INFO),
    "an easy task": (replace(STRONG, best=1.0, best_low=0.99, second=1.0), None),
    "strong, not nearly all": (replace(STRONG, best=0.96, best_low=0.955, rest_high=0.65), INFO),
    "usual": (replace(STRONG, best=0.9, best_low=0.88, rest_high=0.65), None),
    "no number": (replace(STRONG, best=math.nan, best_low=math.nan), None),
}


@pytest.mark.parametrize(("seen", "expected"), TARGETS.values(), ids=TARGETS)
def test_target_among_the_features(seen: TargetInFeatures, expected: Severity | None) -> None:
    assert severity(seen, "D113") == expected


def test_a_column_of_a_table_is_dropped_by_patch_and_an_autoencoder_left_alone() -> None:
    equal = replace(STRONG, equal=True, feature_name="price_eur")
    finding = found(fact_run(equal), "D113")
    assert finding is not None
    assert finding.remedies[0].patch == {"data.drop": ["price_eur"]}
    assert found(fact_run(equal, task="reconstruction"), "D113") is None
    assert why(replace(equal, samples=5), "D113")


SEEDS = WorkerSeeds(4, numpy_distinct=4, python_distinct=4, torch_distinct=4)
WORKERS = {
    "apart": (replace(SEEDS, numpy_used=True, python_used=True), None),
    "alike in a stream that is not used": (replace(SEEDS, numpy_distinct=1), None),
    "alike and used": (replace(SEEDS, numpy_distinct=1, numpy_used=True), WARNING),
    "Python's, some alike": (replace(SEEDS, python_distinct=3, python_used=True), WARNING),
    "the same each epoch": (replace(SEEDS, numpy_used=True, epochs_repeat=True), WARNING),
    "the same each epoch, not used": (replace(SEEDS, epochs_repeat=True), None),
    "PyTorch's alike": (replace(SEEDS, torch_distinct=1), INFO),
    "not drawn at all": (replace(SEEDS, numpy_distinct=0, numpy_used=True), None),
}


@pytest.mark.parametrize(("seen", "expected"), WORKERS.values(), ids=WORKERS)
def test_seeds_of_workers(seen: WorkerSeeds, expected: Severity | None) -> None:
    assert severity(seen, "D114") == expected


NOISY = LabelNoise(1000, 110, 0.09, 0.13, model_accuracy=0.87, examples=(1,), given=(0,), suggested=(3,))


def test_noise_of_labels() -> None:
    assert severity(NOISY, "D115") is WARNING
    assert severity(replace(NOISY, model_accuracy=0.6), "D115") is INFO
    assert severity(replace(NOISY, model_accuracy=0.7), "D115") is INFO
    assert severity(replace(NOISY, share_low=0.25, share_high=0.4, model_accuracy=0.7), "D115") is WARNING
    assert severity(replace(NOISY, suspects=12, share_low=0.007), "D115") is INFO
    assert severity(replace(NOISY, suspects=2, share_low=0.0005), "D115") is None
    assert why(replace(NOISY, share_low=math.nan), "D115")
    assert why(replace(NOISY, samples=0), "D115")
    assert why(replace(NOISY, model_accuracy=0.1, share_low=1.0, share_high=1.0), "D115")


TARGET = TargetScale(mean=152.0, std=77.0, low=25.0, high=346.0, values=300, output_std=0.2)
SCALES = {
    "units of the source": (TARGET, WARNING),
    "thousands, network unknown": (replace(TARGET, mean=2e5, std=9e4, output_std=None), WARNING),
    "tiny": (replace(TARGET, mean=0.0, std=0.001, output_std=0.3), WARNING),
    "large, network as large": (replace(TARGET, output_std=30.0), None),
    "tens": (replace(TARGET, mean=22.0, std=9.0), None),
    "a mean of tens": (replace(TARGET, mean=50.0, std=9.0, output_std=0.02), WARNING),
    "a mean of tens, network as large": (replace(TARGET, mean=50.0, std=9.0, output_std=3.0), None),
    "a mean of tens, network unknown": (replace(TARGET, mean=50.0, std=9.0, output_std=None), None),
    "a mean of tens, where the bias begins": (
        replace(TARGET, mean=50.0, std=9.0, output_std=0.02, bias_started=True),
        None,
    ),
    "a mean of tens within its spread": (replace(TARGET, mean=22.0, std=9.0, output_std=0.02), None),
    "far from 0, of unit spread": (replace(TARGET, mean=9.0, std=1.0), None),
    "far from 0, where the bias begins": (
        replace(TARGET, mean=500.0, std=20.0, output_std=5.0, bias_started=True),
        None,
    ),
    "constant": (replace(TARGET, std=0.0), None),
}


@pytest.mark.parametrize(("seen", "expected"), SCALES.values(), ids=SCALES)
def test_scale_of_the_target(seen: TargetScale, expected: Severity | None) -> None:
    assert severity(seen, "D116") == expected


def test_targets_that_are_fitted_all_the_same_are_information() -> None:
    falling = 29_000 * np.exp(-np.arange(30.0))
    finding = found(fact_run(TARGET, curves={"train_loss": falling}, trivial_loss=5900.0), "D116")
    assert finding is not None
    assert finding.severity is INFO
    assert why(replace(TARGET, std=math.inf), "D116")
