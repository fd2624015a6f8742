"""dlcheck: a doctor for neural-network training in PyTorch.

``dlcheck.diagnose(path_or_table)`` reads the log of a training and says what is wrong with it;
``with dlcheck.watch(model, optimizer) as run:`` watches one; ``dlcheck.lr_find(recipe)`` or
``dlcheck.lr_find(model, optimizer, loader, loss)`` looks for a learning rate; ``dlcheck.treat(recipe)`` looks for a
cure and proves it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcheck.diagnosis import Diagnosis, diagnose
    from dlcheck.errors import DlcheckError
    from dlcheck.findings import Finding, Outcome, Remedy, Severity
    from dlcheck.report import Report
    from dlcheck.rules import Rule, rule
    from dlcheck.runs import Run, read_run
    from dlcheck.treatment.treat import treat
    from dlcheck.tuning.rate.api import lr_find
    from dlcheck.tuning.rate.found import FoundRate
    from dlcheck.watching.context import Watched, watch

__version__ = "0.1.0"

_HOMES = {
    "Diagnosis": "dlcheck.diagnosis",
    "DlcheckError": "dlcheck.errors",
    "Finding": "dlcheck.findings",
    "FoundRate": "dlcheck.tuning.rate.found",
    "Outcome": "dlcheck.findings",
    "Remedy": "dlcheck.findings",
    "Report": "dlcheck.report",
    "Rule": "dlcheck.rules",
    "Run": "dlcheck.runs",
    "Severity": "dlcheck.findings",
    "Watched": "dlcheck.watching.context",
    "diagnose": "dlcheck.diagnosis",
    "lr_find": "dlcheck.tuning.rate.api",
    "read_run": "dlcheck.runs",
    "rule": "dlcheck.rules",
    "treat": "dlcheck.treatment.treat",
    "watch": "dlcheck.watching.context",
}

__all__ = [
    "Diagnosis",
    "DlcheckError",
    "Finding",
    "FoundRate",
    "Outcome",
    "Remedy",
    "Report",
    "Rule",
    "Run",
    "Severity",
    "Watched",
    "__version__",
    "diagnose",
    "lr_find",
    "read_run",
    "rule",
    "treat",
    "watch",
]


if not TYPE_CHECKING:  # type checkers read the imports above, and so know what is not there

    def __getattr__(name: str) -> object:
        # Each name loads its own module on first use, so that ``import dlcheck`` stays light.
        if name not in _HOMES:
            raise AttributeError(f"module 'dlcheck' has no attribute {name!r}")
        value: object = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
