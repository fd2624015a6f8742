"""The ``[data]`` section: where samples come from, how they are split, normalised and batched."""

from typing import Annotated, Literal

from pydantic import Field

from dlcheck.recipe.section import Custom, Section

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Split(Section):
    """``[data.split]``: which samples train, which validate, which test."""

    method: Literal["auto", "given", "random", "stratified", "group", "time"] = "auto"
    """``auto``: the split that comes with the data, else by time for series, by class for classes, else random."""
    val: Fraction | None = None
    """Share of samples for validation; unset: chosen by the amount of data."""
    test: Fraction | None = None
    """Share of samples for the test; unset: chosen by the amount of data."""
    group: str | None = None
    """Column whose values must not be torn apart (``method = "group"``)."""
    folds: Annotated[int, Field(ge=2)] | None = None
    """Cross-validate: train this many times, each fold validating once."""
    fold: Annotated[int, Field(ge=0)] | None = None
    """Train this one fold only."""
    seed: int = 0
    """Seed of the split alone, so that another ``train.seed`` keeps the same split."""


class DataSection(Section):
    """Keys that every kind of data has."""

    task: Literal["auto", "classification", "regression", "reconstruction"] = "auto"
    """What to predict; ``reconstruction`` makes the input its own target (autoencoders)."""
    split: Split = Split()
    normalize: Literal["standardize", "minmax", "none"] = "standardize"
    """Scale inputs, with statistics of the training split only (per channel or per column)."""
    shuffle: bool = True
    """Draw the training samples in a new order every epoch."""
    limit: Annotated[int, Field(gt=0)] | Fraction | None = None
    """Train on this many samples, or this share, only."""
    in_memory: Literal["auto"] | bool = "auto"
    """Keep all samples decoded in memory, and gather batches whole; ``auto``: when they fit."""
    memory_limit_gib: Annotated[float, Field(gt=0)] = 2.0
    """How large the data may be to count as fitting in memory."""
    workers: Literal["auto"] | Annotated[int, Field(ge=0)] = "auto"
    """Loader processes, when the data is not in memory."""
    pin_memory: Literal["auto"] | bool = "auto"
    """Page-locked batches, for faster copies to a GPU."""
    prefetch: Annotated[int, Field(ge=1)] = 2
    """Batches that each worker prepares ahead."""


class ToyData(DataSection):
    """Small real data sets that ship with scikit-learn."""

    name: Literal["digits", "iris", "wine", "breast_cancer", "diabetes"]


class GeneratedData(DataSection):
    """Points drawn from a simple law."""

    name: Literal["blobs", "moons", "circles", "linear"]
    samples: Annotated[int, Field(ge=8)] = 1000
    noise: Annotated[float, Field(ge=0)] = 0.1
    """Standard deviation of the noise (of a cluster, for blobs)."""
    features: Annotated[int, Field(ge=1)] = 10
    """Input columns of ``blobs`` and ``linear``."""
    classes: Annotated[int, Field(ge=2)] = 3
    """Clusters of ``blobs``."""
    seed: int = 0


class TorchvisionData(DataSection):
    """A classification data set of ``torchvision.datasets`` by name."""

    name: Literal["torchvision"]
    dataset: str = "FashionMNIST"
    """Class name in ``torchvision.datasets``."""
    root: str = "data"
    """Folder that holds the files, relative to the working folder."""
    download: bool = False
    """Let torchvision fetch the files when they are missing."""
    image_size: Annotated[int, Field(ge=4)] | None = None
    """Resize images to squares of this many pixels."""


class ImageFolderData(DataSection):
    """A folder of images, one sub-folder a class; ``train``, ``val`` and ``test`` folders are used as the split."""

    name: Literal["image_folder"]
    root: str
    """The folder, relative to the working folder."""
    image_size: Annotated[int, Field(ge=4)] = 224
    """Side in pixels of the squares that the network sees."""
    resize: Annotated[int, Field(ge=4)] | None = None
    """Shorter side before cropping; unset: ``image_size`` × 8/7 (256 for 224)."""
    channels: Literal[1, 3] = 3
    drop: list[str] = []
    """Files to leave out, damaged ones or copies, relative to ``root``."""


class CsvData(DataSection):
    """A table in one or more CSV files, read with pandas."""

    name: Literal["csv"]
    path: str | list[str]
    """File or files, relative to the working folder."""
    label: str | None = None
    """Column to predict; unset: the last one."""
    columns: list[str] | None = None
    """Names of the columns, for files without a header line."""
    features: list[str] | None = None
    """Columns to predict from; unset: all others."""
    drop: list[str] = []
    """Columns to leave out."""
    separator: str = ","
    time: str | None = None
    """Column that orders the rows (``split.method = "time"``)."""


class TimeSeriesData(DataSection):
    """One column of a CSV file, cut into windows: past values in, the next ones out. Split by time."""

    name: Literal["time_series"]
    path: str
    column: str
    """Column that holds the values."""
    time: str | None = None
    """Column that orders the rows; unset: as they stand."""
    window: Annotated[int, Field(ge=1)] = 52
    """Past values that the network sees."""
    horizon: Annotated[int, Field(ge=1)] = 1
    """Future values that it predicts."""
    difference: bool = False
    """Take each window, input and target, relative to its last value: a trend leaves any range seen in training."""
    missing: Literal["interpolate", "drop", "refuse"] = "interpolate"
    """What to do with empty values."""


class TextData(DataSection):
    """A plain text file, read character by character; the network predicts the next one."""

    name: Literal["text"]
    path: str
    context: Annotated[int, Field(ge=2)] = 128
    """Characters in a sample."""


class ArrayData(DataSection):
    """Arrays from NumPy (``.npz``, ``.npy``) or PyTorch (``.pt``) files; nothing pickled is ever loaded."""

    name: Literal["arrays"]
    path: str
    """File of inputs, or one file that holds inputs and targets under ``x`` and ``y``."""
    labels: str | None = None
    """File of targets, when they have one of their own."""
    x: str = "x"
    """Name of the inputs inside the file."""
    y: str = "y"
    """Name of the targets inside the file."""


class DigitCaptionData(DataSection):
    """The scikit-learn digits with a short description of each in words."""

    name: Literal["digit_captions"]


class CustomData(DataSection, Custom):
    """The user's own data: the target returns one map-style data set, or a dict or tuple of train, val, test ones.

    A data set may also be a tuple of arrays or tensors, inputs first and the target last.
    """


Data = Annotated[
    ToyData
    | GeneratedData
    | TorchvisionData
    | ImageFolderData
    | CsvData
    | TimeSeriesData
    | TextData
    | ArrayData
    | DigitCaptionData
    | CustomData,
    Field(discriminator="name"),
]


class Augment(Section):
    """``[augment]``: random changes to training images; 0 or false switches one off."""

    where: Literal["auto", "sample", "batch"] = "auto"
    """On each sample as it is loaded, or on whole batches on the device; ``auto``: on batches when in memory."""
    flip_horizontal: bool = False
    """Mirror left and right, half of the time."""
    flip_vertical: bool = False
    """Mirror up and down, half of the time."""
    crop: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest share of the area that a random crop keeps before it is scaled back (0: no crops)."""
    pad_crop: Annotated[int, Field(ge=0)] = 0
    """Pad by this many pixels, then cut out the original size at a random place."""
    translate: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest shift, as a share of the side."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest zoom in or out, as a share: 0.1 draws from 0.9 to 1.1."""
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Largest angle in degrees."""
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0
    """Largest angle of shear in degrees."""
    brightness: Annotated[float, Field(ge=0)] = 0.0
    """Largest relative change of brightness."""
    contrast: Annotated[float, Field(ge=0)] = 0.0
    """Largest relative change of contrast."""
    colour_cast: Annotated[float, Field(ge=0)] = 0.0
    """Largest shift added to each colour channel by itself, as a share of the value range."""
    distort: Annotated[float, Field(ge=0)] = 0.0
    """Elastic distortion: standard deviation of the displacement in pixels."""
    noise: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation of Gaussian noise, as a share of the value range."""
    erase: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability to blank a random rectangle."""
    eval_crops: Literal[1, 10] = 1
    """10: average the prediction over four corners, the centre, and their mirror images."""
