"""Somebody's script or module under a meter, unmodified."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import torch

from dlcheck.errors import one_line
from dlcheck.profiling.found import Found
from dlcheck.profiling.loader_hooks import LoaderHooks
from dlcheck.profiling.look import found_loader
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.overriding import refuse_for_script
from dlcheck.profiling.settings import TrialSettings
from dlcheck.profiling.step_hooks import StepHooks
from dlcheck.training.device import choose_device, seed_everything
from dlcheck.watching.execute import Ending, execute
from dlcheck.watching.place import crash_site
from dlcheck.watching.target import find_module, find_script


class ScriptRig:
    """Runs a program as Python would, until it ends or the meter's rest raises."""

    def __init__(self, settings: TrialSettings, hooks: LoaderHooks) -> None:
        refuse_for_script(settings)
        subject = settings.subject
        self.settings, self.hooks = settings, hooks
        if subject.device == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # what a script finds is what it uses
        elif subject.device != "auto":
            choose_device(subject.device)
        find = find_module if subject.kind == "module" else find_script
        self.target = find(subject.name, subject.arguments)
        self.steps: StepHooks | None = None

    def look(self) -> Found:
        """Return what is known of the training so far."""
        steps, facts = self.steps, self.hooks.training()
        found = found_loader(facts) if facts is not None else Found(kind="opaque", main_pid=os.getpid(), note=_UNSEEN)
        if steps is None:
            return found
        optimizer = next(iter(steps.optimizers.most_common(1)), ("", 0))[0]
        return replace(found, device=steps.device, optimizer=optimizer, threads=torch.get_num_threads())

    def train(self, meter: Meter) -> str:
        """Run the program.

        Raises:
            DlcheckError: it was refused what it needs.
        """
        subject = self.settings.subject
        self.hooks.meter = meter
        self.steps = StepHooks(meter)
        self.hooks.on_first_loader = self._loaders_seen(self.steps)
        self.hooks.install()
        self.steps.install()
        if subject.seed is not None:
            seed_everything(subject.seed)
        if self.settings.threads is not None:
            torch.set_num_threads(self.settings.threads)
        if self.settings.tf32 is not None:
            torch.backends.cuda.matmul.allow_tf32 = self.settings.tf32
        meter.active = True
        return self._told(execute(self.target))

    def _loaders_seen(self, steps: StepHooks) -> Callable[[], None]:
        steps.loaders = False

        def seen() -> None:
            steps.loaders = True

        return seen

    def _told(self, ending: Ending) -> str:
        name = self.settings.subject.name
        if ending.error is not None:
            site = crash_site(ending.error)
            place = name if site is None else f"{site.file}, line {site.line}"
            return f"{place}: {type(ending.error).__name__}: {one_line(ending.error)}"
        return f"{name}: exited with status {ending.status}" if ending.status else "finished"


_UNSEEN = "no DataLoader: batches are made by the script itself, and only the time until its model is called is known"
