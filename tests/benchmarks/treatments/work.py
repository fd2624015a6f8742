"""Works through a case: is it one, what do the doctors make of it, and is that true with other seeds?"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from dlcheck.recipe import LoadedRecipe, dump_recipe, load_recipe
from dlcheck.report.treated import Treated
from dlcheck.treatment.judge import treatable
from dlcheck.treatment.treat import treat
from tests.benchmarks.faults.kill import killed
from tests.benchmarks.treatments.cases import Case
from tests.benchmarks.treatments.programs import PROGRAMS
from tests.benchmarks.treatments.record import NEAR, Outcome, Row
from tests.benchmarks.treatments.rivals.autotrainer import BUILT_BADLY, treated_by_autotrainer
from tests.benchmarks.treatments.rivals.chance import treated_by_chance
from tests.benchmarks.treatments.train import floored, points, quiet, refusal

KILL_SEEDS = tuple(range(2000, 2005))
"""Decide whether a fault hurts; apart from those by which treatments are judged, which would else be flattered."""
FRESH_SEEDS = tuple(range(3000, 3003))
LEAST_BUDGET = 4.0
"""Trainings that the rivals have at least, where dlcheck spent fewer."""
TREAT, CHANCE, AUTOTRAINER = "treat", "random", "autotrainer"
DOCTORS = (TREAT, CHANCE, AUTOTRAINER)


def worked(case: Case, doctors: Sequence[str]) -> Row:
    """Return what came of a case."""
    begun = time.perf_counter()
    why = _no_case(case)
    twin, before = _mean(case.twin()), _mean(case.recipe())
    found = {} if why else _asked(case, doctors)
    seconds = round(time.perf_counter() - begun, 2)
    return Row(case.key, case.kind, case.program, case.variant, case.half, not why, twin, before, found, seconds, why)


def _no_case(case: Case) -> str:
    """Return why it is no case: a recipe that dlcheck refuses, a sick program, a fault that does not hurt, ..."""
    refused = refusal(case.recipe())
    if refused:
        return f"refused before it trains: {refused}"
    healthy = [points(case.twin(), seed) for seed in KILL_SEEDS[:3]]
    if fmean(healthy) < PROGRAMS[case.program].good:
        return f"its program reaches {fmean(healthy):.1f} points only"
    if case.kind == "fault":
        healthy += [points(case.twin(), seed) for seed in KILL_SEEDS[3:]]
        sick = [points(case.recipe(), seed) for seed in KILL_SEEDS]
        hurts = killed([one / 100 for one in healthy], [one / 100 for one in sick]).hurts
        return "" if hurts else "the fault does not hurt"
    sound = fmean(points(case.recipe(), seed) for seed in KILL_SEEDS[:3])
    return "" if fmean(healthy) - sound <= NEAR else "the variant is worse than its program"


def _asked(case: Case, doctors: Sequence[str]) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    folder = Path(tempfile.mkdtemp(prefix="treatments-"))
    try:
        if TREAT in doctors:
            found[TREAT] = _treated(case, folder / "treat")
        cost = found[TREAT].cost if TREAT in found else LEAST_BUDGET
        if case.kind == "fault":
            if CHANCE in doctors:
                found[CHANCE] = _by_chance(case, max(cost, LEAST_BUDGET), folder / "random")
            if AUTOTRAINER in doctors:
                found[AUTOTRAINER] = _by_autotrainer(case, max(cost, LEAST_BUDGET))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _treated(case: Case, folder: Path) -> Outcome:
    path = folder.with_suffix(".toml")
    path.write_text(dump_recipe(case.recipe().recipe, defaults=False), encoding="utf-8")
    try:
        with quiet():
            done = treat(path, device="cpu", folder=folder)
    except Exception as error:  # a crash is an outcome: nothing was cured
        return Outcome(False, _mean(case.recipe()), 1.0, error=f"{type(error).__name__}: {error}"[:300])
    after = load_recipe(done.cured) if done.cured is not None else case.recipe()
    patch = {change.path: change.new for change in done.changes}
    return Outcome(
        done.cured is not None, _mean(after), done.cost, patch, str(done.ending), _codes(done), dict(done.costs)
    )


def _codes(done: Treated) -> tuple[str, ...]:
    return tuple(finding.code for finding in treatable(done.before))


def _by_chance(case: Case, budget: float, folder: Path) -> Outcome:
    with quiet():
        kept, cost = treated_by_chance(case.recipe(), budget, folder, random.Random(case.key))
    return _outcome(case, kept, cost)


def _by_autotrainer(case: Case, budget: float) -> Outcome:
    try:
        kept, cost, seen = treated_by_autotrainer(case.recipe(), budget)
    except BUILT_BADLY as error:
        return Outcome(False, _mean(case.recipe()), 1.0, error=str(error)[:300])
    return _outcome(case, kept, cost, tuple(seen))


def _outcome(case: Case, kept: LoadedRecipe, cost: float, codes: tuple[str, ...] = ()) -> Outcome:
    given = case.recipe().recipe.model_dump()
    changed = {
        f"{section}.{key}": value
        for section, values in kept.recipe.model_dump().items()
        if isinstance(values, dict)
        for key, value in values.items()
        if value != (given.get(section) or {}).get(key)
    }
    return Outcome(bool(changed), _mean(kept), cost, changed, codes=codes)


def _mean(loaded: LoadedRecipe) -> float:
    return fmean(floored(points(loaded, seed)) for seed in FRESH_SEEDS)
