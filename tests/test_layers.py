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
TORCHLESS = {"errors", "findings", "runs", "recipe", "rules", "report", "diagnosis", "cli"}
TORCH = {"torch", "torchvision", "optuna", "pytorch_optimizer"}
FILES = [path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in LAYERS]


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


def layer(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_from_below(path: Path) -> None:
    own = LAYERS.index(layer(path))
    for module in imports(path):
        parts = module.split(".")
        if parts[0] == "dlcheck" and len(parts) > 1 and parts[1] in LAYERS:
            assert LAYERS.index(parts[1]) <= own, f"{path}: {module} lies above {layer(path)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_torch_below_the_line(path: Path) -> None:
    if layer(path) not in TORCHLESS:
        return
    for module in imports(path):
        if layer(path) == "cli":
            # Commands reach torch through the packages they call, and only once they run.
            reaches = module.split(".")[0] in TORCH
            assert not reaches or path.stem == "progress", f"{path} imports {module}"
        else:
            assert module.split(".")[0] not in TORCH, f"{path} imports {module}"
