"""Load the data that a recipe names."""

import math
from dataclasses import replace
from pathlib import Path
from typing import overload

import torch

from dlcheck.components.augment import (
    BatchAugment,
    Images,
    SampleAugment,
    augment_batches,
    augment_samples,
    check_augment,
    ten_crops,
)
from dlcheck.components.batches import Batch, Batches
from dlcheck.components.data.finish import (
    Batcher,
    Finish,
    Target,
    evaluation_part,
    fits_device,
    limit_index,
    measure_scale,
    measure_target,
)
from dlcheck.components.data.loaded import LoadedData
from dlcheck.components.data.samples import LazySamples, Samples
from dlcheck.components.data.scale import Scale
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.components.data.window import load_windows
from dlcheck.components.info import DataInfo
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import Augment
from dlcheck.recipe.recipe import Recipe

SAMPLE_SIZE = 64
"""Samples in ``LoadedData.sample``."""


def load_data(recipe: Recipe, *, folder: Path, device: torch.device, fold: int | None = None) -> LoadedData:
    """Load, split, normalise and batch a recipe's data.

    Args:
        recipe: its ``data``, ``augment`` and ``train`` sections are used.
        folder: where the recipe's own code lies; data paths are relative to the working folder.
        device: where batches will be used; samples in memory are kept there when it is a GPU with room.
        fold: which fold validates, with ``data.split.folds``; None: the recipe's, else the first.

    Raises:
        DlcheckError: data missing or unreadable, labels or values out of range, an impossible split, or
            augmentation that the data cannot have; one line that names what is at fault.
    """
    source = load_source(recipe, folder=folder, fold=fold)
    if source.context is not None:
        check_augment(recipe.augment, source.task, (source.context,))
        return load_windows(source, recipe, device)
    if recipe.data.in_memory is True:
        source = replace(source, train=_read(source.train), val=_read(source.val), test=_read(source.test))
    return _load_samples(source, recipe, device)


def load_source(recipe: Recipe, *, folder: Path, fold: int | None = None) -> Source:
    """Load and split a recipe's data, in the units of its files, and leave out what ``data.limit`` leaves out.

    Raises:
        DlcheckError: as ``load_data``.
    """
    if recipe.data.split.folds is None and (fold or recipe.data.split.fold) is not None:
        raise DlcheckError("data.split.fold: data.split.folds, the number of folds, must be set as well")
    source = DATA.builder(recipe.data)(recipe.data, Request(recipe, folder, fold))
    return source if source.context is not None else _limited(source, recipe)


@overload
def _read(samples: Samples) -> Samples: ...
@overload
def _read(samples: None) -> None: ...
def _read(samples: Samples | None) -> Samples | None:
    return samples.read() if isinstance(samples, LazySamples) else samples


def _limited(source: Source, recipe: Recipe) -> Source:
    classes = source.outputs if source.task == "classification" else None
    kept = limit_index(recipe.data, source.train, classes)
    if kept is None:
        return source
    plain = None if source.eval_train is None else source.eval_train.take(kept)
    return replace(source, train=source.train.take(kept), eval_train=plain)


def _load_samples(source: Source, recipe: Recipe, device: torch.device) -> LoadedData:
    plain = source.eval_train or source.train
    scale, target = measure_scale(recipe.data, plain), measure_target(source)
    parts = [part for part in (source.train, source.val, source.test) if part is not None]
    batcher = Batcher(recipe, Finish(scale, target), device, fits_device(parts, device))
    chosen = evaluation_part(len(plain), len(source.val or ()), recipe.data.split.seed)
    sample = _first_batch(batcher.evaluation(plain.take(chosen[:: -(-len(chosen) // SAMPLE_SIZE)])))
    shape = tuple(sample[0].shape[1:])
    check_augment(recipe.augment, source.task, shape)
    whole, single = _augmentation(recipe, source, scale, shape)
    return LoadedData(
        train=batcher.training(source.train, single),
        val=_evaluation(batcher, source.val),
        test=_evaluation(batcher, source.test),
        train_eval=batcher.evaluation(plain.take(chosen)),
        info=replace(_describe(source, target, shape), batch_augment=whole is not None),
        sample=tuple(tensor.to(device) for tensor in sample),
        augment=whole,
        eval_crops=ten_crops if recipe.augment.eval_crops == 10 else None,
    )


def _first_batch(batches: Batches) -> Batch:
    return next(iter(batches.epoch(0)))


def _evaluation(batcher: Batcher, samples: Samples | None) -> Batches | None:
    return batcher.evaluation(samples) if samples else None


def _augmentation(
    recipe: Recipe, source: Source, scale: Scale | None, shape: tuple[int, ...]
) -> tuple[BatchAugment | None, SampleAugment | None]:
    """Return the augmentation of whole batches, or that of single samples, or neither."""
    section: Augment = recipe.augment
    if source.eval_train is not None:
        section = section.model_copy(update={"crop": 0.0})  # training samples are cropped as they are read
    if scale is None or len(shape) != 3:
        return None, None
    size = (shape[0], shape[1], shape[2])
    loaded = isinstance(source.train, LazySamples) or recipe.data.in_memory is False
    if section.where == "sample" or (section.where == "auto" and loaded):
        return None, augment_samples(section, Images(size, scale.low, scale.high, scale.mean))
    return augment_batches(section, Images(size, scale(scale.low), scale(scale.high), scale(scale.mean))), None


def _describe(source: Source, target: Target, shape: tuple[int, ...]) -> DataInfo:
    sizes = {"train": source.train, "val": source.val, "test": source.test}
    return DataInfo(
        task=source.task,
        input_shape=shape,
        outputs=math.prod(shape) if source.task == "reconstruction" else source.outputs,
        sizes={name: len(part) for name, part in sizes.items() if part},
        class_names=source.class_names,
        class_counts=_class_counts(source),
        vocabulary=source.vocabulary,
        target_mean=target.mean,
        target_std=target.std,
        target_name=source.target_name,
        feature_names=source.feature_names,
        notes=source.notes,
    )


def _class_counts(source: Source) -> tuple[int, ...]:
    if source.task not in ("classification", "caption"):
        return ()
    codes = source.train.target.flatten()
    return tuple(torch.bincount(codes[codes >= 0], minlength=source.outputs).tolist())
