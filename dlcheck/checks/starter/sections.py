"""The sections that every starter recipe has, whatever the data."""

from dataclasses import dataclass

from dlcheck.checks.starter.amounts import ASSUMED, VAGUE, Parts, half_width, steps_an_epoch
from dlcheck.checks.starter.classes import FEW, Classes, softened
from dlcheck.recipe.starter import Line, Table

HEAD = (
    "A first recipe, written by dlcheck init. Comments name what was measured in the data, and why a value follows.",
    "Every key and its default: dlcheck init --schema",
)
NAMED = {"val": "validation", "test": "test"}


@dataclass(frozen=True, slots=True)
class Length:
    """How long to train, and in what steps."""

    epochs: int
    batch: int
    patience: int | None = None


def split_table(
    parts: Parts, *, classes: Classes | None, group: str | None = None, by_time: bool = False
) -> tuple[Table, ...]:
    """Return the section of the split, with how much its validation can tell; nothing where all parts are given."""
    lines: list[Line] = []
    if group is not None:
        why = "rows of one value stay together: what is known of them must not help"
        lines += [Line("method", "group"), Line("group", group, why)]
    elif by_time:
        lines.append(Line("method", "time", "rows come in the order of time: the latest validate and test"))
    if "val" not in parts.given:
        lines.append(Line("val", _share(parts.val, parts), _worth(parts.val, classes)))
    if not parts.given:
        lines.append(Line("test", _share(parts.test, parts), f"another {parts.test:,}, by which nothing is chosen"))
    if not lines:
        return ()
    if classes is not None and half_width(parts.val) > VAGUE and not by_time and "val" not in parts.given:
        lines.append(Line("folds", 5, "to tell close results apart: each sample validates once", off=True))
    notes = () if classes is None or group or by_time else ("Each part keeps the shares of the classes.",)
    return (Table("data.split", tuple(lines), notes),)


def _share(samples: int, parts: Parts) -> float:
    whole = parts.total - (0 if "test" not in parts.given else parts.test)
    return float(f"{samples / whole:.2g}")


def _worth(samples: int, classes: Classes | None) -> str:
    if classes is None:
        error = 196 * (2 / max(1, samples)) ** 0.5
        return f"{samples:,} samples: a mean squared error is known to ± {error:.0f} % (95 %, normal errors)"
    points = 100 * half_width(samples)
    return f"{samples:,} samples: an accuracy of {ASSUMED:.0%} is known to ± {points:.1f} points (95 %, Wilson)"


def given_words(parts: Parts) -> str:
    """Return which parts come with the data, in words; empty where none does."""
    names = [f"{NAMED[name]} {count:,}" for name, count in _given(parts)]
    return f"training {parts.train + (0 if 'val' in parts.given else parts.val):,}, {', '.join(names)}" if names else ""


def _given(parts: Parts) -> list[tuple[str, int]]:
    return [(name, count) for name, count in (("val", parts.val), ("test", parts.test)) if name in parts.given]


def weights_table(classes: Classes | None) -> tuple[Table, ...]:
    """Return the section that makes up for rare classes; nothing where none is."""
    if classes is None or not classes.rare:
        return ()
    fewest, most = min(classes.counts), max(classes.counts)
    told = f"the largest class has {most:,} samples, the smallest {fewest:,}"
    notes = (f"{told}: without weights the rare ones may never be the answer. Judge by recall, not by accuracy alone.",)
    if fewest >= FEW:
        line = Line("class_weights", "balanced", "each class by the inverse of its frequency")
    else:
        why = f"roots of the inverse frequency, in the order of the names: {fewest} samples must not rule"
        line = Line("class_weights", softened(classes.counts), why)
    return (Table("loss", (Line("name", "cross_entropy"), line), notes),)


def optimizer_tables(rate: float, decay: float, why: str, *, warmup: float = 0.0) -> tuple[Table, ...]:
    """Return optimizer and schedule: AdamW under half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""
    schedule = [Line("name", "cosine", "large steps first, ever smaller ones towards the end")]
    if warmup:
        schedule.append(Line("warmup", warmup, "epochs from zero up to the rate"))
    return (
        Table(
            "optimizer",
            (
                Line("name", "adamw", "Adam with weight decay apart from the gradient: forgives a rough rate"),
                Line("lr", rate, why),
                Line("weight_decay", decay, "shrink weights a little at every step"),
            ),
        ),
        Table("schedule", tuple(schedule)),
    )


def train_table(length: Length, train: int, unit: str) -> Table:
    """Return how long to train; ``unit`` names the samples."""
    steps = steps_an_epoch(train, length.batch)
    total = f"{steps * length.epochs:,} steps in all"
    lines = [
        Line("epochs", length.epochs, f"at most: {total}" if length.patience else total),
        Line("batch_size", length.batch, f"{train:,} training {unit}: {steps:,} steps an epoch"),
    ]
    if length.patience:
        why = f"stop when validation has not improved for {length.patience} epochs; the best epoch is kept"
        lines.append(Line("patience", length.patience, why))
    lines.append(Line("seed", 0, "the same seed gives the same run"))
    return Table("train", tuple(lines))


def clipped(train: Table) -> Table:
    """Return the section with a bound on the gradient, which recurrent networks need (Pascanu et al. 2013)."""
    return Table(train.name, (*train.lines, Line("clip_norm", 1.0, "recurrent gradients can explode: cut them here")))


RATE = "the one number to get right first: AdamW's usual 0.001 to 0.003; dlcheck lr-find measures it"
