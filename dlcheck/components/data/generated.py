"""Points drawn from a simple law."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dlcheck.components.data.divide import divide
from dlcheck.components.data.label import choose_task
from dlcheck.components.data.samples import TensorSamples
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.components.data.split import Traits
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import GeneratedData


@DATA.register(GeneratedData)
def generate(section: GeneratedData, request: Request) -> Source:
    """Draw ``data.samples`` points: (samples, 2) for moons and circles, else (samples, ``data.features``).

    ``linear`` predicts a weighted sum of the features plus noise; the others are classes.

    Raises:
        DlcheckError: classes are asked of ``linear``.
    """
    task = choose_task(section, section.name != "linear")
    if task == "classification" and section.name == "linear":
        raise DlcheckError('data.task = "classification": linear has numbers to predict; valid: blobs, moons, circles')
    x, y = _draw(section)
    classes = y if section.name != "linear" else None
    count = section.classes if section.name == "blobs" else 2
    target = torch.as_tensor(y)
    target = target.long() if task == "classification" else target.float().reshape(-1, 1)
    parts = divide(TensorSamples((torch.as_tensor(x).float(),), target), request, Traits(len(x), classes))
    return Source(
        task,
        parts.train,
        parts.val,
        parts.test,
        outputs=count if task == "classification" else 1,
        class_names=tuple(str(i) for i in range(count)) if task == "classification" else (),
        notes=parts.notes,
    )


def _draw(section: GeneratedData) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    from sklearn.datasets import make_blobs, make_circles, make_moons

    seed = section.seed % (1 << 32)
    if section.name == "moons":
        points = make_moons(section.samples, noise=section.noise, random_state=seed)
    elif section.name == "circles":
        points = make_circles(section.samples, noise=section.noise, factor=0.5, random_state=seed)
    elif section.name == "blobs":
        points = make_blobs(
            section.samples,
            section.features,
            centers=section.classes,
            cluster_std=section.noise,
            random_state=seed,
        )
    else:
        points = _linear(section, seed)
    x, y = points
    return x, y


def _linear(section: GeneratedData, seed: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((section.samples, section.features))
    weights = generator.standard_normal(section.features)
    return x, x @ weights + section.noise * generator.standard_normal(section.samples)
