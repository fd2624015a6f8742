"""M213."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, listed, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import TrainingMode


@rule(
    "M213",
    "training-in-eval-mode",
    Severity.WARNING,
    needs=("training_mode",),
    thresholds={
        "share": Threshold(0.05, "single steps in evaluation mode are trials (adversarial samples, a first probe)"),
        "steps": Threshold(3, "the same"),
    },
    references=(
        "PyTorch documentation, torch.nn.Module.train",
        "Tobin 2021, Full Stack Deep Learning, lecture 7 (train and evaluation mode among the five usual faults)",
    ),
)
def training_in_eval_mode(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find training steps made while dropout or batch normalisation were in evaluation mode.

    What it finds:
        Steps in which dropout or batch-norm modules of the network that trains were in evaluation mode: from
        the first step on, or since the first evaluation, after which model.train() was not called again.
    Why it matters:
        Dropout then regularises nothing. Batch normalisation uses statistics that are those of the start, or
        never follow: it no longer normalises what the network makes of the data.
    What to do:
        Call model.train() at the beginning of every epoch, after each evaluation.
    Limits:
        Batch norms or other parts in evaluation mode, in a network that itself is in training mode, are frozen
        on purpose, as in fine-tuning. A network without such modules is the same in both modes.
    Thresholds:
        share: Share of steps in evaluation mode, at least.
        steps: Their number, at least.
    Sources:
        PyTorch documentation, torch.nn.Module.train; Tobin 2021, Full Stack Deep Learning, lecture 7.
    """
    seen = measured(run, TrainingMode)
    modules = seen.dropout or seen.batchnorm or bool(seen.modules)
    few = seen.in_eval_mode < limits["steps"] or share(seen.in_eval_mode, seen.steps) < limits["share"]
    if not modules or seen.only_batchnorm or seen.partly or few:
        return
    yield _finding(seen)


def _finding(seen: TrainingMode) -> Finding:
    kinds = [name for name, there in (("dropout", seen.dropout), ("batch normalisation", seen.batchnorm)) if there]
    which = " and ".join(kinds) or listed(seen.modules)
    cause = (
        "model.train() is never called: pretrained models and evaluation leave a network in evaluation mode"
        if seen.never_trained_mode
        else "an evaluation called model.eval(), and model.train() is not called again after it"
    )
    since = "" if seen.first_step is None else f", first at step {seen.first_step}"
    return training_in_eval_mode.finding(
        f"{seen.in_eval_mode} of {seen.steps} training steps ran with {which} in evaluation mode{since}{at(seen.site)}",
        confidence=0.92,
        evidence={
            "steps": seen.steps,
            "in_eval_mode": seen.in_eval_mode,
            "first_step": seen.first_step,
            "modules": listed(seen.modules) if seen.modules else None,
        },
        where=site_where(seen.site, layer=seen.modules[0] if seen.modules else None, step=seen.first_step),
        cause=cause,
        remedies=(
            Remedy("call model.train() at the beginning of each epoch, before its first batch"),
            Remedy("to freeze batch norms on purpose, call model.train() first and then eval() on them alone"),
        ),
    )
