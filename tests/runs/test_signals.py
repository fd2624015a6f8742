import numpy as np
import pytest

from dlcheck.runs import Part, Run, layer_frame, phase_frame, scalar_frame
from dlcheck.runs.signals import SIGNALS, column_signal, lower_is_better

VALUES = np.array([np.nan])


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=str)
def test_a_signal_is_present_exactly_when_it_was_measured(signal: object) -> None:
    from dlcheck.runs.signals import Signal

    assert isinstance(signal, Signal)
    metric = "accuracy" if signal.metric == "*" else signal.metric
    runs = {
        "scalar": Run(scalars=scalar_frame([Part(signal.split, metric, VALUES)])),
        "layer": Run(layers=layer_frame({"step": [1], "layer": ["a"], "statistic": [metric], "value": [1]})),
        "phase": Run(phases=phase_frame({"step": [1], "phase": [metric], "seconds": [0.1]})),
        "fact": Run(facts={metric: None}),
    }
    assert {kind for kind, run in runs.items() if signal.present(run)} == {signal.kind}
    assert not signal.present(Run())
    assert signal.unit
    assert signal.meaning
    assert signal.supply.startswith("dlcheck ")


def test_the_loss_is_not_any_other_metric() -> None:
    run = Run(scalars=scalar_frame([Part("val", "loss", VALUES)]))
    assert not SIGNALS["val_metric"].present(run)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("train_loss", ("train", "loss")),
        ("train_eval_accuracy", ("train_eval", "accuracy")),
        ("val_loss", ("val", "loss")),
        ("test_mae", ("test", "mae")),
        ("lr", ("train", "lr")),
    ],
)
def test_columns_name_their_signal(column: str, expected: tuple[str, str]) -> None:
    assert column_signal(column) == expected


@pytest.mark.parametrize(
    ("metric", "lower"),
    [("mae", True), ("loss", True), ("word_error_rate", True), ("accuracy", False), ("r2", False)],
)
def test_the_direction_of_a_metric(metric: str, lower: bool) -> None:
    assert lower_is_better(metric) is lower


def test_the_run_knows_the_direction_of_its_metric_better_than_its_name_tells() -> None:
    run = Run(facts={"metric": "score", "metric_greater_is_better": False})
    assert lower_is_better("score", run)
    assert not lower_is_better("score")
    assert lower_is_better("mae", run)
