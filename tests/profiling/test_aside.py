"""A function called in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.profiling.aside import Aside, Died, aside
from tests.profiling.asides import crash, fail, killed, process, sleep


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_function_is_called_elsewhere_and_the_process_is_gone() -> None:
    with Aside() as other:
        pid = other.call(process)
        assert pid != os.getpid()
        assert other.call(process) == pid
        with pytest.raises(DlcheckError, match="ValueError: first line"):
            other.call(fail)
        assert other.call(process) == pid
    assert gone(pid)


@pytest.mark.parametrize(("function", "words"), [(crash, "ended"), (killed, "SIGKILL")])
def test_death_is_told_in_a_line(function: Callable[[], None], words: str) -> None:
    with pytest.raises(Died, match=words):
        aside(function)


def test_no_answer_in_time_ends_the_process() -> None:
    with Aside() as other:
        pid = other.call(process)
        with pytest.raises(Died, match="no answer"):
            other.call(sleep, timeout_s=0.3)
        assert gone(pid)
