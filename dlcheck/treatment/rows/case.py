"""A recipe's data, read again once for all findings that are about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dlcheck.checks.admit import admit_recipe
from dlcheck.checks.data.read import read_splits
from dlcheck.checks.data.samples import Samples, Splits
from dlcheck.checks.patient import Patient
from dlcheck.findings import Finding
from dlcheck.recipe import LoadedRecipe
from dlcheck.runs import Run
from dlcheck.treatment.rows.places import Places, find_places


@dataclass
class Case:
    """What the search for rows goes by. Everything is read when it is first asked for."""

    finding: Finding
    run: Run
    loaded: LoadedRecipe
    device: str

    @cached_property
    def patient(self) -> Patient:
        """The recipe as the exam has it."""
        return admit_recipe(self.loaded, self.device)

    @cached_property
    def splits(self) -> Splits:
        """Its samples as the network sees them."""
        return read_splits(self.patient)

    @cached_property
    def places(self) -> Places:
        """The same samples as the data has them."""
        return find_places(self.loaded)

    @property
    def held(self) -> dict[str, Samples]:
        """The splits that do not train, by name."""
        named = {"val": self.splits.val, "test": self.splits.test}
        return {name: part for name, part in named.items() if part is not None}

    @property
    def parts(self) -> dict[str, Samples]:
        """All splits, by name."""
        return {"train": self.splits.train, **self.held}

    def about(self, finding: Finding) -> Case:
        """Return the same case for another finding, with all that was read so far."""
        other = Case(finding, self.run, self.loaded, self.device)
        for name in ("patient", "splits", "places"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other
