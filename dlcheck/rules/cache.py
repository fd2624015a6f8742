"""What several rules measure of a run, measured once."""

import weakref
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from dlcheck.runs import Run

P = ParamSpec("P")
T = TypeVar("T")
_measured: dict[int, dict[object, object]] = {}


def per_run(measure: Callable[Concatenate[Run, P], T]) -> Callable[Concatenate[Run, P], T]:
    """Return a measurement that is made once for each ``Run.scalars``, and forgotten with it.

    Only for measurements that depend on nothing else of the run, and whose further arguments are hashable.
    """

    @wraps(measure)
    def cached(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> T:
        known = _known(run)
        key = (measure, args, tuple(kwargs.items()))
        if key not in known:
            known[key] = measure(run, *args, **kwargs)
        return known[key]  # type: ignore[return-value]

    return cached


def _known(run: Run) -> dict[object, object]:
    key = id(run.scalars)
    if key not in _measured:
        _measured[key] = {}
        weakref.finalize(run.scalars, _measured.pop, key, None).atexit = False
    return _measured[key]
