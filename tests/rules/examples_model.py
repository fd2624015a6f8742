"""A sick and a healthy run for each rule of the family M2 that reads the model's exams and its use."""

from dlcheck.runs import Run
from dlcheck.runs.facts import (
    BatchLeak,
    BatchNormBatches,
    Dropouts,
    EvaluationMode,
    InputIgnored,
    LossCall,
    LossCalls,
    OverfitBatch,
    ParameterCoverage,
    Predictions,
    Site,
    TrainingMode,
)
from tests.rules.fact_runs import fact_run

SITE = Site("project/train.py", 12)


def loss_call(loss: str, kind: str = "raw", made_by: str = "", **parts: object) -> LossCall:
    """Return 50 calls on batches of 32 samples and 10 outputs, between −3 and 3 where they are raw."""
    low, high = {"raw": (-3.0, 3.0), "log_probabilities": (-9.0, -0.01)}.get(kind, (0.01, 0.98))
    usual: dict[str, object] = {
        "calls": 50,
        "matched": 50,
        "input_shape": (32, 10),
        "target_shape": (32,),
        "smallest": low,
        "largest": high,
        "site": SITE,
    }
    return LossCall(loss=loss, input_kind=kind, made_by=made_by, **{**usual, **parts})  # type: ignore[arg-type]


def loss_calls(*calls: LossCall) -> Run:
    return fact_run(LossCalls(calls))


COVERED = ParameterCoverage(parameters=8, trainable=8, optimized=8, steps=100, site=SITE)
LEAKING = BatchLeak(samples=8, leaks=56, largest=0.4, axis=0, example=(0, 3))
LEARNED = OverfitBatch(
    samples=16,
    steps=120,
    budget=300,
    solved=True,
    first_loss=2.3,
    last_loss=0.009,
    best_loss=0.009,
    target_loss=0.01,
    score=1.0,
    lr=0.001,
)
FLAT = OverfitBatch(
    samples=16,
    steps=300,
    budget=300,
    solved=False,
    first_loss=2.303,
    last_loss=2.302,
    best_loss=2.301,
    target_loss=0.01,
    score=0.1,
    shape="flat",
    lr=0.001,
    rates_tried=(0.001, 0.01),
)
BATCHED = BatchNormBatches(layers=("norm",), layer_count=1, batch=64, smallest=32, values=64, smallest_values=32)
EVALUATED = EvaluationMode(passes=40, in_train_mode=0, explicit=True)
TRAINED = TrainingMode(steps=100, in_eval_mode=0)
HEEDED = InputIgnored(sensitivity=1.1, gradient=0.3, real_loss=0.9, zeroed_loss=2.3, p=1e-6)
MIXED = Predictions(samples=200, counts=(60, 70, 70), labels=(66, 67, 67), step=500)

SICK: dict[str, Run] = {
    "M206": loss_calls(loss_call("cross_entropy", "probabilities", "softmax")),
    "M207": fact_run(
        ParameterCoverage(
            parameters=8,
            trainable=8,
            optimized=2,
            outside=("body.0.weight", "body.0.bias", "body.2.weight", "body.2.bias"),
            outside_count=6,
            steps=100,
            site=SITE,
        )
    ),
    "M208": fact_run(LEAKING),
    "M209": fact_run(FLAT),
    "M210": fact_run(
        BatchNormBatches(layers=("norm",), layer_count=1, batch=4, smallest=4, values=4, smallest_values=4)
    ),
    "M211": loss_calls(loss_call("mse_loss", input_shape=(32, 1), target_shape=(32,), broadcast=True)),
    "M212": fact_run(EvaluationMode(passes=40, in_train_mode=40, modules=("drop",), dropout=True, site=SITE)),
    "M213": fact_run(
        TrainingMode(steps=100, in_eval_mode=90, modules=("drop",), dropout=True, first_step=11, site=SITE)
    ),
    "M214": fact_run(InputIgnored(sensitivity=0.0, gradient=0.0, real_loss=2.3, zeroed_loss=2.3, p=0.5)),
    "M215": fact_run(Dropouts(layers=("drop",), rates=(0.9,), train_loss=2.2, eval_loss=1.9), trivial_loss=2.303),
    "M216": fact_run(Predictions(samples=200, counts=(0, 200, 0), labels=(66, 67, 67), step=500)),
}

HEALTHY: dict[str, Run] = {
    "M206": loss_calls(loss_call("cross_entropy"), loss_call("nll_loss", "log_probabilities", "log_softmax")),
    "M207": fact_run(COVERED),
    "M208": fact_run(BatchLeak(samples=8, leaks=0, largest=0.0)),
    "M209": fact_run(LEARNED),
    "M210": fact_run(BATCHED),
    "M211": loss_calls(loss_call("mse_loss", input_shape=(32, 1), target_shape=(32, 1))),
    "M212": fact_run(EVALUATED),
    "M213": fact_run(TRAINED),
    "M214": fact_run(HEEDED),
    "M215": fact_run(Dropouts(layers=("drop",), rates=(0.5,), train_loss=0.4, eval_loss=0.1), trivial_loss=2.303),
    "M216": fact_run(MIXED),
}
