"""Small real data sets that ship with scikit-learn."""

import numpy as np
import torch

from dlcheck.components.data.divide import divide
from dlcheck.components.data.label import choose_task
from dlcheck.components.data.samples import TensorSamples
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.components.data.split import Traits
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import ToyData


@DATA.register(ToyData)
def load_toy(section: ToyData, request: Request) -> Source:
    """Load digits as images (1, 8, 8) with values 0 to 16, the others as tables.

    Raises:
        DlcheckError: classes are asked of numbers.
    """
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, f"load_{section.name}")()
    names = tuple(str(name) for name in bunch.get("target_names", ()))
    task = choose_task(section, section.name != "diabetes")
    if task == "classification" and not names:
        raise DlcheckError(f'data.task = "classification": {section.name} has numbers to predict, no classes')
    x = torch.as_tensor(bunch.data, dtype=torch.float32)
    if section.name == "digits":
        x = x.reshape(-1, 1, 8, 8)
    classified = task == "classification" or (task == "reconstruction" and bool(names))
    target = torch.as_tensor(bunch.target)
    samples = TensorSamples((x,), target.long() if classified else target.float().reshape(-1, 1))
    parts = divide(samples, request, Traits(len(x), np.asarray(target) if classified else None))
    return Source(
        task,
        parts.train,
        parts.val,
        parts.test,
        outputs=len(names) if task == "classification" else 1,
        class_names=names if task == "classification" else (),
        target_name={"diabetes": "progression"}.get(section.name, ""),
        feature_names=() if section.name == "digits" else tuple(str(name) for name in bunch.feature_names),
        notes=parts.notes,
    )
