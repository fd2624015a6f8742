"""The user's own code, named in a recipe."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.recipe.code import refuse_code


def load_target(target: str, folder: Path) -> Any:
    """Import what ``"package.module:Name"`` or ``"file.py:Name"`` names, from the recipe's folder first.

    Raises:
        DlcheckError: no code may run, the form is wrong, the import fails, or there is no such name.
    """
    refuse_code(f'target = "{target}"')
    place, colon, name = target.partition(":")
    if not colon or not place or not name:
        raise DlcheckError(f'target = "{target}": expected "package.module:Name" or "file.py:Name"')
    module = _import(place, folder, target)
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [item for item in dir(module) if not item.startswith("_")]
            raise DlcheckError(f'target = "{target}": no {part!r} in {place}; {nearest(part, names, "it has")}')
        found = getattr(found, part)
    return found


def call_target(target: str, folder: Path, *args: Any, **kwargs: Any) -> Any:
    """Import a target and call it.

    Raises:
        DlcheckError: it does not import, or the call raises; names the target and the error.
    """
    function = load_target(target, folder)
    try:
        return function(*args, **kwargs)
    except DlcheckError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code raises is bad input to us
        kind = type(error).__name__
        raise DlcheckError(f'target = "{target}" raised {kind}: {one_line(error)}') from error


def _import(place: str, folder: Path, target: str) -> Any:
    try:
        with _searched_first(folder):
            if place.endswith(".py"):
                return _import_file((folder / place).resolve())
            return importlib.import_module(place)
    except (Exception, SystemExit) as error:  # a script that reads its command line leaves at ours
        kind = type(error).__name__
        raise DlcheckError(f'target = "{target}" does not import: {kind}: {one_line(error)}') from error


def _import_file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    name = path.stem
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # loader workers find the classes of unpickled data sets by this name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _searched_first(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with suppress(ValueError):  # taken out by what was imported
            sys.path.remove(str(folder))
