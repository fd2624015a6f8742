"""D104."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Unchecked, measured, rule
from dlcheck.rules.site import at, listed, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import LabelRange


@rule(
    "D104",
    "label-out-of-range",
    Severity.ERROR,
    needs=("label_range",),
    references=("PyTorch documentation, torch.nn.CrossEntropyLoss (targets from 0 to C - 1)",),
)
def label_out_of_range(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find class codes for which the network has no output.

    What it finds:
        Labels below 0, or at least as large as the number of outputs, other than the code that the loss
        leaves out (``ignore_index``).
    Why it matters:
        On a CPU the loss raises an exception; on a GPU it stops the whole process with a device-side assert
        somewhere later; a loss that does not check is computed against the wrong thing.
    What to do:
        Number the classes from 0 to C - 1, or give the network an output for each class.
    Limits:
        Only labels that were looked at count: ``watch`` sees those of the batches that came.
    Thresholds:
        None: the test is exact.
    Sources:
        PyTorch documentation, torch.nn.CrossEntropyLoss: targets from 0 to C - 1.
    """
    seen = measured(run, LabelRange)
    if seen.labels <= 0 or seen.classes <= 0:
        raise Unchecked("no labels, or no outputs to compare them with, were looked at")
    if seen.bad > 0:
        yield _judge(seen)


def _judge(seen: LabelRange) -> Finding:
    crashed = ", which stopped the script" if seen.crashed else ""
    return label_out_of_range.finding(
        f"{seen.bad} of {seen.labels} labels of {seen.split} lie outside 0 … {seen.classes - 1}, "
        f"the codes of the {seen.classes} outputs: they range from {seen.low} to {seen.high}{crashed}{at(seen.site)}",
        confidence=0.98,
        evidence={
            "bad_labels": seen.bad,
            "labels": seen.labels,
            "lowest": seen.low,
            "highest": seen.high,
            "classes": seen.classes,
            "samples": listed([str(index) for index in seen.examples], most=10) if seen.examples else None,
        },
        where=site_where(seen.site),
        cause=_cause(seen),
        remedies=_remedies(seen),
    )


def _cause(seen: LabelRange) -> str:
    if seen.low == 1 and seen.high == seen.classes:
        return "classes that are counted from 1"
    if seen.low < 0:
        return "a code for a missing label (such as -1) that the loss is not told to leave out"
    return "fewer outputs than classes, or codes with gaps"


def _remedies(seen: LabelRange) -> tuple[Remedy, ...]:
    renumber = Remedy("number the classes from 0: subtract the lowest code, or map each code to its rank")
    wider = Remedy(f"give the last layer {seen.high + 1} outputs")
    if seen.low < 0:
        return (Remedy(f"drop those samples, or tell the loss ignore_index={seen.low}"), renumber)
    return (renumber, wider) if seen.low > 0 else (wider, renumber)
