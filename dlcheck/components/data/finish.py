"""From divided samples to batches: limit, normalise, place, and describe them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dlcheck.components.batches import Batch, Batches
from dlcheck.components.data.label import check_finite
from dlcheck.components.data.loader_batches import (
    LoaderBatches,
    LoaderSettings,
    MapStyle,
    choose_workers,
    seeded,
)
from dlcheck.components.data.order import seed_of
from dlcheck.components.data.samples import Index, Samples, TensorSamples
from dlcheck.components.data.scale import Scale, as_float, fit_scale
from dlcheck.components.data.source import Source
from dlcheck.components.data.tensor_batches import TensorBatches
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import DataSection
from dlcheck.recipe.recipe import Recipe

STATISTICS_SAMPLES = 500
"""Training samples read to measure mean and spread, when they are not in memory."""


def limit_index(section: DataSection, train: Samples, classes: int | None) -> Index | None:
    """Return which training samples ``data.limit`` keeps, by class where there are any; None for all."""
    samples = len(train)
    limit = section.limit
    if limit is None:
        return None
    wanted = limit if isinstance(limit, int) else max(1, round(limit * samples))
    if wanted >= samples:
        return None
    order = np.random.default_rng([section.split.seed % (1 << 64), 1]).permutation(samples)
    if classes is None:
        return np.sort(order[:wanted])
    # Taking every class in turn by its share: rank within the class, relative to the class's size.
    codes = np.asarray(train.target)[order]
    rank = np.empty(samples)
    for code in np.unique(codes):
        place = np.flatnonzero(codes == code)
        rank[place] = (np.arange(len(place)) + 0.5) / len(place)
    return np.sort(order[np.argsort(rank, kind="stable")[:wanted]])


def measure_scale(section: DataSection, train: Samples) -> Scale | None:
    """Measure the training inputs; None for inputs that are no numbers but codes.

    Raises:
        DlcheckError: inputs that are not finite, or of different shapes.
    """
    if isinstance(train, TensorSamples):
        inputs = train.inputs[0]
    else:
        some = np.random.default_rng(section.split.seed % (1 << 64)).permutation(len(train))[:STATISTICS_SAMPLES]
        with seeded(seed_of(section.split.seed, 3)):  # the user's data set may draw at random
            inputs = _stack(train, some)
    if not (inputs.is_floating_point() or inputs.dtype == torch.uint8):
        return None
    check_finite(inputs, "data")
    return fit_scale(inputs, section.normalize)


def _stack(samples: Samples, index: Index) -> Tensor:
    found = [torch.as_tensor(samples[int(i)][0]) for i in index]
    shapes = {tuple(item.shape) for item in found}
    if len(shapes) > 1:
        first, second, *_ = sorted(shapes)
        raise DlcheckError(f"data: samples of different shapes, {first} and {second}, do not fit into one batch")
    return torch.stack(found)


@dataclass(frozen=True, slots=True)
class Target:
    """How targets are changed for training: standardised numbers, or the input itself."""

    mean: float | None = None
    std: float | None = None
    reconstruct: bool = False


def measure_target(source: Source) -> Target:
    """Return mean and standard deviation of regression targets (over all outputs), or what else applies.

    Raises:
        DlcheckError: targets that are not finite.
    """
    if source.task == "reconstruction":
        return Target(reconstruct=True)
    if source.task != "regression":
        return Target()
    values = source.train.target.double()
    check_finite(values, "data: target")
    std = float(values.std(correction=0))
    return Target(float(values.mean()), std if std > 1e-12 * max(1.0, float(values.abs().max())) else 1.0)


class Finish:
    """Turns gathered or collated batches into what the network sees."""

    def __init__(self, scale: Scale | None, target: Target) -> None:
        self.scale = scale
        self.target = target

    def __call__(self, batch: Batch) -> Batch:
        """Scale the first input and the target of a batch."""
        first, *middle, last = batch
        first = first if self.scale is None else self.scale(first)
        if self.target.reconstruct:
            last = as_float(last) if self.scale is None else self.scale(last)
        elif self.target.mean is not None and self.target.std is not None:
            last = last.to(torch.float32).sub(self.target.mean).div(self.target.std)
            last = last[:, None] if last.dim() == 1 else last
        return (first, *middle, last)


class Paired:
    """Samples whose input, changed or not, is followed by the clean input in place of the target."""

    def __init__(self, samples: MapStyle, function: Callable[[Tensor], Tensor] | None, reconstruct: bool) -> None:
        self.samples, self.function, self.reconstruct = samples, function, reconstruct

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[object, ...]:
        first, *rest = self.samples[index]
        if self.reconstruct:
            rest = [first if self.function is None else as_float(first)]
        return (first if self.function is None else self.function(first), *rest)


@dataclass(frozen=True, slots=True)
class Batcher:
    """Makes batches of samples as the recipe wants them."""

    recipe: Recipe
    finish: Finish
    device: torch.device
    on_device: bool
    """Whether samples in memory move to the device for good."""

    def training(self, samples: Samples, per_sample: Callable[[Tensor], Tensor] | None) -> Batches:
        """Return shuffled training batches; ``per_sample`` changes inputs while they load."""
        train = self.recipe.train
        size = None if train.batch_size == "full" else train.batch_size
        return self._make(samples, size, per_sample, shuffle=self.recipe.data.shuffle, drop_last=train.drop_last)

    def evaluation(self, samples: Samples) -> Batches:
        """Return batches in a fixed order."""
        return self._make(samples, self.recipe.train.eval_batch_size, None, shuffle=False, drop_last=False)

    def _make(
        self,
        samples: Samples,
        size: int | None,
        per_sample: Callable[[Tensor], Tensor] | None,
        *,
        shuffle: bool,
        drop_last: bool,
    ) -> Batches:
        seed = self.recipe.train.seed
        in_memory = self.recipe.data.in_memory
        if isinstance(samples, TensorSamples) and per_sample is None and in_memory is not False:
            tensors, transform = self._tensors(samples)
            return TensorBatches(tensors, size, seed=seed, shuffle=shuffle, drop_last=drop_last, transform=transform)
        return LoaderBatches(
            Paired(samples, per_sample, self.finish.target.reconstruct),
            size,
            seed=seed,
            shuffle=shuffle,
            drop_last=drop_last,
            transform=self.finish,
            settings=self._settings(samples),
        )

    def _tensors(self, samples: TensorSamples) -> tuple[Batch, Callable[[Batch], Batch] | None]:
        """Scale floats once and for all; uint8 images stay small, and are scaled batch by batch."""
        first = samples.inputs[0]
        batch = (*samples.inputs, first if self.finish.target.reconstruct else samples.target)
        late = first.dtype == torch.uint8
        batch = batch if late else self.finish(batch)
        if self.on_device:
            batch = tuple(tensor.to(self.device) for tensor in batch)
        return batch, self.finish if late else None

    def _settings(self, samples: Samples) -> LoaderSettings:
        section = self.recipe.data
        pin = self.device.type == "cuda" if section.pin_memory == "auto" else section.pin_memory
        cheap = isinstance(samples, TensorSamples) and section.workers == "auto"
        workers = 0 if cheap and len(samples) < 10_000 else choose_workers(section.workers, len(samples))
        return LoaderSettings(workers, pin and torch.cuda.is_available(), section.prefetch)


def evaluation_part(samples: int, evaluated: int, seed: int) -> Index:
    """Return a fixed random choice of training samples, as many as validate, at least 256, at most all."""
    count = min(samples, max(256, evaluated))
    generator = torch.Generator().manual_seed(seed_of(seed, 2))
    chosen = torch.randperm(samples, generator=generator)[:count]
    return chosen.sort().values.numpy()


def fits_device(parts: list[Samples], device: torch.device) -> bool:
    """Return whether all samples in memory take less than half of a CUDA device's free memory."""
    if device.type != "cuda":
        return False
    tensors = [part for part in parts if isinstance(part, TensorSamples)]
    needed = sum(x.numel() * max(x.element_size(), 4) for part in tensors for x in (*part.inputs, part.target))
    free, _ = torch.cuda.mem_get_info(device)
    return len(tensors) == len(parts) and needed < free / 2
