"""Data sets that others wrote, whose failures must still be one clear line."""

from typing import Any

from dlcheck.errors import DlcheckError, one_line


class Guarded:
    """A data set whose failures name the sample; ``where`` names the data set itself."""

    def __init__(self, dataset: Any, where: str) -> None:
        self.dataset, self.where = dataset, where

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        try:
            sample = self.dataset[index]
        except DlcheckError:
            raise
        except Exception as error:  # whatever the user's code raises is bad input to us
            kind = type(error).__name__
            raise DlcheckError(f"{self.where}: sample {index} raised {kind}: {one_line(error)}") from error
        if not isinstance(sample, tuple | list) or len(sample) < 2:
            raise DlcheckError(f"{self.where}: sample {index} is a {type(sample).__name__}; (input, target) is needed")
        return tuple(sample)
