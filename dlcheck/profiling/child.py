"""What a process does in which a subject is profiled."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import FrameType
from typing import TYPE_CHECKING

from dlcheck.errors import DlcheckError, one_line
from dlcheck.profiling.ending import die_with
from dlcheck.watching.execute import Stopped

if TYPE_CHECKING:
    from dlcheck.profiling.meter import Meter
    from dlcheck.profiling.resting import Resting
    from dlcheck.profiling.settings import TrialSettings

GRACE_S = 3.0
"""Seconds for a training whose parent is gone to notice that by itself."""


def serve(control: int) -> None:
    """Serve one parent, and leave nothing behind: the process leads a group of its own, which ends with it.

    Args:
        control: Number of the file through which the parent speaks: first the settings, then as ``Resting`` has it.
    """
    parent = Connection(control)
    signal.signal(signal.SIGTERM, _stop_in(os.getpid()))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    settings: TrialSettings = parent.recv()
    threading.Thread(target=die_with, args=(parent.fileno(), GRACE_S), daemon=True).start()
    try:
        _serve(settings, parent)
    except Stopped:
        pass
    except DlcheckError as error:
        _send(parent, str(error))
    except BaseException as error:
        _send(parent, f"{settings.subject.name}: {type(error).__name__}: {one_line(error)}")
    _end()


def _serve(settings: TrialSettings, parent: Connection) -> None:
    from dlcheck.profiling.device_marks import device_marks
    from dlcheck.profiling.meter import Meter
    from dlcheck.profiling.resting import Resting
    from dlcheck.profiling.rig import build_rig

    rig = build_rig(settings)
    resting = Resting(parent, rig.look, keep_first=settings.mode == "whole")
    meter = Meter(resting, device_marks(rig.look().device))
    if settings.mode in ("ideal", "copied"):
        meter.wanted = settings.kept + 1  # a script trains on real batches until enough of them are kept
    ended = rig.train(meter)
    _finish(settings.subject.name, meter, resting, ended)


def _finish(name: str, meter: Meter, resting: Resting, ended: str) -> None:
    if resting.over:
        return
    if not meter.steps and not resting.ready:
        raise DlcheckError(ended if ended != "finished" else f"{name}: ended without a training step")
    resting.finish(meter, ended)


def _send(parent: Connection, line: str) -> None:
    with contextlib.suppress(OSError):
        parent.send(("error", line))


def _stop_in(process: int) -> Callable[[int, FrameType | None], None]:
    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:  # a worker, which inherited this
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise Stopped

    return stop


def _end() -> None:
    """End this process without waiting for anything that the subject left: threads, exit handlers, workers."""
    for process in _children():
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGTERM)
    os._exit(0)


def _children() -> list[int]:
    import multiprocessing

    return [process.pid for process in multiprocessing.active_children() if process.pid is not None]
