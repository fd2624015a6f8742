"""Every component that a recipe can name trains for some steps, and does what its name says.

What each one computes is held to its formula by the tests of the components; here it meets the real loop, with the
run folder, evaluation and checkpoints around it.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from dlcheck.recipe.data import Augment
from dlcheck.recipe.model import Activation, Normalization
from dlcheck.recipe.optimizer import Regularize
from dlcheck.recipe.override import component_models
from dlcheck.training.callbacks import Callback
from dlcheck.training.session import TrainResult
from dlcheck.training.trainer import Trainer
from tests.training.conftest import RunTraining

BASE = """
[data]
name = "{data}"
{data_keys}
[model]
name = "{model}"
{model_keys}
[optimizer]
name = "adam"
lr = 0.005
[train]
epochs = {epochs}
batch_size = 25
"""
OWN = """
import torch
from torch import nn
class Net(nn.Sequential):
    def __init__(self, info, width=16):
        super().__init__(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, info.outputs))
def data():
    return torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(200) % 2
def init(model):
    for p in model.parameters(): nn.init.normal_(p, std=0.1) if p.ndim > 1 else nn.init.zeros_(p)
def loss(output, target):
    return nn.functional.cross_entropy(output, target) * 2
class Half(torch.optim.SGD):
    pass
class Decay(torch.optim.lr_scheduler.ExponentialLR):
    def __init__(self, optimizer): super().__init__(optimizer, gamma=0.5)
"""


def names(section: str) -> list[str]:
    """Return every component of a section but the user's own, which have a test of their own."""
    return sorted(name for name in component_models(section) if name != "custom")


def text(
    model: str = "mlp", data: str = "digits", *, epochs: int = 3, model_keys: str = "", data_keys: str = ""
) -> str:
    limit = "limit = 300" if data not in ("text", "time_series") else ""
    return BASE.format(model=model, data=data, epochs=epochs, model_keys=model_keys, data_keys=f"{limit}\n{data_keys}")


def curve(result: TrainResult, column: str = "train_eval_loss") -> list[float]:
    return [float(value) for value in pd.read_csv(result.folder / "metrics.csv")[column]]


class Watch(Callback):
    """Keeps the trainer, the rate of every step, and the weights before the first."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.first: dict[str, torch.Tensor] = {}
        self.trainer: Trainer | None = None

    def on_train_begin(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.first = {name: weight.clone() for name, weight in trainer.model.state_dict().items()}

    def on_step_end(self, trainer: Trainer) -> None:
        self.rates.append(trainer.lr)


# ---- models -----------------------------------------------------------------------------------------------------

QUICK = {
    "alexnet": "width = 0.1",
    "zfnet": "width = 0.1",
    "vgg": 'width = 0.125\ndepth = 8\nnorm = "batch"',
    "nin": 'width = 0.125\nnorm = "batch"',
    "googlenet": 'width = 0.125\nnorm = "batch"',
    "resnet": "blocks = [1, 1]\nwidth = 8",
    "preact_resnet": "blocks = [1, 1]\nwidth = 8",
    "senet": "blocks = [1, 1]\nwidth = 8",
    "resnext": "blocks = [1, 1]\nwidth = 8\ngroups = 2",
    "densenet": "blocks = [2, 2]\nwidth = 4",
    "torchvision": 'architecture = "resnet18"',
}
SHORT = {"torchvision": 2}
"""Epochs of what learns within fewer than four, and takes longer than all others together."""
WITH_OTHER_DATA = {"autoencoder", "captioner"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SHORT else [])
        for name in names("model")
        if name not in WITH_OTHER_DATA
    ],
)
def test_models_learn_digits_better_than_chance(run: RunTraining, name: str) -> None:
    result = run(text=text(name, model_keys=QUICK.get(name, ""), epochs=SHORT.get(name, 4)))
    assert curve(result)[-1] < curve(result)[0]
    assert curve(result, "train_eval_accuracy")[-1] > 0.2  # chance is 0.1, ± 0.02 on 300 samples


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "transformer"])
def test_sequence_models_learn_text_beyond_letter_frequencies(run: RunTraining, tmp_path: Path, name: str) -> None:
    (tmp_path / "t.txt").write_text("the quick brown fox jumps over the lazy dog. " * 300, encoding="utf-8")
    keys = f'path = "{tmp_path / "t.txt"}"\ncontext = 16'
    result = run("optimizer.lr=0.01", "data.limit=300", text=text(name, "text", data_keys=keys, epochs=3))
    assert curve(result, "val_loss")[-1] < 0.7 * float(result.facts["trivial_loss"])


def test_the_autoencoder_draws_better_than_the_mean_image(run: RunTraining) -> None:
    result = run(text=text("autoencoder", data_keys='task = "reconstruction"', epochs=10))
    assert curve(result, "val_loss")[-1] < 0.75 * curve(result, "val_loss")[0]


def test_the_captioner_reads_the_image(run: RunTraining) -> None:
    keys = 'channels = [8, 16]\nhidden = 32\nnorm = "batch"'
    result = run("init.name=xavier", text=text("captioner", "digit_captions", model_keys=keys, epochs=8))
    # Without the image, the best that word order alone allows is about 0.62 of the words.
    assert curve(result, "train_eval_accuracy")[-1] > 0.68


# ---- optimizers and schedules -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names("optimizer"))
def test_optimizers_lower_the_loss(run: RunTraining, name: str) -> None:
    if name in ("diffgrad", "adabelief"):
        pytest.importorskip("pytorch_optimizer")
    rate = {"lbfgs": 1.0, "sgd": 0.1, "adagrad": 0.02}.get(name, 0.005 if "a" in name else 0.02)
    batch = "full" if name == "lbfgs" else "25"
    result = run(f"optimizer.name={name}", f"optimizer.lr={rate}", f"train.batch_size={batch}", text=text(epochs=5))
    assert curve(result)[-1] < 0.8 * curve(result)[0] or curve(result)[-1] < 0.1


def test_groups_and_undecayed_norms_train_at_their_own_rates(run: RunTraining) -> None:
    watch = Watch()
    recipe = text(model_keys='norm = "batch"') + '[[optimizer.groups]]\nmatch = "head.*"\nlr_factor = 10.0\n'
    run("optimizer.decay_norm_bias=false", "optimizer.weight_decay=0.1", text=recipe, callbacks=[watch])
    assert watch.trainer is not None
    groups = watch.trainer.optimizer.param_groups
    assert sorted({group["lr"] for group in groups}) == [0.005, 0.05]
    assert {group["weight_decay"] for group in groups} == {0.0, 0.1}


SHAPES: dict[str, Callable[[list[float]], bool]] = {
    "constant": lambda r: len(set(r)) == 1,
    "step": lambda r: r[0] == 0.005 and math.isclose(r[-1], 0.005 * 0.1**2),
    "multistep": lambda r: r[0] == 0.005 and math.isclose(r[-1], 0.005 * 0.1),
    "exponential": lambda r: math.isclose(r[-1], 0.005 * 0.95**5),
    "inverse_time": lambda r: math.isclose(r[-1], 0.005 / 6),
    "cosine": lambda r: r == sorted(r, reverse=True) and r[-1] < 0.01 * r[0],
    "one_cycle": lambda r: 0 < r.index(max(r)) < len(r) // 2 and r[-1] < 1e-3 * max(r),
    "cyclic": lambda r: sum(a < b > c for a, b, c in zip(r, r[1:], r[2:], strict=False)) >= 2,
    "plateau": lambda r: r[-1] < r[0],
}
SCHEDULE_KEYS = {
    "step": ["schedule.every=2"],
    "multistep": ["schedule.milestones=[3]"],
    "cyclic": ["schedule.period=2.0"],
    "plateau": ["schedule.patience=0", "schedule.min_delta=0.9"],
}


@pytest.mark.parametrize("name", names("schedule"))
def test_schedules_have_their_shape(run: RunTraining, name: str) -> None:
    watch = Watch()
    run(f"schedule.name={name}", *SCHEDULE_KEYS.get(name, []), text=text(epochs=6), callbacks=[watch])
    # The rate is read after the step, when a schedule has moved on: the first one belongs to the second step.
    assert SHAPES[name](watch.rates), watch.rates


@pytest.mark.parametrize("name", names("schedule"))
def test_warm_up_rises_from_nothing_before_any_schedule(run: RunTraining, name: str) -> None:
    watch = Watch()
    run(f"schedule.name={name}", "schedule.warmup=1", *SCHEDULE_KEYS.get(name, []), text=text(), callbacks=[watch])
    steps = 300 // 25
    rising = watch.rates[: steps - 2]
    assert rising == sorted(rising)
    assert rising[0] == pytest.approx(0.005 * 2 / steps, rel=0.01) or name in ("one_cycle", "cyclic")


# ---- losses and initialisation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names("loss"))
def test_losses_train_what_they_are_made_for(run: RunTraining, name: str) -> None:
    if name in ("mse", "mae", "huber"):
        result = run(f"loss.name={name}", text=text(data="linear", epochs=6))
    elif name == "bce":
        result = run("loss.name=bce", text=text(data="moons", epochs=6))
    else:
        result = run(f"loss.name={name}", text=text(epochs=4))
    assert curve(result, "val_loss")[-1] < 0.7 * curve(result, "val_loss")[0]


def test_balanced_class_weights_find_the_rare_class(run: RunTraining, tmp_path: Path) -> None:
    rare = "import torch\ndef data():\n    g = torch.Generator().manual_seed(0)\n"
    rare += "    y = (torch.arange(600) % 20 == 0).long()\n"
    rare += "    return torch.randn(600, 2, generator=g) + y[:, None] * 1.5, y\n"
    (tmp_path / "rare.py").write_text(rare, encoding="utf-8")
    keys = f'target = "{tmp_path / "rare.py"}:data"'
    found = []
    for weights in ("none", "balanced"):
        watch = Watch()
        run(f"loss.class_weights={weights}", text=text(data="custom", data_keys=keys, epochs=6), callbacks=[watch])
        assert watch.trainer is not None
        inputs, labels = next(watch.trainer.data.train_eval.epoch(0))
        predicted = watch.trainer.model.eval()(inputs).argmax(1)
        found.append(float((predicted[labels == 1] == 1).float().mean()))
    assert found[1] > found[0] + 0.2


LEARNS_NOTHING = {"zeros", "constant"}


@pytest.mark.parametrize("name", names("init"))
def test_initialisations_start_as_they_say_and_then_train(run: RunTraining, name: str) -> None:
    watch = Watch()
    result = run(f"init.name={name}", text=text(epochs=4), callbacks=[watch])
    hidden = next(weight for key, weight in watch.first.items() if weight.ndim == 2)
    if name in LEARNS_NOTHING:
        assert len(set(hidden.flatten().tolist())) == 1
        assert curve(result, "train_eval_accuracy")[-1] < 0.45  # all units of a layer stay alike
    else:
        assert len(set(hidden.flatten().tolist())) > 100
        assert curve(result)[-1] < curve(result)[0]
    if name == "orthogonal":
        rows = min(hidden.shape)
        product = hidden @ hidden.T if hidden.shape[0] == rows else hidden.T @ hidden
        torch.testing.assert_close(product, torch.eye(rows), atol=1e-4, rtol=0)


# ---- regularisers, normalisation, activations, augmentation -------------------------------------------------------

REGULARIZERS: dict[str, list[str]] = {
    "l1": ["regularize.l1=0.001"],
    "l2": ["regularize.l2=0.1"],
    "penalize_bias": ["regularize.l2=0.1", "regularize.penalize_bias=true"],
    "max_norm": ["regularize.max_norm=0.5"],
    "dropconnect": ["regularize.dropconnect=0.3"],
    "weight_noise": ["regularize.weight_noise=0.05"],
    "input_noise": ["regularize.input_noise=0.3"],
    "label_smoothing": ["regularize.label_smoothing=0.2"],
    "mixup": ["regularize.mixup=0.4"],
    "average": ["regularize.average=swa"],
    "average_decay": ["regularize.average=ema", "regularize.average_decay=0.95"],
    "average_start": ["regularize.average=swa", "regularize.average_start=0.5"],
}


def size(model: torch.nn.Module) -> float:
    return float(sum(p.detach().square().sum() for p in model.parameters() if p.ndim > 1))


@pytest.mark.parametrize("key", Regularize.model_fields)
def test_regularisers_train_and_act(run: RunTraining, key: str) -> None:
    plain, watch = Watch(), Watch()
    # Many epochs on few samples, where a network learns them by heart unless something keeps it from doing so.
    without = run("data.limit=100", text=text(epochs=12), callbacks=[plain])
    held = run("data.limit=100", *REGULARIZERS[key], text=text(epochs=12), callbacks=[watch])
    assert curve(held)[-1] < curve(held)[0]
    assert watch.trainer is not None
    assert plain.trainer is not None
    if key in ("l1", "l2", "penalize_bias", "max_norm"):
        assert size(watch.trainer.model) < size(plain.trainer.model)
    elif not key.startswith("average"):
        assert curve(held, "train_loss")[-1] > curve(without, "train_loss")[-1]
    if key == "max_norm":
        rows = [p.detach().flatten(1).norm(dim=1).max() for p in watch.trainer.model.parameters() if p.ndim > 1]
        assert max(rows) <= 0.5001


@pytest.mark.parametrize("name", [n for n in Normalization.__args__ if n != "instance"])  # type: ignore[attr-defined]
def test_normalisations_train(run: RunTraining, name: str) -> None:
    watch = Watch()
    result = run(f"model.norm={name}", text=text("cnn", model_keys="channels = [8, 8]", epochs=4), callbacks=[watch])
    assert curve(result, "train_eval_accuracy")[-1] > 0.5
    assert watch.trainer is not None
    kinds = " ".join(type(module).__name__.lower() for module in watch.trainer.model.modules())
    expected = {"none": "", "weight": "weightnorm", "layer": "groupnorm"}.get(name, name)
    assert expected in kinds


@pytest.mark.parametrize("name", Activation.__args__)  # type: ignore[attr-defined]
def test_activations_train(run: RunTraining, name: str) -> None:
    result = run(f"model.activation={name}", "optimizer.lr=0.01", text=text(epochs=5))
    assert curve(result, "train_eval_accuracy")[-1] > 0.5


AUGMENTS: dict[str, dict[str, Any]] = {
    "where": {"where": "sample", "rotate": 10.0},
    "flip_horizontal": {"flip_horizontal": True},
    "flip_vertical": {"flip_vertical": True},
    "crop": {"crop": 0.5},
    "pad_crop": {"pad_crop": 1},
    "eval_crops": {"eval_crops": 10},
}


@pytest.mark.parametrize("key", Augment.model_fields)
def test_augmentations_train_and_leave_evaluation_alone(run: RunTraining, key: str) -> None:
    values = AUGMENTS.get(key, {key: 0.3})
    overrides = [f"augment.{name}={str(value).lower()}" for name, value in values.items()]
    watch = Watch()
    result = run(*overrides, text=text(epochs=5), callbacks=[watch])
    assert curve(result, "train_eval_accuracy")[-1] > 0.3
    assert watch.trainer is not None
    measure = watch.trainer.evaluator.measure
    first, again = (measure(watch.trainer.data.train_eval, "x") for _ in range(2))
    assert first == again  # nothing random where it is measured
    if key != "eval_crops":
        batches = [next(watch.trainer._steps())[0][0] for _ in range(2)]
        assert key == "where" or not torch.equal(*batches)


# ---- data and the user's own code ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["digits", "iris", "wine", "breast_cancer", "diabetes", "blobs", "moons", "circles", "linear"]
)
def test_data_that_is_always_here_can_be_learned(run: RunTraining, name: str) -> None:
    result = run(text=text(data=name, epochs=8))
    assert curve(result)[-1] < curve(result)[0]
    knows_nothing = result.facts["trivial_loss"]
    assert min(curve(result, "val_loss")) < 0.8 * float(knows_nothing)
    assert result.facts["samples"]["train"] <= 300


def test_everything_can_be_the_users_own(run: RunTraining, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN, encoding="utf-8")
    keys = "\n".join(
        f'[{section}]\ntarget = "{own}:{name}"'
        for section, name in {
            "data": "data",
            "model": "Net",
            "init": "init",
            "loss": "loss",
            "optimizer": "Half",
            "schedule": "Decay",
        }.items()
    )
    watch = Watch()
    result = run("optimizer.lr=0.1", "model.width=24", "train.epochs=3", text=keys, callbacks=[watch])
    assert watch.trainer is not None
    assert type(watch.trainer.optimizer).__name__ == "Half"
    assert watch.first["1.weight"].shape[0] == 24
    assert list(pd.read_csv(result.folder / "metrics.csv")["lr"]) == pytest.approx([0.1, 0.05, 0.025])
