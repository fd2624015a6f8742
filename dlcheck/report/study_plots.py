"""The plots of a study that show every trial: history, slices, parallel axes, and where trials fail."""

import html
import math
from collections.abc import Sequence

from dlcheck.report.plain import printable
from dlcheck.report.plane import BOTTOM, LEFT, RIGHT, TOP, Axis, Plane, axis_of, figure
from dlcheck.rules.search.region import Region, failed, failing_region
from dlcheck.rules.search.rows import WHOLE, number_of, place, ranked, text_of, usable, value_at
from dlcheck.runs.facts import SearchParameter, SearchStudy, SearchTrial
from dlcheck.runs.facts.search import trial_title

SMALL = (320, 210)
"""Width and height of a plot beside others."""
BUCKETS = 6
"""Parts of a range of which each shows its best trial."""
TOP_TRIALS = 3
"""Trials drawn as the best ones."""
ZERO = -0.12
"""Where zero lies beside a range that has no place for it."""


def history(study: SearchStudy) -> str:
    """Return every trial's value in the order they began, the best so far, and those that have none."""
    shown = [trial for trial in study.trials if _finite(trial)]
    if not shown:
        return ""
    plane = Plane(_numbers(study), axis_of(_values(shown), study.metric), strip=_any_failed(study))
    for trial in study.trials:
        _mark(plane, study, trial, float(trial.number))
    best = _best_so_far(study)
    plane.line(
        [*best, (max(float(trial.number) for trial in study.trials), best[-1][1])] if best else [], "step", steps=True
    )
    own = next((trial for trial in usable(study) if trial.baseline), None)
    if own is not None and own.value is not None:
        plane.level(own.value, "own-line")
    return figure(f"{study.metric} of every trial, and the best so far", plane.svg("history"))


def slices(study: SearchStudy) -> str:
    """Return a plot for each parameter: every trial, and the best of each part of its range."""
    plots = [_slice(study, parameter) for parameter in study.parameters]
    return f'<div class="plots">{"".join(plots)}</div>' if any(plots) else ""


def parallel(study: SearchStudy) -> str:
    """Return every trial as a line through all of its parameters to its value."""
    axes = [item for item in study.parameters if len(_labels(item)) > 1]
    shown = [trial for trial in study.trials if _finite(trial)]
    if len(axes) < 2 or not shown:
        return ""
    value = axis_of(_values(shown), study.metric)
    width, height = 640, 280
    step = (width - LEFT - RIGHT) / len(axes)
    parts = []
    for index, parameter in enumerate(axes):
        parts.append(_upright(LEFT + index * step, height, _labels(parameter), parameter.path, index % 2))
    parts.append(_upright(width - RIGHT, height, value.labels(), study.metric, len(axes) % 2, end=True))
    for trial, kind in _threads(study):
        shares = [_share(parameter, trial) for parameter in axes]
        own = trial.value
        last = value.place(own) if own is not None and _finite(trial) and not failed(trial) else None
        parts.append(_thread([*shares, last], step, height, kind, _told(study, trial)))
    name = "parallel coordinates"
    svg = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}">{"".join(parts)}</svg>'
    return figure("values of every trial; the best three and your recipe stand out", svg)


def failures(study: SearchStudy) -> str:
    """Return where trials failed, by the parameter that tells it best and the one that matters most beside it."""
    region = failing_region(study) if any(map(failed, study.trials)) else None
    if region is None or region.failed == 0:
        return ""
    second = _second(study, region)
    if second is None:
        return ""
    plane = Plane(_axis(region.parameter), _axis(second), strip=False)
    _shade(plane, region)
    for trial in study.trials:
        x, y = _share(region.parameter, trial), _share(second, trial)
        if x is None or y is None:
            continue
        if failed(trial):
            plane.cross(x, _told(study, trial), y)
        else:
            plane.dot(x, y, _told(study, trial), _kind(study, trial))
    caption = f"where trials failed (×): {second.path} over {region.parameter.path}; {_inside(region)}"
    return figure(caption, plane.svg("where trials failed"))


def _any_failed(study: SearchStudy) -> bool:
    return any(not _finite(trial) for trial in study.trials)


def _inside(region: Region) -> str:
    return f"{region.failed} of {region.trials} failed in the shaded part, {region.outside} elsewhere"


def _slice(study: SearchStudy, parameter: SearchParameter) -> str:
    shown = [trial for trial in study.trials if _finite(trial) and _share(parameter, trial) is not None]
    if not shown:
        return ""
    plane = Plane(_axis(parameter), axis_of(_values(shown)), *SMALL, strip=_any_failed(study))
    for trial in study.trials:
        share = _share(parameter, trial)
        if share is not None:
            _mark(plane, study, trial, share)
    if parameter.kind != "choice":
        plane.line(_isolated(study, parameter), "step")
    return figure(parameter.name, plane.svg(parameter.name))


def _isolated(study: SearchStudy, parameter: SearchParameter) -> list[tuple[float, float]]:
    """Return the best trial of each part of a range, whatever the other parameters were there."""
    best: dict[int, tuple[float, float]] = {}
    for trial in reversed(ranked(study)):
        share = _share(parameter, trial)
        if share is not None and trial.value is not None:
            best[math.floor(min(max(share, ZERO), 0.999) * BUCKETS)] = (share, trial.value)
    return sorted(best.values())


def _second(study: SearchStudy, region: Region) -> SearchParameter | None:
    order = {item.name: rank for rank, item in enumerate(study.importances)}
    others = [item for item in study.parameters if item.path != region.parameter.path and len(_labels(item)) > 1]
    others = [item for item in others if any(_share(item, trial) is not None for trial in study.trials)]
    return min(others, key=lambda item: order.get(item.name, len(order)), default=None)


def _shade(plane: Plane, region: Region) -> None:
    parameter = region.parameter
    if region.choice is not None:
        at = _choice_place(parameter, region.choice)
        half = 0.4 / max(len(parameter.choices), 1)
        plane.zone(max(at - half, plane.x.low), min(at + half, plane.x.high))
        return
    edge, good = place(parameter, region.edge), place(parameter, region.last_good)
    if edge is not None and good is not None:
        plane.zone((edge + good) / 2, 1.0 if region.above else 0.0)


def _threads(study: SearchStudy) -> list[tuple[SearchTrial, str]]:
    best = {trial.number for trial in ranked(study)[:TOP_TRIALS]}
    kinds = [(trial, "failed" if failed(trial) else "") for trial in study.trials]
    kinds = [(trial, "top" if trial.number in best else kind) for trial, kind in kinds]
    kinds = [(trial, "own" if trial.baseline and kind != "failed" else kind) for trial, kind in kinds]
    return sorted(kinds, key=lambda pair: ("failed", "", "own", "top").index(pair[1]))


def _thread(shares: Sequence[float | None], step: float, height: int, kind: str, title: str) -> str:
    path, pen = [], "M"
    for index, share in enumerate(shares):
        if share is None:
            pen = "M"
            continue
        path.append(f"{pen}{LEFT + index * step:.1f} {_upright_y(share, height):.1f}")
        pen = "L"
    return f'<path class="thread {kind}" d="{"".join(path)}"><title>{_escaped(title)}</title></path>'


def _upright(
    x: float, height: int, labels: Sequence[tuple[float, str]], name: str, row: int, *, end: bool = False
) -> str:
    top, floor = _upright_y(1.0, height), _upright_y(0.0, height)
    parts = [f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{floor:.1f}"/>']
    anchor, shift = ("end", -4) if end else ("start", 4)
    for share, label in labels:
        at = _upright_y(share, height)
        parts.append(f'<text x="{x + shift:.1f}" y="{at + 4:.1f}" text-anchor="{anchor}">{_escaped(label)}</text>')
    side = "end" if end else "middle" if x > LEFT else "start"
    parts.append(f'<text x="{x:.1f}" y="{height - 4 - 13 * row}" text-anchor="{side}">{_escaped(name)}</text>')
    return "".join(parts)


def _upright_y(share: float, height: int) -> float:
    return height - BOTTOM - 6 - share * (height - BOTTOM - 6 - TOP)


def _mark(plane: Plane, study: SearchStudy, trial: SearchTrial, x: float) -> None:
    if failed(trial) or not _finite(trial) or trial.value is None:
        plane.cross(x, _told(study, trial))
    else:
        plane.dot(x, trial.value, _told(study, trial), _kind(study, trial))


def _kind(study: SearchStudy, trial: SearchTrial) -> str:
    if trial.baseline:
        return "own"
    if trial.number == study.chosen:
        return "top"
    return "" if trial.ending == "ok" else "early"


def _told(study: SearchStudy, trial: SearchTrial) -> str:
    """Return a trial in words, for its title."""
    values = "; ".join(
        f"{item.name} {item.text if item.number is None else f'{item.number:.3g}'}" for item in trial.params
    )
    reached = f"{study.metric} {trial.value:.4g}" if trial.value is not None else f"no {study.metric}"
    name = trial_title(trial.number, baseline=trial.baseline)
    return f"{name}, {trial.ending}: {reached}. {values}"


def _finite(trial: SearchTrial) -> bool:
    return trial.value is not None and math.isfinite(trial.value) and not failed(trial)


def _values(trials: Sequence[SearchTrial]) -> list[float]:
    return [trial.value for trial in trials if trial.value is not None]


def _numbers(study: SearchStudy) -> Axis:
    numbers = [trial.number for trial in study.trials]
    low, high = min(numbers), max(numbers)
    ticks = sorted({low, high, *(round(low + (high - low) * share / 4) for share in range(1, 4))})
    axis = Axis(float(low), float(high), label="trial")
    return Axis(axis.low, axis.high, ticks=tuple((axis.place(tick), str(tick)) for tick in ticks), label="trial")


def _best_so_far(study: SearchStudy) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for trial in usable(study):
        better = not found or (trial.value or 0.0) * (1 if study.minimize else -1) < found[-1][1] * (
            1 if study.minimize else -1
        )
        if better and trial.value is not None:
            found.append((float(trial.number), trial.value))
    return found


def _axis(parameter: SearchParameter) -> Axis:
    """Return the axis of a parameter, on which values are places from 0 to 1."""
    labels = _labels(parameter)
    low = ZERO if parameter.or_zero else 0.0
    whole = Axis(low, 1.0)
    ticks = tuple((whole.place(share), label) for share, label in labels)
    return Axis(
        low,
        1.0,
        ticks=ticks or ((0.5, ""),),
        label=f"{parameter.path}{f' ({parameter.when})' if parameter.when else ''}",
    )


def _labels(parameter: SearchParameter) -> list[tuple[float, str]]:
    if parameter.kind == "choice":
        return [(_choice_place(parameter, choice), choice) for choice in parameter.choices]
    found = [(share, value_at(parameter, share)) for share in (0.0, 0.5, 1.0)]
    zero = [(ZERO, "0")] if parameter.or_zero else []
    return zero + [(share, _number(parameter, value)) for share, value in found if value is not None]


def _number(parameter: SearchParameter, value: float) -> str:
    return f"{value:.0f}" if parameter.kind in WHOLE and abs(value) < 1e6 else f"{value:.2g}"


def _choice_place(parameter: SearchParameter, choice: str) -> float:
    if choice not in parameter.choices:
        return 0.5
    return (parameter.choices.index(choice) + 0.5) / len(parameter.choices)


def _share(parameter: SearchParameter, trial: SearchTrial) -> float | None:
    """Return where a trial lies along a parameter, None where it has no value of it or one outside of the range."""
    if parameter.kind == "choice":
        made = text_of(trial, parameter.name)
        return None if made is None or made not in parameter.choices else _choice_place(parameter, made)
    number = number_of(trial, parameter.name)
    share = place(parameter, number)
    if share is None:
        return ZERO if number == 0 and parameter.or_zero else None
    return share if -0.01 <= share <= 1.01 else None


def _escaped(text: str) -> str:
    return html.escape(printable(text))
