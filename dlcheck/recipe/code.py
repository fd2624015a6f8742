"""Code of its own that a recipe runs, and the switch that refuses all of it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.recipe.recipe import Recipe
from dlcheck.recipe.section import Custom, Section

NO_CODE = "DLCHECK_NO_CODE"
"""In the environment, so that it holds in every process that a command starts: anything but empty or 0 refuses."""


def own_code(recipe: Recipe) -> tuple[str, ...]:
    """Return what a recipe imports and calls, as ``model.target = my_model:Net``; empty for one that is data alone.

    All of a recipe is data but a ``target``, which stands in a section or in one within it. Those that a search
    would put in its place are named too.
    """
    found = [f"{path}.target = {target}" for path, target in _targets(recipe, "")]
    for path, entries in (recipe.search or {}).items():
        if path.rpartition(".")[2] == "target":
            found += [f"{path} = {choice}" for entry in entries for choice in entry.choice or ()]
    return tuple(found)


def uses_own_code(recipe: Recipe) -> bool:
    """Return whether any component is the user's own."""
    return bool(own_code(recipe))


def is_factory(subject: str) -> bool:
    """Return whether this names a factory, ``package.module:function`` or ``file.py:function``, and no recipe."""
    place, colon, name = subject.rpartition(":")
    return bool(colon and place and name.replace(".", "").isidentifier()) and not Path(subject).exists()


def code_refused() -> bool:
    """Return whether no code but dlcheck's own may run in this process."""
    return os.environ.get(NO_CODE, "") not in ("", "0")


def forbid_code() -> None:
    """Refuse such code in this process and in those that it starts."""
    os.environ[NO_CODE] = "1"


def refuse_code(what: str) -> None:
    """Refuse what would run code, where none may run.

    Raises:
        DlcheckError: none may; names what would.
    """
    if code_refused():
        raise DlcheckError(f"{what}: this runs code, which --no-code (or {NO_CODE} in the environment) refuses")


def own_process(module: str, *arguments: str) -> list[str]:
    """Return the command that runs ``main`` of a module of dlcheck's in a process of its own.

    Unlike ``python -m`` it imports nothing from the current folder, where a ``numpy.py`` may lie beside a recipe.
    The first entry of ``sys.path`` is the interpreter's folder, as it is for the ``dlcheck`` command.
    """
    home = str(Path(__file__).parents[2])  # last: a checkout that is not installed holds more than dlcheck
    path = f"sys.path[0] = os.path.dirname(sys.executable); sys.path.append({home!r})"
    return [sys.executable, "-c", f"import os, sys; {path}; from {module} import main; main()", *arguments]


def _targets(section: Section, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(section, Custom):
        yield path, section.target
    for key in type(section).model_fields:
        value = getattr(section, key)
        inner = value if isinstance(value, list | tuple) else [value]
        for item in inner:
            if isinstance(item, Section):
                yield from _targets(item, f"{path}.{key}" if path else key)
