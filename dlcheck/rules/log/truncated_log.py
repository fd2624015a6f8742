"""R704."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.log.any_scalar import ANY_SCALAR
from dlcheck.rules.rule import Limits, rule
from dlcheck.runs import Run

KINDS = ("truncated", "bad-record")


@rule(
    "R704",
    "truncated-log",
    Severity.INFO,
    needs=(ANY_SCALAR,),
    references=("TensorFlow, TFRecord: a checksum follows each record's length and data",),
)
def truncated_log(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a log that ends within a record, or that holds records which cannot be read.

    What it finds:
        A last line or record that was torn, and records in between whose checksum or syntax is wrong.
    Why it matters:
        The run may have gone on after what can be read, or was killed: its end is not the end of a training.
    What to do:
        Copy the log again when the run is over; look into the job's own output for what stopped it.
    Limits:
        A log that was cut exactly between two records looks whole.
    Thresholds:
        None: the test is exact.
    Sources:
        TensorFlow, format of TFRecord files (checksums of length and data).
    """
    events = [event for event in run.events if event.kind in KINDS]
    if not events:
        return
    torn = any(event.kind == "truncated" for event in events)
    broken = sum(event.kind == "bad-record" for event in events)
    said = ["its last record is torn"] if torn else []
    said += [f"{broken} records in it cannot be read"] if broken else []
    yield truncated_log.finding(
        f"the log is not whole: {' and '.join(said)}",
        confidence=0.99,
        evidence={"torn_end": torn, "unreadable_records": broken},
        where=Where(step=events[-1].step, epoch=events[-1].epoch),
        cause="a run that was killed while it wrote, a full disk, or a copy made while the run went on",
        remedies=(Remedy("copy the log again, and look into the job's output for what stopped it"),),
    )
