"""What each process of a training takes of the data."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from dlcheck.components.batches import WHOLE, Share, Shared
from dlcheck.components.data import LoadedData
from dlcheck.components.regularizers import build_regularizers
from dlcheck.errors import DlcheckError
from dlcheck.training.ranks import Ranks, refuse_differing
from dlcheck.training.sharding import is_sharded, refuse_unsharded, shard, whole

if TYPE_CHECKING:
    from dlcheck.training.trainer import Parts, Trainer


def share_out(parts: Parts, ranks: Ranks) -> None:
    """Leave this process its rows of every batch, and its threads of the cores; the test split stays whole.

    Raises:
        DlcheckError: the recipe cannot be trained by so many processes, or they see different data.
    """
    if ranks.size == 1:
        return
    train = parts.recipe.train
    if parts.recipe.model.device_map:
        raise DlcheckError("model.device_map: one process lays its model over devices; leave it out, or --devices")
    if parts.recipe.optimizer.name == "lbfgs":
        raise DlcheckError("optimizer.name: lbfgs trains in one process; take another, or one device")
    if isinstance(train.batch_size, int) and train.batch_size < ranks.size:
        raise DlcheckError(
            f"train.batch_size = {train.batch_size} is fewer than one sample for each of {ranks.size} processes"
        )
    refuse_differing(ranks, {**parts.data.info.sizes, "batches in an epoch": len(parts.data.train)})
    _set(parts.data, ranks.share)
    if train.parallel == "fsdp":
        _shard(parts, ranks)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    here = int(os.environ.get("LOCAL_WORLD_SIZE", ranks.size))
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores // max(here, 1))))


def _shard(parts: Parts, ranks: Ranks) -> None:
    recipe = parts.recipe
    refuse_unsharded(recipe)
    if ranks.leads:
        parts.unsharded = copy.deepcopy(parts.model).cpu()
    shard(parts.model, parts.device, ranks.size)
    # What was made for whole weights is made anew for their parts.
    parts.hooks = build_regularizers(recipe.regularize, parts.model, parts.data.info, parts.loss.name)


def unshard(trainer: Trainer) -> None:
    """Bring the weights of sharded training together in the leading process; all call this at the end."""
    parts = trainer.parts
    if not is_sharded(trainer.model):
        return
    weights = whole(trainer.model.state_dict())
    if parts.unsharded is not None:
        parts.unsharded.load_state_dict(weights)
        trainer.model = trainer.stepper.model = parts.model = parts.unsharded.to(parts.device)
        trainer.evaluator = replace(trainer.evaluator, model=trainer.model)


def take_whole(data: LoadedData) -> None:
    """Let this process take every row again, for what the leading one measures alone."""
    _set(data, WHOLE)


def _set(data: LoadedData, share: Share) -> None:
    splits: tuple[object, ...] = (data.train, data.val, data.train_eval)
    for batches in splits:
        if isinstance(batches, Shared):
            batches.share = share


def rate_rules(batch_size: int, ranks: int, lr: float) -> str:
    """Return what a batch is made of on several processes, and the rates that the usual rules give a larger one.

    The recipe's own rate is kept: its batch is shared out, so that every step is that of one process. Whoever gives
    each process a whole batch makes steps of ``ranks`` times as many samples; Goyal et al. 2017 (arXiv:1706.02677)
    then multiply the rate by as much, Krizhevsky 2014 (arXiv:1404.5997) by its square root.
    """
    each = (
        f"{batch_size // ranks}" if batch_size % ranks == 0 else f"{batch_size // ranks} or {batch_size // ranks + 1}"
    )
    return (
        f"{ranks} processes: each takes {each} of a batch of {batch_size}, the rate of {lr:g} stays; for a batch of "
        f"{batch_size * ranks} the linear rule gives {lr * ranks:.3g}, the square-root rule {lr * ranks**0.5:.3g}"
    )
