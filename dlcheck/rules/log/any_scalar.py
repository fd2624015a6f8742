"""The signals of which a log needs one to be judged as a log."""

ANY_SCALAR = (
    "train_loss",
    "train_eval_loss",
    "batch_loss",
    "val_loss",
    "test_loss",
    "train_metric",
    "train_eval_metric",
    "val_metric",
)
