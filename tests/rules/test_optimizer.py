"""Rules on noise, replicas and settings of optimizers at their borders."""

import numpy as np
import pytest

from dlcheck.findings import Severity
from dlcheck.rules import diagnose
from dlcheck.runs.facts import LossCall, LossCalls, OptimizerSettings, Replicas
from tests.rules.examples_gradients import (
    LEARNED,
    NOISE,
    STEPS,
    STUCK,
    adam,
    epochs_run,
    live_run,
    settings,
    sgd,
)
from tests.rules.judging import found, why

# ---- G314, G315, G316


def test_gradient_noise_is_judged_against_the_samples_of_a_step() -> None:
    slow = STUCK - 0.002 * STEPS
    assert found(live_run(slow, gradient_noise=NOISE / 50), "G314") is None
    assert why(live_run(slow, gradient_noise=NOISE, recipe=False), "G314") == "the batch size is not known"
    assert why(live_run(slow, gradient_noise=NOISE[:9]), "G314").startswith("only 9 estimates")


@pytest.mark.parametrize(
    ("replicas", "severity"),
    [
        (Replicas(2, 5, 3, 0.1), Severity.ERROR),
        (Replicas(2, 5, 3, 0.1, met_again=True), Severity.INFO),
        (Replicas(2, 5, 5, 0.1, buffers_only=True), None),
        (Replicas(2, 5, 5, 1e-9), None),
    ],
)
def test_replicas(replicas: Replicas, severity: Severity | None) -> None:
    finding = found(live_run(LEARNED, facts=[replicas]), "G315")
    assert (finding.severity if finding else None) == severity


def test_one_process_has_no_replicas() -> None:
    assert why(live_run(LEARNED, facts=[Replicas(1, 5, 0, 0.0)]), "G315") == "the replicas' weights were never compared"


RISING = STUCK * np.linspace(1, 3, 200)
CROSS_ENTROPY = LossCalls((LossCall("cross_entropy", 200, "raw", 200),))


@pytest.mark.parametrize(
    ("given", "severity", "words"),
    [
        (settings(sgd(lr_highest=0.0)), Severity.ERROR, "the learning rate was 0"),
        (settings(sgd(lr_highest=0.0), sgd()), None, ""),  # a part kept still on purpose
        (settings(sgd(momentum=1.0)), Severity.ERROR, "never forgets"),
        (settings(sgd(momentum=0.99)), None, ""),
        (settings(sgd(momentum=0.9995)), Severity.WARNING, "adds up some 2000 gradients"),
        (settings(sgd(momentum=0.9995), steps=20_000), None, ""),
        (settings(adam(momentum=0.9995, beta2=0.9999)), None, ""),
        (settings(adam(momentum=0.999, beta2=0.9)), Severity.WARNING, "averages over less"),
        (settings(adam(momentum=0.5, beta2=0.9)), None, ""),
        (settings(adam(eps=0.0)), Severity.WARNING, "0/0"),
        (settings(adam(eps=1.0)), Severity.INFO, "vanish"),
        (settings(adam(weight_decay=0.1)), Severity.INFO, "added to its gradient"),
        (settings(adam(weight_decay=0.1, decoupled=True)), None, ""),
        (settings(adam(), rebuilt=190), Severity.WARNING, "at nearly every step"),
        (settings(adam(), rebuilt=9, rebuilt_per_epoch=True), Severity.WARNING, "at every epoch"),
        (settings(adam(), rebuilt=2, rebuilt_per_epoch=True), None, ""),
        (settings(sgd(momentum=0.0), rebuilt=190), None, ""),  # nothing to forget
        (settings(adam(), duplicates=4), Severity.INFO, "held twice"),
        (settings(sgd(maximize=True)), None, ""),  # a reward, for all that is known
    ],
)
def test_settings_of_a_run_that_learns(given: OptimizerSettings, severity: Severity | None, words: str) -> None:
    finding = found(live_run(LEARNED, facts=[given]), "G316")
    assert (finding.severity if finding else None) == severity
    assert finding is None or words in finding.summary


def test_maximizing_a_loss() -> None:
    given = settings(sgd(maximize=True))
    both = found(live_run(RISING, facts=[given, CROSS_ENTROPY]), "G316")
    named = found(live_run(LEARNED, facts=[given, CROSS_ENTROPY]), "G316")
    climbs = found(live_run(RISING, facts=[given]), "G316")
    assert both is not None
    assert both.severity is Severity.ERROR
    assert both.summary == "the optimizer maximizes cross_entropy, which climbs"
    assert named is not None
    assert named.severity is Severity.WARNING
    assert climbs is not None
    assert climbs.severity is Severity.WARNING


def test_several_faults_of_one_optimizer_are_one_finding_with_the_worst_first() -> None:
    finding = found(live_run(LEARNED, facts=[settings(sgd(momentum=1.5), adam(eps=1.0))]), "G316")
    assert finding is not None
    assert finding.severity is Severity.ERROR
    assert "eps" not in finding.summary
    assert (finding.where.file, finding.where.line) == ("train.py", 12)


SAWTOOTH = np.tile(np.exp(-np.arange(20) / 6), 10)
LATER = np.repeat(np.arange(10.0), 20)


@pytest.mark.parametrize(
    "loss",
    [
        0.4 + 1.9 * np.exp(-LATER) + 0.2 * SAWTOOTH,  # an epoch begins a little worse, by its order of samples
        np.where(LATER == 0, 0.4 + 1.9 * SAWTOOTH, 0.4 + 6.0 * SAWTOOTH),  # sorted by label: far worse than at first
        np.where(LATER == 5, 0.4 + 1.9 * SAWTOOTH, 0.4),  # one restart
        np.full(200, 2.3),
    ],
    ids=["order", "sorted", "restart", "still"],
)
def test_other_sawteeth_are_no_resets(loss: np.ndarray) -> None:
    assert found(epochs_run(loss), "G318") is None


def test_the_numbers_of_a_reset() -> None:
    finding = found(epochs_run(0.4 + 1.9 * SAWTOOTH), "G318")
    assert finding is not None
    assert (finding.evidence["began_anew"], finding.evidence["epochs"]) == (9, 9)
    assert finding.where.epoch == 2


def test_few_losses_of_few_epochs_tell_no_reset() -> None:
    for run in (epochs_run(0.4 + 1.9 * SAWTOOTH, epoch=4), epochs_run(0.4 + 1.9 * SAWTOOTH[:60])):
        (lacking,) = diagnose(run, select=["G318"]).not_checked
        assert lacking.why.startswith("fewer than 4 epochs")
