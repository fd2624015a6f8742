"""Code that a recipe brings along: told on the screen before it runs, or refused."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.output import say
from dlcheck.errors import printable

if TYPE_CHECKING:
    from dlcheck.recipe import LoadedRecipe

NoCodeOption = Annotated[
    bool,
    typer.Option("--no-code", help="Refuse what runs code of its own: a recipe with a target, a factory, a script."),
]


def tell_code(subject: str, overrides: Iterable[str] = (), *, no_code: bool = False) -> "LoadedRecipe | None":
    """Say on stderr what code a recipe is about to run, whatever --quiet says; with ``no_code`` refuse it.

    Returns:
        The recipe; None where the subject is a factory.

    Raises:
        DlcheckError: no such recipe, or code where none may run.
    """
    from dlcheck.recipe import load_recipe
    from dlcheck.recipe.code import is_factory

    if is_factory(subject):
        refuse_foreign(subject, no_code=no_code)
        return None
    loaded = load_recipe(subject, overrides)
    tell_code_of(loaded, no_code=no_code)
    return loaded


def tell_code_of_run(run: Path, *, no_code: bool = False) -> None:
    """Do the same for the recipe that a run folder keeps, or the folders of a cross-validation.

    Raises:
        DlcheckError: a recipe that cannot be read, or code where none may run.
    """
    from dlcheck.recipe import load_recipe

    for path in (run / "recipe.toml", *sorted(run.glob("fold-*/recipe.toml"))):
        if path.is_file():
            tell_code_of(load_recipe(path), no_code=no_code)


def tell_code_of(loaded: "LoadedRecipe", *, no_code: bool = False) -> None:
    """Do the same for a recipe that is loaded already.

    Raises:
        DlcheckError: code where none may run.
    """
    from dlcheck.recipe.code import own_code

    found = own_code(loaded.recipe)
    if not found:
        return
    told = printable(", ".join(found))
    refuse_foreign(f"{loaded.name}: {told}", no_code=no_code)
    say(f"note: this recipe runs code of its own: {told}, from {loaded.folder}")


def refuse_foreign(what: str, *, no_code: bool = False) -> None:
    """Refuse a factory or a script, where no code may run.

    Raises:
        DlcheckError: none may.
    """
    from dlcheck.recipe.code import forbid_code, refuse_code

    if no_code:
        forbid_code()
    refuse_code(what)
