"""What is measured of the data: by ``dlcheck check`` on whole splits, by ``dlcheck watch`` on the batches seen.

Indices count from 0 and are positions in the split as it was loaded, unless a field says otherwise.
"""

from dataclasses import dataclass
from typing import ClassVar

from dlcheck.runs.facts.fact import Fact, Site


@dataclass(frozen=True, slots=True)
class InputValues(Fact):
    """The numbers that enter the network (D101, D102)."""

    NAME: ClassVar[str] = "input_values"
    values: int
    """Numbers looked at."""
    nonfinite: int
    """NaN or infinite ones among them."""
    mean: float
    """Of the finite values, as are the next three."""
    std: float
    low: float
    high: float
    whole: bool = False
    """Every finite value is a whole number."""
    floating: bool = True
    """Floating-point inputs; whole-number codes (tokens) are not judged by scale."""
    normalized_first: bool = False
    """The first layer that sees the input normalises it (batch, layer, instance or group norm), or the network's own
    arithmetic does before any layer with weights: then these numbers are not what it works with.
    """
    feature_std_low: float | None = None
    """Smallest and largest standard deviation of a feature (table column or image channel), constant ones left out."""
    feature_std_high: float | None = None
    split: str = "train"
    """Split of the first non-finite value; ``train`` when there is none."""
    rows: tuple[int, ...] = ()
    """At most 10 samples with non-finite values (``watch``: rows of the first such batch)."""
    columns: tuple[int, ...] = ()
    """At most 10 features in which they lie; empty for images and sequences."""
    step: int | None = None
    """First step at which one was seen, in ``watch``."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class ConstantFeatures(Fact):
    """Features that are the same for every training sample (D103)."""

    NAME: ClassVar[str] = "constant_features"
    features: int
    """Features in all: columns of a table, pixels of an image."""
    constant: int
    examples: tuple[int, ...] = ()
    """At most 10 of their indices."""
    names: tuple[str, ...] = ()
    """Their names where known, in the same order."""
    image: bool = False
    """They are pixels, of which some always are constant."""
    samples: int = 0


@dataclass(frozen=True, slots=True)
class LabelRange(Fact):
    """Class codes against the number of classes (D104)."""

    NAME: ClassVar[str] = "label_range"
    labels: int
    """Labels looked at."""
    bad: int
    """Those outside 0 … classes − 1 and not ``ignored``."""
    low: int
    high: int
    classes: int
    """Outputs of the network; 2 for one output with binary cross-entropy."""
    ignored: int | None = None
    examples: tuple[int, ...] = ()
    """At most 10 samples with such a label."""
    crashed: bool = False
    """The script ended with an exception because of it."""
    split: str = "train"
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class ClassBalance(Fact):
    """How often each class occurs, and what is done about it (D105)."""

    NAME: ClassVar[str] = "class_balance"
    counts: tuple[int, ...]
    """Training samples of each class."""
    weighted: bool = False
    """The loss weighs classes, or the sampler evens them out."""
    predicted: tuple[int, ...] = ()
    """Validation samples predicted as each class by the trained network; empty before training."""
    recalled: tuple[int, ...] = ()
    """Validation samples of each class that were predicted right; empty before training."""
    actual: tuple[int, ...] = ()
    """Validation samples of each class; empty before training."""


@dataclass(frozen=True, slots=True)
class SplitOverlap(Fact):
    """Validation (or test) samples that are in the training data too (D106)."""

    NAME: ClassVar[str] = "split_overlap"
    split: str
    """The split compared with training: ``val`` or ``test``, whichever overlaps more."""
    samples: int
    """Samples of that split looked at."""
    train_samples: int
    exact: int
    """Samples of that split whose input equals that of a training sample bit for bit."""
    near: int = 0
    """Further ones closer to a training sample than any two different training samples of their class usually are."""
    same_label: int = 0
    """Of the exact ones, those whose label is the same too."""
    train_duplicates: int = 0
    """Training samples whose input equals that of an earlier training sample."""
    distinct_values: int | None = None
    """Distinct inputs that the training split could have at most where features are few and discrete; None: many."""
    same_dataset: bool = False
    """Both loaders read the very same data set object or the same rows of it (``watch``)."""
    same_loader: bool = False
    """The evaluation goes through the very loader that trains: training accuracy, on purpose."""
    named: str = ""
    """Name of the variable that holds the evaluation's loader or data, where it was found."""
    examples: tuple[tuple[int, int], ...] = ()
    """At most 10 pairs (sample of the split, training sample)."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class SplitShift(Fact):
    """Whether training and validation samples look drawn alike (D107)."""

    NAME: ClassVar[str] = "split_shift"
    method: str
    """How the recipe splits: ``stratified``, ``random``, ``group``, ``time``, ``given``; empty when not known."""
    train_samples: int
    val_samples: int
    features: int
    """Features (or principal components) tested."""
    shifted: int
    """Those whose Kolmogorov-Smirnov test is significant at 1 % after Holm's correction."""
    smallest_p: float
    """Holm-corrected."""
    largest_statistic: float
    """Largest Kolmogorov-Smirnov statistic, 0 to 1."""
    feature: int | None = None
    """The feature that has it."""
    feature_name: str = ""
    auc: float | None = None
    """Area under the ROC curve of a classifier that tells the splits apart, out of fold; 0.5 is chance."""
    auc_low: float | None = None
    """Ends of its 95 % interval."""
    auc_high: float | None = None
    label_p: float | None = None
    """Test that the labels (classes or target values) are drawn alike."""


@dataclass(frozen=True, slots=True)
class ValidationSize(Fact):
    """Whether validation can show the differences that are looked for (D108)."""

    NAME: ClassVar[str] = "validation_size"
    samples: int
    score: float | None = None
    """Accuracy to expect or reached, from 0 to 1; None: not known, the half width is that at the worst case, 0.5."""
    half_width: float | None = None
    """Half of the 95 % interval of an accuracy at ``score``; None for regression."""
    classes: int | None = None
    smallest_class: int | None = None
    """Validation samples of the rarest class."""


@dataclass(frozen=True, slots=True)
class LabelOrder(Fact):
    """Whether training samples come in an order that their labels tell (D109)."""

    NAME: ClassVar[str] = "label_order"
    labels: int
    """Labels of one epoch (or as many as were seen), in loading order."""
    classes: int
    runs: int
    """Stretches of equal labels; for regression, of values on one side of the median."""
    expected_runs: float
    """In random order (Wald and Wolfowitz 1940)."""
    z: float
    """(runs − expected) / standard deviation; strongly negative is sorted."""
    p: float
    """One-sided, against fewer runs than random."""
    batch_diversity: float | None = None
    """Mean over batches of distinct labels a batch, over that expected at random; 1 is random."""
    same_order: bool | None = None
    """Two epochs came in the same order; None when one was seen."""
    shuffled: bool | None = None
    """The loader draws at random (its sampler says so); None when not known."""
    sequence: bool = False
    """Samples are pieces of one series or text, whose order may be meant."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class LabelSignal(Fact):
    """Whether labels say anything about inputs, by a simple model on raw features (D110, D112)."""

    NAME: ClassVar[str] = "label_signal"
    score: str
    """``accuracy`` or ``r2``."""
    chance: float
    """Of the best constant answer on the validation split."""
    train_score: float
    """Out of fold on the training split."""
    train_low: float
    """Lower and upper end of its 95 % interval, as for the others."""
    train_high: float
    val_score: float
    """Fitted on training, measured on validation."""
    val_low: float
    val_high: float
    val_own_score: float | None = None
    """Out of fold within the validation split; None when it is too small."""
    val_own_low: float | None = None
    shift: int | None = None
    """Shift of the labels against the inputs, in samples, at which the score is best; 0 when as given is best."""
    shift_split: str = ""
    """The split that was shifted: ``train``, ``val`` or ``both``."""
    shift_score: float | None = None
    shift_low: float | None = None
    reordered_score: float | None = None
    """With labels sorted back by a simpler order (reversed, by class, as files were listed); None when none helps."""
    reordered_low: float | None = None
    order: str = ""
    """What that order is."""
    model: str = ""
    """The simple model, in words."""


@dataclass(frozen=True, slots=True)
class ValidationRepeat(Fact):
    """Whether reading the validation data twice gives the same (D111)."""

    NAME: ClassVar[str] = "validation_repeat"
    samples: int
    changed: int
    """Samples that differed between two readings."""
    largest_difference: float
    """Largest absolute difference of an input value, in units of the inputs' standard deviation."""
    reordered: bool = False
    """The same samples came, in another order: harmless."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class TargetInFeatures(Fact):
    """A single feature that gives the target away (D113)."""

    NAME: ClassVar[str] = "target_in_features"
    features: int
    score: str
    """``accuracy`` or ``r2`` of one feature alone (a stump of few leaves, out of fold)."""
    chance: float
    best: float
    """Of the best feature."""
    best_low: float
    """Lower end of its 95 % interval."""
    feature: int
    feature_name: str = ""
    second: float = 0.0
    """Of the second best feature."""
    rest: float | None = None
    """Of a simple model on all other features."""
    rest_high: float | None = None
    equal: bool = False
    """The feature equals the target, or is a one-to-one code of it, in every sample."""
    samples: int = 0


@dataclass(frozen=True, slots=True)
class WorkerSeeds(Fact):
    """Whether loader workers draw different random numbers (D114)."""

    NAME: ClassVar[str] = "worker_seeds"
    workers: int
    numpy_distinct: int
    """Distinct first draws of ``numpy.random`` among the workers."""
    python_distinct: int
    torch_distinct: int
    numpy_used: bool = False
    """The data set drew from ``numpy.random``'s global generator while a sample was read."""
    python_used: bool = False
    epochs_repeat: bool = False
    """A second epoch's workers draw what the first's drew."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class LabelNoise(Fact):
    """Labels that their neighbours contradict (D115)."""

    NAME: ClassVar[str] = "label_noise"
    samples: int
    """Training samples judged."""
    suspects: int
    """Those that two different simple models, out of fold, both confidently give another label."""
    share_low: float
    """95 % interval of the share of wrong labels."""
    share_high: float
    model_accuracy: float
    """Out-of-fold agreement with the labels that are not suspected."""
    examples: tuple[int, ...] = ()
    """At most 20, the surest first."""
    given: tuple[int, ...] = ()
    """Their labels."""
    suggested: tuple[int, ...] = ()
    """What both models say."""


@dataclass(frozen=True, slots=True)
class TargetScale(Fact):
    """The numbers to predict, as the loss sees them (D116)."""

    NAME: ClassVar[str] = "target_scale"
    mean: float
    std: float
    low: float
    high: float
    values: int
    output_std: float | None = None
    """Standard deviation of the untrained network's output; None when not measured."""
    bias_started: bool = False
    """The last layer's bias begins at the mean."""
    site: Site | None = None
