"""The base of every recipe section, and how a section names the user's own code."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One table of a recipe: unknown keys and wrong types are refused, values never change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class Custom(Section):
    """The user's own code in a component's place; every further key is passed on as a keyword argument."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, use_attribute_docstrings=True)

    name: Literal["custom"] = "custom"
    """Implied by ``target``."""
    target: str
    """``"my_package.models:Net"``, or ``"models.py:Net"`` relative to the recipe's folder."""

    @property
    def arguments(self) -> dict[str, object]:
        """The keyword arguments for the target."""
        return dict(self.model_extra or {})
