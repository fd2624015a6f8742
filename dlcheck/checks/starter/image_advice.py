"""Model, augmentation and length of training for images, whatever they came from."""

from dataclasses import dataclass

from dlcheck.checks.starter.amounts import Parts, batch_size, epochs
from dlcheck.checks.starter.classes import Classes, no_mirror
from dlcheck.checks.starter.pixels import Pixels
from dlcheck.checks.starter.sections import RATE, Length, optimizer_tables, train_table, weights_table
from dlcheck.recipe.starter import Line, Table

SMALL_SIDE = 40
"""Pixels up to which images are small: plain convolutions see all of them."""
FEW = 2000
"""Training images up to which a network from nothing learns shapes and colours, no details."""


@dataclass(frozen=True, slots=True)
class Images:
    """What a recipe for images goes by."""

    pixels: Pixels
    classes: Classes | None
    """None for numbers to predict."""
    parts: Parts
    side: int
    """Pixels of a side, as the network sees it."""
    dataset: str = ""
    """Of torchvision, where it is one."""

    @property
    def small(self) -> bool:
        """Whether they are icons rather than photos."""
        return self.side <= SMALL_SIDE


def chosen_side(pixels: Pixels, train: int) -> tuple[int, str]:
    """Return the side of the squares that the network sees, and why."""
    if pixels.one_size and pixels.short <= 128:
        return pixels.short, f"{pixels.sizes}: as they are"
    wanted = 64 if train < FEW else 96 if train < 5 * FEW else 128
    side = max(16, min(wanted, pixels.short) // 8 * 8)
    few = f"{train:,} training images" if side == wanted else "the images are no larger"
    return side, f"{few}; {pixels.sizes}; twice the side takes four times as long"


def image_tables(images: Images, unit: str = "images") -> tuple[Table, ...]:
    """Return every section after the data and its split."""
    train = images.parts.train
    batch = batch_size(train)
    steps, most = (5000, 30) if images.small else (1500, 40)
    count = epochs(train, batch, steps=steps, least=10, most=most)
    decay = 0.01 if images.small else 0.05
    smoothing = () if images.small or images.classes is None else (_smoothing(),)
    return (
        _model(images),
        *_augment(images),
        *weights_table(images.classes),
        *optimizer_tables(0.002, decay, RATE, warmup=0 if images.small else 1),
        *smoothing,
        train_table(Length(count, batch), train, unit),
    )


def _smoothing() -> Table:
    why = "never quite sure: few photos, and some may be labelled wrongly (Szegedy et al. 2016, arXiv:1512.00567)"
    return Table("regularize", (Line("label_smoothing", 0.1, why),))


def _model(images: Images) -> Table:
    if images.small:
        channels = [16, 32] if images.side <= 12 or images.pixels.all_grey else [32, 64, 128]
        return Table(
            "model",
            (
                Line("name", "cnn", "convolution, activation, 2×2 pooling; then fully connected layers"),
                Line("channels", channels, f"one entry a stage: {_halvings(images.side, len(channels))} pixels"),
                Line("hidden", [64], "units between the convolutions and the outputs"),
                Line("norm", "batch", "normalise each stage's output over the batch: trains faster"),
                Line("dropout", 0.2, "share of the last units switched off at random"),
            ),
        )
    return Table(
        "model",
        (
            Line("name", "resnet", "a residual network, small enough to train from nothing"),
            Line("blocks", [1, 1, 1, 1], "four stages, each at half the resolution of the one before"),
            Line("norm", "batch", "normalise each layer's output over the batch"),
            Line("dropout", 0.3, "share of the last units switched off at random"),
            Line("name", "torchvision", _transfer(images), off=True),
            Line("architecture", "resnet18", off=True),
            Line("weights", "DEFAULT", "trained on ImageNet; PyTorch fetches them once, 45 MB", off=True),
            Line("train_stages", "head", "few photos: train the head alone", off=True),
        ),
    )


def _transfer(images: Images) -> str:
    return (
        f"Far better on {images.parts.train:,} photos, where there is internet access: transfer learning. Put these "
        "lines in place of the four above."
    )


def _halvings(side: int, stages: int) -> str:
    sides = [side]
    for _ in range(stages):
        sides.append(sides[-1] // 2 if sides[-1] >= 4 else sides[-1])
    return " → ".join(str(item) for item in sides)


def _augment(images: Images) -> tuple[Table, ...]:
    names = images.classes.names if images.classes is not None else ()
    against = no_mirror(names, images.dataset)
    note = "Random changes of training images that leave the class what it is."
    if images.classes is None:
        return ()  # what a number says of an image may change with every shift
    lines: list[Line] = []
    if against is not None:
        note += f" No mirror images: {against}."
    else:
        lines.append(Line("flip_horizontal", True, "a mirror leaves the class, judged by the names; false where not"))
    if images.small:
        lines.append(Line("translate", 0.1, f"shift by up to a tenth of the side: {images.side * 0.1:.1f} pixels"))
        if against is not None:
            lines.append(Line("rotate", 10, "degrees: more would turn one sign into another"))
    else:
        lines += [
            Line("crop", 0.6 if against is None else 0.8, "cut out at least this share of the area, scale it back"),
            Line("rotate", 10, "degrees"),
            Line("brightness", 0.2, "darker or lighter by up to a fifth"),
            Line("contrast", 0.2, "flatter or harsher by up to a fifth"),
        ]
    return (Table("augment", tuple(lines), (note,)),)
