"""P507."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import finite
from dlcheck.rules.speed.picture import sound
from dlcheck.rules.speed.trials import MOST_RATIO, key_of, shown
from dlcheck.runs import Run
from dlcheck.runs.facts import ComputeTrial, ComputeTrials

PRECISIONS = ("bf16", "fp16", "tf32")


@rule(
    "P507",
    "precision-unused",
    Severity.INFO,
    needs=("compute_trials",),
    thresholds={
        "gain": Threshold(1.1, "a tenth faster, the whole interval: less is lost to the first odd operation"),
        "large": Threshold(1.5, "half as fast again: hours of every day, on hardware that has it built in"),
    },
    references=(
        "Micikevicius et al. 2018, Mixed Precision Training, arXiv:1710.03740",
        "PyTorch documentation, Automatic Mixed Precision; CUDA semantics (TensorFloat-32)",
    ),
)
def precision_unused(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a lower precision that was measured to be faster, at the same loss.

    What it finds:
        bf16, fp16 or TF32, tried in turns with the present precision on the same batches: the whole 95 %
        interval of the gain lies above the threshold, and the losses agree. A warning on a GPU where the gain
        is large.
    Why it matters:
        Units for these precisions lie idle, and memory that would hold larger batches is full of zeros.
    What to do:
        Set train.precision to bf16 where the device has it (no loss scaling is needed), else fp16 with a
        gradient scaler; or allow TF32 for matrix products.
    Limits:
        The gain is that of the computation: behind a slow loader it is none until that is mended. A few steps
        of equal loss do not prove that a long training ends the same.
    Thresholds:
        gain: Lower end of the interval of the gain.
        large: The same for a warning, on a GPU only.
    Sources:
        Micikevicius et al. 2018, arXiv:1710.03740; PyTorch documentation, Automatic Mixed Precision.
    """
    tried = measured(run, ComputeTrials)
    better = [trial for trial in tried.trials if _better(trial, limits)]
    if better:
        yield _finding(run, tried, max(better, key=lambda trial: trial.low or 0.0), limits)


def _better(trial: ComputeTrial, limits: Limits) -> bool:
    low = sound(trial.low, MOST_RATIO)
    return trial.name in PRECISIONS and trial.same_loss is True and low is not None and low >= limits["gain"]


def _finding(run: Run, tried: ComputeTrials, trial: ComputeTrial, limits: Limits) -> Finding:
    large = tried.device.startswith("cuda") and (trial.low or 0.0) >= limits["large"]
    key = key_of(trial)
    text = f"train in {trial.name}"
    return precision_unused.finding(
        f"the computation is {shown(trial)} in {trial.name}, at the same loss",
        severity=Severity.WARNING if large else Severity.INFO,
        confidence=0.85,
        evidence={
            "precision": trial.name,
            "faster": finite(trial.ratio),
            "faster_low": finite(trial.low),
            "faster_high": finite(trial.high),
        },
        cause="a precision that is higher than the training needs",
        remedies=(patched(run, text, key) if key else Remedy(text),),
    )
