"""A recipe for samples in memory: arrays of a file, or a data set of torchvision."""

import hashlib
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcheck.checks.starter.amounts import Parts
from dlcheck.checks.starter.classes import Classes, told
from dlcheck.checks.starter.image_advice import Images, image_tables
from dlcheck.checks.starter.mlp import mlp_tables
from dlcheck.checks.starter.pixels import look_at_array
from dlcheck.checks.starter.sections import (
    HEAD,
    RATE,
    clipped,
    given_words,
    optimizer_tables,
    split_table,
    weights_table,
)
from dlcheck.components.data.samples import Samples, TensorSamples
from dlcheck.components.data.source import Source
from dlcheck.recipe.starter import Line, Starter, Table

MOST_COMPARED = 20_000
"""Samples whose bytes are compared for copies."""
MOST_READ = 500
"""Samples that are read of data that does not lie in memory."""
MOST_MEASURED = 10_000
"""Samples whose values are measured."""

Array = npt.NDArray[Any]


def tensor_starter(
    source: Source, data: Table, *, name: str, given: frozenset[str], dataset: str = "", image_size: int | None = None
) -> Starter:
    """Measure loaded samples, and write a recipe for them.

    Args:
        source: the samples, split.
        data: the ``[data]`` section that describes them.
        name: what the user named.
        given: parts that came with the data.
        dataset: of torchvision, where it is one.
        image_size: of a data set whose images are scaled while they are read.
    """
    inputs = _inputs(source.train)
    parts = Parts(len(source.train), len(source.val or ()), len(source.test or ()), given)
    classes = _classes(source) if source.task == "classification" else None
    rows, lines, tables = _sections(source, inputs, parts, classes, dataset)
    data = Table("data", (*data.lines, *_task_line(source), *lines), data.notes)
    shared = _shared(source, inputs)
    came = given_words(parts)
    head = [("samples", f"{parts.total:,}" + (f": {came}" if came else "")), ("each", _shape(inputs))]
    head += [("classes", told(classes))] if classes else [("target", _target_words(source))]
    return Starter(
        source=name,
        kind="arrays",
        told=(*head, *rows, *((("in two parts", f"{shared:,} samples"),) if shared else ())),
        measures={
            "samples": parts.total,
            "parts": {"train": parts.train, "val": parts.val, "test": parts.test},
            "given": sorted(given),
            "shape": list(inputs.shape[1:]),
            "task": source.task,
            "classes": dict(zip(classes.names, classes.counts, strict=True)) if classes else None,
            "repeated_across_parts": shared,
            **_numbers(inputs),
        },
        tables=(data, *split_table(parts, classes=classes), *tables),
        heed=_heed(shared),
        head=HEAD,
    )


def _task_line(source: Source) -> tuple[Line, ...]:
    return (Line("task", source.task, "by the type of the targets: whole numbers are classes"),)


def _inputs(samples: Samples) -> Array:
    """Return inputs of the samples, or of some of them where they do not lie in memory."""
    if isinstance(samples, TensorSamples):
        return samples.inputs[0].numpy()
    some = range(0, len(samples), max(1, -(-len(samples) // MOST_READ)))
    read = [np.asarray(samples[index][0]) for index in some]
    return np.stack([item for item in read if item.shape == read[0].shape])


def _classes(source: Source) -> Classes:
    counts = np.bincount(np.asarray(source.train.target), minlength=source.outputs)
    return Classes(source.class_names, tuple(int(count) for count in counts))


def _sections(
    source: Source, inputs: Array, parts: Parts, classes: Classes | None, dataset: str
) -> tuple[list[tuple[str, str]], tuple[Line, ...], tuple[Table, ...]]:
    """Return lines of the summary, of ``[data]``, and the sections after the split."""
    if inputs.ndim == 4:
        pixels = look_at_array(inputs)
        images = Images(pixels, classes, parts, pixels.short, dataset)
        grey = f"{pixels.looked - pixels.grey:,} in colour, {pixels.grey:,} grey, of {pixels.looked:,} looked at"
        line = Line("normalize", "standardize", f"measured: {pixels.moments}; training takes its own")
        return [("colour", grey), ("pixels", pixels.moments)], (line,), image_tables(images)
    some = inputs[:: max(1, -(-len(inputs) // MOST_MEASURED))]
    spreads = some.reshape(-1, some.shape[-1]).std(axis=0, dtype=np.float64)
    alive = spreads[spreads > 0]
    constant = int((spreads == 0).sum())
    reach = f"{alive.min():.2g} to {alive.max():.2g}" if len(alive) else "0"
    why = f"standard deviations of the columns: {reach}; each is scaled by that of its training rows"
    rows = [("spread", f"standard deviations from {reach}"), ("constant", f"{constant:,} of {len(spreads):,} columns")]
    return rows, (Line("normalize", "standardize", why),), _plain(source, inputs, parts, classes)


def _plain(source: Source, inputs: Array, parts: Parts, classes: Classes | None) -> tuple[Table, ...]:
    """Return the sections for rows of numbers, and for series of them."""
    model, train = mlp_tables(parts.train, math.prod(inputs.shape[1:]), source.outputs, "samples")
    if inputs.ndim == 3:
        model = Table("model", (Line("name", "gru", "reads each series step by step"), Line("hidden", 64)))
        train = clipped(train)
    loss = () if classes is not None else (Table("loss", (Line("name", "mse", _target_words(source)),)),)
    return (model, *(weights_table(classes) or loss), *optimizer_tables(0.002, 0.01, RATE), train)


def _target_words(source: Source) -> str:
    target = np.asarray(source.train.target, dtype=np.float64)
    what = f"{source.outputs} numbers" if source.outputs > 1 else "a number"
    return (
        f"{what} from {target.min():.4g} to {target.max():.4g}, mean {target.mean():.4g}, standard deviation "
        f"{target.std():.4g}; training standardises it"
    )


def _shape(inputs: Array) -> str:
    shape = inputs.shape[1:]
    if len(shape) == 3:
        return f"an image of {shape[2]}×{shape[1]} pixels, {shape[0]} channel{'s' if shape[0] > 1 else ''}"
    if len(shape) == 2:
        return f"a series of {shape[0]} steps, {shape[1]} values each"
    return f"{math.prod(shape):,} numbers"


def _numbers(inputs: Array) -> dict[str, Any]:
    if inputs.ndim == 4:
        return {"pixels": asdict(look_at_array(inputs))}
    some = np.asarray(inputs[:: max(1, -(-len(inputs) // MOST_MEASURED))], dtype=np.float64)
    return {"mean": float(some.mean()), "std": float(some.std()), "low": float(some.min()), "high": float(some.max())}


def _shared(source: Source, inputs: Array) -> int:
    """Return how many validation and test samples have the bytes of a training sample, of the first ones compared."""
    if not isinstance(source.train, TensorSamples):
        return 0
    seen = {_digest(sample) for sample in inputs[:MOST_COMPARED]}
    held = [part.inputs[0].numpy() for part in (source.val, source.test) if isinstance(part, TensorSamples)]
    return sum(_digest(sample) in seen for part in held for sample in part[:MOST_COMPARED])


def _digest(sample: Array) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(sample).tobytes(), digest_size=16).digest()


def _heed(shared: int) -> tuple[str, ...]:
    if not shared:
        return ()
    return (f"{shared:,} samples of validation or test are exact copies of training samples: results look too good",)
