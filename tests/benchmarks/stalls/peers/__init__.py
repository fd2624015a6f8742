"""Other profilers on the same scripts: each runs them in its own way, and its words are put into our classes.

They are installed in an environment of their own, whose folder is given to the benchmark::

    python -m venv PEERS
    PEERS/bin/pip install torch torchvision traceml-ai==0.5.0 gpuprof==0.7.1 loadtune==0.3.0 accelerate torchinfo
"""

from __future__ import annotations

from tests.benchmarks.stalls.peers.gpuprof import Gpuprof
from tests.benchmarks.stalls.peers.loadtune import Loadtune
from tests.benchmarks.stalls.peers.peer import Peer
from tests.benchmarks.stalls.peers.traceml import TraceML

PEERS: dict[str, Peer] = {"TraceML": TraceML(), "gpuprof": Gpuprof(), "loadtune": Loadtune()}
"""Each by its name."""

__all__ = ["PEERS", "Peer"]
