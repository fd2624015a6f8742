"""The catalogue of faults: what people do wrong, each as a change of a plan."""

from __future__ import annotations

from types import ModuleType

from tests.benchmarks.faults.plants import data, loop, loss, model, optimizer, schedule
from tests.benchmarks.faults.plants.fault import Fault

__all__ = ["FAULTS", "Fault"]


def _all(*modules: ModuleType) -> dict[str, Fault]:
    found: dict[str, Fault] = {}
    for module in modules:
        for fault in (one for one in vars(module).values() if isinstance(one, Fault)):
            if fault.name in found:
                raise ValueError(f"two faults are called {fault.name}")
            found[fault.name] = fault
    return found


FAULTS: dict[str, Fault] = _all(data, model, loss, optimizer, loop, schedule)
"""All faults by name."""
