"""One configuration to be measured, as it is handed to a child process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from dlcheck.profiling.rows import StepRow
from dlcheck.runs.facts import LoaderSetting

Mode = Literal["whole", "ideal", "copied", "loader"]
"""``whole``: the training as it is; ``ideal``: on a few batches that were kept on the device; ``copied``: on batches
kept in the memory of the host; ``loader``: the loader alone, no computation."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is profiled."""

    kind: Literal["recipe", "factory", "script", "module"]
    name: str
    """A recipe's name or file, ``package.module:factory``, a script's path, or a module's name."""
    arguments: tuple[str, ...] = ()
    """Of a script."""
    overrides: tuple[str, ...] = ()
    """Of a recipe, as ``--set`` has them."""
    device: str = "auto"
    seed: int | None = None

    @property
    def changes(self) -> tuple[str, ...]:
        """What is changed in a recipe: the overrides, and the seed as the last of them."""
        return (*self.overrides, *(() if self.seed is None else (f"train.seed={self.seed}",)))


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """How a child runs the subject; what is None stays as the user has it."""

    subject: Subject
    mode: Mode = "whole"
    loader: LoaderSetting = field(default_factory=LoaderSetting)
    precision: Literal["fp32", "bf16", "fp16"] | None = None
    tf32: bool | None = None
    channels_last: bool | None = None
    compile: bool | None = None
    threads: int | None = None
    kept: int = 4
    """Batches that ``ideal`` and ``copied`` repeat."""


@dataclass(frozen=True, slots=True)
class Block:
    """Steps that were made in one go."""

    rows: tuple[StepRow, ...]
    losses: tuple[float, ...] = ()
    """Of the same steps, where they are known."""
    ended: str = ""
    """Why the training made fewer steps than asked for: ``finished``, or what went wrong, in a line."""
    device_bytes: int | None = None
    """Allocated on a device of its own memory, when the block had ended; None without one."""


class Trial(Protocol):
    """One configuration, at rest between blocks; its process keeps model, loader and workers."""

    settings: TrialSettings
    startup_s: float
    """Until the first batch was there, loading of PyTorch and of the data left out."""

    def run(self, steps: int, *, skip: int = 0) -> Block:
        """Make ``skip`` steps and then ``steps`` more, and return the rows of the latter.

        Raises:
            DlcheckError: the child died, or the user's code failed in it; one line.
        """
        ...

    def close(self) -> None:
        """End the child and all its workers, at once; nothing is left running."""
        ...
