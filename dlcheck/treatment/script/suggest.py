"""From findings to prescriptions: words, and the edit where its place is certain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcheck.findings import Finding
from dlcheck.report.report import Report
from dlcheck.report.treated_script import Prescription
from dlcheck.treatment.judge import causes
from dlcheck.treatment.script.clipping import between, clip, limit, scaler_order, unscale
from dlcheck.treatment.script.graphs import detach, item
from dlcheck.treatment.script.probabilities import any_logarithm, any_squash, logarithm, no_squash, with_logits
from dlcheck.treatment.script.schedule import after_optimizer, end_of_epoch, into_batches, never, out_of_batches
from dlcheck.treatment.script.settings import learning_rate, shuffling, standardised
from dlcheck.treatment.script.source import Edit, Source, unified
from dlcheck.treatment.script.usage import eval_mode, step, train_mode, zero_grad, zero_grad_after
from dlcheck.treatment.script.weights import initialise, made_model, module_list, optimizer_last, whole_model

Make = Callable[[Source, Finding], list[Edit] | None]
EXACT: Mapping[str, tuple[Make, ...]] = {
    "G306": (zero_grad,),
    "G307": (step,),
    "G308": (unscale, between),
    "G311": (item,),
    "G312": (after_optimizer,),
    "M206": (no_squash, logarithm),
    "M207": (optimizer_last,),
    "M212": (eval_mode,),
    "M213": (train_mode,),
    **dict.fromkeys(("G304", "G305"), (scaler_order,)),
}
"""Faults of usage: these edits are made in a copy when asked for."""
SUGGESTED: Mapping[str, tuple[Make, ...]] = {
    **dict.fromkeys(("C401", "C404", "C405", "G304", "G305", "G310"), (learning_rate,)),
    "D102": (standardised,),
    "D109": (shuffling,),
    "G302": (clip, learning_rate),
    "G306": (zero_grad_after,),
    "G308": (limit,),
    "G311": (detach,),
    "G312": (end_of_epoch, out_of_batches, into_batches, never),
    "M202": (initialise,),
    "M203": (initialise,),
    "M206": (any_squash, any_logarithm, with_logits),
    "M207": (whole_model, made_model, module_list),
}
"""Edits that are printed: somebody must judge whether they are what was meant."""
SURE = 0.9
"""Confidence below which no edit is exact."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A prescription with its edits."""

    prescription: Prescription
    source: Source | None = None
    edits: tuple[Edit, ...] = ()


def suggestions(
    report: Report,
    script: Path,
    owned: Callable[[Path], bool] | None = None,
    arguments: Sequence[str] = (),
) -> list[Suggestion]:
    """Return what to do about each cause that is a warning or worse, the worst first.

    Args:
        report: Of the script, watched.
        script: Its file.
        owned: Which files may be edited; None: those in the script's folder.
        arguments: The script's own, before which a default that the script has counts for nothing.
    """
    folder = script.resolve().parent
    mine = owned or (lambda file: file.parent == folder)
    return [_suggestion(finding, script, mine, arguments) for finding in causes(report)]


def _suggestion(finding: Finding, script: Path, owned: Callable[[Path], bool], arguments: Sequence[str]) -> Suggestion:
    text = finding.remedies[0].text if finding.remedies else f"read dlcheck explain {finding.code}"
    source = _file(finding, script, owned)
    if source is None:
        return Suggestion(Prescription(finding, text))
    for make in (*EXACT.get(finding.code, ()), *SUGGESTED.get(finding.code, ())):
        edits = make(source, finding)
        after = source.edited(edits) if edits else None
        if edits and after is not None and not _overruled(source, edits, arguments):
            exact = make in EXACT.get(finding.code, ()) and finding.confidence >= SURE
            diff = unified(source, after, source.path.name)
            return Suggestion(Prescription(finding, text, diff, exact), source, tuple(edits))
    return Suggestion(Prescription(finding, text))


def _overruled(source: Source, edits: Sequence[Edit], arguments: Sequence[str]) -> bool:
    """Return whether an edit changes the default of an option that was given."""
    given = {one.partition("=")[0] for one in arguments if one.startswith("-")}
    lines = [source.text[: edit.start].count("\n") for edit in edits]
    return any(f'"{option}"' in source.lines[line].replace("'", '"') for option in given for line in lines)


def _file(finding: Finding, script: Path, owned: Callable[[Path], bool]) -> Source | None:
    """Return the file that a finding is about, the script where it names none."""
    path = Path(finding.where.file) if finding.where.file else script
    whole = path.resolve() if path.is_absolute() or path.exists() else (script.resolve().parent / path).resolve()
    # A module of another folder would not be found by its name beside the copy.
    return Source.read(whole) if whole.is_file() and owned(whole) else None
