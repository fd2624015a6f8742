"""Load data as a recipe will, so that what is written is known to load."""

from pathlib import Path

from dlcheck.components.data.load import load_source
from dlcheck.components.data.source import Source
from dlcheck.recipe import parse_recipe
from dlcheck.recipe.starter import Line, Starter, Table, written


def source_of(data: Table, task: str | None = None) -> Source:
    """Return the data that a ``[data]`` section describes, split but not scaled.

    Raises:
        DlcheckError: it cannot be loaded; one line that says why.
    """
    lines = (*data.lines, *((Line("task", task),) if task is not None else ()))
    draft = Starter("", "", (), {}, (Table("data", lines), Table("model", (Line("name", "mlp"),))))
    return load_source(parse_recipe(written(draft), "the new recipe").recipe, folder=Path())
