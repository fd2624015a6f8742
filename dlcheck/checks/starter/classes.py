"""The classes of a data set: how many samples each has, and whether their names forbid a mirror."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

RARE = 10.0
"""Times as many samples of the largest class from which the smallest is rare (as D105, class-imbalance)."""
FEW = 20
"""Training samples of a class under which the inverse of its frequency would let a handful decide."""
DIGIT_SETS = {"MNIST", "KMNIST", "EMNIST", "QMNIST", "USPS", "SVHN", "GTSRB", "Omniglot", "FakeData"}
"""Data sets of torchvision with signs that a mirror turns into another sign, or into none."""
NUMBER_WORDS = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
SIDED = {"left", "right", "clockwise", "counterclockwise", "anticlockwise", "east", "west"}
SIGNS = {"text", "letter", "letters", "digit", "digits", "number", "numbers", "arrow", "sign", "signs", "character"}
MOST_NAMES = 6


@dataclass(frozen=True, slots=True)
class Classes:
    """Names and training samples of each class, in the order of their codes."""

    names: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def ratio(self) -> float:
        """Samples of the largest class over those of the smallest."""
        return max(self.counts) / max(1, min(self.counts))

    @property
    def rare(self) -> bool:
        """Whether a class is so rare that the loss should make up for it."""
        return self.ratio >= RARE


def told(classes: Classes) -> str:
    """Return the classes with their counts in words: ``3 classes: a 50, b 50, c 20``."""
    pairs = sorted(zip(classes.names, classes.counts, strict=True), key=lambda pair: -pair[1])
    if len(pairs) > MOST_NAMES:
        (most, top), (least, bottom) = pairs[0], pairs[-1]
        if top == bottom:
            return f"{len(pairs)} classes of {top:,} samples each"
        return f"{len(pairs)} classes, from {least} with {bottom:,} samples to {most} with {top:,}"
    return f"{len(pairs)} classes: " + ", ".join(f"{name} {count:,}" for name, count in pairs)


def no_mirror(names: Sequence[str], dataset: str = "") -> str | None:
    """Return why images of these classes must not be mirrored, None where nothing speaks against it."""
    if dataset in DIGIT_SETS:
        return f"{dataset} shows signs that a mirror makes wrong"
    words = [set(re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())) for name in names]
    sided = next((name for name, parts in zip(names, words, strict=True) if parts & SIDED), None)
    if sided is not None:
        return f"class {sided!r} has a side: mirrored it is another class"
    if names and all(_is_sign(name) for name in names):
        return "the classes are named like digits or letters, which a mirror makes wrong"
    sign = next((name for name, parts in zip(names, words, strict=True) if parts & SIGNS), None)
    return None if sign is None else f"class {sign!r} sounds like written signs, which a mirror makes wrong"


def _is_sign(name: str) -> bool:
    return (len(name) == 1 and name.isalnum()) or name.lower() in NUMBER_WORDS


def softened(counts: Sequence[int]) -> list[float]:
    """Return a weight for each class by the square root of its inverse frequency, their mean 1.

    Half way, in the logarithm, between no weights and balanced ones (Mikolov et al. 2013, arXiv:1310.4546, section
    2.3, thins frequent words by the same root).
    """
    roots = [max(1, count) ** -0.5 for count in counts]
    mean = sum(roots) / len(roots)
    return [float(f"{root / mean:.2g}") for root in roots]
