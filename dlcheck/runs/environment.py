"""Where a run took place, without importing any of the packages it names."""

import importlib.metadata
import os
import platform

PACKAGES = (
    "dlcheck",
    "torch",
    "torchvision",
    "numpy",
    "pandas",
    "scikit-learn",
    "optuna",
    "pytorch-optimizer",
    "lightning",
    "transformers",
)


def environment() -> dict[str, object]:
    """Return Python, platform, usable CPU cores and the versions of installed packages."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_cores": _usable_cores(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _usable_cores() -> int:
    # A container or batch system may grant fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
