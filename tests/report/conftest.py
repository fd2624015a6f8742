"""One judged run in each state that reports must tell apart."""

import math

import numpy as np
import pytest

from dlcheck.findings import Crashed, Finding, NotChecked, Outcome, Remedy, Severity, Where
from dlcheck.report import Report
from dlcheck.runs import Part, Run, scalar_frame

EPOCHS = np.arange(1.0, 11.0)


@pytest.fixture
def sick() -> Report:
    """Return a run with a primary finding, one it explains, and rules that were not checked or crashed."""
    overfit = Finding(
        code="C409",
        name="overfit",
        severity=Severity.WARNING,
        confidence=0.95,
        summary="val_loss rose over the last 6 validations while train_loss fell from 2.3 to 0.05",
        evidence={"best_epoch": 4, "best_val_loss": 0.52, "worst": math.inf, "p": None, "worsens": True},
        where=Where(metric="val_loss", step=40, epoch=4),
        cause="the network learns what holds for the training samples alone",
        remedies=(
            Remedy("stop early", {"train.patience": 5, "train.restore_best": True}),
            Remedy("more data"),
        ),
        references=("Prechelt 1998",),
    )
    late = Finding(
        "C411", "stopped-late", Severity.INFO, 0.9, "60% of the run came after", {}, primary=False, explained_by="C409"
    )
    outcome = Outcome(
        findings=(overfit, late),
        clean=("C401", "C402"),
        not_checked=(
            NotChecked("G303", "no layer_grad_norm in this run", "dlcheck watch SCRIPT"),
            NotChecked("G304", "no layer_grad_norm in this run", "dlcheck watch SCRIPT"),
            NotChecked("C406", "only 2 finite values of val_loss; 3 are needed"),
        ),
        crashed=(Crashed("X901", "ValueError: odd"),),
    )
    parts = [
        Part("train", "loss", 2.3 / EPOCHS, 10 * EPOCHS, EPOCHS),
        Part("val", "loss", np.abs(EPOCHS - 4) / 10 + 0.5, 10 * EPOCHS, EPOCHS),
        Part("val", "accuracy", EPOCHS / 20, 10 * EPOCHS, EPOCHS),
        Part("train", "lr", np.full(100, 0.1), np.arange(1.0, 101), np.repeat(EPOCHS, 10)),
    ]
    run = Run(
        scalars=scalar_frame(parts),
        facts={"trivial_loss": 2.3},
        meta={"format": "dlcheck-run", "recipe": {"optimizer": {"lr": 0.1}}, "inferred": {"step": "optimizer steps"}},
    )
    return Report("runs/digits", run, outcome, "sick")


@pytest.fixture
def hostile() -> Report:
    """Return a run whose every word tries to be taken for markup, an escape, or HTML."""
    evil = "\x1b[31m[bold]<script>alert(1)</script>\n&\x07"
    finding = Finding(
        code="C401",
        name="nan-loss",
        severity=Severity.ERROR,
        confidence=0.99,
        summary=evil,
        evidence={evil: evil},
        where=Where(layer=evil, file=evil, line=3),
        cause=evil,
        remedies=(Remedy(evil, {evil: evil}),),
        references=(evil,),
    )
    outcome = Outcome((finding,), (), (NotChecked(evil, evil, evil),), (Crashed(evil, evil),))
    scalars = scalar_frame([Part("val", evil, EPOCHS, EPOCHS, EPOCHS), Part("val", "loss", EPOCHS, EPOCHS, EPOCHS)])
    meta = {"format": evil, "recipe": {evil: evil}, "inferred": {evil: evil}}
    return Report(evil, Run(scalars=scalars, facts={evil: evil}, meta=meta), outcome, "sick")


@pytest.fixture
def unknown() -> Report:
    """Return a run about which nothing is known."""
    outcome = Outcome(not_checked=(NotChecked("C401", "no loss in this run", "dlcheck train RECIPE"),))
    return Report("metrics.csv", Run(), outcome, "unknown")
