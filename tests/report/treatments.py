"""Treatments made by hand, one of each ending, for the tests of their reports."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from dlcheck.findings import Effect, Finding, Outcome, Remedy, Severity, Where
from dlcheck.report import Report
from dlcheck.report.treated import Attempt, Change, Ending, Fate, Proof, Round, Treated, Yours
from dlcheck.runs import Part, Run, scalar_frame

NAN = math.nan
HIGH = Finding(
    "C404",
    "learning-rate-too-high",
    Severity.ERROR,
    0.95,
    "the loss rose from 2.3 to 41 in the first 60 steps and never came back",
    {"lr": 30.0, "first_loss": 2.3},
    Where(metric="train_loss", step=20, epoch=2),
    cause="each step overshoots",
    remedies=(Remedy("a tenth of the rate", {"optimizer.lr": 3.0}, (Effect("train_loss", "falls"),), "optimizer.lr"),),
)
OVERFIT = Finding("C409", "overfit", Severity.WARNING, 0.9, "val_loss rose while train_loss fell", {}, Where(epoch=7))
LEAK = Finding("D106", "train-val-leak", Severity.ERROR, 1.0, "12 validation samples are in the training data", {})


def report(score: float, *findings: Finding, epochs: int = 20) -> Report:
    at = np.arange(1.0, epochs + 1)
    learnt = score * (1 - np.exp(-at / 4))
    loss = 2.3 - 2.2 * learnt
    parts = [
        Part("train", "loss", loss * 0.9, 10 * at, at),
        Part("val", "loss", loss, 10 * at, at),
        Part("val", "accuracy", learnt, 10 * at, at),
    ]
    run = Run(scalars=scalar_frame(parts), facts={"metric": "accuracy", "metric_greater_is_better": True})
    sick = any(one.severity >= Severity.WARNING for one in findings)
    return Report("digits-mlp", run, Outcome(findings, ("C401",)), "sick" if sick else "healthy")


def proof(before: tuple[float, ...], after: tuple[float, ...], low: float, high: float, *, better: bool) -> Proof:
    pairs = [new - old for old, new in zip(before, after, strict=True) if math.isfinite(new - old)]
    middle = sum(pairs) / len(pairs) if pairs else NAN
    seeds = tuple(range(len(before)))
    return Proof("val_accuracy", True, seeds, before, after, middle, low, high, 0.95, better)


SURE = proof((0.921, 0.93, 0.918, 0.925, 0.92), (0.962, 0.97, 0.964, 0.961, 0.962), 0.029, 0.053, better=True)
UNSURE = proof((0.92, 0.93), (0.93, 0.925), -0.06, 0.065, better=False)
REVIVED = proof((NAN, NAN), (0.95, 0.96), NAN, NAN, better=True)
RATE = Change("optimizer.lr", 30.0, 0.05, "C404 learning-rate-too-high: the loss rose from 2.3 to 41")
CLIP = Change("train.clip_norm", None, 1.0, "C404 learning-rate-too-high")
ATTEMPTS = (
    Attempt("clip the gradient", (CLIP,), Fate.NO_BETTER, "", "remedy", (), UNSURE, 4.0),
    Attempt(
        "a warm-up", (Change("schedule.warmup", 0, 100, ""),), Fate.LOST, "others were ahead", short=((0.25, 0.4),)
    ),
    Attempt("half precision off", (), Fate.DIED, "its loss was not finite", cost=0.5),
    Attempt("a tenth of the rate", (RATE,), Fate.KEPT, "", "lr-find", ((0.25, 0.8),), SURE, 5.0),
)
DIFF = """--- digits-mlp.toml
+++ cured.toml
@@ -1,3 +1,4 @@
 [optimizer]
-lr = 30.0
+# dlcheck treat: was 30.0; C404 learning-rate-too-high
+lr = 0.05
"""
CURED = Treated(
    name="digits-mlp",
    source="digits-mlp.toml",
    folder=Path("dlcheck-runs/digits-mlp-treat"),
    ending=Ending.CURED,
    metric="val_accuracy",
    greater_is_better=True,
    before=report(0.92, HIGH),
    after=report(0.97),
    rounds=(Round(HIGH, ATTEMPTS),),
    changes=(RATE,),
    proof=SURE,
    cured=Path("dlcheck-runs/digits-mlp-treat/cured.toml"),
    diff=DIFF,
    cost=12.4,
    seconds=61.4,
    notes=("augmentation was not examined",),
    costs={"diagnosis": 1.0, "search": 0.4, "short runs": 1.0, "proof": 10.0},
)
NOTHING = replace(
    CURED, after=None, rounds=(), changes=(), proof=None, cured=None, diff="", notes=(), cost=1.0, costs={}
)
PLAN = (replace(ATTEMPTS[3], fate=Fate.NOT_TRIED, proof=None, short=(), cost=0.0, reason="its value by a range test"),)
ROWS = Yours(LEAK, "take these out of one of the two", Path("dlcheck-runs/digits-mlp-treat/D106.csv"), 12)
HIDDEN = Attempt(
    "stop earlier", (Change("train.patience", None, 3, ""),), Fate.HIDES, "C409 is not found any more", proof=UNSURE
)
TREATMENTS = {
    "cured": CURED,
    "healthy": replace(NOTHING, ending=Ending.HEALTHY, before=report(0.97)),
    "improved": replace(CURED, ending=Ending.IMPROVED, after=report(0.95, OVERFIT), yours=(ROWS,)),
    "revived": replace(CURED, proof=REVIVED),
    "not-cured": replace(
        NOTHING, ending=Ending.NOT_CURED, before=report(0.9, OVERFIT), rounds=(Round(OVERFIT, (HIDDEN, ATTEMPTS[0])),)
    ),
    "yours": replace(NOTHING, ending=Ending.YOURS, before=report(0.9, LEAK), yours=(ROWS,)),
    "planned": replace(NOTHING, ending=Ending.PLANNED, plan=PLAN),
    "budget": replace(NOTHING, ending=Ending.BUDGET),
    "interrupted": replace(NOTHING, ending=Ending.INTERRUPTED, plan=PLAN),
    "error-metric": replace(
        CURED,
        metric="val_mae",
        proof=Proof("val_mae", False, (0, 1), (70.1, 71.3), (49.9, 50.6), -20.45, -24.0, -16.9, 0.95, True),
    ),
}
