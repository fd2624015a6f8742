"""What to train of a pre-trained network, by how much data there is and how similar it is."""

from dataclasses import dataclass
from typing import Final

from dlcheck.components.info import DataInfo
from dlcheck.recipe.model import ModelSection

LITTLE: Final = 1000
"""Samples per class below which data is called little: the classes of the data that most trained weights come from
have 732 to 1300 images each (Russakovsky et al. 2015, "ImageNet large scale visual recognition challenge",
arXiv:1409.0575); with fewer, the whole network is likelier to learn the samples by heart."""

FINE_TUNING_FACTOR: Final = 0.1
FEW_STAGES: Final = 2


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do in this case, and whether the recipe does it."""

    case: str
    """As ``"little data, similar to the source"``."""
    advice: str
    why: str
    agrees: bool
    """Whether ``train_stages`` and ``body_lr_factor`` follow the advice, or one of two."""


@dataclass(frozen=True, slots=True)
class _Case:
    advice: str
    why: str
    stages: str
    """``head``, ``some`` or ``all``: what should learn."""
    slow_body: bool = False


_CASES: Final = {
    (True, "similar"): _Case(
        'train the head only (train_stages = "head")',
        "the features fit already, and the samples are too few to change them without overfitting",
        "head",
    ),
    (False, "similar"): _Case(
        'fine-tune everything with a slower body (train_stages = "all", body_lr_factor = 0.1)',
        "there are samples enough to adapt features that are nearly right, in small steps",
        "all",
        slow_body=True,
    ),
    (True, "different"): _Case(
        f"train the head and a few last stages (train_stages = {FEW_STAGES})",
        "early features are general, the last ones belong to the source; the samples are too few for all of them",
        "some",
    ),
    (False, "different"): _Case(
        'train everything from the trained weights (train_stages = "all")',
        "there are samples enough to learn new features, and trained weights are still the better start",
        "all",
    ),
}


def transfer_advice(section: ModelSection, info: DataInfo) -> Advice | None:
    """Return what is advised for trained weights on this data; None for a model without trained weights.

    The four cases of Stanford's CS231n notes, "Transfer learning": little or much data, similar to that of the
    trained weights or different. Little is less than 1000 training samples per class. When ``model.source`` is
    unknown, both answers are given. See Yosinski et al. 2014, arXiv:1411.1792, on which layers are general.
    """
    if section.weights is None:
        return None
    per_class = info.sizes.get("train", 0) / max(1, len(info.class_counts))
    little = per_class < LITTLE
    amount = f"{'little' if little else 'much'} data ({per_class:.0f} training samples per class)"
    if section.source != "unknown":
        case = _CASES[little, section.source]
        return Advice(f"{amount}, {section.source} to the source", case.advice, case.why, _follows(section, case))
    similar, different = _CASES[little, "similar"], _CASES[little, "different"]
    return Advice(
        f"{amount}, of unknown similarity to the source (set model.source)",
        f"if the data is similar: {similar.advice}; if it is different: {different.advice}",
        f"similar: {similar.why}; different: {different.why}",
        _follows(section, similar) or _follows(section, different),
    )


def _follows(section: ModelSection, case: _Case) -> bool:
    stages = "some" if isinstance(section.train_stages, int) else section.train_stages
    slow = section.body_lr_factor <= FINE_TUNING_FACTOR
    return stages == case.stages and (slow or not case.slow_body)
