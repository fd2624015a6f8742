"""What images look like: their size, their colour, the mean and spread of each channel."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from dlcheck.errors import one_line

MOST_FILES = 2000
"""Files that are decoded; more are looked at by their names alone."""
SIDE = 64
"""Images are reduced to squares of this many pixels before mean and spread are taken."""
GREY_LEVELS = 4
"""Largest difference between the channels of a grey image: the rounding of JPEG's colours."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pixels:
    """Images of a sample; means and spreads by channel, of values from 0 to 1."""

    looked: int
    grey: int
    """How many of them are grey: their channels are equal, or one."""
    short: int
    """Median of the shorter side, in pixels."""
    smallest: int
    """Shortest side of all."""
    largest: int
    """Longest side of all."""
    aspect: float
    """Median of the longer side over the shorter."""
    one_size: bool
    square: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def all_grey(self) -> bool:
        """Whether one channel says all."""
        return self.grey == self.looked

    @property
    def sizes(self) -> str:
        """Sizes in words."""
        if self.one_size:
            return (
                f"all of {self.largest}×{self.smallest} pixels" if not self.square else f"all {self.short}×{self.short}"
            )
        return f"sides from {self.smallest} to {self.largest} pixels, the shorter one {self.short} on median"

    @property
    def moments(self) -> str:
        """Mean and spread in words."""
        mean = ", ".join(f"{value:.3f}" for value in self.mean)
        std = ", ".join(f"{value:.3f}" for value in self.std)
        return f"mean {mean}, standard deviation {std} of the range 0 to 1"


@dataclass(frozen=True, slots=True)
class _Look:
    width: int
    height: int
    grey: bool
    mean: Array
    square: Array
    """Mean of the squares, by channel."""


def look_at_files(files: Sequence[Path]) -> tuple[Pixels | None, dict[Path, str]]:
    """Decode files, at most ``MOST_FILES`` evenly over the list, and return what they hold and which are damaged.

    Files whose names have no suffix of an image are opened in any case: they may be images or not.
    """
    from PIL import Image

    known = set(Image.registered_extensions())
    odd = [file for file in files if file.suffix.lower() not in known]
    rest = [file for file in files if file.suffix.lower() in known]
    some = rest[:: max(1, -(-len(rest) // MOST_FILES))]
    chosen = [*some, *odd]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        looks = list(pool.map(_look, chosen))
    broken = {file: look for file, look in zip(chosen, looks, strict=True) if isinstance(look, str)}
    whole = [look for look in looks if not isinstance(look, str)]
    return (_summed(whole) if whole else None), broken


def _look(file: Path) -> "_Look | str":
    """Return what an image holds, or why it cannot be read."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            width, height = image.size
            image.draft(None, (2 * SIDE, 2 * SIDE))  # JPEG: decode at a half, a quarter, an eighth
            colour = image.convert("RGB")
            if max(colour.size) > SIDE:
                colour = colour.resize((SIDE, SIDE), Image.Resampling.BOX)
            values = np.asarray(colour, dtype=np.int16)
    except Exception as error:  # decoders raise nearly anything on damaged files
        return one_line(error, 120)
    grey = int((values.max(axis=2) - values.min(axis=2)).max()) <= GREY_LEVELS
    unit = values.reshape(-1, 3) / 255
    return _Look(width, height, grey, unit.mean(axis=0), np.square(unit).mean(axis=0))


def _summed(looks: list[_Look]) -> Pixels:
    shorts = [min(look.width, look.height) for look in looks]
    longs = [max(look.width, look.height) for look in looks]
    sizes = {(look.width, look.height) for look in looks}
    grey = sum(look.grey for look in looks)
    mean = np.mean([look.mean for look in looks], axis=0)
    std = np.sqrt(np.maximum(np.mean([look.square for look in looks], axis=0) - mean**2, 0))
    channels = 1 if grey == len(looks) else 3
    return Pixels(
        looked=len(looks),
        grey=grey,
        short=int(median(shorts)),
        smallest=min(shorts),
        largest=max(longs),
        aspect=float(median(long / short for long, short in zip(longs, shorts, strict=True))),
        one_size=len(sizes) == 1,
        square=len(sizes) == 1 and shorts[0] == longs[0],
        mean=tuple(float(value) for value in mean[:channels]),
        std=tuple(float(value) for value in std[:channels]),
    )


def look_at_array(images: npt.NDArray[np.generic]) -> Pixels:
    """Return what images in memory hold, (samples, channels, height, width); at most ``MOST_FILES`` of them, evenly.

    uint8 counts as 0 to 1; other values are taken as they are.
    """
    some = np.asarray(images[:: max(1, -(-len(images) // MOST_FILES))], dtype=np.float64)
    if images.dtype == np.uint8:
        some /= 255
    height, width = some.shape[2:]
    spread = some.max(axis=1) - some.min(axis=1) if some.shape[1] == 3 else np.zeros((len(some), 1, 1))
    grey = int((spread.reshape(len(some), -1).max(axis=1) <= GREY_LEVELS / 255).sum()) if some.shape[1] in (1, 3) else 0
    return Pixels(
        looked=len(some),
        grey=grey,
        short=min(height, width),
        smallest=min(height, width),
        largest=max(height, width),
        aspect=max(height, width) / min(height, width),
        one_size=True,
        square=height == width,
        mean=tuple(float(value) for value in some.mean(axis=(0, 2, 3))),
        std=tuple(float(value) for value in some.std(axis=(0, 2, 3))),
    )
