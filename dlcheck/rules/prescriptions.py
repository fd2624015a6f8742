"""Prescriptions that several rules share."""

from dlcheck.findings import Effect
from dlcheck.rules.prescription import RATE, Prescription

TRAINS = (Effect("train_loss", "falls"),)
"""The training loss ends lower."""
CALMER = (Effect("train_loss", "falls"), Effect("grad_norm", "steady"))
GENERALISES = (Effect("val_loss", "falls"),)
FINITE = (Effect("train_loss", "finite"),)


def rate(times: float) -> Prescription:
    """Return the prescription to multiply the learning rate, which a range test does better."""
    verb = "lower" if times < 1 else "raise"
    text = f"{verb} the learning rate to {times:g} times its value"
    return Prescription(text, {RATE: f"*{times:g}"}, expects=TRAINS, search=RATE)


WARM_UP = Prescription(
    "warm the rate up over the first epoch",
    {"schedule.warmup": 1.0},
    unless=("schedule.warmup",),
    expects=TRAINS,
)
CLIP = Prescription(
    "clip the gradient to norm 1",
    {"train.clip_norm": 1.0},
    unless=("train.clip_norm", "train.clip_value"),
    expects=CALMER,
)
FULL_PRECISION = Prescription(
    "compute in full precision, or in bfloat16 rather than float16", {"train.precision": "fp32"}, expects=FINITE
)
HE = Prescription(
    "draw the weights at random, with variance 2 / inputs for ReLU",
    {"init.name": "he"},
    only_if={"model.activation": ("relu", "leaky_relu", "elu", "gelu")},
    expects=(Effect("layer_activation_std", "steady"),),
)
DEFAULT_INIT = Prescription(
    "draw the weights by the framework's default",
    {"init.name": "default"},
    expects=(Effect("layer_activation_std", "steady"),),
)
XAVIER = Prescription(
    "initialise with variance 2 / (inputs + outputs)",
    {"init.name": "xavier"},
    only_if={"model.activation": ("sigmoid", "tanh", "maxout")},
    expects=(Effect("layer_saturated_fraction", "falls"),),
)
RELU = Prescription(
    "use an activation that does not saturate",
    {"model.activation": "relu"},
    only_if={"model.activation": ("sigmoid", "tanh", "maxout")},
    expects=TRAINS,
)
NORM = Prescription("normalise between the layers", {"model.norm": "batch"}, unless=("model.norm",), expects=TRAINS)
SCALE = Prescription(
    "scale the inputs to mean 0 and standard deviation 1",
    {"data.normalize": "standardize"},
    only_if={"data.normalize": ("none",)},
    expects=TRAINS,
)
LONGER = Prescription("train twice as long", {"train.epochs": "*2"}, expects=TRAINS)
FEWER_LIMITS = Prescription(
    "take regularisers away: weight decay, dropout, label smoothing",
    {
        "optimizer.weight_decay": 0.0,
        "regularize.l1": 0.0,
        "regularize.l2": 0.0,
        "regularize.label_smoothing": 0.0,
        "regularize.input_noise": 0.0,
    },
    expects=TRAINS,
)
NO_DROPOUT = Prescription("take dropout away until the training error is low", {"model.dropout": 0.0}, expects=TRAINS)
UNFREEZE = Prescription(
    "let the whole network learn, its body at a tenth of the rate",
    {"model.train_stages": "all", "model.body_lr_factor": 0.1},
    only_if={"model.train_stages": ("head", 1, 2, 3)},
    expects=TRAINS,
)
WIDER_STAGES = Prescription("use twice the channels in each stage", {"model.channels": "*2"}, expects=TRAINS)
WIDER = Prescription("use twice the units in each hidden layer", {"model.hidden": "*2"}, expects=TRAINS)
NARROWER = Prescription("use half the units in each hidden layer", {"model.hidden": "*0.5"}, expects=GENERALISES)
PENALTY = Prescription(
    "penalise large weights",
    {"regularize.l2": 0.001},
    unless=("regularize.l2", "regularize.l1", "optimizer.weight_decay"),
    expects=GENERALISES,
)
DROPOUT = Prescription(
    "drop a fifth of the units", {"model.dropout": 0.2}, unless=("model.dropout",), expects=GENERALISES
)
SMOOTHING = Prescription(
    "smooth the labels",
    {"regularize.label_smoothing": 0.1},
    unless=("regularize.label_smoothing", "regularize.mixup"),
    only_if={"task": ("classification",), "loss.name": ("auto", "cross_entropy")},
    expects=GENERALISES,
)
AUGMENT = Prescription(
    "shift and turn the training images a little",
    {"augment.translate": 0.1, "augment.rotate": 10.0},
    unless=("augment.translate", "augment.rotate", "augment.crop", "augment.pad_crop"),
    only_if={"images": (True,)},
    expects=GENERALISES,
)
MORE_DATA = Prescription("train on more samples, or on augmented ones")
STOP = Prescription(
    "stop when validation has not improved for 5 epochs, and keep the best weights",
    {"train.patience": 5, "train.restore_best": True},
    unless=("train.patience",),
    hides="the network still learns by heart; only its best epoch is kept",
)
