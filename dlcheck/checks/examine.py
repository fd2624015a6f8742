"""The whole examination: every exam in its share of the time, then the rules."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.exams import EXAMS
from dlcheck.checks.patient import Patient
from dlcheck.checks.state import untouched
from dlcheck.components.losses import Loss, expected_first_loss, trivial_loss
from dlcheck.diagnosis.examine import examine as judge
from dlcheck.diagnosis.settings import Settings
from dlcheck.errors import one_line
from dlcheck.findings import NotChecked, Outcome
from dlcheck.monitor.record import Record
from dlcheck.report.exams import ExamRow
from dlcheck.report.report import Report
from dlcheck.rules import verdict
from dlcheck.training.assemble import describe_model
from dlcheck.training.device import seed_everything

LIMIT_S = 30.0
"""Seconds for all exams together; small networks need a third of it."""
Listener = Callable[[str, int, int], None]
"""Told the exam that begins, how many ended, and how many there are."""


@dataclass(frozen=True, slots=True)
class _Done:
    exam: Exam
    found: Measured | None
    why: str
    seconds: float


@dataclass(slots=True)
class _Shares:
    """Divides the time that is left among the exams that are left."""

    end: float
    exams: list[Exam] = field(default_factory=list)

    def deadline(self) -> float:
        now = time.monotonic()
        whole = sum(exam.share for exam in self.exams)
        return now + max(0.0, self.end - now) * self.exams[0].share / whole


def examine(
    patient: Patient,
    *,
    record: Record | None = None,
    settings: Settings | None = None,
    project: Settings | None = None,
    limit_s: float = LIMIT_S,
    listener: Listener | None = None,
    exams: Sequence[Exam] = EXAMS,
) -> Report:
    """Make every exam, and judge what was measured. The patient is as before afterwards, bit for bit.

    Args:
        patient: Whom to examine.
        record: Where facts go; it may belong to a run folder.
        settings: Of the person who asks, see ``dlcheck.diagnosis``.
        project: Of the project.
        limit_s: Seconds that the exams may take together; one that ran out of its share says so.
        listener: Told how far the examination is.
        exams: Which exams.

    Raises:
        DlcheckError: settings that name rules or thresholds which do not exist.
    """
    record = record or Record()
    record.meta |= {"format": "dlcheck-check"}
    if patient.recipe is not None:
        record.meta["recipe"] = patient.recipe.model_dump(mode="json", exclude_unset=True)
    for name, value in _plain(patient).items():
        record.fact(name, value)
    done = list(_all(patient, exams, limit_s, listener))
    for item in done:
        for fact in item.found.facts if item.found else ():
            record.put(fact)
        for name, value in item.found.plain.items() if item.found else ():
            record.fact(name, value)
    report = judge(record.run(), patient.name, settings or Settings(), project)
    outcome = _explained(report.outcome, done)
    rows = tuple(_row(item, outcome) for item in done)
    then = f"dlcheck train {patient.name}" if patient.recipe is not None else "train it"
    return replace(report, outcome=outcome, verdict=verdict(outcome), exams=rows, then=then)


def _all(patient: Patient, exams: Iterable[Exam], limit_s: float, listener: Listener | None) -> Iterator[_Done]:
    left = list(exams)
    shares = _Shares(time.monotonic() + limit_s, left)
    count = len(left)
    while left:
        if listener is not None:
            listener(left[0].name, count - len(left), count)
        patient.deadline = shares.deadline()
        yield _one(patient, left[0])
        left.pop(0)


def _one(patient: Patient, exam: Exam) -> _Done:
    began = time.monotonic()
    found, why = None, ""
    try:
        # What the user's code prints would spoil a report in JSON on standard output.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings(), untouched(patient):
            warnings.simplefilter("ignore")
            seed_everything(patient.seed)
            found = exam.measure(patient)
            why = "" if found is not None else "does not apply here"
    except Skipped as reason:
        why = one_line(reason)
    except MemoryError:
        why = "out of memory"
    except Exception as error:  # one exam's failure, or the user's code's, must not take the others along
        why = f"{type(error).__name__}: {one_line(error)}"
        error.__traceback__ = None  # its frames hold batches and graphs
    gc.collect(0)
    return _Done(exam, found, why, time.monotonic() - began)


def _row(done: _Done, outcome: Outcome) -> ExamRow:
    exam, found = done.exam, done.found
    if found is None:
        return ExamRow(exam.name, "not checked", exam.codes, why=done.why, seconds=done.seconds)
    codes = tuple(dict.fromkeys(finding.code for finding in outcome.findings if finding.code in exam.codes))
    lacking = {item.code: item.why for item in outcome.not_checked}
    row = ExamRow(exam.name, "measured", exam.codes, codes, found.number, found.expected, seconds=done.seconds)
    if codes:
        return replace(row, result="found")
    if any(code in outcome.clean for code in exam.codes):
        return replace(row, result="clean")
    unchecked = [lacking[code] for code in exam.codes if code in lacking]
    return replace(row, result="not checked", why=unchecked[0]) if unchecked else row


def _explained(outcome: Outcome, done: Sequence[_Done]) -> Outcome:
    """Let rules without their fact say what the exam said, rather than that an exam would measure it."""
    reasons = {code: f"{item.exam.name}: {item.why}" for item in done if item.found is None for code in item.exam.codes}
    made = {code for item in done if item.found is not None for code in item.exam.codes}

    def told(item: NotChecked) -> NotChecked:
        if item.code in reasons:
            return NotChecked(item.code, reasons[item.code], "")
        # Its exam was made and found that it does not apply: to make it again would not help.
        again = item.code in made and item.try_.startswith("dlcheck check")
        return replace(item, try_="") if again else item

    return replace(outcome, not_checked=tuple(map(told, outcome.not_checked)))


def _plain(patient: Patient) -> dict[str, object]:
    facts: dict[str, object] = {"recipe": patient.name, **describe_model(patient.model)}
    info = patient.info
    if info is None:
        return facts | {"samples": {"train": patient.train.samples}}
    facts |= {
        "task": info.task,
        "outputs": info.outputs,
        "input_shape": list(info.input_shape),
        "samples": dict(info.sizes),
        "notes": list(info.notes),
        "class_counts": list(info.class_counts),
    }
    if isinstance(patient.loss, Loss):
        facts["trivial_loss"] = trivial_loss(patient.loss, info)
        facts["expected_first_loss"] = expected_first_loss(patient.loss, info)
    if patient.parts is not None:
        metric = patient.parts.metric
        facts |= {"metric": metric.name, "metric_greater_is_better": metric.greater_is_better}
    return facts
