"""Learning rates from a search, once a recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from json import dumps
from pathlib import Path

from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe import LoadedRecipe
from dlcheck.runs.atomic import write_atomic
from dlcheck.runs.folder import read_object
from dlcheck.treatment.budget import Purse
from dlcheck.treatment.trainings import content_key
from dlcheck.tuning.rate.api import lr_find

STEPS = 300
"""As ``dlcheck lr-find`` takes by default; at most so many."""
SHARE, FEWEST = 0.4, 60
"""Of the steps of a whole training, but no fewer than these: a search must cost less than the trainings it saves."""
FOUND = "rates.json"
"""In a treatment's folder: the searches that were made."""


@dataclass(frozen=True, slots=True)
class Search:
    """How one search ended."""

    rate: float | None
    """None: it cannot tell."""
    cost: float = 0.0
    """In whole trainings of the original recipe."""
    note: str = ""
    """Why there is no rate."""


@dataclass(slots=True)
class Rates:
    """Looks for rates, and remembers them."""

    device: str
    purse: Purse
    tell: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    steps: Callable[[LoadedRecipe], int] | None = None
    """Of a whole training of a recipe, where known."""
    file: Path | None = None
    """Where searches are kept, so that none is made twice; None: nowhere."""
    _known: dict[str, Search] = field(default_factory=dict)

    def suggested(self, loaded: LoadedRecipe) -> float | None:
        """Return the rate that a range test and short runs suggest, None where they cannot tell.

        Raises:
            DlcheckError: the file of the searches cannot be read or written.
        """
        # The present rate is no part of the question.
        neutral = loaded.recipe.model_copy(update={"optimizer": loaded.recipe.optimizer.model_copy(update={"lr": 1.0})})
        key = content_key(neutral)
        if key not in self._known:
            found = self._kept().get(key) or self._made(key, loaded)
            self._known[key] = found
            self.purse.pay("search", found.cost)
            self.notes += [found.note] if found.note else []
        return self._known[key].rate

    def _made(self, key: str, loaded: LoadedRecipe) -> Search:
        self.tell("looking for a learning rate")
        found = self._find(loaded)
        if self.file is not None:
            kept = {**self._kept(), key: found}
            write_atomic(self.file, dumps({one: asdict(search) for one, search in kept.items()}, indent=1) + "\n")
        return found

    def _kept(self) -> dict[str, Search]:
        content = {} if self.file is None else read_object(self.file)
        try:
            return {key: Search(**search) for key, search in content.items()}  # type: ignore[arg-type]
        except TypeError:
            raise DlcheckError(f"{self.file}: not written by dlcheck treat; choose another --run-dir") from None

    def _steps(self, loaded: LoadedRecipe) -> int:
        whole = self.steps(loaded) if self.steps is not None else STEPS / SHARE
        return int(min(STEPS, max(FEWEST, SHARE * whole)))

    def _find(self, loaded: LoadedRecipe) -> Search:
        try:
            found = lr_find(loaded, device=self.device, steps=self._steps(loaded))
        except DlcheckError as error:
            return Search(None, note=f"no learning rate could be looked for: {one_line(error)}")
        whole = loaded.recipe.train.epochs / self.purse.epochs
        cost = found.steps / max(1, found.total_steps) * whole
        if found.suggestion is None:
            return Search(None, cost, f"the search for a learning rate abstained: {found.why}")
        return Search(float(f"{found.suggestion:.2g}"), cost)
