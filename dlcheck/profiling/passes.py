"""The passes of a profile: each measures one thing in children of its own, as far as the budget allows."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dlcheck.errors import DlcheckError, one_line
from dlcheck.profiling.aside import Aside
from dlcheck.profiling.candidates import Known
from dlcheck.profiling.ceilings import ceilings
from dlcheck.profiling.deep import deep_pass
from dlcheck.profiling.device_use import measure_device
from dlcheck.profiling.environment import Environment
from dlcheck.profiling.found import Found
from dlcheck.profiling.memory import largest_batch, memory_need
from dlcheck.profiling.nvml import NvmlSampler, Usage
from dlcheck.profiling.observe import observe
from dlcheck.profiling.predict import learn
from dlcheck.profiling.rows import StepRow
from dlcheck.profiling.settings import Mode, Subject, TrialSettings
from dlcheck.profiling.sweep import sweep
from dlcheck.profiling.trial import ChildTrial, start_trial
from dlcheck.profiling.whatif import whatif
from dlcheck.recipe import Recipe
from dlcheck.runs.facts import Ceilings, ComputeTrials, CpuUse, Fact, LoaderTimes, StepTimes
from dlcheck.runs.facts.fact import F

OBSERVE_SHARE = 0.14
"""Of the budget, for observing the training as it is."""
DEVICE_SHARE = 0.25
"""Of the budget, kept from the sweeps for memory and device."""
MEMORY_SHARE = 0.6
"""Of what is left then, for memory."""
CEILING_S = 4.0
"""For the steps of one ceiling, at most."""
CEILING_STEPS = 40
COMPUTE_SHARE = 0.4
"""Of what is left of the budget, for other ways to compute; the loader has the rest."""
MOST_LOADING = 0.5
"""Share of a step from which on loading comes first: nothing else is tried before it is mended."""
LARGEST_SHARE = 0.2
"""Of what is left of the budget, for trying larger batches on CUDA."""
PASS_S = 4.0
"""Seconds that must be left beyond the start of a child for another pass to begin."""
if TYPE_CHECKING:
    from dlcheck.profiling.handover import HandOver

Listener = Callable[[str], None]
"""Told in words what is under way."""


@dataclass(slots=True)
class Passes:
    """The passes of one profile, and what they found so far."""

    subject: Subject
    deadline: float
    budget_s: float
    listener: Listener
    rows: tuple[StepRow, ...] = ()
    facts: list[Fact] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    environment: Environment = field(default_factory=Environment)
    recipe: Recipe | None = None
    """Of a recipe, as the user has it."""
    usage: Usage = field(default_factory=Usage)
    """Of the GPU while the training was observed."""
    start_s: float = 0.0
    """That a child took to begin."""
    _present: ChildTrial | None = None
    _found: Found | None = None

    def __enter__(self) -> Passes:
        return self

    def __exit__(self, *_: object) -> None:
        self._rest()

    def _rest(self) -> None:
        """End the child that trains as the user has it."""
        if self._present is not None:
            self._present.close()
            self._present = None

    def _start(self, settings: TrialSettings) -> ChildTrial:
        """Start a child that may take no longer than the budget lasts."""
        return start_trial(settings, timeout_s=max(PASS_S, self.left_s))

    @property
    def base(self) -> TrialSettings:
        """The training as the user has it."""
        return TrialSettings(self.subject)

    @property
    def found(self) -> Found:
        """What is known of the training by now."""
        assert self._found is not None  # observed first
        return self._found

    @property
    def left_s(self) -> float:
        """Seconds that are left of the budget."""
        return self.deadline - time.monotonic()

    def _enough(self) -> bool:
        """Return whether the time that is left allows a pass with a child of its own."""
        return self.left_s >= self.start_s + PASS_S

    def observe(self) -> None:
        """Observe the training as it is; what fails here fails the profile."""
        self.listener("loading PyTorch and the data")
        began = time.monotonic()
        self._present = start_trial(self.base)
        self.start_s = time.monotonic() - began
        self.listener("observing the training as it is")
        device = self._present.found.device if self._present.found is not None else "cpu"
        with NvmlSampler(device) as sampler:
            self.rows, facts = observe(self._present, self.environment, budget_s=OBSERVE_SHARE * self.budget_s)
        self._found, self.usage = self._present.found, sampler.usage
        self.facts += facts

    def ceilings(self) -> None:
        """Measure how fast it would be without loading, without copies, and how fast the loader alone is."""
        modes: tuple[Mode, ...] = ("ideal", "copied", "loader") if self.found.device != "cpu" else ("ideal", "loader")
        steps = {mode: self._ceiling(mode) for mode in modes if mode != "loader" or self.found.kind != "memory"}
        self.facts.append(
            ceilings(
                self.rows,
                steps.get("ideal", ()),
                steps.get("copied", ()),
                loader=steps.get("loader", ()),
                found=self.found,
                note="; ".join(self.notes),
            )
        )

    def _ceiling(self, mode: Mode) -> tuple[StepRow, ...]:
        if not self._enough():
            self.notes.append(f"no time was left to measure the ceiling {mode!r}")
            return ()
        self.listener(CEILING_WORDS[mode])
        try:
            with self._child(replace(self.base, mode=mode)) as trial:
                first = trial.run(2)
                step_s = max(first.rows[-1].period, 1e-6) if first.rows else 1.0
                allowed = min(CEILING_S, self.left_s / 2)
                return trial.run(max(2, min(CEILING_STEPS, int(allowed / step_s)))).rows
        except DlcheckError as error:
            self.notes.append(f"the ceiling {mode!r} could not be measured: {one_line(error)}")
            return ()

    def device(self) -> None:
        """Measure memory by cause, what the device reaches, and on CUDA look closely at a few steps."""
        if not self._enough():
            self.notes.append("no time was left to measure memory and device")
            return
        self.listener("memory by cause, and what the device reaches")
        with Aside() as child:
            known = False
            with self._excused("memory by cause"):
                self._memory(child)
                known = True
            with self._excused("the device"):
                self._speeds(child if known else None)  # the first may have died of it

    def _memory(self, child: Aside) -> None:
        need = memory_need(self.subject, timeout_s=max(PASS_S, MEMORY_SHARE * self.left_s), child=child)
        if need is not None:
            self.facts.append(largest_batch(self.subject, need, budget_s=LARGEST_SHARE * self.left_s))

    def _speeds(self, child: Aside | None) -> None:
        found = self.found
        use, copies = measure_device(
            self.subject,
            found.device,
            precision=found.precision or "fp32",
            period_s=self.period_s,
            step_s=self.ideal_s,
            usage=self.usage,
            timeout_s=max(PASS_S, self.left_s),
            child=child,
        )
        self.facts.append(use)
        pinned = copies.pinned if copies is not None else None
        deep = deep_pass(self.base, found.device, pinned_gb_per_s=pinned, timeout_s=max(PASS_S, self.left_s))
        self.facts += deep.facts
        self.notes += [deep.note] if deep.note else []

    @contextlib.contextmanager
    def _excused(self, what: str) -> Iterator[None]:
        """Note what went wrong in a pass: the rest of the profile stands without it."""
        try:
            yield
        except (DlcheckError, RuntimeError, MemoryError) as error:
            self.notes.append(f"{what} could not be measured: {one_line(error)}")

    def compute(self) -> None:
        """Try other ways to compute, where computing is worth the time."""
        budget = COMPUTE_SHARE * (self.left_s - DEVICE_SHARE * self.budget_s)
        if budget < 2 * self.start_s + PASS_S or self._loading_share() > MOST_LOADING:
            return
        self._rest()  # with the two of the trials it would be one child too many
        with self._excused("other ways to compute"):
            tried = whatif(
                self._start,
                self.base,
                self.found,
                recipe=self.recipe,
                cores=self.cores,
                period_s=self.period_s,
                budget_s=budget,
                listener=self.listener,
            )
            self.facts = [*(calmer(one, tried) for one in self.facts), tried]

    def loader(self) -> None:
        """Try other settings of the loader."""
        if self.found.kind in ("memory", "opaque"):  # there is no loader to set
            return
        budget = self.left_s - DEVICE_SHARE * self.budget_s
        if budget < self.start_s + PASS_S:
            self.notes.append("no time was left to try other settings of the loader")
            return
        self.listener("other settings of the loader")
        known = self._known()
        present, self._present = self._present, None  # the sweep ends it
        found = sweep(
            self._start,
            self.base,
            known,
            budget_s=budget,
            present=present,
            listener=self.listener,
        )
        self.facts.append(found)

    def _known(self) -> Known:
        loader = self._fact(LoaderTimes)
        cpu, steps = self._fact(CpuUse), self._fact(StepTimes)
        return Known(
            found=self.found,
            cores=self.cores,
            period_s=self.period_s,
            forecast=learn(self.rows, self.found, cpu, handed=self._handed()) if cpu is not None else None,
            ideal_s=self.ideal_s,
            item_s=loader.item_s if loader is not None else None,
            slow_share=(loader.slow_share or 0.0) if loader is not None else 0.0,
            startup_share=(steps.startup_share or 0.0) if steps is not None else 0.0,
            shm_free=self.environment.shared_free,
            memory_free=self.environment.memory_free,
            recipe=self.recipe,
        )

    def _handed(self) -> HandOver | None:
        """Return what handing a batch over costs here, where no worker was seen to do it."""
        from dlcheck.profiling.handover import hand_over  # the one pass for which this process loads PyTorch

        size = self.found.batch_bytes
        return hand_over(size, start_method=self.found.start_method) if size and not self.found.workers else None

    @property
    def ideal_s(self) -> float | None:
        """Of a step on batches that are there already."""
        rates, steps = self._fact(Ceilings), self._fact(StepTimes)
        ideal = rates.ideal if rates is not None else None
        return steps.samples / ideal.value if steps is not None and ideal is not None else None

    @property
    def cores(self) -> float:
        """Cores that the training may use."""
        cpu = self._fact(CpuUse)
        return cpu.cores if cpu is not None else 1.0

    @property
    def period_s(self) -> float:
        """Mean of a step."""
        return sum(row.period for row in self.rows) / len(self.rows)

    def _loading_share(self) -> float:
        steps = self._fact(StepTimes)
        return sum(part.share for part in steps.parts if part.name in ("wait", "take")) if steps is not None else 0.0

    def _fact(self, kind: type[F]) -> F | None:
        return next((one for one in self.facts if isinstance(one, kind)), None)

    @contextlib.contextmanager
    def _child(self, settings: TrialSettings) -> Iterator[ChildTrial]:
        trial = self._start(settings)
        try:
            yield trial
        finally:
            trial.close()


def calmer(fact: Fact, tried: ComputeTrials) -> Fact:
    """Return the use of cores with what fewer threads would bring, where that was tried; other facts as they are."""
    if not isinstance(fact, CpuUse):
        return fact
    for trial in tried.trials:
        if trial.path == "train.threads" and isinstance(trial.value, int) and trial.value < fact.threads:
            return replace(fact, calm_ratio=trial.ratio, calm_threads=trial.value)
    return fact


CEILING_WORDS: Mapping[Mode, str] = {
    "whole": "observing the training as it is",
    "ideal": "the same training on batches that are there already",
    "copied": "the same training on batches in memory",
    "loader": "the loader alone",
}
