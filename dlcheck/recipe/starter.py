"""A commented first recipe for the user's own data."""

import csv
from pathlib import Path

from dlcheck.errors import DlcheckError, one_line
from dlcheck.runs.numerals import is_plain_number

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm"}

_TABLE_MODEL = """[model]
name = "mlp"                # fully connected layers
hidden = [64, 32]           # units of each
dropout = 0.1               # share of units switched off at random
"""

_IMAGE_MODEL = """[model]
name = "resnet"             # a small residual network; for few photos take trained weights instead:
blocks = [1, 1, 1, 1]       #   name = "torchvision", architecture = "resnet18",
norm = "batch"              #   weights = "DEFAULT", train_stages = "head"

[augment]
flip_horizontal = true      # leave out where left and right matter (text, digits)
crop = 0.6                  # random cut-outs of at least this share of the area
"""

_TEXT_MODEL = """[model]
name = "lstm"               # or gru, rnn, transformer
embedding = 32              # numbers that stand for a character
hidden = 128
"""

_REST = """
[optimizer]
name = "adamw"
lr = 0.002                  # the one number to get right first
weight_decay = 0.01

[schedule]
name = "cosine"             # large steps first, small ones at the end

[train]
epochs = 30                 # at most
batch_size = 64
patience = 8                # stop when validation has not improved for this many epochs
seed = 0
"""


def starter(data: Path) -> str:
    """Return a recipe for a folder of images, a table, a text or an array file, by what lies there.

    Raises:
        DlcheckError: nothing there, or nothing that dlcheck can train on.
    """
    if data.is_dir():
        section, model = _images(data), _IMAGE_MODEL
    elif not data.is_file():
        raise DlcheckError(f"{data}: no such file or folder")
    elif data.suffix.lower() in (".csv", ".tsv"):
        section, model = _table(data), _TABLE_MODEL
    elif data.suffix.lower() in (".npz", ".npy", ".pt"):
        section, model = _arrays(data), _TABLE_MODEL
    elif data.suffix.lower() in (".txt", ".text", ".md"):
        section, model = _text(data), _TEXT_MODEL
    else:
        valid = "a folder with one sub-folder of images a class, .csv, .tsv, .txt, .npz, .npy or .pt"
        raise DlcheckError(f"{data}: cannot tell what this is; expected {valid}")
    return f"# Every key and its default: dlcheck init --schema\n\n{section}\n{model}{_REST}"


def _images(folder: Path) -> str:
    parts = [part for part in ("train", "val", "test") if (folder / part).is_dir()]
    root = folder / parts[0] if parts else folder
    classes = sorted(path.name for path in root.iterdir() if path.is_dir())
    holds = any(path.suffix.lower() in IMAGES for name in classes for path in (root / name).iterdir())
    if not holds:
        raise DlcheckError(f"{folder}: expected one sub-folder of images for each class, in {root}")
    split = f"# with folders of its own for {', '.join(parts)}" if parts else "# split by class into train, val, test"
    return (
        f'[data]\nname = "image_folder"       {split}\nroot = {_quoted(folder)}\n'
        f"image_size = 96             # side of the squares that the network sees\n# classes: {', '.join(classes)}\n"
    )


def _table(path: Path) -> str:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file, delimiter=separator), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DlcheckError(f"{path}: cannot read: {one_line(error)}") from None
    if len(header) < 2:
        raise DlcheckError(f"{path}: expected at least two columns, found {len(header)}")
    named = not any(is_plain_number(cell) for cell in header)
    names = header if named else [f"column_{place}" for place in range(len(header))]
    section = f'[data]\nname = "csv"\npath = {_quoted(path)}\n'
    if separator != ",":
        section += f"separator = {_quoted(separator)}\n"
    if not named:
        section += f"columns = [{', '.join(_quoted(name) for name in names)}]  # the file has no header line\n"
    section += f"label = {_quoted(names[-1])}  # the column to predict; the others: {', '.join(names[:-1])}\n"
    return " ".join(section.split("\r"))


def _arrays(path: Path) -> str:
    section = f'[data]\nname = "arrays"\npath = {_quoted(path)}\n'
    if path.suffix.lower() == ".npy":
        return section + f"labels = {_quoted(path.with_name('y.npy'))}  # the file of targets\n"
    return section + 'x = "x"                     # name of the inputs in the file\ny = "y"  # of the targets\n'


def _text(path: Path) -> str:
    return f'[data]\nname = "text"\npath = {_quoted(path)}\ncontext = 64                # characters in a sample\n'


def _quoted(value: str | Path) -> str:
    import tomlkit

    return tomlkit.item(str(value)).as_string()
