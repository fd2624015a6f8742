"""``dlcheck train --devices N``: torchrun for one machine, started, listened to and ended in good order."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType

from dlcheck.errors import ExitCode
from dlcheck.recipe.code import own_process

PARENT_S = 1.0
"""Seconds between two looks whether the command that started this one is still there."""
PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP")


def launch(arguments: Sequence[str], processes: int) -> int:
    """Run ``dlcheck`` with these arguments in several processes of this machine, and return the exit status.

    torchrun runs in a session of its own: every process would hear of Ctrl-C in a terminal, and once more from
    torchrun, where the first signal asks for a clean end and the second insists.
    """
    command = own_process("dlcheck.training.launch", str(processes), *arguments)
    child = subprocess.Popen(command, start_new_session=True)
    passed: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        passed.append(number)
        child.send_signal(number)

    with _handling(pass_on):
        status = child.wait()
    if passed:
        return 128 + passed[0]
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def _handling(handler: object) -> Iterator[None]:
    numbers = [getattr(signal, name) for name in PASSED_ON if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _torchrun(processes: str, arguments: Sequence[str]) -> int:
    """Run torchrun without its own words: what went wrong, the processes have said."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import get_args_parser, run

    logging.disable(logging.CRITICAL)
    command = own_process("dlcheck.__main__", *arguments)
    words = ["--standalone", "--nproc-per-node", processes, "--no-python", *command]
    try:
        run(get_args_parser().parse_args(words))  # type: ignore[no-untyped-call]
    except ChildFailedError as failed:
        status = int(failed.get_first_failure()[1].exitcode)
        return status if status > 0 else 128 - status
    except SignalException as ended:
        return 128 + int(ended.sigval)
    return ExitCode.OK


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, as kill -9 leaves nobody time to tell."""
    while os.getppid() == parent:
        time.sleep(PARENT_S)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run torchrun in this process, which ends with the one that started it, and exit with its status."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    sys.exit(_torchrun(sys.argv[1], sys.argv[2:]))
