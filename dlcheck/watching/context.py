"""``with dlcheck.watch(model, optimizer) as run:`` in a loop of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import torch
from torch import nn

from dlcheck.diagnosis.settings import Settings
from dlcheck.findings import Finding
from dlcheck.runs import Run
from dlcheck.watching.session import Session

if TYPE_CHECKING:
    from dlcheck.report.report import Report


class Watched:
    """A training under watch, from ``with`` to its end.

    Hooks listen to the whole of PyTorch meanwhile, so that losses, batches and evaluations need not be told of;
    steps of other optimizers than those given are left out.
    """

    def __init__(
        self,
        models: Iterable[nn.Module],
        optimizers: list[torch.optim.Optimizer],
        settings: Settings,
        path: Path | None,
    ) -> None:
        self._models, self._optimizers = list(models), optimizers
        self._session = Session.create("watch", settings, path)
        self._report: Report | None = None

    @property
    def folder(self) -> Path:
        """The run folder, which ``dlcheck diagnose`` reads."""
        return self._session.folder.path

    def __enter__(self) -> Watched:
        self._session.begin()
        observer = self._session.observer
        assert observer is not None  # torch is imported here
        for model in self._models:
            observer.models.alive.update(model.modules())
        if self._optimizers:
            observer.limit(self._optimizers)
        for optimizer in self._optimizers:
            observer.optimizer_made(optimizer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.end(finished=error is None, error=error)
        self._report = self._session.report()

    @property
    def report(self) -> Report:
        """The run, judged; known once the training is over.

        Raises:
            RuntimeError: it is still under way.
        """
        if self._report is None:
            raise RuntimeError("the training is still under way: read the report after the with block")
        return self._report

    @property
    def run(self) -> Run:
        """What was measured."""
        return self.report.run

    @property
    def verdict(self) -> str:
        """``sick``, ``healthy`` or ``unknown``."""
        return self.report.verdict

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, causes first."""
        return self.report.outcome.findings

    def __str__(self) -> str:
        """Return the diagnosis as the command line prints it."""
        from dlcheck.report.render import to_text
        from dlcheck.report.triage import Triage

        return to_text(Triage([self.report]))


def watch(
    model: nn.Module | Iterable[nn.Module] = (),
    optimizer: torch.optim.Optimizer | Iterable[torch.optim.Optimizer] = (),
    *,
    run_dir: str | Path | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    thresholds: Mapping[str, Mapping[str, float]] | None = None,
) -> Watched:
    """Watch a training in a loop of one's own: ``with dlcheck.watch(model, optimizer) as run:``.

    Results do not change: losses, gradients, weights and random streams are what they would be without it.

    Args:
        model: The model, or several.
        optimizer: The optimizer, or several; unset: all that step.
        run_dir: The run folder to make; unset: ``dlcheck-runs/watch-DATE-TIME``.
        select: Code prefixes of the rules to apply; empty: all.
        ignore: Code prefixes to leave out; the longest prefix wins.
        thresholds: Other thresholds by rule code and name.

    Raises:
        DlcheckError: the run folder exists.
    """
    models = [model] if isinstance(model, nn.Module) else list(model)
    optimizers = [optimizer] if isinstance(optimizer, torch.optim.Optimizer) else list(optimizer)
    settings = Settings(tuple(select), tuple(ignore), None, thresholds or {})
    return Watched(models, optimizers, settings, Path(run_dir) if run_dir is not None else None)
