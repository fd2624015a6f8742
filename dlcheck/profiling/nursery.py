"""A process that has loaded PyTorch, from which the children of one profile are forked in a moment.

A profile needs a dozen processes; loading PyTorch for each would cost it half of its time. What is forked has computed
nothing and knows no device yet, so every child starts as fresh as the last.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable

PID = struct.Struct("=i")
NEW, STATUS = b"n", b"s"
"""Requests: a child, with its pipe, its standard error, and modules to load before; how a child ended."""
SHARED = ("PIL", "dlcheck", "mpmath", "numpy", "pandas", "scipy", "sklearn", "sympy", "torch", "torchvision")
"""Libraries that compute nothing when they are imported."""
ACTIVE = ("torch._inductor", "torch.testing")
"""Of these, what starts processes or expects tests around it."""
RUNNING = 1 << 16
"""In place of an exit status."""


def main() -> None:
    """Serve one parent until it is gone or has enough, whose open file is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = socket.socket(fileno=int(sys.argv[1]))
    run = _load()
    while True:
        request, files, *_ = socket.recv_fds(parent, 1, 2)
        if request == NEW:
            _load_more(_text(parent))
            child = os.fork()
            if not child:
                parent.close()
                _live(files, run)
            for file in files:
                os.close(file)
            parent.sendall(PID.pack(child))
        elif request == STATUS:
            parent.sendall(PID.pack(_status(PID.unpack(parent.recv(PID.size))[0])))
        else:
            return


def _load() -> Callable[[int], None]:
    from dlcheck.profiling.child import serve
    from dlcheck.profiling.loader_hooks import LoaderHooks  # noqa: F401  # with it comes all that any child needs
    from dlcheck.profiling.rig_factory import FactoryRig  # noqa: F401
    from dlcheck.profiling.rig_recipe import RecipeRig  # noqa: F401
    from dlcheck.profiling.rig_script import ScriptRig  # noqa: F401

    return serve


def loaded() -> str:
    """Return the names of this process's modules that every further child may have from the start, in a line each.

    A script's own modules, and libraries that look at what it has set before, are its own affair.
    """
    names = sorted(name for name in list(sys.modules) if name.partition(".")[0] in SHARED)
    return "\n".join(name for name in names if not name.startswith(ACTIVE))


def _load_more(names: str) -> None:
    for name in names.split("\n"):
        if name and name not in sys.modules:
            with contextlib.suppress(Exception):  # a child that needs it will tell
                importlib.import_module(name)


def _text(parent: socket.socket) -> str:
    length = PID.unpack(parent.recv(PID.size, socket.MSG_WAITALL))[0]
    return parent.recv(length, socket.MSG_WAITALL).decode() if length else ""


def _live(files: list[int], run: Callable[[int], None]) -> None:
    """Be a child, and never return."""
    try:
        os.setsid()
        control, errors = files
        os.dup2(errors, 2)
        os.close(errors)
        run(control)
    finally:
        os._exit(1)


def _status(child: int) -> int:
    with contextlib.suppress(ChildProcessError):
        found, status = os.waitpid(child, os.WNOHANG)
        if not found:
            return RUNNING
        _ended[child] = os.waitstatus_to_exitcode(status)
    return _ended.get(child, 0)


_ended: dict[int, int] = {}


if __name__ == "__main__":
    main()
