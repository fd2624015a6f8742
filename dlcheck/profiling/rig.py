"""What runs a subject's training under a meter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dlcheck.profiling.found import Found
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.settings import TrialSettings


class Rig(Protocol):
    """A training that is ready to run."""

    def look(self) -> Found:
        """Return what is known of it so far."""
        ...

    def train(self, meter: Meter) -> str:
        """Train, telling the meter, until there is nothing left or the meter's rest raises.

        Returns:
            Why it ended: ``finished``, or what went wrong, in a line.
        """
        ...


def build_rig(settings: TrialSettings) -> Rig:
    """Build what the settings name, with hooks on loaders in this process.

    Raises:
        DlcheckError: the subject is none, or cannot be run so; one line.
    """
    from dlcheck.profiling.loader_hooks import LoaderHooks

    hooks, kind = LoaderHooks(settings), settings.subject.kind
    if kind == "recipe":
        from dlcheck.profiling.rig_recipe import RecipeRig

        return RecipeRig(settings, hooks)
    if kind == "factory":
        from dlcheck.profiling.rig_factory import FactoryRig

        return FactoryRig(settings, hooks)
    from dlcheck.profiling.rig_script import ScriptRig

    return ScriptRig(settings, hooks)


def train_until_stopped(rig: Rig, meter: Meter, close: Callable[[], None]) -> str:
    """Train until a meter's rest has what it wants, and stops the program; return what went wrong before, or nothing.

    Args:
        rig: What trains.
        meter: What it tells of its steps.
        close: Called in any case at the end.
    """
    from dlcheck.watching.execute import Stopped

    try:
        ended = rig.train(meter)
    except Stopped:
        return ""
    finally:
        close()
    return "" if ended == "finished" else ended
