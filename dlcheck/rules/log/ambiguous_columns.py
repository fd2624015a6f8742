"""R705."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.course import signal_series
from dlcheck.rules.log.any_scalar import ANY_SCALAR
from dlcheck.rules.rule import Limits, rule
from dlcheck.runs import Run

MOST_NAMED = 3


@rule(
    "R705",
    "ambiguous-columns",
    Severity.INFO,
    needs=(ANY_SCALAR,),
    references=("Wickham 2014, Tidy Data, J. Stat. Softw. 59(10)",),
)
def ambiguous_columns(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find columns of which it is not clear what they mean.

    What it finds:
        A log in which more than one column could be the loss, the validation loss or the counter, or in which
        the one that was taken is a guess; and training and validation losses that hold the same values.
    Why it matters:
        All that is said about the run rests on that choice.
    What to do:
        Say which is which with --map, or name the columns train_loss and val_loss.
    Limits:
        A name can be clear and wrong.
    Thresholds:
        None: the reader of the format says so, or the values are equal.
    Sources:
        Wickham 2014, Tidy Data, J. Stat. Softw. 59(10) (one variable, one column).
    """
    said = _said(run)
    if said:
        yield ambiguous_columns.finding(
            "; ".join(said[:MOST_NAMED]),
            confidence=0.9,
            evidence={"choices": len(said)},
            cause="names that fit several meanings",
            remedies=(Remedy('say which column is which: --map "val_loss=COLUMN"'),),
        )


def _said(run: Run) -> list[str]:
    listed = run.meta.get("ambiguous")
    said = [" ".join(str(item).split()) for item in listed] if isinstance(listed, list | tuple) else []
    return said + _identical(run)


def _identical(run: Run) -> list[str]:
    train, val = signal_series(run, "train_loss").values, signal_series(run, "val_loss").values
    same = len(train) == len(val) > 2 and np.array_equal(train, val) and bool((train != train[0]).any())
    return ["train_loss and val_loss hold the same values"] if same else []
