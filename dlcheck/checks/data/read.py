"""Read a bounded number of a split's samples, in this process, without touching the global random streams."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from dlcheck.checks.data.samples import Index, Samples, Splits, Values
from dlcheck.checks.foreign import ForeignBatches
from dlcheck.checks.patient import Patient
from dlcheck.components.batches import Batch, Batches
from dlcheck.components.data.finish import Paired
from dlcheck.components.data.loader_batches import LoaderBatches, seeded
from dlcheck.components.data.order import epoch_order, seed_of
from dlcheck.components.data.samples import LazySamples
from dlcheck.components.data.tensor_batches import TensorBatches, WindowBatches

MOST = 20_000
"""Samples read of a split in memory."""
MOST_VALUES = 40_000_000
"""Numbers read of a split: 160 MB of float32."""
CHUNK = 32
"""Samples read at once of a split that is not in memory."""
SECONDS = 2.5
"""Time to read a split that is not in memory; at least one chunk is read."""

_READ: weakref.WeakKeyDictionary[Batches, Splits] = weakref.WeakKeyDictionary()


def read_splits(patient: Patient) -> Splits:
    """Return the patient's splits; the first exam that asks reads them, the others share."""
    found = _READ.get(patient.train)
    if found is None:
        plain = patient.parts.data.train_eval if patient.parts else None
        train = read(patient.train, plain)
        others = [None if part is None or part.samples == 0 else read(part) for part in (patient.val, patient.test)]
        found = _READ[patient.train] = Splits(train, *others)
    return found


def read(batches: Batches, plain: Batches | None = None) -> Samples:
    """Return samples of a split: all, or a random choice where there are too many or reading takes too long.

    Args:
        batches: The split.
        plain: Batches over the same data set that are not augmented, by which augmentation can be left out.
    """
    if isinstance(batches, TensorBatches) and not isinstance(batches, WindowBatches):
        return _read_tensors(batches)
    if isinstance(batches, LoaderBatches):
        return _read_dataset(batches, plain)
    loader = getattr(batches, "loader", None)
    dataset = getattr(loader, "dataset", None)
    if isinstance(batches, ForeignBatches) and _is_map_style(dataset, batches.samples):
        return _read_foreign(batches, dataset, getattr(loader, "collate_fn", None) or default_collate)
    return _read_batches(batches)


def _choice(total: int, values: int) -> Index:
    most = max(CHUNK, min(MOST, MOST_VALUES // max(1, values)))
    if total <= most:
        return np.arange(total)
    return np.sort(np.random.default_rng([0, total]).permutation(total)[:most])


def _read_tensors(batches: TensorBatches) -> Samples:
    index = _choice(batches.samples, batches.tensors[0][:1].numel())
    chosen = torch.from_numpy(index).to(batches.tensors[0].device)
    batch = tuple(tensor.index_select(0, chosen) for tensor in batches.tensors)
    if batches.transform is not None:
        batch = batches.transform(batch)
    raw = tuple(as_array(tensor) for tensor in batches.tensors[:-1])
    return Samples(as_array(batch[0]), as_array(batch[-1]), index, batches.samples, as_array(batches.tensors[-1]), raw)


def _read_dataset(batches: LoaderBatches, plain: Batches | None) -> Samples:
    dataset = _plain(batches.dataset, plain)

    def fetch(index: list[int], epoch: int = 0) -> Batch:
        found = []
        for place in index:
            with seeded(seed_of(batches.seed, epoch, place)):
                found.append(dataset[place])
        batch: Batch = tuple(default_collate(found))
        return batch if batches.transform is None else batches.transform(batch)

    labels = dataset.samples.target if isinstance(dataset, Paired) and hasattr(dataset.samples, "target") else None
    return _read_chunks(fetch, batches.samples, None if labels is None else as_array(labels))


def _plain(dataset: Any, plain: Batches | None) -> Any:
    """Return the data set without the recipe's augmentation; the user's own may be left."""
    if not isinstance(dataset, Paired):
        return dataset
    samples = dataset.samples
    other = getattr(plain, "dataset", None)
    if isinstance(samples, LazySamples) and isinstance(other, Paired) and isinstance(other.samples, LazySamples):
        # The same files read without random crops, where the source knows how.
        samples = LazySamples(other.samples.dataset, samples.index, samples.targets)
    return Paired(samples, None, dataset.reconstruct)


def _read_foreign(batches: ForeignBatches, dataset: Any, collate: Callable[[list[Any]], Any]) -> Samples:
    def fetch(index: list[int], epoch: int = 0) -> Batch:
        with seeded(seed_of(epoch, index[0])):
            return batches.as_batch(collate([dataset[place] for place in index]))

    return _read_chunks(fetch, batches.samples, None)


def _read_chunks(fetch: Callable[..., Batch], total: int, labels: Values | None) -> Samples:
    """Read a random choice for a while; which samples are read depends on the clock only where time runs out."""
    order = np.random.default_rng([0, total]).permutation(total)
    kept: list[Batch] = []
    places: list[Index] = []
    started, values = time.monotonic(), 0
    for start in range(0, min(total, MOST), CHUNK):
        index = np.sort(order[start : start + CHUNK])
        batch = fetch(index.tolist())
        if kept and batch[0].shape[1:] != kept[0][0].shape[1:]:
            continue  # sequences padded to another length
        kept.append(batch)
        places.append(index)
        values += batch[0].numel()
        if time.monotonic() - started > SECONDS or values > MOST_VALUES:
            break
    few = order[:4].tolist()
    augmented = not torch.equal(fetch(few, epoch=0)[0], fetch(few, epoch=1)[0])
    joined = np.concatenate(places)
    by_place = np.argsort(joined)
    inputs, target = (np.concatenate([as_array(batch[i]) for batch in kept])[by_place] for i in (0, -1))
    return Samples(inputs, target, joined[by_place], total, labels, augmented=augmented)


def _read_batches(batches: Batches) -> Samples:
    """Read from the first batch on, in loading order."""
    kept: list[Batch] = []
    started, values = time.monotonic(), 0
    for batch in batches.epoch(0):
        if kept and batch[0].shape[1:] != kept[0][0].shape[1:]:
            continue
        kept.append(batch)
        values += batch[0].numel()
        if time.monotonic() - started > SECONDS or values > MOST_VALUES:
            break
    inputs, target = (np.concatenate([as_array(batch[i]) for batch in kept]) for i in (0, -1))
    index = np.full(len(inputs), -1)
    if isinstance(batches, WindowBatches):
        index = epoch_order(batches.samples, batches.seed, 0, shuffle=batches.shuffle).numpy()[: len(inputs)]
        by_place = np.argsort(index)
        inputs, target, index = inputs[by_place], target[by_place], index[by_place]
    return Samples(inputs, target, index, max(batches.samples, len(inputs)))


def as_array(tensor: Tensor) -> Values:
    """Return a tensor on the CPU as an array; half precision becomes float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor).numpy()


def _is_map_style(dataset: object, samples: int) -> bool:
    try:
        return hasattr(dataset, "__getitem__") and len(dataset) == samples  # type: ignore[arg-type]
    except TypeError:
        return False
