"""Where a training runs, on how many threads, from which seeds."""

import os
import random

import numpy as np
import torch

from dlcheck.errors import DlcheckError


def choose_device(name: str) -> torch.device:
    """Return the device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        DlcheckError: no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DlcheckError(f"--device {name}: expected auto, cpu or cuda[:N]") from None
    if device.type not in ("cpu", "cuda"):
        raise DlcheckError(f"--device {name}: expected auto, cpu or cuda[:N]")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DlcheckError(f"--device {name}: PyTorch sees {torch.cuda.device_count()} CUDA devices here")
    return device


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's generators, on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def set_deterministic(deterministic: bool) -> None:
    """Allow only deterministic algorithms, or let PyTorch choose freely."""
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS demands it for repeatable sums
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = not deterministic


def set_tf32(tf32: bool) -> None:
    """Let CUDA compute fp32 matrix products from TensorFloat-32 factors, or exactly; other devices know no such thing.

    Convolutions stay as PyTorch has them, which allows it there by default.
    """
    torch.backends.cuda.matmul.allow_tf32 = tf32
