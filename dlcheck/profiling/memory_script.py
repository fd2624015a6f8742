"""Memory of a script's training step: one of its own steps is followed, since none can be taken out of it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dlcheck.errors import DlcheckError
from dlcheck.profiling.settings import TrialSettings
from dlcheck.runs.facts import MemoryNeed, MemoryPart

if TYPE_CHECKING:
    from torch import nn

    from dlcheck.checks.memory import Work
    from dlcheck.checks.memory.trace import Trace
    from dlcheck.checks.memory.tracker import Tracker

WARM_UP = 2
"""Steps before it, after which optimizers have their state and gradients are there."""
NOTE = "a step of the program itself was followed"


def script_memory(settings: TrialSettings) -> MemoryNeed:
    """Run a program in this process until one of its steps has been followed, and return that step's memory by cause.

    What the program holds besides (data, results of earlier steps) is not counted. The largest batch is a guess: that
    activations and the batch grow with it, and nothing else.

    Raises:
        DlcheckError: it cannot be run, or ends before its fourth step.
    """
    from dlcheck.profiling.meter import Meter
    from dlcheck.profiling.rig import build_rig, train_until_stopped

    rig, follower = build_rig(settings), Follower()
    meter = Meter(follower)
    meter.wanted = WARM_UP
    ended = train_until_stopped(rig, meter, follower.close)
    if follower.trace is None:
        raise DlcheckError(ended or "too few steps to follow one")
    return _need(follower.trace, rig.look().device)


class Follower:
    """Comes to know modules and optimizers in the first steps, and follows the one after."""

    def __init__(self) -> None:
        from torch.nn.modules.module import register_module_forward_pre_hook
        from torch.optim.optimizer import register_optimizer_step_post_hook

        self.trace: Trace | None = None
        self._modules: dict[int, nn.Module] = {}
        self._optimizers: dict[int, Any] = {}
        self._tracker: Tracker | None = None
        self._fed = False
        self._open = contextlib.ExitStack()
        self._open.callback(register_module_forward_pre_hook(self._called).remove)
        self._open.callback(register_optimizer_step_post_hook(self._stepped).remove)
        self._next: Callable[[Any], None] = self._follow

    def __call__(self, meter: Any) -> None:
        """Begin to follow, or end with what was seen.

        Raises:
            Stopped: the step has been followed.
        """
        self._next(meter)

    def close(self) -> None:
        """Take the hooks out."""
        self._open.close()

    def _called(self, module: nn.Module, inputs: Any) -> None:
        from torch import Tensor
        from torch.utils._pytree import tree_leaves

        self._modules[id(module)] = module
        if self._tracker is not None and not self._fed:
            self._fed = True
            self._tracker.note((one for one in tree_leaves(inputs) if isinstance(one, Tensor)), "batch")

    def _stepped(self, optimizer: Any, *_: Any) -> None:
        self._optimizers[id(optimizer)] = optimizer

    def _follow(self, meter: Any) -> None:
        from dlcheck.checks.memory.tracker import Tracker

        meter.take()
        meter.wanted = 1
        self._next = self._end
        work, tracker = self._work(), Tracker(imitated=False, strangers=True)
        for cause, tensors in work.standing().items():
            tracker.note(tensors, cause)
        tracker.note(work.gradients(), "gradients")
        tracker.note(work.state(), "optimizer")
        self._tracker = tracker
        self._since = tracker.moment
        self._open.enter_context(tracker.following(work))
        self._open.enter_context(tracker)
        tracker.step_begins()

    def _work(self) -> Work:
        import torch
        from torch import nn

        from dlcheck.checks.memory import Work

        optimizers = tuple(self._optimizers.values())
        return Work(nn.ModuleList(self._modules.values()), None, optimizers, torch.device("cpu"))

    def _end(self, meter: Any) -> None:
        from dlcheck.checks.memory.trace import Trace
        from dlcheck.watching.execute import Stopped

        tracker = self._tracker
        assert tracker is not None  # followed before
        self.close()
        tracker.step_ended(self._work())
        rows, _ = meter.take()
        self.trace = Trace(rows[-1].samples, tracker.pieces, self._since, tracker.calls)
        raise Stopped


def _need(trace: Trace, device: str) -> MemoryNeed:
    import torch

    from dlcheck.checks.memory.capacity import capacity
    from dlcheck.checks.memory.kernels import needs
    from dlcheck.checks.memory.ledger import line
    from dlcheck.checks.memory.need import fitting, guessed
    from dlcheck.checks.memory.trace import CUDA_ROUNDING

    place = torch.device(device)
    known = needs((call for call, _ in trace.calls), deadline=math.inf)
    inside = [known.get(call, 0) for call, _ in trace.calls]
    here = trace.balanced(inside, rounding=CUDA_ROUNDING if place.type == "cuda" else 1)
    room, ends = capacity(place), guessed(trace.size, here)
    return MemoryNeed(
        **here.parts,
        batch_size=trace.size,
        total=here.total,
        per_sample=line(*ends)[1],
        capacity=room,
        largest_batch=fitting(*ends, room) if trace.size else None,
        device=device,
        phase=here.phase,
        most=tuple(MemoryPart(cause, amount) for cause, amount in here.most.items()),
        note=NOTE,
    )
