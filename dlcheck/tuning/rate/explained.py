"""Whatever somebody's own code raises in a short run, as one clear line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dlcheck.errors import DlcheckError, one_line
from dlcheck.tuning.rate.subject import Subject


@contextmanager
def explained(subject: Subject) -> Iterator[None]:
    """Turn what the user's code or the machine cannot do into a ``DlcheckError``.

    Raises:
        DlcheckError: anything but an interruption was raised inside.
    """
    try:
        yield
    except DlcheckError:
        raise
    except torch.OutOfMemoryError as error:
        place = subject.patient.device
        raise DlcheckError(f"{subject.name}: {place} is out of memory; take a smaller batch size") from error
    except Exception as error:  # whatever the user's code raises is bad input to us
        kind = type(error).__name__
        raise DlcheckError(f"{subject.name}: a training step raised {kind}: {one_line(error)}") from error
