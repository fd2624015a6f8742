"""Numbers and words that readers, rules and reports may stumble over."""

from tests.hostile.live import FRAGMENTS

NUMBERS = (
    *(
        "nan",
        "NaN",
        "-nan",
        "inf",
        "-inf",
        "Infinity",
        "-Infinity",
        "null",
        "None",
        "",
        "NA",
        "true",
        "1e308",
        "-1e308",
    ),
    *("1e309", "5e-324", "0", "-0.0", "1e-400", "9" * 30, "9" * 330, "9" * 5000, "-" + "9" * 19, "9223372036854775808"),
    *(
        "18446744073709551616",
        "1_000",
        "1,000",
        "1.000,5",
        "٣",
        "１",
        "0x10",
        "1e",
        "1.#IND",
        "--1",
        "+1",
        "1e5e5",
        ".",
        "00:12",
    ),
    *("1e15", "1e16", "-1", "2", "0.5", "100%", "1e20", "1e300", "1700000000000", "[1, 2]", "{}", '"a"', "1j"),
)
WORDS = (
    *(
        "loss",
        "val_loss",
        "train_loss",
        "epoch",
        "step",
        "lr",
        "accuracy",
        "val_accuracy",
        "grad_norm",
        "value",
        "metric",
    ),
    *("wall_s", "time", "_step", "iteration", "loss_state", "nan", "train/loss", "eval_loss", "log_history", "batches"),
    *("values", "steps", "split", "layer", "statistic", "phase", "seconds", "name", "target", "choice", "when", "log"),
    *FRAGMENTS,
)
