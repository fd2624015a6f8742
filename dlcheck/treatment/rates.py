"""Learning rates from a search, once a recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe import LoadedRecipe
from dlcheck.treatment.budget import Purse
from dlcheck.treatment.trainings import content_key
from dlcheck.tuning.rate.api import lr_find

STEPS = 300
"""As ``dlcheck lr-find`` takes by default; at most so many."""
SHARE, FEWEST = 0.4, 60
"""Of the steps of a whole training, but no fewer than these: a search must cost less than the trainings it saves."""


@dataclass(slots=True)
class Rates:
    """Looks for rates, and remembers them."""

    device: str
    purse: Purse
    tell: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    steps: Callable[[LoadedRecipe], int] | None = None
    """Of a whole training of a recipe, where known."""
    _known: dict[str, float | None] = field(default_factory=dict)

    def suggested(self, loaded: LoadedRecipe) -> float | None:
        """Return the rate that a range test and short runs suggest, None where they cannot tell."""
        # The present rate is no part of the question.
        neutral = loaded.recipe.model_copy(update={"optimizer": loaded.recipe.optimizer.model_copy(update={"lr": 1.0})})
        key = content_key(neutral)
        if key not in self._known:
            self.tell("looking for a learning rate")
            self._known[key] = self._find(loaded)
        return self._known[key]

    def _steps(self, loaded: LoadedRecipe) -> int:
        whole = self.steps(loaded) if self.steps is not None else STEPS / SHARE
        return int(min(STEPS, max(FEWEST, SHARE * whole)))

    def _find(self, loaded: LoadedRecipe) -> float | None:
        try:
            found = lr_find(loaded, device=self.device, steps=self._steps(loaded))
        except DlcheckError as error:
            self.notes.append(f"no learning rate could be looked for: {one_line(error)}")
            return None
        self.purse.pay(
            "search", found.steps / max(1, found.total_steps) * loaded.recipe.train.epochs / self.purse.epochs
        )
        if found.suggestion is None:
            self.notes.append(f"the search for a learning rate abstained: {found.why}")
        return None if found.suggestion is None else float(f"{found.suggestion:.2g}")
