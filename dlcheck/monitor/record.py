"""What is measured of one run as it comes: kept in memory for rules, and written to a run folder if there is one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcheck.runs import CsvLog, Event, Part, Run, RunFolder, layer_frame, phase_frame, read_run, scalar_frame
from dlcheck.runs.facts import Fact, fact
from dlcheck.runs.facts.fact import F

ScalarRow = tuple[int, int | None, str, str, float]
"""Step, epoch, split, metric, value."""
SIGNAL_COLUMNS = ("step", "epoch", "split", "metric", "value")
LAYER_COLUMNS = ("step", "layer", "statistic", "value")
PHASE_COLUMNS = ("step", "phase", "seconds")
MOST_HELD = 5000
"""Written rows of a table that stay in memory as well; with more, those are let go: a training may last for days."""


class Record:
    """Collects the rows, facts and events of one run.

    Adding only remembers; ``flush`` writes what is new, so that nothing waits for a disk in the middle of a step.
    With a folder, rows that are written do not stay in memory for ever: ``run`` then reads them back.
    """

    def __init__(self, folder: RunFolder | None = None) -> None:
        self.folder = folder
        self.meta: dict[str, object] = {}
        """Becomes ``Run.meta``: what was trained and how, as far as its owner knows."""
        self._scalars: list[ScalarRow] = []
        self._layers: list[tuple[int, str, str, float]] = []
        self._phases: list[tuple[int, str, float]] = []
        self._facts: dict[str, object] = {}
        self._events: list[Event] = []
        self._new_facts: dict[str, object] = {}
        self._written = [0, 0, 0, 0]
        self._let_go = False
        """Some rows are in the folder alone."""
        self._logs: list[CsvLog] = []
        if folder is not None:
            self._logs = [
                CsvLog(folder.signals, SIGNAL_COLUMNS),
                CsvLog(folder.layers, LAYER_COLUMNS),
                CsvLog(folder.phases, PHASE_COLUMNS),
            ]

    def scalar(self, metric: str, value: float, *, step: int, epoch: int | None = None, split: str = "train") -> None:
        """Add a value of a metric; ``dlcheck.runs.signals`` lists the names."""
        self._scalars.append((step, epoch, split, metric, value))

    def layer(self, step: int, layer: str, statistic: str, value: float) -> None:
        """Add a statistic of a layer."""
        self._layers.append((step, layer, statistic, value))

    def phase(self, step: int, phase: str, seconds: float) -> None:
        """Add how long a phase of a step took."""
        self._phases.append((step, phase, seconds))

    def put(self, fact: Fact) -> None:
        """Add a fact with parts; it replaces an earlier one of its name."""
        for name, value in fact.as_dict().items():
            self.fact(name, value)

    def fact(self, name: str, value: object) -> None:
        """Add a plain fact; it replaces an earlier one of its name."""
        if self._facts.get(name) != value:
            self._facts[name] = self._new_facts[name] = value

    def known(self, kind: type[F]) -> F | None:
        """Return a fact with parts that was put in, None when there is none."""
        return fact(Run(facts=self._facts), kind)

    def event(self, event: Event) -> None:
        """Add something that happened."""
        self._events.append(event)

    def truncate_after(self, step: int) -> None:
        """Drop the rows of later steps from the folder's files, for a resume.

        Raises:
            DlcheckError: a file cannot be read or written.
        """
        for log in self._logs:
            log.truncate_after(step)

    def flush(self) -> None:
        """Write what is new to the folder; without one this does nothing.

        Raises:
            DlcheckError: no space or no permission.
        """
        if self.folder is None:
            return
        for place, (log, rows) in enumerate(zip(self._logs, self._tables(), strict=True)):
            fresh = rows[self._written[place] :]
            self._written[place] += len(fresh)
            for row in fresh:
                log.append(row)
            log.flush()
            if len(rows) > MOST_HELD:
                rows.clear()
                self._written[place], self._let_go = 0, True
        for event in self._events[self._written[3] :]:
            self.folder.add_event(event)
            self._written[3] += 1
        if self._new_facts:
            self.folder.add_facts(self._new_facts)
            self._new_facts = {}

    def run(self) -> Run:
        """Return everything so far as a run, for the rules.

        Raises:
            DlcheckError: the folder, in which some of it is, cannot be written or read.
        """
        if self._let_go and self.folder is not None:
            self.flush()
            told = read_run(self.folder.path)
            scalars, layers, phases = told.scalars, told.layers, told.phases
        else:
            scalars = scalar_frame(self._parts())
            layers = layer_frame(_columns(LAYER_COLUMNS, self._layers))
            phases = phase_frame(_columns(PHASE_COLUMNS, self._phases))
        return Run(
            scalars=scalars,
            layers=layers,
            phases=phases,
            facts=dict(self._facts),
            events=tuple(self._events),
            meta=dict(self.meta),
        )

    def _tables(self) -> tuple[list[Any], ...]:
        return self._scalars, self._layers, self._phases

    def _parts(self) -> list[Part]:
        series: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
        for step, epoch, split, metric, value in self._scalars:
            series[split, metric].append((step, np.nan if epoch is None else epoch, value))
        parts = []
        for (split, metric), rows in series.items():
            steps, epochs, values = np.array(rows, dtype=np.float64).T
            parts.append(Part(split, metric, values, steps, epochs))
        return parts


def _columns(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, object] | None:
    return dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else None
