"""The peers of the benchmark: original packages where they are installed, and our re-implementations of rules."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.faults.peers.autotrainer import AutoTrainer
from tests.benchmarks.faults.peers.deepchecker import DeepChecker
from tests.benchmarks.faults.peers.deepdiagnosis import DeepDiagnosis
from tests.benchmarks.faults.peers.peer import Peer
from tests.benchmarks.faults.peers.sagemaker import SageMaker
from tests.benchmarks.faults.peers.torch_audit import TorchAudit
from tests.benchmarks.faults.peers.torchmortem import Torchmortem
from tests.benchmarks.faults.peers.training_doctor import TrainingDoctor
from tests.benchmarks.faults.peers.umlaut import Umlaut

_KINDS: tuple[type[Peer], ...] = (
    *(TrainingDoctor, Torchmortem, TorchAudit),
    *(SageMaker, AutoTrainer, DeepDiagnosis, Umlaut, DeepChecker),
)
PEERS: dict[str, Callable[[], Peer]] = {kind.name: kind for kind in _KINDS}
"""By name; those that end in ``-rules`` are our re-implementations."""

__all__ = ["PEERS", "Peer"]
