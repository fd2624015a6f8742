"""The whole recipe: its sections, and the names they have when left out."""

from collections.abc import Mapping

from pydantic import Field, model_validator

from dlcheck.recipe.data import Augment, Data
from dlcheck.recipe.lesson import Lesson
from dlcheck.recipe.model import DefaultInit, Init, Model
from dlcheck.recipe.optimizer import (
    Adam,
    ConstantSchedule,
    Loss,
    LossSection,
    Optimizer,
    Regularize,
    Schedule,
)
from dlcheck.recipe.section import Section
from dlcheck.recipe.train import Rules, Train
from dlcheck.recipe.tune import Search, Tune

DEFAULT_NAMES = {
    "init": "default",
    "loss": "auto",
    "optimizer": "adam",
    "schedule": "constant",
}


class Recipe(Section):
    """A training run, written down: data, model and everything that happens between them."""

    title: str = ""
    """One line for ``dlcheck train --list``."""
    expect: str = ""
    """What a good run of this recipe reaches."""
    source: str = ""
    """Where to get the data, when it does not come with dlcheck."""
    folder: str = ""
    """Where the user's own code is looked for; unset: the recipe's folder."""
    data: Data
    augment: Augment = Augment()
    model: Model
    init: Init = Field(default_factory=lambda: DefaultInit(name="default"))
    loss: Loss = Field(default_factory=lambda: LossSection(name="auto"))
    optimizer: Optimizer = Field(default_factory=lambda: Adam(name="adam"))
    schedule: Schedule = Field(default_factory=lambda: ConstantSchedule(name="constant"))
    regularize: Regularize = Regularize()
    train: Train = Train()
    rules: Rules = Rules()
    tune: Tune | None = None
    """How ``dlcheck tune`` searches; training ignores it."""
    search: Search | None = None
    """What ``dlcheck tune`` may change; training ignores it."""
    lesson: Lesson | None = None
    """What a recipe that is ill on purpose teaches; training ignores it, and the report ends with it."""

    @model_validator(mode="before")
    @classmethod
    def _name_components(cls, value: object) -> object:
        """Give each section the name that ``target`` or its absence implies."""
        if not isinstance(value, Mapping):
            return value
        named = {key: _imply_custom(section) for key, section in value.items()}
        for key, name in DEFAULT_NAMES.items():
            section = named.get(key)
            if isinstance(section, dict):
                section.setdefault("name", name)
        return named


def _imply_custom(section: object) -> object:
    if not isinstance(section, Mapping):
        return section
    named = {key: _imply_custom(item) for key, item in section.items()}
    if "target" in named:
        named.setdefault("name", "custom")
    return named
