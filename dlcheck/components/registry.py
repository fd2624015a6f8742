"""How a component's recipe section finds the function that builds it."""

from collections.abc import Callable
from typing import Generic, TypeVar

from dlcheck.recipe.section import Section

BuilderT = TypeVar("BuilderT", bound=Callable[..., object])


class Registry(Generic[BuilderT]):
    """The builders of one family of components, by the type of their recipe section."""

    def __init__(self, family: str) -> None:
        self.family = family
        self._builders: dict[type[Section], BuilderT] = {}

    def register(self, *sections: type[Section]) -> Callable[[BuilderT], BuilderT]:
        """Return a decorator that makes a function the builder of these section types."""

        def keep(builder: BuilderT) -> BuilderT:
            for section in sections:
                self._builders[section] = builder
            return builder

        return keep

    def builder(self, section: Section) -> BuilderT:
        """Return the builder for a section."""
        return self._builders[type(section)]

    def sections(self) -> set[type[Section]]:
        """Return the section types that have a builder, for the test that none is missing."""
        return set(self._builders)
