"""Seeds, threads, and where shared real data may lie."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine must not fail a property that holds; where CI is set, every run tries the same examples.
settings.register_profile("dlcheck", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("dlcheck")

SHARED_DATA = Path(os.environ.get("DLCHECK_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def pytest_configure() -> None:
    """Let Ctrl-C reach the processes that tests start: shells start theirs in the background without it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Seed every generator, and keep to one thread: small networks run faster so."""
    import random

    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Hold every test to giving back the signals that it, or what it calls, listened to."""
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(kind) for kind in kinds]
    yield
    after = [signal.getsignal(kind) for kind in kinds]
    for kind, handler in zip(kinds, before, strict=True):
        signal.signal(kind, handler or signal.SIG_DFL)
    assert after == before


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of shared real data sets, or skip the test."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no shared data sets beside the checkout")
    return SHARED_DATA
