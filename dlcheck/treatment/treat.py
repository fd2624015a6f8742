"""``dlcheck treat``: from a sick recipe to one that is measurably better, with the proof."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from dlcheck.diagnosis.settings import Settings, refuse_unknown
from dlcheck.errors import DlcheckError, Terminated, ended_by, terminable
from dlcheck.recipe import LoadedRecipe, load_recipe
from dlcheck.recipe.load import find_recipe
from dlcheck.recipe.override import parse_override
from dlcheck.report.treated import Ending, Treated, Yours
from dlcheck.report.treatment_words import proof_line
from dlcheck.runs.atomic import sweep
from dlcheck.runs.folder import RunFolder, default_run_path, read_object
from dlcheck.runs.hold import Hold
from dlcheck.treatment.budget import Budget, Purse, parse_budget
from dlcheck.treatment.course import Course
from dlcheck.treatment.diagnose import refuse_untreatable
from dlcheck.treatment.judge import sick, treatable
from dlcheck.treatment.left import ORIGINAL, leave, open_folder, refuse_foreign
from dlcheck.treatment.rates import FOUND, Rates
from dlcheck.treatment.rows.yours import yours
from dlcheck.treatment.trainings import Interrupted, Trainings

__all__ = ["Budget", "parse_budget", "treat"]
HALVED = (
    "of the recipe before, trainings after the first were made half as long: that one ended far below, and gained "
    "nothing in its second half"
)
Listener = Callable[[str], None]
Confirm = Callable[[Treated], bool]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom to treat."""

    loaded: LoadedRecipe
    source: str
    text: str | None = None
    """Of the recipe's file; None: there is none."""
    overrides: tuple[tuple[str, object], ...] = ()
    """Values over the file's, by path."""
    run: Path | None = None
    """A finished run of it."""


def treat(
    subject: str | Path | LoadedRecipe,
    *,
    run: Path | None = None,
    overrides: Iterable[str] = (),
    seed: int | None = None,
    device: str = "auto",
    budget: Budget | None = None,
    folder: Path | None = None,
    settings: Settings | None = None,
    listener: Listener | None = None,
    confirm: Confirm | None = None,
    dry_run: bool = False,
) -> Treated:
    """Diagnose a recipe, try the remedies of what was found, and keep what is measurably better.

    Nothing of the user's is changed: the cured recipe, its diff, the trainings and the report lie in a folder of
    their own. The same call with the same folder goes on where it was cut short, without training anything twice.

    Args:
        subject: A recipe's path, name or content.
        run: A finished run folder, whose recipe and signals are taken instead.
        overrides: ``KEY=VALUE`` over the recipe.
        seed: First seed of the trainings; None: the recipe's.
        device: ``auto``, ``cpu`` or ``cuda[:N]``.
        budget: Most to spend; None: 20 trainings, of 20 epochs each where the recipe has fewer.
        folder: Where everything goes; None: ``dlcheck-runs/NAME-treat-TIME``.
        settings: Which rules judge, by which thresholds.
        listener: Told in words what is under way.
        confirm: Asked with the plan before the first remedy is trained.
        dry_run: Diagnose and plan only.

    Raises:
        DlcheckError: bad recipe, data or settings; a recipe without validation data or with folds; a folder that
            belongs to something else, or that another treatment is writing into.
    """
    chosen = settings or Settings()
    refuse_unknown(chosen)
    whom = _whom(subject, run, overrides, seed)
    refuse_untreatable(whom.loaded)
    place = folder or default_run_path(f"{whom.loaded.name}-treat")
    refuse_foreign(place, whom.loaded)
    tell = listener or _silent
    purse = Purse(budget or Budget())
    trainings = Trainings(place / "runs", device, purse, tell)
    rates = Rates(device, purse, tell, steps=trainings.steps, file=place / FOUND)
    course = Course(whom.loaded, trainings, rates, chosen, tell)
    with terminable(), ExitStack() as stack:

        def hold() -> None:
            open_folder(place, whom.loaded)
            stack.enter_context(Hold(place))
            sweep(place)
            sweep(trainings.folder)

        ending, wish = _until_interrupted(course, whom, place, confirm, hold, dry_run=dry_run)
        done = _told(course, whom, place, ending, wish)
        return leave(done, whom.loaded, course.now, text=whom.text, overrides=whom.overrides)


def _until_interrupted(
    course: Course, whom: Subject, place: Path, confirm: Confirm | None, hold: Callable[[], None], *, dry_run: bool
) -> tuple[Ending | None, BaseException | None]:
    """Diagnose and treat; return an ending that is not told by what was reached, and what interrupted."""
    try:
        return _carried_out(course, whom, place, confirm, hold, dry_run=dry_run), None
    except (Interrupted, KeyboardInterrupt) as wish:
        return Ending.INTERRUPTED, wish


def _carried_out(
    course: Course, whom: Subject, place: Path, confirm: Confirm | None, hold: Callable[[], None], *, dry_run: bool
) -> Ending | None:
    course.examine()
    hold()  # not before: what cannot be built leaves nothing behind
    first = None
    if whom.run is not None:
        first = course.trainings.adopt(whom.loaded, course.seeds[0], whom.run)
    course.diagnose(first)
    if not treatable(course.report):
        return Ending.HEALTHY
    if dry_run or (confirm is not None and not confirm(_told(course, whom, place, Ending.PLANNED))):
        return Ending.PLANNED
    course.treat()
    course.prove_whole()
    return None


def _told(
    course: Course, whom: Subject, place: Path, ending: Ending | None, wish: BaseException | None = None
) -> Treated:
    number = None if wish is None else ended_by(wish)
    if course.before is None:  # before there was anything to tell
        if (place / ORIGINAL).exists():
            course.tell(f"interrupted; next: the same command with --run-dir {place}")
        raise KeyboardInterrupt if number in (None, signal.SIGINT) else Terminated(number or 0)
    proof, notes = course.proof, list(course.rates.notes)
    if proof is not None and not proof.better:
        notes.append(f"what was kept step by step is no proved gain over the original: {proof_line(proof)}")
        course.forget()
    if course.halved:
        notes.append(HALVED)
    trainings = course.trainings
    interrupted = ending is Ending.INTERRUPTED
    left = () if interrupted else yours(course.report, course.now, place, device=trainings.device)
    score, purse = trainings.score, trainings.purse
    return Treated(
        name=whom.loaded.name,
        source=whom.source,
        folder=place,
        ending=ending or _ending(course, left),
        metric=score.name,
        greater_is_better=score.greater_is_better,
        before=course.before,
        after=course.after,
        rounds=tuple(course.rounds),
        plan=course.plan() if ending in (Ending.PLANNED, Ending.INTERRUPTED) else (),
        changes=tuple(course.changes),
        proof=proof,
        yours=left,
        cost=purse.cost,
        seconds=purse.seconds,
        notes=tuple(notes),
        costs=dict(purse.spent),
        signal=number,
    )


def _ending(course: Course, left: tuple[Yours, ...]) -> Ending:
    if course.after is not None:
        return Ending.IMPROVED if sick(course.after) else Ending.CURED
    assert course.before is not None
    if not sick(course.before):
        return Ending.HEALTHY  # what was only unusual is no worse than usual
    if course.spent:
        return Ending.BUDGET
    tried = any(attempt.proof for one in course.rounds for attempt in one.attempts)
    return Ending.YOURS if left and not tried else Ending.NOT_CURED


def _whom(subject: str | Path | LoadedRecipe, run: Path | None, overrides: Iterable[str], seed: int | None) -> Subject:
    if run is not None:
        return _of_run(run)
    changed = [*overrides, *([] if seed is None else [f"train.seed={seed}"])]
    if isinstance(subject, LoadedRecipe):
        if changed:
            raise DlcheckError("overrides go with a recipe's path or name; this one is loaded already")
        return Subject(subject, subject.name)
    parsed = [parse_override(item) for item in changed]
    loaded = load_recipe(subject, changed)
    text = find_recipe(subject).read_bytes().decode("utf-8")
    return Subject(loaded, str(subject), text, tuple((".".join(path), value) for path, value in parsed))


def _of_run(run: Path) -> Subject:
    """Take a run that has ended.

    Raises:
        DlcheckError: not a run folder of ``dlcheck train``, or one that has not ended.
    """
    found = RunFolder.open(run)
    facts = read_object(found.facts)
    if not found.recipe.is_file():
        raise DlcheckError(f"{run}: holds no recipe; --run takes what dlcheck train left")
    if not facts.get("finished"):
        raise DlcheckError(f"{run}: this training has not ended; dlcheck train --resume {run} goes on with it")
    loaded = load_recipe(found.recipe)
    name = str(facts.get("recipe") or run.name)
    text = found.recipe.read_bytes().decode("utf-8")
    return Subject(replace(loaded, name=name), str(run), text, run=run)


def _silent(words: str) -> None:
    del words
