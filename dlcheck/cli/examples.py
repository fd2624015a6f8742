"""What a person may type, at the end of every command's help. A test parses each."""

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "": (
        "dlcheck train digits",
        "dlcheck watch train.py --epochs 3",
        "dlcheck diagnose lightning_logs",
    ),
    "train": (
        "dlcheck train digits",
        "dlcheck train digits-mlp --set optimizer.lr=0.01 --seed 1 --run-dir first",
        "dlcheck train --resume first",
    ),
    "check": (
        "dlcheck check digits",
        "dlcheck check recipe.toml --fail-on warning --select D,M2",
    ),
    "treat": (
        "dlcheck treat sick/rate-too-high --dry-run",
        "dlcheck treat --apply -- train.py --epochs 3",
    ),
    "tune": (
        "dlcheck tune digits --trials 20 --workers 2",
        "dlcheck tune --status dlcheck-studies/digits",
    ),
    "lr-find": (
        "dlcheck lr-find digits",
        "dlcheck lr-find recipe.toml --write",
    ),
    "profile-gpu": (
        "dlcheck profile-gpu digits --budget 60",
        "dlcheck profile-gpu -- train.py --epochs 1",
    ),
    "watch": (
        "dlcheck watch train.py --epochs 3",
        "dlcheck watch --live --stop-on error -m my_package.train",
    ),
    "diagnose": (
        "dlcheck diagnose lightning_logs --format html --output report.html",
        "dlcheck diagnose log.csv --map val_loss=eval/ce --verbose",
    ),
    "report": (
        "dlcheck report dlcheck-runs/first dlcheck-runs/second",
        "dlcheck report lightning_logs --output runs.html",
    ),
    "explain": (
        "dlcheck explain C404",
        "dlcheck explain overfit D1",
    ),
    "init": (
        "dlcheck init houses.csv --label price --task regression",
        "dlcheck init photos/ --output photos.toml",
    ),
}
"""Of each command; under the empty name of the program itself."""


def epilog(command: str) -> str:
    """Return the end of a command's help; the mark before it keeps its lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in EXAMPLES[command])])
