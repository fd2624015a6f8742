"""From raw series, as a log names them, to a run whose curves are the signals that rules ask for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from dlcheck.errors import DlcheckError, nearest
from dlcheck.runs.intake import MOST_SERIES
from dlcheck.runs.names import Kind, meaning, plain_name
from dlcheck.runs.run import Event, Numbers, Part, Run, scalar_frame
from dlcheck.runs.signals import SIGNALS, column_signal
from dlcheck.runs.unit_change import unit_changes

_PARTS_OF_A_LOSS = {"box_loss", "obj_loss", "cls_loss", "dfl_loss", "seg_loss", "pose_loss", "kobj_loss", "sem_loss"}
_LIKE_A_LOSS = ("mse", "mae", "rmse", "nll", "perplexity", "bpc", "bpb", "error")
_PER_EPOCH = 1.5  # more points an epoch than this are points of steps
_TOGETHER = 2 / 3  # share of training points beside which validation stands, so that both are evaluations


@dataclass(frozen=True, slots=True)
class Series:
    """What a log holds under one name, in the order of its records; absent values are left out."""

    name: str
    values: Numbers
    """Shape (points,); NaN and infinity were logged as such."""
    steps: Numbers | None = None
    epochs: Numbers | None = None
    wall_s: Numbers | None = None
    split: str | None = None
    """Said by a folder or a record; a split in the name itself beats it."""


@dataclass(frozen=True, slots=True)
class _Role:
    series: Series
    split: str
    metric: str
    kind: Kind


@dataclass(slots=True)
class _Notes:
    inferred: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)


def assemble(
    series: Iterable[Series],
    names: Mapping[str, str],
    *,
    events: Sequence[Event] = (),
    inferred: Sequence[str] = (),
    meta: Mapping[str, object] | None = None,
    facts: Mapping[str, object] | None = None,
) -> Run:
    """Return a run of raw series.

    The loss of a split is the series that its name calls so, else the sum of the parts of a detector's loss,
    else the only loss there is. A test split that was measured again and again is a validation split.
    A training loss of single steps is ``batch_loss``. What was decided stands in ``meta``.

    Args:
        series: All series with numbers, in the order of the log.
        names: Signal name to raw name, as the user gave them; they beat what names mean.
        events: What happened, as the reader saw it.
        inferred: What the reader concluded, one sentence each.
        meta: What else the log says about the run.
        facts: What the log measured once.

    Raises:
        DlcheckError: the user named a series that is not there, or there are more than ``MOST_SERIES``.
    """
    series = list(islice(series, MOST_SERIES + 1))
    if len(series) > MOST_SERIES:
        raise DlcheckError(f"more than {MOST_SERIES} series; a training log has fewer")
    notes = _Notes(inferred=list(inferred))
    roles = _roles(list(series), names, notes)
    roles = _single(_test_as_val(roles, notes), notes)
    roles = _main_losses(roles, notes)
    roles = _batch_losses(roles, notes)
    parts = [
        Part(role.split, role.metric, one.values, one.steps, one.epochs, one.wall_s)
        for role in roles
        for one in (role.series,)
    ]
    told = {
        "columns": {role.series.name: f"{role.split}/{role.metric}" for role in roles},
        "unmapped": notes.unmapped,
        "inferred": notes.inferred,
        "ambiguous": notes.ambiguous,
        "x": _x(roles),
    }
    return Run(
        scalar_frame(parts),
        facts=dict(facts or {}),
        events=(*events, *unit_changes(parts)),
        meta={**(meta or {}), **told},
    )


def has_curve(run: Run, least: int = 1) -> bool:
    """Return whether a run has a loss or score of at least so many points."""
    metric = run.scalars["metric"].cat
    codes = metric.codes.to_numpy()
    ends = np.append(np.flatnonzero(codes[1:] != codes[:-1]), len(codes) - 1)  # few: rows of a metric stand together
    counts = np.zeros(len(metric.categories), dtype=np.int64)
    if len(codes):
        np.add.at(counts, codes[ends], np.diff(ends, prepend=-1))
    said = [meaning(str(name)) for name in metric.categories]
    kinds = [one.kind if one else "other" for one in said]
    return any(kind in ("loss", "metric") and count >= least for kind, count in zip(kinds, counts, strict=True))


def _roles(series: list[Series], names: Mapping[str, str], notes: _Notes) -> list[_Role]:
    chosen = _chosen({one.name for one in series}, names)
    roles: list[_Role] = []
    for one in series:
        role = _chosen_role(one, chosen[one.name]) if one.name in chosen else _meant_role(one)
        if role is None:
            notes.unmapped.append(one.name)
        elif role.kind not in ("step", "epoch", "time"):
            roles.append(role)
    taken = {(role.split, role.metric) for role in roles if role.series.name in chosen}
    return [role for role in roles if role.series.name in chosen or (role.split, role.metric) not in taken]


def _chosen(known: set[str], names: Mapping[str, str]) -> dict[str, str]:
    """Return signal names by raw name."""
    chosen: dict[str, str] = {}
    for signal, raw in names.items():
        if signal in ("step", "epoch"):
            continue
        if raw not in known:
            raise DlcheckError(f"--map {signal}={raw}: the log has no series of that name; {nearest(raw, known)}")
        chosen[raw] = signal
    return chosen


def _chosen_role(series: Series, name: str) -> _Role:
    signal = SIGNALS.get(name)
    if signal and signal.kind == "scalar" and signal.metric != "*":
        split, metric = signal.split, signal.metric
    else:
        split, metric = column_signal(name)
    kind: Kind = "loss" if metric.endswith("loss") else "lr" if metric == "lr" else "metric"
    return _Role(series, split, metric, kind)


def _meant_role(series: Series) -> _Role | None:
    said = meaning(series.name)
    if said is None:
        return None
    split = said.split if said.explicit or series.split is None or said.kind == "other" else series.split
    metric = "loss" if said.metric == "batch_loss" and split != "train" else said.metric
    return _Role(series, split, metric, said.kind)


def _test_as_val(roles: list[_Role], notes: _Notes) -> list[_Role]:
    test = [role for role in roles if role.split == "test"]
    repeated = any(len(role.series.values) > 1 for role in test)
    if not repeated or any(role.split == "val" for role in roles):
        return roles
    notes.inferred.append("the test split was evaluated again and again as the run went on: it is read as validation")
    return [replace(role, split="val") if role.split == "test" else role for role in roles]


def _single(roles: list[_Role], notes: _Notes) -> list[_Role]:
    """Give every series after the first of the same meaning the name that the log gives it."""
    seen: dict[tuple[str, str], str] = {}
    kept: list[_Role] = []
    for role in sorted(roles, key=_of_a_step):  # Lightning logs one loss as *_epoch and as *_step
        key = (role.split, role.metric)
        if key in seen:
            other = plain_name(role.series.name)
            if role.kind == "loss" and not _of_a_step(role):
                notes.ambiguous.append(
                    f"{seen[key]!r} and {role.series.name!r} both name the {role.split} loss: the first is taken"
                )
            key = (role.split, other if (role.split, other) not in seen else f"{other}_{len(seen)}")
        seen[key] = role.series.name
        kept.append(replace(role, metric=key[1]))
    return kept


def _of_a_step(role: _Role) -> bool:
    return role.series.name.endswith("_step")


def _main_losses(roles: list[_Role], notes: _Notes) -> list[_Role]:
    for split in ("train", "train_eval", "val", "test"):
        if not any(role.split == split and role.metric in ("loss", "batch_loss") for role in roles):
            roles = _with_main_loss(roles, split, notes)
    if any(role.metric in ("loss", "batch_loss") for role in roles):
        return roles
    return _metric_as_loss(roles, notes)


def _with_main_loss(roles: list[_Role], split: str, notes: _Notes) -> list[_Role]:
    losses = [role for role in roles if role.split == split and role.kind == "loss"]
    if len(losses) > 1 and {role.metric for role in losses} <= _PARTS_OF_A_LOSS and _same_points(losses):
        notes.inferred.append(f"the {split} loss is the sum of {', '.join(role.series.name for role in losses)}")
        with np.errstate(invalid="ignore", over="ignore"):  # infinities of both signs, and gigantic numbers
            total = np.sum([role.series.values for role in losses], axis=0)
        name = " + ".join(role.series.name for role in losses)
        return [_Role(replace(losses[0].series, name=name, values=total), split, "loss", "loss"), *roles]
    if not losses:
        return roles
    main = losses[0]
    if len(losses) > 1:
        notes.ambiguous.append(f"{len(losses)} {split} losses, none of them the whole: {main.series.name!r} is taken")
    else:
        notes.inferred.append(f"the {split} loss is {main.series.name!r}, the only one")
    return [replace(role, metric="loss") if role is main else role for role in roles]


def _same_points(roles: list[_Role]) -> bool:
    return len({len(role.series.values) for role in roles}) == 1


def _metric_as_loss(roles: list[_Role], notes: _Notes) -> list[_Role]:
    logged = {role.metric for role in roles if role.kind == "metric"}
    name = next((name for name in _LIKE_A_LOSS if name in logged), None)
    if name is None:
        return roles
    notes.inferred.append(f"no series is called a loss: {name} is taken for it")
    return [replace(role, metric="loss", kind="loss") if role.metric == name else role for role in roles]


def _batch_losses(roles: list[_Role], notes: _Notes) -> list[_Role]:
    """Call the training loss that was logged by the step what it is."""
    train = next((role for role in roles if role.split == "train" and role.metric == "loss"), None)
    if train is None or any(role.split == "train" and role.metric == "batch_loss" for role in roles):
        return roles
    val = next((role for role in roles if role.split == "val" and role.metric == "loss"), None)
    if not _of_steps(train.series, val.series if val else None):
        return roles
    notes.inferred.append(f"{train.series.name!r} stands at single steps: it is read as the loss of batches")
    return [replace(role, metric="batch_loss") if role is train else role for role in roles]


def _of_steps(train: Series, val: Series | None) -> bool:
    points = len(train.values)
    if val is not None and min(len(val.values), points) >= _TOGETHER * points and len(val.values) > 1:
        return False
    return _by_step(train)


def _by_step(series: Series) -> bool:
    known = None if series.epochs is None else series.epochs[np.isfinite(series.epochs)]
    if known is not None and len(known):
        return len(known) > _PER_EPOCH * len(np.unique(np.floor(known)))
    return series.steps is not None


def _x(roles: list[_Role]) -> str:
    losses = [role.series for role in roles if role.metric in ("loss", "batch_loss")]
    others = losses or [role.series for role in roles]
    return "step" if any(_by_step(one) for one in others) else "epoch"
