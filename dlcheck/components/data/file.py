"""Files and folders that a recipe points to."""

from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.recipe.presence import missing
from dlcheck.recipe.recipe import Recipe


def require_file(path: str, key: str, recipe: Recipe) -> Path:
    """Return a file's path.

    Raises:
        DlcheckError: there is none; says where to get it and which key points to it.
    """
    found = Path(path).expanduser()
    if found.is_file():
        return found
    if found.is_dir():
        raise DlcheckError(f"{key} = {path!r}: this is a folder; a file is needed")
    raise DlcheckError(missing(f"{key} = {path!r}: no such file", key, recipe.source))


def require_folder(path: str, key: str, recipe: Recipe) -> Path:
    """Return a folder's path.

    Raises:
        DlcheckError: there is none; says where to get it and which key points to it.
    """
    found = Path(path).expanduser()
    if found.is_dir():
        return found
    what = "this is a file; a folder is needed" if found.is_file() else "no such folder"
    raise DlcheckError(missing(f"{key} = {path!r}: {what}", key, recipe.source))
