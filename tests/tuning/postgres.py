"""A PostgreSQL of the tests' own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
USER = "nobody"
"""PostgreSQL refuses to run as root."""


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as found:
        found.bind((address, 0))
        return int(found.getsockname()[1])


@contextmanager
def postgres(address: str = "127.0.0.1", network: str = "") -> Iterator[str]:
    """Start a server, and yield the URL of an empty database; ``network`` may use it beside this machine."""
    if not BINARIES:
        pytest.skip("no PostgreSQL on this machine")
    pytest.importorskip("psycopg2")
    binaries, home, port = BINARIES[-1].parent, Path(tempfile.mkdtemp(prefix="dlcheck-pg-")), free_port(address)
    user = USER if os.geteuid() == 0 else None
    if user is not None:
        os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    data = home / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": home}
    subprocess.run([binaries / "initdb", "-D", data, "-U", "me", "-A", "trust"], check=True, user=user, **quiet)  # type: ignore[call-overload]
    if network:
        with (data / "pg_hba.conf").open("a", encoding="utf-8") as access:
            access.write(f"host all all {network} trust\n")
    options = ["-p", str(port), "-k", str(home), "-c", f"listen_addresses={address}", "-c", "fsync=off"]
    process = subprocess.Popen([binaries / "postgres", "-D", data, *options], user=user, **quiet)  # type: ignore[call-overload]
    try:
        wait_for(port, address)
        yield f"postgresql://me:secret@{address}:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # "fast": it does not wait for those who are still connected
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def wait_for(port: int, address: str = "127.0.0.1") -> None:
    for _ in range(300):
        with socket.socket() as tried:
            if tried.connect_ex((address, port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start")
