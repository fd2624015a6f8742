"""Other ways to compute the same steps: which of them make sense for a training and its machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dlcheck.profiling.found import Found
from dlcheck.profiling.settings import TrialSettings
from dlcheck.recipe import Recipe
from dlcheck.runs.facts import LoaderSetting

CONVOLUTIONAL = frozenset({"cnn", "lenet5", "alexnet", "zfnet", "vgg", "nin", "googlenet", "torchvision"}) | frozenset(
    {"resnet", "preact_resnet", "senet", "densenet", "resnext"}
)
"""Models of a recipe whose images have a memory format to choose."""
IMAGES = frozenset(["image_folder", "torchvision"])
"""Data of a recipe that may go into the user's own network of convolutions."""
REORDERED = 0.005
"""Relative difference of losses that another order of the same sums explains, grown over a few steps."""
TOLERANCES = {"bf16": 0.03, "fp16": 0.01, "tf32": 0.01}
"""Relative difference of losses that a precision explains: several times its rounding, 2^-8 or 2^-11."""
BF16_FLAGS = ("avx512_bf16", "amx_bf16")
"""Of a processor that multiplies bfloat16; on others it is emulated, and slower."""


@dataclass(frozen=True, slots=True)
class Variation:
    """The present computation with one thing changed."""

    name: str
    path: str
    """Key of the recipe; empty: none."""
    value: str | int | bool | None
    change: Callable[[TrialSettings], TrialSettings]
    tolerance: float | None = REORDERED
    """Relative difference of losses that the change explains; None: they cannot be compared."""
    samples: int = 1
    """Times as many in a step."""
    startup: bool = False
    """It is prepared for long, once."""
    note: str = ""


def variations(found: Found, recipe: Recipe | None, *, cores: float, code: bool) -> list[Variation]:
    """Return what may be tried, the likeliest to help first.

    Args:
        found: The training as it is.
        recipe: Of the training; None for a script or a factory.
        cores: That it may use.
        code: Whether precision, memory format and compilation can be set from outside, as they cannot in a script.
    """
    cuda = found.device != "cpu"
    made: list[Variation] = []
    if code and found.precision == "fp32":
        made += _precisions(cuda)
    if cuda and found.precision != "bf16" and not (recipe and recipe.train.tf32):
        made.append(Variation("tf32", "train.tf32", True, lambda base: replace(base, tf32=True), TOLERANCES["tf32"]))
    if not cuda:
        made += _threads(found, cores)
    if recipe is not None and _convolves(recipe) and not recipe.train.channels_last:
        key = "train.channels_last"
        made.append(Variation("channels_last", key, True, lambda base: replace(base, channels_last=True)))
    if found.batch_size is not None and 2 * found.batch_size <= (found.samples or 0):
        made.append(_doubled(found.batch_size, recipe))
    if code and not (recipe and recipe.train.compile):
        key = "train.compile"
        made.append(Variation("compile", key, True, lambda base: replace(base, compile=True), startup=True))
    return made


def _convolves(recipe: Recipe) -> bool:
    own = recipe.model.name == "custom" and recipe.data.name in IMAGES
    return own or recipe.model.name in CONVOLUTIONAL


def _precisions(cuda: bool) -> Iterator[Variation]:
    key = "train.precision"
    if cuda or multiplies_bf16():
        yield Variation("bf16", key, "bf16", lambda base: replace(base, precision="bf16"), TOLERANCES["bf16"])
    if cuda:
        yield Variation("fp16", key, "fp16", lambda base: replace(base, precision="fp16"), TOLERANCES["fp16"])


def _threads(found: Found, cores: float) -> Iterator[Variation]:
    other = 1 if found.threads > 1 else round(cores)
    if other == found.threads:
        return
    note = f"{found.threads} at present" + ("; loader workers want cores as well" if other > 1 else "")
    yield Variation("threads", "train.threads", other, lambda base: replace(base, threads=other), note=note)


def _doubled(batch_size: int, recipe: Recipe | None) -> Variation:
    """Return the trial of twice the batch, in samples a second; it is never a mere change of speed."""

    def change(base: TrialSettings) -> TrialSettings:
        return replace(base, loader=replace(base.loader, batch_size=2 * batch_size))

    key = "train.batch_size" if recipe is not None else ""
    note = "samples a second; a larger batch also trains otherwise, with fewer steps an epoch"
    return Variation("batch doubled", key, 2 * batch_size, change, tolerance=None, samples=2, note=note)


def together(winners: list[Variation]) -> Variation:
    """Return all of several changes at once; no key stands for them."""

    def change(base: TrialSettings) -> TrialSettings:
        for winner in winners:
            base = winner.change(base)
        return base

    tolerance = sum(winner.tolerance or 0.0 for winner in winners)
    return Variation(" + ".join(winner.name for winner in winners), "", None, change, tolerance)


def multiplies_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the processor has instructions for bfloat16."""
    try:
        flags = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(flag in flags for flag in BF16_FLAGS)


def ideal(base: TrialSettings) -> TrialSettings:
    """Return the same training on batches that are there already."""
    return replace(base, mode="ideal", loader=LoaderSetting())
