"""What runs a subject's training under a meter."""

from __future__ import annotations

from typing import Protocol

from dlcheck.errors import DlcheckError
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
    """Build what the settings name.

    Raises:
        DlcheckError: the subject is none, or cannot be run so; one line.
    """
    kind = settings.subject.kind
    if kind == "recipe":
        from dlcheck.profiling.rig_recipe import RecipeRig

        return RecipeRig(settings)
    raise DlcheckError(f"{settings.subject.name}: cannot profile a {kind}")
