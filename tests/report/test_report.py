import numpy as np
import pytest

from dlcheck.report import Report, loss_series, metric_series
from dlcheck.report.plain import printable
from dlcheck.report.report import rate_series, x_label
from dlcheck.runs import Part, Run, scalar_frame


def test_steps_of_an_epoch_are_spread_over_it(sick: Report) -> None:
    (rate,) = rate_series(sick.run)
    assert x_label(sick.run) == "epoch"
    np.testing.assert_allclose(rate.x[:11], [*np.arange(1, 11) / 10, 1.1])
    assert rate.x[-1] == 10


@pytest.mark.parametrize(("first", "expected"), [(0, [0.5, 1, 1.5, 2]), (1, [0.5, 1, 1.5, 2]), (7, [6.5, 7, 7.5, 8])])
def test_epochs_may_be_counted_from_anywhere(first: int, expected: list[float]) -> None:
    epochs = np.repeat([first, first + 1.0], 2)
    (rate,) = rate_series(Run(scalars=scalar_frame([Part("train", "lr", epochs, epochs, epochs)])))
    assert rate.x.tolist() == expected


def test_without_epochs_curves_lie_along_steps() -> None:
    steps = np.array([10.0, 20.0])
    run = Run(scalars=scalar_frame([Part("train", "batch_loss", np.array([2.0, 1.0]), steps)]))
    (series,) = loss_series(run)
    assert (series.label, series.x.tolist(), x_label(run)) == ("batch_loss", [10, 20], "step")


def test_without_either_they_lie_along_their_ranks() -> None:
    run = Run(scalars=scalar_frame([Part("val", "loss", np.array([2.0, 1.0]))]))
    assert loss_series(run)[0].x.tolist() == [1, 2]


def test_the_metric_is_the_one_that_the_run_names() -> None:
    values = np.array([1.0, 2.0])
    parts = [Part(split, name, values, values, values) for split in ("train", "val") for name in ("f1", "accuracy")]
    scalars = scalar_frame(parts)
    assert [item.label for item in metric_series(Run(scalars=scalars))] == ["train_f1", "val_f1"]
    named = metric_series(Run(scalars=scalars, facts={"metric": "accuracy"}))
    assert [item.label for item in named] == ["train_accuracy", "val_accuracy"]
    assert metric_series(Run()) == []


def test_printable_leaves_nothing_that_moves_a_cursor() -> None:
    assert printable("fc\x1b]0;x\x07\r\n\u202eé") == "fc\\x1b]0;x\\x07  \\x202eé"
