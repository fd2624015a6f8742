import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.runs.names import meaning

TABLE = {
    "loss": ("train", "loss", "loss"),
    "train_loss": ("train", "loss", "loss"),
    "trainLoss": ("train", "loss", "loss"),
    "Train Loss": ("train", "loss", "loss"),
    "Training loss": ("train", "loss", "loss"),
    "loss/train": ("train", "loss", "loss"),
    "training_loss": ("train", "loss", "loss"),
    "train_losses": ("train", "loss", "loss"),
    "total_loss": ("train", "loss", "loss"),
    "main/loss": ("train", "loss", "loss"),
    "epoch_loss": ("train", "loss", "loss"),
    "train_loss_epoch": ("train", "loss", "loss"),
    "train_loss_step": ("train", "batch_loss", "loss"),
    "train/step_loss": ("train", "batch_loss", "loss"),
    "batch_loss": ("train", "batch_loss", "loss"),
    "loss_metrics/global_avg_loss": ("train", "loss", "loss"),
    "train_eval_loss": ("train_eval", "loss", "loss"),
    "val_loss": ("val", "loss", "loss"),
    "val/loss": ("val", "loss", "loss"),
    "valLoss": ("val", "loss", "loss"),
    "eval/loss": ("val", "loss", "loss"),
    "eval_loss": ("val", "loss", "loss"),
    "loss/valid": ("val", "loss", "loss"),
    "valid_loss": ("val", "loss", "loss"),
    "Loss/valid_loss": ("val", "loss", "loss"),
    "Validation Loss": ("val", "loss", "loss"),
    "validation/main/loss": ("val", "loss", "loss"),
    "evaluation_loss_vs_iterations": ("val", "loss", "loss"),
    "val_loss/dataloader_idx_0": ("val", "loss", "loss"),
    "val_loss_epoch": ("val", "loss", "loss"),
    "dev_nll": ("val", "loss", "loss"),
    "train/val/box_loss": ("val", "box_loss", "loss"),
    "val/box_loss": ("val", "box_loss", "loss"),
    "val_out_caps_loss": ("val", "out_caps_loss", "loss"),
    "eval_g0_loss": ("val", "g0_loss", "loss"),
    "test_loss": ("test", "loss", "loss"),
    "loss_rpn_cls": ("train", "loss_rpn_cls", "loss"),
    "decode.loss_seg": ("train", "decode_loss_seg", "loss"),
    "accuracy": ("train", "accuracy", "metric"),
    "acc": ("train", "accuracy", "metric"),
    "train_acc": ("train", "accuracy", "metric"),
    "val_accuracy": ("val", "accuracy", "metric"),
    "valid_acc": ("val", "accuracy", "metric"),
    "test_acc1": ("test", "acc1", "metric"),
    "eval_top1": ("val", "top1", "metric"),
    "metrics/mAP50(B)": ("val", "map50", "metric"),
    "metrics/mAP50-95(B)": ("val", "map50_95", "metric"),
    "metrics/mAP_0.5": ("val", "map_0.5", "metric"),
    "metrics/accuracy_top1": ("val", "accuracy_top1", "metric"),
    "bbox/AP": ("val", "bbox_ap", "metric"),
    "mIoU": ("train", "miou", "metric"),
    "val_mean_squared_error": ("val", "mse", "metric"),
    "valid ppl": ("val", "perplexity", "metric"),
    "rollout/ep_rew_mean": ("train", "rollout_ep_rew", "metric"),
    "lr": ("train", "lr", "lr"),
    "learning_rate": ("train", "lr", "lr"),
    "lr-AdamW/pg1": ("train", "lr", "lr"),
    "x/lr0": ("train", "lr", "lr"),
    "train_lr": ("train", "lr", "lr"),
    "learning rate": ("train", "lr", "lr"),
    "epoch": ("train", "epoch", "epoch"),
    "Epoch": ("train", "epoch", "epoch"),
    "step": ("train", "step", "step"),
    "_step": ("train", "step", "step"),
    "trainer/global_step": ("train", "step", "step"),
    "current_steps": ("train", "step", "step"),
    "iteration": ("train", "step", "step"),
    "grad_norm": ("train", "grad_norm", "other"),
    "grad norm": ("train", "grad_norm", "other"),
    "train/grad_norm": ("train", "grad_norm", "other"),
    "_timestamp": ("train", "timestamp", "time"),
    "eval_runtime": ("train", "eval_runtime", "time"),
    "elapsed_time": ("train", "elapsed_time", "time"),
    "eta_seconds": ("train", "eta_seconds", "time"),
}

MEANINGLESS = [
    "",
    "n_parameters",
    "eval_samples_per_second",
    "Sample Generation",
    "out_0",
    "mfu",
    "best_validation_loss",
]
MEANINGLESS += [
    "loss_weight",
    "batch_size",
    "seed",
    "memory",
    "image_id",
    "Model",
    "roi_head/num_bg_samples",
    "x" * 300,
]


@pytest.mark.parametrize("raw", TABLE)
def test_the_table_of_names(raw: str) -> None:
    found = meaning(raw)
    assert found is not None
    assert (found.split, found.metric, found.kind) == TABLE[raw]


@pytest.mark.parametrize("raw", MEANINGLESS)
def test_a_name_of_nothing_known_means_nothing(raw: str) -> None:
    assert meaning(raw) is None


@given(st.sampled_from(["val", "valid", "eval", "dev"]), st.sampled_from(["/", "_", ".", " ", "-"]), st.booleans())
def test_order_case_and_separators_do_not_matter(split: str, sign: str, upper: bool) -> None:
    names = [f"{split}{sign}loss", f"loss{sign}{split}"]
    found = {meaning(name.upper() if upper else name) for name in names}
    assert {(one.split, one.metric, one.kind) for one in found if one} == {("val", "loss", "loss")}


@given(st.text(alphabet=string.printable + "éß損", max_size=60))
def test_any_name_has_a_meaning_or_none(raw: str) -> None:
    found = meaning(raw)
    assert found is None or (found.metric and found.split in {"train", "train_eval", "val", "test"})
