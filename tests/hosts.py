"""Hosts with addresses of their own on one machine: network namespaces on a bridge; tests skip where there are none."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PORT = 29400
ROOT = Path(__file__).parents[1]


@dataclass
class Host:
    """One network namespace; its side of the cable is called eth0."""

    name: str
    address: str
    cable: str
    """This side of its cable, in the machine's own namespace."""
    names: Path
    """What stands for its /etc/hosts."""
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, command: Sequence[str], folder: Path, **environment: str) -> subprocess.Popen[str]:
        """Start a command there, under a host name of its own, in a session of its own."""
        names = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "eth0", "COLUMNS": "100"}
        words = ["ip", "netns", "exec", self.name, "unshare", "--uts", "--mount", "sh", "-c"]
        shell = f'hostname {self.name} && mount --bind {self.names} /etc/hosts && exec "$@"'
        with self.screen.open("a", encoding="utf-8") as screen:
            process = subprocess.Popen(
                [*words, shell, "sh", *command],
                cwd=folder,
                env={**os.environ, **names, **environment},
                stdout=subprocess.DEVNULL,
                stderr=screen,
                text=True,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    @property
    def screen(self) -> Path:
        """The file of all that was written to standard error there."""
        return self.names.with_name(f"{self.name}.err")

    def said(self) -> str:
        """Return it, on one line."""
        return " ".join(self.screen.read_text(encoding="utf-8").split())

    def cut(self) -> None:
        """Pull its cable."""
        ip("link", "set", self.cable, "down")

    def kill(self) -> None:
        """Switch it off: every process that was started on it dies at once."""
        for process in self.started:
            pids = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
            for pid in pids.stdout.split():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(int(pid), signal.SIGKILL)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Net:
    """Hosts, and the address at which this machine itself is on their bridge."""

    address: str
    hosts: tuple[Host, ...]


@contextmanager
def hosts(count: int = 2) -> Iterator[Net]:
    """Make hosts on a bridge, and leave nothing of them behind."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("unshare") is None:
        pytest.skip("network namespaces need root and iproute2")
    # Names of interfaces have at most 15 letters; a second run of the tests on this machine must not meet this one's.
    mark, third = f"{os.getpid() % 46656:x}", 1 + os.getpid() % 250
    bridge, made, names = f"dlcb{mark}", list[Host](), Path(tempfile.mkdtemp(prefix="dlcheck-hosts-"))
    try:
        if subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], capture_output=True, check=False).returncode:
            pytest.skip("this machine makes no bridges")
        ip("addr", "add", f"10.213.{third}.1/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for place in range(count):
            host = Host(f"dlc{mark}-{place}", f"10.213.{third}.{place + 2}", f"dlc{mark}v{place}", names / "hosts")
            made.append(host)
            with host.names.open("a", encoding="utf-8") as file:
                file.write(f"{host.address} {host.name}\n")
            ip("netns", "add", host.name)
            ip("link", "add", host.cable, "type", "veth", "peer", "name", "eth0", "netns", host.name)
            ip("link", "set", host.cable, "master", bridge, "up")
            ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
            ip("-n", host.name, "link", "set", "lo", "up")
            ip("-n", host.name, "link", "set", "eth0", "up")
        yield Net(f"10.213.{third}.1", tuple(made))
    finally:
        for host in made:
            host.kill()
            for process in host.started:
                process.wait(30)
            subprocess.run(["ip", "link", "del", host.cable], capture_output=True, check=False)
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", bridge], capture_output=True, check=False)
        shutil.rmtree(names)


def ip(*words: str) -> None:
    """Run iproute2.

    Raises:
        CalledProcessError: it refused.
    """
    subprocess.run(["ip", *words], check=True, capture_output=True)


def until(condition: Callable[[], object], seconds: float, what: str, on: Sequence[Host] = ()) -> None:
    """Wait for something that running hosts bring about; they may not end before."""
    limit = time.monotonic() + seconds
    while not condition():
        over = any(process.poll() is not None for host in on for process in host.started)
        if over or time.monotonic() > limit:
            raise AssertionError(f"{what}: {'ended' if over else 'not in time'}: {[host.said() for host in on]}")
        time.sleep(0.1)


def torchrun(place: int, first: Host, arguments: Sequence[str], nodes: int = 2) -> list[str]:
    """Return the command that starts one host's rank."""
    options: Mapping[str, str] = {
        "--nnodes": str(nodes),
        "--nproc-per-node": "1",
        "--rdzv-backend": "c10d",
        "--rdzv-endpoint": f"{first.address}:{PORT}",
        "--rdzv-id": "hosts",
    }
    rendezvous = [f"{name}={value}" for name, value in options.items()]
    local = f"--local-addr={first.address.rsplit('.', 1)[0]}.{place + 2}"
    return [sys.executable, "-m", "torch.distributed.run", *rendezvous, local, *arguments]


def reachable(address: str, port: int) -> bool:
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex((address, port)) == 0
