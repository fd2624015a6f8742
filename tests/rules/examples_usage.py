"""A sick and a healthy run for each rule of the family G3 that reads how the loop uses PyTorch."""

import numpy as np

from dlcheck.runs import Run
from dlcheck.runs.facts import (
    Clipping,
    GradientClearing,
    GraphGrowth,
    LossScale,
    ScheduleCalls,
    Site,
    StillLayer,
    WeightsMoving,
)
from tests.rules.fact_runs import fact_run

SITE = Site("project/train.py", 12)

STILL_FALLING = np.linspace(2.3, 1.0, 40)
SETTLED = 0.1 + 2.2 * np.exp(-np.arange(40) / 4)

CLEARED = GradientClearing(steps=100, uncleared=0, backwards_per_step=1.0, cleared_by="zero_grad", site=SITE)
UNCLEARED = GradientClearing(steps=100, uncleared=99, backwards_per_step=1.0, norm_growth=20.0, site=SITE)
MOVING = WeightsMoving(steps=100, backwards=100, layers=4, site=SITE)
STILL = StillLayer(layer="fc1", steps=100, gradient=0.3, lr=0.01, weight_norm=4.0)
CLIPPED = Clipping(
    calls=400, clipped=398, limit=0.1, median_norm=4.0, p90_norm=6.31, optimizer="SGD", rescales=False, site=SITE
)
BY_BATCH = ScheduleCalls(
    scheduler="StepLR",
    scheduler_steps=1000,
    optimizer_steps=1000,
    epochs=10,
    batches_per_epoch=100,
    horizon=3,
    horizon_name="step_size",
    lr_first=0.1,
    lr_last=1e-30,
    lr_lowest=1e-30,
    lr_collapsed_at=0.009,
    site=SITE,
)
BY_EPOCH = ScheduleCalls(
    scheduler="StepLR",
    scheduler_steps=10,
    optimizer_steps=1000,
    epochs=10,
    batches_per_epoch=100,
    horizon=3,
    horizon_name="step_size",
    lr_first=0.1,
    lr_last=1e-4,
    lr_lowest=1e-4,
    lr_collapsed_at=0.9,
    site=SITE,
)

SICK: dict[str, Run] = {
    "G306": fact_run(UNCLEARED),
    "G307": fact_run(WeightsMoving(steps=0, backwards=100, layers=4, site=SITE)),
    "G308": fact_run(CLIPPED, curves={"train_loss": STILL_FALLING}),
    "G309": fact_run(
        LossScale(steps=500, skipped=60, skipped_late=40, late_steps=300, first=65536.0, last=0.25, lowest=0.25),
    ),
    "G311": fact_run(GraphGrowth(steps=100, alive=99, alive_middle=49, highest=99, site=SITE)),
    "G312": fact_run(BY_BATCH),
}

HEALTHY: dict[str, Run] = {
    "G306": fact_run(CLEARED),
    "G307": fact_run(MOVING),
    "G308": fact_run(
        Clipping(calls=400, clipped=40, limit=1.0, median_norm=0.4, p90_norm=1.0, optimizer="SGD"),
        curves={"train_loss": SETTLED},
    ),
    "G309": fact_run(
        LossScale(steps=500, skipped=4, skipped_late=1, late_steps=300, first=65536.0, last=4096.0, lowest=4096.0)
    ),
    "G311": fact_run(GraphGrowth(steps=100, alive=1, alive_middle=1, highest=1)),
    "G312": fact_run(BY_EPOCH),
}
