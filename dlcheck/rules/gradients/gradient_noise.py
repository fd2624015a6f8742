"""G314."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.course import signal_series
from dlcheck.rules.loss_state import loss_state
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import TRAINS, rate
from dlcheck.rules.remedy import recipe_value
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.runs import Run
from dlcheck.runs.facts import BatchNormBatches, fact

REMEDIES = (Prescription("use batches four times as large", {"train.batch_size": "*4"}, expects=TRAINS), rate(0.3))


@rule(
    "G314",
    "gradient-noise",
    Severity.INFO,
    needs=("gradient_noise", ("train_loss", "train_eval_loss", "batch_loss")),
    thresholds={
        "times": Threshold(20.0, "McCandlish et al. 2018: far below the noise scale more samples cost no more steps"),
        "least_values": Threshold(8, "single estimates of the noise scale vary several-fold"),
        "gained": Threshold(0.5, "half of the loss: near the end of a good run noise always prevails"),
    },
    references=("McCandlish et al. 2018, An Empirical Model of Large-Batch Training, arXiv:1812.06162",),
    prescriptions=REMEDIES,
)
def gradient_noise(run: Run, limits: Limits) -> Iterator[Finding]:
    """Mention a batch so small that the gradient is mostly noise while the loss is far from done.

    What it finds:
        A noise scale (the batch size at which noise and gradient are equally large) far above the batch size,
        as the median of many estimates in the first half of the run, of a run that has not yet gained half of
        its loss.
    Why it matters:
        Averaging over more samples would let the rate be raised, and use the hardware better.
    What to do:
        Raise the batch size, or accumulate gradients over several batches, and the rate with it.
    Limits:
        The noise scale rises as training goes on, and differs between optimizers; small batches are often
        chosen for the quality of the result. Never more than worth knowing.
    Thresholds:
        times: Noise scale over the batch size.
        least_values: Fewer estimates are not judged.
        gained: Share of the start that the loss may have gained.
    Sources:
        McCandlish et al. 2018, arXiv:1812.06162 (simple noise scale).
    """
    noise = signal_series(run, "gradient_noise").finite
    batch = batch_size(run)
    if batch is None:
        raise Unchecked("the batch size is not known", "dlcheck train RECIPE")
    early = noise.values[: (len(noise) + 1) // 2]
    if len(early) < limits["least_values"]:
        raise Unchecked(f"only {len(noise)} estimates of the noise scale; {2 * limits['least_values']:g} are needed")
    scale, loss = float(np.median(early)), loss_state(run)
    if loss is None or not loss.stuck(limits["gained"]) or not limits["times"] * batch < scale < 1e300:
        return
    yield gradient_noise.finding(
        f"noise and gradient would be equally large at a batch of {scale:.3g} samples; this run has {batch:g}",
        confidence=0.7,
        evidence={"noise_scale": scale, "batch_size": batch, "estimates": len(noise), "gained_share": loss.kept},
        where=Where(metric="gradient_noise", step=noise.place(0)[0]),
        cause="few samples in a step, or labels that contradict each other",
        remedies=(
            Remedy(f"raise the batch size, up to about {min(scale, 1e9):.2g}, or accumulate gradients over batches"),
            *prescribed(run, *REMEDIES),
        ),
    )


def batch_size(run: Run) -> float | None:
    """Return the number of samples in a step, from the recipe or a monitor; None when neither tells it."""
    recipe = recipe_value(run, "train", "batch_size")
    if isinstance(recipe, int | float) and not isinstance(recipe, bool) and recipe > 0:
        batches = recipe_value(run, "train", "accumulate")
        return float(recipe) * (batches if isinstance(batches, int) and batches > 0 else 1)
    known = run.number("batch_size")
    seen = fact(run, BatchNormBatches)
    found = known if known is not None else (float(seen.batch) if seen is not None else None)
    return found if found is not None and found > 0 else None
