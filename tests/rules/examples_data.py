"""A sick and a healthy run for every rule of the family D1."""

import numpy as np

from dlcheck.runs import Run
from dlcheck.runs.facts import (
    ClassBalance,
    ConstantFeatures,
    InputValues,
    LabelNoise,
    LabelOrder,
    LabelRange,
    LabelSignal,
    SplitOverlap,
    SplitShift,
    TargetInFeatures,
    TargetScale,
    ValidationRepeat,
    ValidationSize,
    WorkerSeeds,
)
from tests.rules.fact_runs import fact_run

SHIFT = SplitShift("random", 800, 200, 13, 5, 1e-9, 0.4, auc=0.9, auc_low=0.85, auc_high=0.94)

STANDARD = InputValues(values=64_000, nonfinite=0, mean=0.0, std=1.0, low=-3.1, high=6.2)
RAW_BYTES = InputValues(values=64_000, nonfinite=0, mean=33.3, std=78.6, low=0.0, high=255.0, whole=True)
RELATED = LabelSignal(
    score="accuracy",
    chance=0.1,
    train_score=0.96,
    train_low=0.95,
    train_high=0.97,
    val_score=0.96,
    val_low=0.92,
    val_high=0.98,
    val_own_score=0.9,
    val_own_low=0.86,
    shift=0,
    shift_split="both",
    model="nearest neighbours",
)
UNRELATED = LabelSignal(
    score="accuracy",
    chance=0.1,
    train_score=0.1,
    train_low=0.085,
    train_high=0.117,
    val_score=0.09,
    val_low=0.06,
    val_high=0.13,
    val_own_score=0.11,
    val_own_low=0.08,
    shift=0,
    model="nearest neighbours",
)
SHIFTED = LabelSignal(
    score="accuracy",
    chance=0.1,
    train_score=0.11,
    train_low=0.09,
    train_high=0.13,
    val_score=0.1,
    val_low=0.07,
    val_high=0.14,
    shift=1,
    shift_split="both",
    shift_score=0.95,
    shift_low=0.94,
)
LEARNED_BY_HEART = {"train_accuracy": np.linspace(0.1, 1.0, 20), "val_accuracy": np.full(20, 0.1)}
LEARNED = {"train_accuracy": np.linspace(0.1, 1.0, 20), "val_accuracy": np.linspace(0.1, 0.9, 20)}

SICK: dict[str, Run] = {
    "D101": fact_run(InputValues(900, 3, 0.0, 1.0, -3.0, 3.0, rows=(17,), columns=(4,))),
    "D102": fact_run(RAW_BYTES),
    "D103": fact_run(ConstantFeatures(features=13, constant=1, examples=(2,), names=("ash",), samples=140)),
    "D104": fact_run(LabelRange(labels=1000, bad=98, low=1, high=10, classes=10)),
    "D105": fact_run(ClassBalance(counts=(950, 50))),
    "D106": fact_run(SplitOverlap(split="val", samples=200, train_samples=1000, exact=40, examples=((3, 118),))),
    "D107": fact_run(
        SplitShift(
            method="random",
            train_samples=800,
            val_samples=200,
            features=13,
            shifted=5,
            smallest_p=1e-9,
            largest_statistic=0.41,
            feature=3,
            auc=0.93,
            auc_low=0.9,
            auc_high=0.95,
        )
    ),
    "D108": fact_run(ValidationSize(samples=20, half_width=0.2, classes=3, smallest_class=6)),
    "D109": fact_run(LabelOrder(labels=1000, classes=10, runs=10, expected_runs=900.0, z=-90.0, p=0.0, shuffled=False)),
    "D110": fact_run(UNRELATED, curves=LEARNED_BY_HEART, samples={"train": 1400, "val": 300}),
    "D111": fact_run(ValidationRepeat(samples=64, changed=60, largest_difference=2.1)),
    "D112": fact_run(SHIFTED),
    "D113": fact_run(
        TargetInFeatures(
            features=14, score="accuracy", chance=0.4, best=1.0, best_low=0.98, feature=13, equal=True, samples=178
        )
    ),
    "D114": fact_run(WorkerSeeds(workers=4, numpy_distinct=1, python_distinct=4, torch_distinct=4, numpy_used=True)),
    "D115": fact_run(
        LabelNoise(
            samples=1000,
            suspects=12,
            share_low=0.007,
            share_high=0.021,
            model_accuracy=0.95,
            examples=(5, 80),
            given=(1, 2),
            suggested=(2, 1),
        )
    ),
    "D116": fact_run(TargetScale(mean=152.0, std=77.0, low=25.0, high=346.0, values=300, output_std=0.2)),
}

HEALTHY: dict[str, Run] = {
    "D101": fact_run(STANDARD),
    "D102": fact_run(STANDARD),
    "D103": fact_run(ConstantFeatures(features=784, constant=70, image=True, samples=1000)),
    "D104": fact_run(LabelRange(labels=1000, bad=0, low=0, high=9, classes=10)),
    "D105": fact_run(ClassBalance(counts=(142, 178, 177, 183))),
    "D106": fact_run(SplitOverlap(split="val", samples=200, train_samples=1000, exact=0)),
    "D107": fact_run(
        SplitShift("stratified", 800, 200, 13, 0, 0.4, 0.09, auc=0.51, auc_low=0.46, auc_high=0.55, label_p=0.99)
    ),
    "D108": fact_run(ValidationSize(samples=360, score=0.97, half_width=0.018, classes=10, smallest_class=33)),
    "D109": fact_run(LabelOrder(labels=1000, classes=10, runs=905, expected_runs=900.0, z=0.5, p=0.7, shuffled=True)),
    "D110": fact_run(RELATED, curves=LEARNED, samples={"train": 1400, "val": 300}),
    "D111": fact_run(ValidationRepeat(samples=64, changed=0, largest_difference=0.0)),
    "D112": fact_run(RELATED),
    "D113": fact_run(TargetInFeatures(13, "accuracy", 0.4, 0.78, 0.71, feature=6, second=0.75, samples=142)),
    "D114": fact_run(WorkerSeeds(4, numpy_distinct=4, python_distinct=4, torch_distinct=4, numpy_used=True)),
    "D115": fact_run(LabelNoise(1000, suspects=0, share_low=0.0, share_high=0.004, model_accuracy=0.97)),
    "D116": fact_run(TargetScale(mean=0.0, std=1.0, low=-2.0, high=2.5, values=300, output_std=0.2)),
}
