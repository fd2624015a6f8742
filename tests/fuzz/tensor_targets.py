"""What comes from a disk as tensors: checkpoints, and arrays that a recipe names as its data. Needs torch, late."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.fuzz.target import Target

ARRAYS = (".npz", ".npy", ".pt")


def tensor_targets() -> list[Target]:
    """Return both."""
    return [Target("checkpoint", _checkpoint, _checkpoints), Target("arrays", _arrays, _array_files)]


def _checkpoints() -> list[bytes]:
    import torch

    model = {"0.weight": torch.ones(2, 2)}
    values: dict[str, Any] = {"epoch": 3, "model": model, "best": float("nan"), "words": [1, "a"]}
    random = {"torch": torch.zeros(4, dtype=torch.uint8), "python": [3, [1, 2], None]}
    return [_saved(values), _saved({"random": random})]


def _saved(value: object) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _checkpoint(content: bytes, folder: Path) -> None:
    import torch

    from dlcheck.training.checkpoint import load_checkpoint

    path = folder / "last.pt"
    path.write_bytes(content)
    assert isinstance(load_checkpoint(path, torch.device("cpu")), dict)


def _array_files() -> list[bytes]:
    import numpy as np
    import torch

    several, one = io.BytesIO(), io.BytesIO()
    np.savez(several, x=np.ones((3, 2), dtype=np.float32), y=np.arange(3))
    np.save(one, np.ones(3))
    files = (several.getvalue(), one.getvalue(), _saved({"x": torch.ones(3, 2), "y": torch.arange(3)}))
    return [bytes([place]) + content for place, content in enumerate(files)]


def _arrays(content: bytes, folder: Path) -> None:
    """Read a file whose first byte says its suffix."""
    import numpy as np

    from dlcheck.components.data.arrays import read_arrays

    path = folder / f"data{ARRAYS[content[0] % len(ARRAYS) if content else 0]}"
    path.write_bytes(content[1:])
    found: Mapping[str, object] = read_arrays(path)
    assert all(isinstance(name, str) and isinstance(array, np.ndarray) for name, array in found.items())
