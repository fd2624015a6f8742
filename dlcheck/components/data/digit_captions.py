"""The scikit-learn digits with a short description of each in words, to be read off the image."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from dlcheck.components.data.divide import divide
from dlcheck.components.data.samples import TensorSamples
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.components.data.split import Traits
from dlcheck.recipe.data import DigitCaptionData

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
VOCABULARY = (
    "<pad>", "<start>", "<stop>", "a", "narrow", "wide", "light", "dark", "upright", "slanted", *NUMBERS,
)  # fmt: skip
LENGTH = 6
"""Tokens of the longest caption: five words and ``<start>`` before, or ``<stop>`` after them."""
IGNORED = -100
"""Target where nothing is to be predicted (the default of PyTorch's cross-entropy)."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Measures of images, (samples,) each."""

    width: npt.NDArray[np.float64]
    """Horizontal over vertical standard deviation of the ink."""
    ink: npt.NDArray[np.float64]
    """Mean value of the pixels."""
    slant: npt.NDArray[np.float64]
    """Horizontal shift of the ink by row, as |covariance of x and y| / variance of y."""


@DATA.register(DigitCaptionData)
def load_digit_captions(section: DigitCaptionData, request: Request) -> Source:
    """Load (image (1, 8, 8), tokens in (6,), tokens out (6,)) as in "a wide dark slanted seven"."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    captions = describe(bunch.images, bunch.target)
    into = np.full((len(captions), LENGTH), VOCABULARY.index("<pad>"))
    out = np.full((len(captions), LENGTH), IGNORED)
    for row, caption in enumerate(captions):
        words = [VOCABULARY.index(word) for word in caption.split()]
        into[row, : len(words) + 1] = [VOCABULARY.index("<start>"), *words]
        out[row, : len(words) + 1] = [*words, VOCABULARY.index("<stop>")]
    images = torch.as_tensor(bunch.images, dtype=torch.float32)[:, None]
    samples = TensorSamples((images, torch.from_numpy(into)), torch.from_numpy(out))
    parts = divide(samples, request, Traits(len(images), bunch.target))
    return Source(
        "caption",
        parts.train,
        parts.val,
        parts.test,
        outputs=len(VOCABULARY),
        vocabulary=VOCABULARY,
        notes=parts.notes,
    )


def measure_looks(images: npt.NDArray[np.float64]) -> Looks:
    """Measure images (samples, height, width) by the moments of their ink."""
    height, width = images.shape[1:]
    total = images.sum((1, 2)).clip(min=1e-12)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    mean_x, mean_y = ((images * axis).sum((1, 2)) / total for axis in (x, y))
    dx, dy = x - mean_x[:, None, None], y - mean_y[:, None, None]
    var_x, var_y = ((images * d**2).sum((1, 2)) / total for d in (dx, dy))
    covariance = (images * dx * dy).sum((1, 2)) / total
    safe = var_y.clip(min=1e-12)
    return Looks(np.sqrt(var_x / safe), images.mean((1, 2)), np.abs(covariance) / safe)


def describe(images: npt.NDArray[np.float64], digits: npt.NDArray[np.int64]) -> list[str]:
    """Return a caption for each image: what lies in the outer thirds of each measure, then the number.

    The middle third goes unmentioned, so that captions differ in length.
    """
    looks = measure_looks(images)
    adjectives = [
        _words(looks.width, "narrow", "wide"),
        _words(looks.ink, "light", "dark"),
        _words(looks.slant, "upright", "slanted"),
    ]
    captions = zip(*adjectives, (NUMBERS[digit] for digit in digits), strict=True)
    return [" ".join(word for word in ("a", *words) if word) for words in captions]


def _words(measure: npt.NDArray[np.float64], small: str, large: str) -> list[str]:
    low, high = np.quantile(measure, [1 / 3, 2 / 3])
    return [small if value <= low else large if value >= high else "" for value in measure]
