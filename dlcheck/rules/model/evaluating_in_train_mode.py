"""M212."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, finite, listed, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import EvaluationMode


@rule(
    "M212",
    "evaluating-in-train-mode",
    Severity.WARNING,
    needs=("evaluation_mode",),
    thresholds={
        "share": Threshold(0.1, "a pass now and then is a trial of shapes or a drawing of the graph"),
        "differs": Threshold(0.5, "Ben Braiek & Khomh 2023, TheDeepChecker: modes whose losses differ by half"),
        "alike": Threshold(0.01, "a hundredth is less than validation sets of usual size can show"),
    },
    references=(
        "PyTorch documentation, torch.nn.Module.eval",
        "Ben Braiek & Khomh 2023, TheDeepChecker, ACM TOSEM",
        "Karpathy 2018, the most common neural net mistakes",
    ),
)
def evaluating_in_train_mode(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find evaluation while dropout or batch normalisation are in training mode.

    What it finds:
        Forward passes without a backward pass, on data that is not trained on, with dropout or batch-norm
        modules in training mode.
    Why it matters:
        Dropout makes answers random and worse; batch normalisation makes each depend on its batch, and takes
        the validation data into its running statistics. The numbers are not those of the trained network.
    What to do:
        Call model.eval() before evaluation and model.train() before training goes on.
    Limits:
        The same batch several times (Monte-Carlo dropout) and batch norms alone in training mode (statistics
        estimated anew) are meant. A network without such modules is the same in both modes.
    Thresholds:
        share: Passes in training mode among those of evaluation, at least.
        differs: Relative difference of the loss between both modes that makes it an error.
        alike: Relative difference below which dropout is only told.
    Sources:
        PyTorch documentation, torch.nn.Module.eval; Ben Braiek & Khomh 2023, ACM TOSEM; Karpathy 2018.
    """
    seen = measured(run, EvaluationMode)
    meant = seen.repeated or seen.stateful_only_batchnorm
    differs = seen.batchnorm or seen.dropout or bool(seen.modules)
    if meant or not differs or share(seen.in_train_mode, seen.passes) < limits["share"]:
        return
    yield _finding(seen, _severity(seen, limits))


def _severity(seen: EvaluationMode, limits: Limits) -> Severity:
    difference = finite(seen.loss_difference)
    if difference is not None and abs(difference) >= limits["differs"]:
        return Severity.ERROR
    if difference is not None and abs(difference) < limits["alike"] and not seen.batchnorm:
        return Severity.INFO
    return Severity.WARNING


def _finding(seen: EvaluationMode, severity: Severity) -> Finding:
    kinds = [name for name, there in (("dropout", seen.dropout), ("batch normalisation", seen.batchnorm)) if there]
    which = " and ".join(kinds) or "such modules"
    return evaluating_in_train_mode.finding(
        f"{seen.in_train_mode} of {seen.passes} evaluation passes ran with {which} in training mode{at(seen.site)}",
        severity=severity,
        confidence=0.9 if seen.explicit else 0.93,
        evidence={
            "passes": seen.passes,
            "in_train_mode": seen.in_train_mode,
            "modules": listed(seen.modules) if seen.modules else None,
            "loss_difference": finite(seen.loss_difference),
            "eval_called": seen.explicit,
        },
        where=site_where(seen.site, layer=seen.modules[0] if seen.modules else None),
        cause="model.eval() is not in force there" if seen.explicit else "model.eval() is never called",
        remedies=(
            Remedy("call model.eval() right before the evaluation loop, and model.train() after it"),
            Remedy("evaluate within torch.no_grad() as well, which saves time and memory but changes no mode"),
        ),
    )
