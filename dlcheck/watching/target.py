"""What is to be run: a script, a folder or a module, found before anything is started."""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

from dlcheck.errors import DlcheckError, one_line


@dataclass(frozen=True, slots=True)
class Target:
    """A program, ready to be executed as ``__main__``."""

    name: str
    """For the run folder."""
    code: CodeType
    argv: tuple[str, ...]
    path_entry: str
    """What Python puts first into ``sys.path``."""
    attributes: Mapping[str, object] = field(default_factory=dict)
    """Of the ``__main__`` module."""


def find_program(name: str, arguments: Sequence[str], *, module: bool) -> Target:
    """Return what ``python NAME`` or ``python -m NAME`` would run, for one who names it on the command line.

    Raises:
        DlcheckError: there is none, or it is no Python; one line that names the place.
    """
    try:
        return find_module(name, arguments) if module else find_script(name, arguments)
    except SyntaxError as error:
        raise DlcheckError(f"{error.filename or name}, line {error.lineno}: {error.msg}") from None


def find_script(script: str, arguments: Sequence[str]) -> Target:
    """Return what ``python SCRIPT ARGUMENTS`` would run: a file, or a folder with ``__main__.py``.

    Raises:
        DlcheckError: no such file, or it cannot be read as Python.
        SyntaxError: of the script itself, as Python would raise it.
    """
    path = Path(script)
    folder = path.is_dir()
    file = path / "__main__.py" if folder else path
    if not file.is_file():
        what = "a folder without __main__.py" if folder else "no such file"
        raise DlcheckError(f"{script}: {what}; expected a Python script, or -m MODULE")
    code = _compiled(file)
    # Python takes the file's own folder, behind a link the one linked to; the name it shows is absolute only.
    entry = str(path.absolute() if folder else path.resolve().parent)
    loader = importlib.machinery.SourceFileLoader("__main__", code.co_filename)
    attributes: dict[str, object] = {"__file__": code.co_filename, "__loader__": loader, "__package__": None}
    if folder:
        attributes |= {"__package__": "", "__spec__": importlib.machinery.ModuleSpec("__main__", loader)}
    return Target(path.resolve().stem, code, (script, *arguments), entry, attributes)


def find_module(module: str, arguments: Sequence[str]) -> Target:
    """Return what ``python -m MODULE ARGUMENTS`` would run.

    Raises:
        DlcheckError: no such module, or one that cannot be run.
    """
    entry = str(Path.cwd())
    if not sys.flags.safe_path:  # as Python, which then does not look there
        sys.path.insert(0, entry)
    try:
        name, spec = _spec(module)
        code = getattr(spec.loader, "get_code", _no_code)(name) if spec is not None else None
    except (ImportError, ValueError, AttributeError) as error:
        raise DlcheckError(f"-m {module}: {one_line(error)}") from None
    finally:
        with contextlib.suppress(ValueError):  # taken out by a package around the module
            if not sys.flags.safe_path:
                sys.path.remove(entry)
    if spec is None or code is None:
        raise DlcheckError(f"-m {module}: no such module, or it has no __main__")
    origin = str(spec.origin)
    attributes = {
        "__file__": origin,
        "__cached__": spec.cached,
        "__loader__": spec.loader,
        "__spec__": spec,
        "__package__": spec.parent,
    }
    return Target(module.rpartition(".")[2], code, (origin, *arguments), entry, attributes)


def _spec(module: str) -> tuple[str, importlib.machinery.ModuleSpec | None]:
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.submodule_search_locations is not None:
        name = f"{module}.__main__"
        return name, importlib.util.find_spec(name)
    return module, spec


def _compiled(file: Path) -> CodeType:
    try:
        with io.open_code(str(file.resolve())) as source:
            content = source.read()
    except OSError as error:
        raise DlcheckError(f"{file}: cannot read: {one_line(error)}") from None
    try:
        compiled: CodeType = compile(content, str(file.absolute()), "exec", dont_inherit=True)
    except ValueError as error:  # null bytes: no Python source
        raise DlcheckError(f"{file}: not a Python script: {one_line(error)}") from None
    return compiled


def _no_code(name: str) -> CodeType | None:
    return None
