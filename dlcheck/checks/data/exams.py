"""The exams of data: from a patient to facts and the words of the table."""

from __future__ import annotations

import numpy as np
import torch

from dlcheck.checks.data.labels import label_order, label_range, validation_size
from dlcheck.checks.data.leak import target_in_features
from dlcheck.checks.data.noise import label_noise
from dlcheck.checks.data.overlap import split_overlap
from dlcheck.checks.data.read import as_array, read_splits
from dlcheck.checks.data.repeat import draws_at_random, label_epochs, validation_repeat
from dlcheck.checks.data.samples import Samples
from dlcheck.checks.data.shift import split_shift
from dlcheck.checks.data.signal import label_signal
from dlcheck.checks.data.subject import (
    IGNORED,
    classes_of,
    feature_names,
    is_series,
    labelled,
    normalises_first,
    split_method,
    task_of,
)
from dlcheck.checks.data.values import constant_features, input_values
from dlcheck.checks.data.workers import worker_seeds
from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.patient import Patient, answer
from dlcheck.runs.facts import ClassBalance, TargetScale


def measure_values(patient: Patient) -> Measured:
    """Look for numbers that are not finite, and measure their scale."""
    fact = input_values(read_splits(patient), normalized_first=normalises_first(patient.model))
    number = f"{fact.mean:.3g} ± {fact.std:.3g}" + (f", {fact.nonfinite} not finite" if fact.nonfinite else "")
    return Measured((fact,), number=number, expected="finite, near 0 ± 1" if fact.floating else "codes")


def measure_constant(patient: Patient) -> Measured:
    """Count constant features."""
    train = read_splits(patient).train
    if train.inputs.dtype.kind != "f" or is_series(patient):
        raise Skipped("inputs are codes" if train.inputs.dtype.kind != "f" else "features are times of one series")
    fact = constant_features(train, feature_names(patient))
    expected = "border pixels at most" if fact.image else "0"
    return Measured((fact,), number=f"{fact.constant} of {fact.features}", expected=expected)


def measure_labels(patient: Patient) -> Measured:
    """Check the range of class codes, and count them."""
    if task_of(patient) in ("regression", "reconstruction"):
        raise Skipped("no classes")
    splits = read_splits(patient)
    classes = classes_of(patient, splits.train)
    if classes is None:
        raise Skipped("no classes")
    named = {"train": splits.train, "val": splits.val, "test": splits.test}
    parts = [(name, *_codes(part)) for name, part in named.items() if part is not None]
    ranged = label_range(parts, classes, IGNORED if splits.train.target.dtype.kind == "i" else None)
    number = f"{ranged.low} to {ranged.high}"
    if task_of(patient) in ("language", "caption") or parts[0][1].ndim > 1:
        return Measured((ranged,), number=number, expected=f"0 to {classes - 1}")
    balance = ClassBalance(counts=_counts(patient, parts[0][1], classes), weighted=_weighted(patient))
    spread = f", {min(balance.counts)} to {max(balance.counts)} a class"
    return Measured((ranged, balance), number=number + spread, expected=f"0 to {classes - 1}")


def _codes(part: Samples) -> tuple[np.ndarray, np.ndarray]:
    if part.labels is not None and part.labels.dtype.kind in "iub":
        return part.labels.astype(np.int64), np.arange(part.total)
    codes = part.target.astype(np.int64)
    return codes[:, 0] if codes.ndim == 2 and codes.shape[1] == 1 else codes, part.index


def _counts(patient: Patient, codes: np.ndarray, classes: int) -> tuple[int, ...]:
    if patient.info is not None and patient.info.class_counts:
        return patient.info.class_counts
    inside = codes[(codes >= 0) & (codes < classes)]
    return tuple(int(count) for count in np.bincount(inside.ravel(), minlength=classes))


def _weighted(patient: Patient) -> bool:
    if patient.recipe is not None:
        return getattr(patient.recipe.loss, "class_weights", "none") != "none"
    sampler = getattr(getattr(patient.train, "loader", None), "sampler", None)
    weight = getattr(patient.loss, "weight", None) is not None or getattr(patient.loss, "pos_weight", None) is not None
    return weight or isinstance(sampler, torch.utils.data.WeightedRandomSampler)


def measure_overlap(patient: Patient) -> Measured:
    """Look for validation and test samples that are in training too."""
    splits = read_splits(patient)
    if splits.val is None and splits.test is None:
        raise Skipped("no validation data")
    others = [(name, part) for name, part in (("val", splits.val), ("test", splits.test)) if part is not None]
    near = not is_series(patient) and not splits.train.augmented
    found = [split_overlap(splits.train, part, name, near=near) for name, part in others]
    fact = max(found, key=lambda item: (item.exact + item.near) / max(1, item.samples))
    number = f"{fact.exact} equal, {fact.near} nearly, of {fact.samples}"
    return Measured((fact,), number=number, expected="none")


def measure_shift(patient: Patient) -> Measured:
    """Compare training and validation samples."""
    given = labelled(patient)
    if min(len(given.splits.train), len(given.val)) < 10:
        raise Skipped("too few samples")
    if given.splits.train.augmented and not given.val.augmented:
        raise Skipped("training samples are augmented, validation samples are not: they differ by intent")
    fact = split_shift(given.splits.train, given.val, method=split_method(patient.recipe), classes=given.classes)
    number = f"{fact.shifted} of {fact.features} features differ, AUC {fact.auc:.2f}"
    return Measured((fact,), number=number, expected="none, AUC 0.5")


def measure_validation_size(patient: Patient) -> Measured:
    """Tell how far a validation score can be trusted."""
    if patient.val is None:
        raise Skipped("no validation data")
    if task_of(patient) in ("language", "caption"):
        raise Skipped("targets are texts")
    splits = read_splits(patient)
    classes = None if task_of(patient) == "reconstruction" else classes_of(patient, splits.train)
    codes = None
    if classes is not None and splits.val is not None and (splits.val.whole or splits.val.labels is not None):
        codes = _codes(splits.val)[0].ravel()
        if len(codes) != patient.val.samples:
            raise Skipped("targets are no single labels")
    fact = validation_size(patient.val.samples, codes, classes, None)
    width = "" if fact.half_width is None else f", ± {100 * fact.half_width:.1f} points at most"
    return Measured((fact,), number=f"{fact.samples} samples{width}", expected="")


def measure_order(patient: Patient) -> Measured:
    """Read two epochs of training labels."""
    given = labelled(patient)
    first, same = label_epochs(patient.train)
    fact = label_order(
        [first],
        classes=given.classes,
        same_order=same,
        shuffled=draws_at_random(patient.train),
        sequence=is_series(patient),
    )
    return Measured((fact,), number=f"{fact.runs} runs", expected=f"about {fact.expected_runs:.0f}")


def measure_signal(patient: Patient) -> Measured:
    """Ask simple models what labels say about inputs."""
    given = labelled(patient)
    if is_series(patient):
        raise Skipped("neighbouring windows of a series share most of their values")
    fact = label_signal(given.splits.train, given.val, given.classes)
    if fact is None:
        raise Skipped("too few samples")
    number = f"{fact.train_score:.3g} in training, {fact.val_score:.3g} in validation"
    return Measured((fact,), number=number, expected=f"{fact.score} above {fact.chance:.2g}")


def measure_leak(patient: Patient) -> Measured:
    """Ask each feature alone for the target."""
    given = labelled(patient)
    if is_series(patient):
        raise Skipped("the features are earlier values of the target itself")
    fact = target_in_features(given.splits.train, given.classes, feature_names(patient))
    if fact is None:
        raise Skipped("too few samples, or nothing varies")
    number = f"{fact.best:.3g} by one feature" + ("" if fact.rest is None else f", {fact.rest:.3g} by the rest")
    return Measured((fact,), number=number, expected="no feature is the target")


def measure_repeat(patient: Patient) -> Measured:
    """Read validation twice."""
    if patient.val is None:
        raise Skipped("no validation data")
    fact = validation_repeat(patient.val)
    words = "in another order" if fact.reordered else "changed"
    number = f"{fact.changed} of {fact.samples} {words}"
    return Measured((fact,), number=number, expected="0")


def measure_workers(patient: Patient) -> Measured:
    """Let the loader's workers draw."""
    fact = worker_seeds(patient.train)
    if fact is None:
        raise Skipped("the loader has no workers")
    least = min(fact.numpy_distinct, fact.python_distinct, fact.torch_distinct)
    return Measured((fact,), number=f"{least} of {fact.workers} draw differently", expected="all")


def measure_noise(patient: Patient) -> Measured:
    """Look for labels that two simple models contradict."""
    given = labelled(patient)
    if given.classes is None:
        raise Skipped("no classes")
    fact = label_noise(given.splits.train, given.classes)
    if fact is None:
        raise Skipped("too few samples of a class")
    if fact.share_high == 1.0:
        return Measured((fact,), number="simple models know too little of these labels", expected="0")
    share = f"{100 * fact.share_low:.1f} to {100 * fact.share_high:.1f} % wrong"
    return Measured((fact,), number=f"{fact.suspects} of {fact.samples} doubted, {share}", expected="0")


def measure_target(patient: Patient) -> Measured:
    """Measure the numbers to predict, and what the untrained network answers."""
    given = labelled(patient)
    if given.classes is not None:
        raise Skipped("no numbers to predict")
    target = given.splits.train.target.astype(np.float64)
    finite = target[np.isfinite(target)]
    if not finite.size:
        raise Skipped("no finite targets")
    patient.model.eval()
    *inputs, _ = patient.samples(64)
    with torch.no_grad():
        output = answer(patient.predict(tuple(inputs)))
    answers = None if output is None or output.numel() < 2 else float(as_array(output).std())
    mean, std = float(finite.mean()), float(finite.std())
    fact = TargetScale(
        mean=mean,
        std=std,
        low=float(finite.min()),
        high=float(finite.max()),
        values=target.size,
        output_std=answers,
        bias_started=_starts_at(patient, mean, std),
    )
    return Measured((fact,), number=f"{mean:.3g} ± {std:.3g}", expected="near 0 ± 1")


def _starts_at(patient: Patient, mean: float, std: float) -> bool:
    """Return whether the last layer's bias is the targets' mean, within a tenth of their spread."""
    biases = [bias for m in patient.model.modules() if isinstance(bias := getattr(m, "bias", None), torch.Tensor)]
    return bool(biases) and abs(float(biases[-1].detach().mean()) - mean) <= 0.1 * std


EXAMS: tuple[Exam, ...] = (
    Exam("input values", ("D101", "D102"), measure_values),
    Exam("constant features", ("D103",), measure_constant, share=0.3),
    Exam("labels", ("D104", "D105"), measure_labels, share=0.3),
    Exam("samples in both splits", ("D106",), measure_overlap),
    Exam("splits drawn alike", ("D107",), measure_shift),
    Exam("validation size", ("D108",), measure_validation_size, share=0.1),
    Exam("order of labels", ("D109",), measure_order, share=0.5),
    Exam("labels and inputs", ("D110", "D112"), measure_signal),
    Exam("validation read twice", ("D111",), measure_repeat, share=0.5),
    Exam("target among features", ("D113",), measure_leak),
    Exam("worker seeds", ("D114",), measure_workers, share=0.3),
    Exam("label noise", ("D115",), measure_noise),
    Exam("target scale", ("D116",), measure_target, share=0.2),
)
