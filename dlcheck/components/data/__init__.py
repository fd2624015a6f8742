"""The data that recipes can name, as batches."""

from dlcheck.components.data import (
    arrays,
    csv_table,
    custom,
    digit_captions,
    generated,
    image_folder,
    text,
    time_series,
    torchvision_set,
    toy,
)
from dlcheck.components.data.load import load_data
from dlcheck.components.data.loaded import LoadedData
from dlcheck.components.data.loader_batches import LoaderBatches, LoaderSettings
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.components.data.tensor_batches import TensorBatches

__all__ = [
    "DATA",
    "LoadedData",
    "LoaderBatches",
    "LoaderSettings",
    "Request",
    "Source",
    "TensorBatches",
    "load_data",
]

del (
    arrays,
    csv_table,
    custom,
    digit_captions,
    generated,
    image_folder,
    text,
    time_series,
    torchvision_set,
    toy,
)  # imported to register themselves
