"""Whether a planted fault hurts: only then does it count as one.

After the mutation testing of deep learning, where a mutant is killed if the scores of its trainings differ from those
of the original with statistical significance and an effect that is not small: Jahangirova & Tonella (2020), "An
empirical evaluation of mutation operators for deep learning systems", ICST; Humbatova, Jahangirova & Tonella (2021),
"DeepCrime: mutation testing of deep learning systems based on real faults", ISSTA. They fit a generalised linear
model at p < 0.05 and ask for Cohen's d >= 0.5. Here an exact permutation test takes the model's place, as it holds for
five seeds and for scores of any distribution; a least harm is asked for besides, as the seeds of a small program may
differ so little that a loss of a thousandth is significant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
"""DeepCrime's level. A p equal to it counts: three seeds against three can reach 1/20 and no less."""

LEAST_EFFECT = 0.5
"""DeepCrime's least Cohen's d: a medium effect (Cohen 1988)."""

LEAST_HARM = 0.02
"""Points of accuracy or of R² that a fault must cost."""

WORST = 0.0
"""The score of a training that diverged or was ended by an exception: nothing was learnt.

It is also the floor of all scores. An R² of 0 is that of the mean, and one of -1000 tells of nothing worse than a
failure; left as it is, its spread would hide the effect that it shows.
"""

TOLERANCE = 1e-9
"""Sums of the same scores in another order differ by rounding."""


@dataclass(frozen=True, slots=True)
class Kill:
    """What the scores say of a planted fault."""

    p: float
    """Share of all splits of the pooled scores with at least this harm."""
    effect: float
    """Cohen's d, positive where the fault costs; infinite where the seeds of neither side differ."""
    harm: float
    """Mean score lost."""
    hurts: bool


def counted(score: float, error: str | None = None) -> float:
    """Return a score as it counts: at least ``WORST``, which is also that of a failed training."""
    if error is not None or not math.isfinite(score):
        return WORST
    return max(score, WORST)


def decidable(healthy: int, faulty: int) -> bool:
    """Say whether so many trainings could show harm at all, if each faulty one were worse than each healthy one."""
    return min(healthy, faulty) > 0 and 1 / math.comb(healthy + faulty, faulty) <= ALPHA + TOLERANCE


def killed(healthy: Sequence[float], faulty: Sequence[float]) -> Kill:
    """Test whether faulty trainings score lower than healthy ones of the same program.

    Args:
        healthy: One score per seed, at most 1; nan or infinite: the training failed.
        faulty: The same of trainings with the fault. All splits are gone through: 252 for five against five.
    """
    if not healthy or not faulty:
        return Kill(p=1.0, effect=0.0, harm=0.0, hurts=False)
    good = np.array([counted(score) for score in healthy])
    bad = np.array([counted(score) for score in faulty])
    harm = float(good.mean() - bad.mean())
    p, effect = _p(good, bad), _effect(good, bad)
    hurts = p <= ALPHA + TOLERANCE and effect >= LEAST_EFFECT and harm >= LEAST_HARM - TOLERANCE
    return Kill(p, effect, harm, hurts)


def _p(good: NDArray[np.float64], bad: NDArray[np.float64]) -> float:
    # With the pool's sum fixed, harm grows as the faulty side's sum falls: one sum per split is enough.
    pool = np.concatenate([good, bad])
    splits = np.array(list(combinations(range(len(pool)), len(bad))))
    return float((pool[splits].sum(axis=1) <= bad.sum() + TOLERANCE).mean())


def _effect(good: NDArray[np.float64], bad: NDArray[np.float64]) -> float:
    harm = float(good.mean() - bad.mean())
    squares = float(((good - good.mean()) ** 2).sum() + ((bad - bad.mean()) ** 2).sum())
    spread = math.sqrt(squares / max(len(good) + len(bad) - 2, 1))
    if spread > TOLERANCE:
        return harm / spread
    return 0.0 if abs(harm) <= TOLERANCE else math.copysign(math.inf, harm)
