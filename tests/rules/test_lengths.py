"""Short and long runs, rows in any order, and what is measured once."""

from dataclasses import replace

import numpy as np

from dlcheck.rules import diagnose, verdict
from dlcheck.runs import Part, Run, scalar_frame
from tests.rules.examples import EPOCHS, FALLING, FLAT, make_run, wobble


def codes(run: Run, code: str) -> list[str]:
    return [item.code for item in diagnose(run, select=[code]).findings]


def test_five_epochs_get_no_verdict() -> None:
    outcome = diagnose(make_run({"train_loss": FALLING[:5], "val_loss": FALLING[:5] + 0.1}))
    assert verdict(outcome) == "unknown"
    assert not outcome.crashed
    assert "C409" in {item.code for item in outcome.not_checked}


def test_a_run_of_200_000_steps_is_judged_like_a_short_one() -> None:
    def run(count: int) -> Run:
        share = np.linspace(0, 1, count)
        loss = 0.1 + 2 * np.exp(-6 * share)
        val = 0.4 + 2 * np.exp(-12 * share) + 0.6 * share
        return make_run({"train_loss": loss + wobble(0.005, 0, count), "val_loss": val + wobble(0.005, 1, count)})

    short, long = (diagnose(run(count)) for count in (200, 200_000))
    assert {item.code for item in short.findings} == {item.code for item in long.findings}
    assert "C409" in {item.code for item in long.findings}


def test_rows_of_several_series_may_lie_mixed() -> None:
    parts = [
        Part(split, "loss", np.array([value]), np.array([step]))
        for step, value in zip(10 * EPOCHS, FALLING, strict=True)
        for split in ("train", "val")
    ]
    mixed = Run(scalars=scalar_frame(parts))
    (lacking,) = diagnose(mixed, select=["C409"]).not_checked
    assert lacking.why == "training and validation loss were logged with the same values"
    assert codes(mixed, "C402") == []


def test_what_is_measured_once_belongs_to_its_own_run() -> None:
    run = make_run({"train_loss": FLAT})
    assert codes(run, "C406") == ["C406"]
    assert codes(replace(run, facts={"trivial_loss": 9.0}), "C406") == []
    assert codes(make_run({"train_loss": FALLING}), "C406") == []
