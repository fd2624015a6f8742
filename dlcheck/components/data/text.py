"""A plain text file, read character by character."""

from pathlib import Path

import numpy as np
import torch

from dlcheck.components.data.file import require_file
from dlcheck.components.data.samples import TensorSamples
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe.data import Split, TextData

EVALUATION_SHARE = 0.05
"""Of the characters, for validation and for the test each (the default of Karpathy's char-rnn, 2015)."""


@DATA.register(TextData)
def load_text(section: TextData, request: Request) -> Source:
    """Load a text as codes of its sorted characters; validation and test are its last parts.

    Raises:
        DlcheckError: no such file, not UTF-8, one character only, too short for ``data.context``, or a split
            that a text cannot have.
    """
    path = require_file(section.path, "data.path", request.recipe)
    characters = np.frombuffer(_read(path).encode("utf-32-le"), dtype=np.uint32)
    vocabulary, codes = np.unique(characters, return_inverse=True)
    if len(vocabulary) < 2:
        raise DlcheckError(f"{path}: {len(vocabulary)} distinct character(s); at least 2 are needed to predict one")
    bounds = part_bounds(section.split, len(codes), section.context, str(path))
    train, val, test = (_part(codes, start, stop) for start, stop in bounds)
    return Source(
        "language",
        train,
        val,
        test,
        outputs=len(vocabulary),
        vocabulary=tuple(chr(code) for code in vocabulary),
        context=section.context,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DlcheckError(f"{path}: cannot read this text as UTF-8: {one_line(error)}") from None


def part_bounds(split: Split, characters: int, context: int, where: str) -> list[tuple[int, int]]:
    """Return first and last-but-one position of training, validation and test text, in this order.

    Raises:
        DlcheckError: the text is too short, or the split asks for more than an order in time.
    """
    if split.method not in ("auto", "time") or split.folds is not None:
        what = "folds" if split.folds is not None else f'method = "{split.method}"'
        raise DlcheckError(f"data.split.{what}: a text is split by position only; leave it out")
    val = max(context + 1, round(characters * (split.val or EVALUATION_SHARE)))
    test = max(context + 1, round(characters * (split.test or EVALUATION_SHARE)))
    train = characters - val - test
    if train < context + 1:
        raise DlcheckError(
            f"{where}: {characters} characters are too few for training, validation and test windows of "
            f"data.context = {context}; about {4 * (context + 1)} are needed"
        )
    return [(0, train), (train, train + val), (train + val, characters)]


def _part(codes: np.ndarray[tuple[int, ...], np.dtype[np.int64]], start: int, stop: int) -> TensorSamples:
    part = torch.from_numpy(codes[start:stop].astype(np.int32))
    return TensorSamples((part,), part)
