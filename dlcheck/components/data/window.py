"""From one long sequence of codes to windows in batches."""

import torch

from dlcheck.components.data.finish import evaluation_part
from dlcheck.components.data.loaded import LoadedData
from dlcheck.components.data.samples import TensorSamples
from dlcheck.components.data.source import Source
from dlcheck.components.data.tensor_batches import TensorBatches, WindowBatches
from dlcheck.components.info import DataInfo
from dlcheck.recipe.recipe import Recipe


def load_windows(source: Source, recipe: Recipe, device: torch.device) -> LoadedData:
    """Return a text's splits as windows of ``context`` codes and their successors.

    ``data.limit`` counts windows, from the start of the training text.
    """
    context, settings = source.context or 1, recipe.train
    codes = _limited(_codes(source.train, device), context, recipe.data.limit)
    size = None if settings.batch_size == "full" else settings.batch_size
    train = WindowBatches(
        codes, context, size, seed=settings.seed, shuffle=recipe.data.shuffle, drop_last=settings.drop_last
    )
    val, test = (
        WindowBatches(_codes(part, device), context, settings.eval_batch_size) for part in (source.val, source.test)
    )
    part = _train_part(codes, context, val.samples, recipe)
    inputs, target = next(TensorBatches(part.tensors, 64).epoch(0))
    info = DataInfo(
        task=source.task,
        input_shape=(context,),
        outputs=source.outputs,
        sizes={"train": train.samples, "val": val.samples, "test": test.samples},
        class_counts=tuple(torch.bincount(codes, minlength=source.outputs).tolist()),
        vocabulary=source.vocabulary,
        notes=source.notes,
    )
    return LoadedData(train, val, test, part, info, sample=(inputs, target))


def _codes(part: object, device: torch.device) -> torch.Tensor:
    assert isinstance(part, TensorSamples)
    return part.target.to(device) if device.type == "cuda" else part.target


def _limited(codes: torch.Tensor, context: int, limit: int | float | None) -> torch.Tensor:
    if limit is None:
        return codes
    whole = (len(codes) - 1) // context
    windows = limit if isinstance(limit, int) else max(1, round(limit * whole))
    return codes[: windows * context + 1]


def _train_part(codes: torch.Tensor, context: int, evaluated: int, recipe: Recipe) -> TensorBatches:
    windows = WindowBatches(codes, context, None)
    inputs, target = next(windows.epoch(0))
    chosen = torch.from_numpy(evaluation_part(len(inputs), evaluated, recipe.data.split.seed)).to(codes.device)
    return TensorBatches((inputs[chosen], target[chosen]), recipe.train.eval_batch_size)
