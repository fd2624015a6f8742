"""Where the keys of a recipe usually lie, as data: outside of it a key is the first suspect when training fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LEARNING = (
    *(f"C40{last}" for last in range(1, 9)),
    *("C412", "C416", "C417", "C419", "D102", "D109", "D116"),
    *("M201", "M202", "M203", "M204", "M205", "M207", "M209", "M210", "M214", "M215", "M216"),
    *(f"G30{last}" for last in (1, 2, 3, 4, 5, 7, 8, 9)),
    *("G310", "G313", "G314", "G316"),
)
"""Findings of a training that fails, or learns less than it could."""
SLOW = (
    *(f"C40{last}" for last in (5, 6, 7, 8)),
    *("C412", "C417", "M204", "M205", "M207", "M209", "M214", "M215", "M216"),
    *("G303", "G305", "G307", "G308", "G313", "G314", "G316"),
)
"""Those of them in which nothing blows up: what a limit, a noise or a penalty in excess can do."""
PULLED = (*SLOW, "C402", "C403", "C404", "G304")
"""What a penalty or a limit on the weights can do: small weights move far, measured by their own norm."""
SHORT = ("C405", "C406", "C407", "C408", "C412", "C417", "G305", "M216")
"""What too few steps can look like."""
GENERAL = (*LEARNING, "C409", "C410")
"""Those, and learning by heart."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Where one key usually lies."""

    path: str
    source: str
    """Who says so: author, year and place, or the reason."""
    low: float | None = None
    """Smaller numbers are unusual (one of a list is enough)."""
    high: float | None = None
    odd: tuple[object, ...] = ()
    """Values that are unusual, where it is not a matter of size."""
    back: object = None
    """What to set it to; None: its default."""
    only_if: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """Values that other keys must have; ``task`` and ``images`` as in ``Present.value``."""
    near: tuple[str, ...] = ()
    """Findings that this key is the first cause of."""
    codes: tuple[str, ...] = LEARNING
    """Findings that it can cause at all."""
    counts: float = 1.0
    """How far out an odd value counts, in powers of ten."""
    from_one: bool = False
    """Its distance from 1 counts, as of a momentum: 0.999 is ten times as far as 0.99."""


ADAMS = ("adam", "adamw", "amsgrad", "radam", "nadam", "diffgrad", "adabelief", "angulargrad", "adainject")
RATES = ("C401", "C402", "C403", "C404", "C405", "C419", "G301", "G302", "G304", "G305", "G307", "G310")
_PLAYBOOK = "Godbole et al. 2023, Deep Learning Tuning Playbook (search ranges)"
_SMITH = "Smith 2018, A disciplined approach, arXiv:1803.09820"
_SRIVASTAVA = "Srivastava et al. 2014, Dropout, JMLR 15"
_GLOROT = "Glorot & Bengio 2010, Understanding the difficulty, AISTATS (variance by width)"
_KINGMA = "Kingma & Ba 2015, Adam, arXiv:1412.6980 (0.9, 0.999, 1e-8)"
_SHORTEN = "Shorten & Khoshgoftaar 2019, Image Data Augmentation, doi:10.1186/s40537-019-0197-0"

USUAL: tuple[Usual, ...] = (
    # Data as it enters.
    Usual("data.normalize", "LeCun et al. 1998, Efficient BackProp", odd=("none",), near=("D102",), codes=GENERAL),
    Usual("data.shuffle", "Bengio 2012, arXiv:1206.5533", odd=(False,), near=("D109",), codes=GENERAL),
    # The rate, by optimizer.
    *(
        Usual("optimizer.lr", _PLAYBOOK, low, high, only_if={"optimizer.name": names}, near=RATES, codes=GENERAL)
        for names, low, high in (
            (ADAMS, 3e-5, 0.03),
            (("rmsprop",), 3e-5, 0.02),
            (("adagrad",), 1e-3, 0.5),
            (("sgd",), 1e-3, 1.0),
            (("momentum", "nesterov"), 3e-4, 0.3),
            (("lbfgs",), 0.01, 2.0),
        )
    ),
    # The optimizer's other keys.
    Usual("optimizer.momentum", _SMITH, high=0.99, near=("G316",), from_one=True),
    Usual("optimizer.betas.0", _KINGMA, high=0.98, near=("G316",), from_one=True),
    Usual("optimizer.betas.1", _KINGMA, low=0.8, high=0.9999, near=("G316",), from_one=True),
    Usual("optimizer.alpha", "Hinton 2012, lecture 6e of the Coursera course", low=0.5, high=0.9999, from_one=True),
    Usual("optimizer.eps", _KINGMA, high=1e-3, near=("G316", "G305", "G307"), codes=SLOW),
    Usual("optimizer.bias_correction", _KINGMA, odd=(False,), near=("G304",)),
    Usual(
        "optimizer.weight_decay",
        "Loshchilov & Hutter 2019, arXiv:1711.05101 (decoupled)",
        high=0.3,
        only_if={"optimizer.name": ("adamw",)},
        near=("G313",),
        codes=PULLED,
    ),
    Usual(
        "optimizer.weight_decay",
        "Loshchilov & Hutter 2019, arXiv:1711.05101 (added to the gradient: best below 0.01)",
        high=0.02,
        only_if={"optimizer.name": tuple(name for name in (*ADAMS, "sgd", "momentum", "nesterov") if name != "adamw")},
        near=("G313",),
        codes=PULLED,
    ),
    # The start.
    Usual("init.name", _GLOROT, odd=("zeros", "constant"), back="default", near=("M202",), codes=GENERAL),
    Usual("init.gain", _GLOROT, low=0.3, high=3.0, near=("M201", "M203"), codes=GENERAL),
    Usual("init.bias", "He et al. 2015, arXiv:1502.01852 (biases at 0)", low=-1.0, high=1.0, near=("M201", "M204")),
    # The network.
    Usual("model.dropout", _SRIVASTAVA, high=0.6, near=("M215",), from_one=True, codes=SLOW),
    Usual(
        "model.activation",
        "Glorot, Bordes & Bengio 2011, Deep Sparse Rectifier Neural Networks, AISTATS",
        odd=("sigmoid",),
        counts=0.3,
        near=("G303", "M203", "M205"),
    ),
    Usual("model.hidden", "fewer units than that can hardly tell classes apart", low=4, near=("C408",), codes=SLOW),
    Usual(
        "model.channels", "fewer channels than that can hardly tell classes apart", low=4, near=("C408",), codes=SLOW
    ),
    Usual("model.width", "a small part of the published width", low=0.2, near=("C408",), codes=SLOW),
    Usual(
        "model.train_stages",
        "weights that were never trained must learn",
        odd=("head", 1, 2, 3),
        only_if={"model.weights": (None,)},
        near=("M207", "C408"),
        codes=SLOW,
    ),
    # The loss.
    Usual(
        "loss.name",
        "Golik, Doetsch & Ney 2013, Cross-entropy vs. squared error training, Interspeech",
        odd=("mse", "mae", "huber", "hinge"),
        back="auto",
        only_if={"task": ("classification",)},
        near=("C408", "C406"),
        codes=SLOW,
    ),
    Usual("loss.delta", "Huber 1964: about the spread of the noise", low=0.05, high=100.0, codes=SLOW),
    # What keeps from learning by heart, and in excess from learning.
    Usual("regularize.l1", _PLAYBOOK, high=2e-3, near=("C408", "G313"), codes=PULLED),
    Usual("regularize.l2", _PLAYBOOK, high=2e-2, near=("C408", "G313"), codes=PULLED),
    Usual("regularize.max_norm", _SRIVASTAVA + " (norms of 3 to 4)", low=0.7, back=3.0, near=("C408",), codes=PULLED),
    Usual(
        "regularize.dropconnect",
        "Wan et al. 2013, DropConnect, ICML",
        high=0.6,
        near=("C408",),
        from_one=True,
        codes=PULLED,
    ),
    Usual("regularize.weight_noise", "Graves 2011: 0.075", high=0.2, near=("C408",), codes=PULLED),
    Usual("regularize.input_noise", "inputs have a spread of 1", high=1.0, near=("C408",), codes=PULLED),
    Usual(
        "regularize.label_smoothing",
        "Szegedy et al. 2016, arXiv:1512.00567: 0.1",
        high=0.3,
        near=("C408",),
        codes=PULLED,
    ),
    Usual(
        "regularize.mixup", "Zhang et al. 2018, arXiv:1710.09412: 0.1 to 0.4", high=2.0, near=("C408",), codes=PULLED
    ),
    # Augmentation beyond what leaves an image its label.
    *(
        Usual(f"augment.{key}", _SHORTEN, high=high, near=("C408",), codes=SLOW)
        for key, high in (
            ("translate", 0.4),
            ("scale", 0.5),
            ("rotate", 60.0),
            ("shear", 45.0),
            ("brightness", 1.0),
            ("contrast", 1.0),
            ("colour_cast", 0.5),
            ("distort", 8.0),
            ("noise", 0.4),
            ("erase", 0.7),
        )
    ),
    # How long, in what batches, how limited.
    Usual(
        "train.epochs",
        "fewer passes than that seldom end a training",
        low=5,
        back=20,
        near=("C412", "C405"),
        codes=SHORT,
    ),
    Usual(
        "train.max_steps",
        "fewer steps than that seldom end a training",
        low=200,
        back=2000,
        near=("C412",),
        codes=SHORT,
    ),
    Usual("train.batch_size", "Masters & Luschi 2018, arXiv:1804.07612: 2 to 32", low=4, near=("M210", "G314")),
    Usual(
        "train.batch_size",
        "Keskar et al. 2017, arXiv:1609.04836",
        high=2048,
        near=("C412", "C405", "G305"),
        codes=SHORT,
    ),
    Usual("train.accumulate", "Keskar et al. 2017, arXiv:1609.04836", high=16, near=("C412", "C405"), codes=SHORT),
    Usual(
        "train.clip_norm", "Pascanu et al. 2013, arXiv:1211.5063", low=0.05, back=1.0, near=("G308", "G305"), codes=SLOW
    ),
    Usual(
        "train.clip_value",
        "a rate times this is the largest step",
        low=1e-3,
        back=1.0,
        near=("G308", "G305"),
        codes=SLOW,
    ),
    Usual(
        "train.patience",
        "Prechelt 1998, Early Stopping: one rise is chance",
        low=3,
        back=10,
        near=("C412",),
        codes=SHORT,
    ),
    Usual("train.precision", "65504 is fp16's largest number", odd=("fp16",), near=("C401", "G301", "G309", "C419")),
    # Schedules with keys of their own.
    Usual(
        "schedule.start_factor",
        "Smith & Topin 2018, arXiv:1708.07120: 10 to 100",
        high=300.0,
        near=("C405",),
        codes=SHORT,
    ),
    Usual("schedule.factor", "PyTorch's ReduceLROnPlateau: 0.1", low=0.01, near=("C405", "C417"), codes=SHORT),
    Usual("schedule.patience", "one epoch without progress is chance", low=2, near=("C405", "C417"), codes=SHORT),
)
