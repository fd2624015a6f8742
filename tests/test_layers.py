"""A file imports only from its own package or from those below it."""

import ast
from functools import cache
from pathlib import Path

import pytest

import dlcheck

ROOT = Path(dlcheck.__file__).parent
LAYERS = [
    "errors",
    "findings",
    "runs",
    "recipe",
    "rules",
    "report",
    "diagnosis",
    "monitor",
    "components",
    "training",
    "checks",
    "watching",
    "profiling",
    "tuning",
    "treatment",
    "cli",
]
TORCHLESS = ["errors", "findings", "runs", "recipe", "rules", "report", "diagnosis", "cli"]
TORCH = {"torch", "torchvision", "optuna", "pytorch_optimizer"}


def files(layer: str) -> list[Path]:
    """Return the files of a layer: those of a package, or the module of this name."""
    found = [*(ROOT / layer).rglob("*.py")] or [ROOT / f"{layer}.py"]
    assert all(path.is_file() for path in found)
    return found


@cache
def imports(path: Path) -> list[str]:
    """Return each imported module, at the top level of the file or within a function."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
            found += [f"dlcheck.{alias.name}" for alias in node.names if node.module == "dlcheck"]
    return found


@pytest.mark.parametrize("own", LAYERS)
def test_imports_only_from_below(own: str) -> None:
    for path in files(own):
        for module in imports(path):
            parts = module.split(".")
            if parts[0] == "dlcheck" and len(parts) > 1 and parts[1] in LAYERS:
                assert LAYERS.index(parts[1]) <= LAYERS.index(own), f"{path}: {module} lies above {own}"


@pytest.mark.parametrize("own", TORCHLESS)
def test_no_torch_below_the_line(own: str) -> None:
    for path in files(own):
        # Commands reach torch through the packages they call, and only once they run.
        if own != "cli" or path.stem != "progress":
            assert not {module.split(".")[0] for module in imports(path)} & TORCH, path


def test_every_package_has_its_layer() -> None:
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} <= {*LAYERS}
