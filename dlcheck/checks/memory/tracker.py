"""Writes down every tensor's memory in a step as it is taken and given back, on real tensors or imitated ones."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dlcheck.checks.memory.kernels import RECURRENT, Call, call_of
from dlcheck.checks.memory.ledger import Piece
from dlcheck.checks.memory.work import Work

READ = torch.ops.aten._local_scalar_dense.default
VALUES: dict[bool, Any] = {True: 1.0, False: 1}


class Tracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is on, tensors that operations return are written down, with the phase of the step they came in.

    What kernels take inside an operation is not seen here: such calls are kept in ``calls``, each with a piece whose
    bytes are for him to fill in who knows their needs.

    Args:
        imitated: Tensors have no values.
        strangers: Not all tensors that were there before have been noted.
    """

    def __init__(self, *, imitated: bool, strangers: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pieces: list[Piece] = []
        self.calls: list[tuple[Call, Piece]] = []
        self.phase = "start"
        self._imitated, self._strangers = imitated, strangers
        self._open: dict[int, tuple[Piece, Any]] = {}
        self._moment = 0

    @property
    def moment(self) -> int:
        """The present moment."""
        return self._moment

    def note(self, tensors: Iterable[Tensor], cause: str) -> None:
        """Say what these tensors are for; those not seen before are taken from now on."""
        for tensor in tensors:
            self._take(tensor).cause = cause

    @contextlib.contextmanager
    def following(self, work: Work) -> Iterator[None]:
        """Follow the phases of a step: what is a gradient, and what the optimizer keeps."""
        handles: list[Any] = []
        for optimizer in work.optimizers:
            handles.append(optimizer.register_step_pre_hook(lambda *_: self._update(work)))
            handles.append(optimizer.register_step_post_hook(lambda *_: self._updated(work)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def step_begins(self) -> None:
        """Begin a step."""
        self.phase = "forward"

    def step_ended(self, work: Work) -> None:
        """End a step; gradients that no optimizer moves are told too."""
        self.note(work.gradients(), "gradients")
        for tensor in work.idle_state():
            self._take(tensor).bytes = 0  # a real optimizer would not have made it

    def _update(self, work: Work) -> None:
        self.note(work.gradients(), "gradients")
        self.phase = "optimizer"

    def _updated(self, work: Work) -> None:
        self.note(work.state(), "optimizer")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is READ and self._imitated:
            # Without memory there is no value; what depends on one goes on as with a one.
            return bool(1) if args[0].dtype == torch.bool else VALUES[args[0].dtype.is_floating_point]
        self._turn()
        if self._strangers:
            self._admit(args, kwargs)
        outputs = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(outputs):
            if isinstance(tensor, Tensor):
                self._take(tensor)
        call = call_of(func, args, kwargs or {})
        if call is not None:
            self._called(call, outputs)
        return outputs

    def _called(self, call: Call, outputs: Any) -> None:
        self._moment += 2  # room for what the kernel takes and gives back
        inside = Piece(0, self._moment - 1, self.phase, "workspace", self._moment)
        self.calls.append((call, inside))
        if call.name == RECURRENT and self._imitated:
            piece = self._take(outputs[3])  # imitated without its size
            self.pieces.remove(piece)
            self.calls.append((replace(call, part="kept"), piece))

    def _admit(self, args: Any, kwargs: Any) -> None:
        """Tensors that come from elsewhere, as rows of a data set, were there before the step and count nothing."""
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor) and tensor.untyped_storage()._cdata not in self._open:
                self._take(tensor).bytes = 0

    def _turn(self) -> None:
        """Notice that a backward pass has begun or ended: activations are what is held then."""
        backward = torch._C._current_graph_task_id() != -1
        if backward and self.phase == "forward":
            self.phase = "backward"
            for piece, _ in self._open.values():
                if piece.phase == "forward" and piece.cause == "workspace":
                    piece.cause = "activations"
        elif not backward and self.phase == "backward":
            self.phase = "forward"  # of the next batch of this step; an optimizer tells that it begins

    def _take(self, tensor: Tensor) -> Piece:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._open:
            return self._open[key][0]
        self._moment += 1
        piece = Piece(storage.nbytes(), self._moment, self.phase)
        self.pieces.append(piece)
        self._open[key] = (piece, weakref.ref(storage, lambda _: self._give(key)))
        return piece

    def _give(self, key: int) -> None:
        self._moment += 1
        self._open.pop(key)[0].end = self._moment
