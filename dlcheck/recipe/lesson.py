"""The ``[lesson]`` section: what a recipe that is ill on purpose teaches."""

from typing import Annotated, Literal

from pydantic import Field

from dlcheck.recipe.section import Section

FullCode = Annotated[str, Field(pattern=r"^[A-Z][0-9]{3}$")]


class Lesson(Section):
    """``[lesson]``: the mistake in this recipe, the finding that names it, and the cure."""

    finding: FullCode
    """Code of the primary finding."""
    command: Literal["train", "check", "profile-gpu"] = "train"
    """The command that finds it."""
    mistake: str
    """What is wrong here, in one line."""
    cure: dict[str, str | int | float | bool | list[int]] = {}
    """Keys and values that mend it, as ``--set`` takes them; empty: no key does."""
    mend: str = ""
    """What to do where no key mends it."""
