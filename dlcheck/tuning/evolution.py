"""CMA-ES whose state, which Optuna keeps pickled in the study's storage, is read as data."""

from __future__ import annotations

import io
import pickle
from typing import Any

import optuna
from optuna.samplers import CmaEsSampler

from dlcheck.errors import DlcheckError, one_line

KNOWN = frozenset(
    {
        ("cmaes._cma", "CMA"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy.core.multiarray", "_reconstruct"),  # of NumPy before 2.0
        ("numpy.core.multiarray", "scalar"),
    }
)
"""What the state of CMA-ES is made of, as pickletools shows of one that cmaes 0.13 wrote: numbers and arrays alone."""


class Evolution(CmaEsSampler):
    """Optuna's CMA-ES, which takes up a state from a study that anybody may have written.

    Optuna unpickles it as it is, and a pickle runs what it names; here it may name nothing but arrays.
    """

    def _restore_optimizer(self, completed_trials: list[optuna.trial.FrozenTrial]) -> Any:
        for trial in reversed(completed_trials):
            kept = {key: text for key, text in trial.system_attrs.items() if key.startswith(self._attr_key_optimizer)}
            if kept:
                return read_state(self._concat_optimizer_attrs(kept), trial.number)
        return None


def read_state(text: str, trial: int = 0) -> Any:
    """Return the state of CMA-ES from its pickle in hexadecimal digits; nothing in it is run.

    Raises:
        DlcheckError: it names anything else, or is damaged.
    """
    try:
        return _Reader(io.BytesIO(bytes.fromhex(text))).load()
    except Exception as error:  # a damaged pickle raises nearly anything
        raise DlcheckError(
            f"trial {trial} of this study holds a state of sampler cmaes that cmaes did not write "
            f"({one_line(error, 80)}); begin another study, or take --sampler tpe"
        ) from None


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)
