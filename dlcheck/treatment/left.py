"""What a treatment leaves behind in its folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.recipe import LoadedRecipe, Recipe, dump_recipe
from dlcheck.recipe.code import uses_own_code
from dlcheck.report.html.treatment import treatment_html
from dlcheck.report.treated import Change, Treated
from dlcheck.report.treatment_json import treatment_json
from dlcheck.runs.atomic import refused, sync_folder, write_atomic
from dlcheck.treatment.candidates import plain
from dlcheck.treatment.trainings import content
from dlcheck.treatment.written import cured_text, unified_diff

ORIGINAL = "original.toml"
CURED = "cured.toml"


def refuse_foreign(path: Path, loaded: LoadedRecipe) -> None:
    """Refuse a folder that is not this recipe's treatment, before any work is done for it.

    Raises:
        DlcheckError: it belongs to something else.
    """
    original = path / ORIGINAL
    if not path.exists():
        return
    if not original.is_file():
        raise DlcheckError(f"{path}: exists already and is no treatment's folder; choose another --run-dir")
    if original.read_text(encoding="utf-8") != content(loaded):
        raise DlcheckError(f"{path}: holds the treatment of another recipe; choose another --run-dir")


def open_folder(path: Path, loaded: LoadedRecipe) -> None:
    """Make a treatment's folder, or go on with the one of the same recipe.

    It is made beside its place and put there in one move: whoever is killed meanwhile leaves no half of one.

    Raises:
        DlcheckError: it cannot be made.
    """
    if (path / ORIGINAL).exists():
        return
    aside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
        write_atomic(aside / ORIGINAL, content(loaded))
        mask = os.umask(0)
        os.umask(mask)
        aside.chmod(0o777 & ~mask)  # temporary folders are private; the user's others are not
        aside.rename(path)
        aside = None
        sync_folder(path.parent)
    except OSError as error:
        raise refused(path, error) from None
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def leave(
    treated: Treated,
    loaded: LoadedRecipe,
    wanted: LoadedRecipe,
    *,
    text: str | None,
    overrides: Sequence[tuple[str, object]],
) -> Treated:
    """Write the cured recipe, its diff, the report and the record; return the treatment with their places.

    Args:
        treated: What happened.
        loaded: The recipe as it was.
        wanted: With everything that was kept.
        text: Of its file; None: it had none.
        overrides: Values that were set over the file's.

    Raises:
        DlcheckError: a file cannot be written.
    """
    done = treated
    if treated.changes:
        before = text if text is not None else dump_recipe(loaded.recipe, loaded.name)
        placed = _placed(loaded, loaded)
        given = _given(loaded, overrides)
        begun = cured_text(before, given, placed) if given else before
        after = cured_text(begun, treated.changes, _placed(wanted, loaded))
        cured = treated.folder / CURED
        write_atomic(cured, after)
        diff = unified_diff(before, after, f"{loaded.name}.toml", CURED)
        write_atomic(treated.folder / "cured.diff", diff)
        done = replace(treated, cured=cured, diff=diff)
    write_atomic(treated.folder / "treatment.json", treatment_json(done))
    write_atomic(treated.folder / "report.html", treatment_html(done))
    return done


def _given(loaded: LoadedRecipe, overrides: Sequence[tuple[str, object]]) -> list[Change]:
    """Return what the cured recipe holds beside the cure: values that were set over the file's, and its home."""
    given = [Change(path, None, plain(value), "given by --set") for path, value in overrides]
    home = [Change("folder", None, str(loaded.folder), "where your own code lies")]
    return [*(home if uses_own_code(loaded.recipe) else []), *given]


def _placed(wanted: LoadedRecipe, loaded: LoadedRecipe) -> Recipe:
    """Return a recipe as it is found from another folder, where its own code must be named."""
    if not uses_own_code(loaded.recipe):
        return wanted.recipe
    return wanted.recipe.model_copy(update={"folder": str(loaded.folder)})
