"""A training does what its recipe says, and its run folder tells what happened."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from dlcheck.errors import DlcheckError, ExitCode
from dlcheck.recipe import load_recipe
from dlcheck.training.callbacks import Callback
from dlcheck.training.session import train
from dlcheck.training.trainer import Trainer
from tests.training.conftest import TINY, RunTraining, tiny

WINDOWS = TINY.replace("limit = 200", "limit = 64").replace("epochs = 3", "epochs = 2")


class Spy(Callback):
    """Keeps the trainer, its optimizer's class at every epoch, and gradient norms after clipping."""

    def __init__(self) -> None:
        self.trainer: Trainer | None = None
        self.optimizers: list[str] = []
        self.norms: list[float] = []

    def on_epoch_begin(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.optimizers.append(type(trainer.optimizer).__name__)

    def on_gradients(self, trainer: Trainer) -> None:
        gradients = [p.grad for p in trainer.model.parameters() if p.grad is not None]
        self.norms.append(float(torch.nn.utils.get_total_norm(gradients)))


def metrics(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv")


def test_a_run_folder_holds_everything_that_pandas_and_people_need(run: RunTraining) -> None:
    result = run()
    table, steps = metrics(result.folder), pd.read_csv(result.folder / "steps.csv")
    assert list(table["epoch"]) == [1, 2, 3]
    assert {"train_loss", "train_eval_loss", "val_loss", "val_accuracy", "lr", "samples_per_s"} <= set(table)
    assert list(steps["step"]) == list(range(1, 3 * 7 + 1))
    assert steps["loss"].iloc[-1] < steps["loss"].iloc[0]
    for name in ("recipe.toml", "findings.json", "facts.json", "report.html", "checkpoints/last.pt"):
        assert (result.folder / name).stat().st_size > 0, name
    layers = pd.read_csv(result.folder / "layers.csv")
    measured = {"grad_norm", "weight_norm", "update_ratio", "activation_mean", "activation_std", "dead_fraction"}
    assert set(layers["statistic"]) == measured
    assert set(layers["step"]) >= {1, 2, 4, 8, 16}
    assert set(pd.read_csv(result.folder / "phases.csv")["phase"]) == {"wait", "forward", "backward", "optimizer"}
    assert {"dead_units", "weights_moving", "optimizer_settings", "predictions", "class_balance"} <= set(result.facts)


def test_the_resolved_recipe_runs_again_to_the_same_numbers(run: RunTraining, tmp_path: Path) -> None:
    first = run("model.dropout=0.3", "augment.translate=0.1")
    again = train(load_recipe(first.folder / "recipe.toml"), device="cpu", run_path=tmp_path / "again")
    columns = ["train_loss", "train_eval_loss", "val_loss", "val_accuracy"]
    pd.testing.assert_frame_equal(metrics(first.folder)[columns], metrics(again.folder)[columns], check_exact=True)


def test_another_seed_gives_other_numbers(run: RunTraining) -> None:
    losses = [metrics(run(f"train.seed={seed}").folder)["val_loss"].iloc[-1] for seed in (0, 1)]
    assert losses[0] != losses[1]


@pytest.mark.parametrize(("size", "steps"), [("full", 1), ("1", 64), ("48", 2)])
def test_full_batch_mini_batch_and_single_sample(run: RunTraining, size: str, steps: int) -> None:
    result = run(f"train.batch_size={size}", "train.epochs=1", text=WINDOWS)
    assert len(pd.read_csv(result.folder / "steps.csv")) == steps


def test_accumulated_small_batches_make_the_step_of_a_large_one(run: RunTraining) -> None:
    spies = [Spy(), Spy()]
    common = ("optimizer.name=sgd", "optimizer.lr=0.1", "train.epochs=1")
    run("train.batch_size=50", *common, callbacks=[spies[0]])
    run("train.batch_size=10", "train.accumulate=5", *common, callbacks=[spies[1]])
    large, small = (spy.trainer.model.state_dict() for spy in spies if spy.trainer)
    for name, weight in large.items():
        torch.testing.assert_close(small[name], weight, rtol=1e-4, atol=1e-6)


def test_accumulation_counts_a_ragged_last_batch_by_its_samples(run: RunTraining) -> None:
    spies = [Spy(), Spy()]
    common = ("optimizer.name=sgd", "optimizer.lr=0.1", "train.epochs=1")
    run("train.batch_size=full", *common, callbacks=[spies[0]])
    run("train.batch_size=150", "train.accumulate=2", *common, callbacks=[spies[1]])
    large, small = (spy.trainer.model.state_dict() for spy in spies if spy.trainer)
    for name, weight in large.items():
        torch.testing.assert_close(small[name], weight, rtol=1e-4, atol=1e-6)


def test_clipping_by_norm_bounds_the_gradient_and_records_it_unclipped(run: RunTraining) -> None:
    spy = Spy()
    result = run("train.clip_norm=0.01", callbacks=[spy])
    assert max(spy.norms) <= 0.0101
    assert pd.read_csv(result.folder / "steps.csv")["grad_norm"].min() > 0.01


def test_clipping_by_value_bounds_every_entry(run: RunTraining) -> None:
    class Largest(Callback):
        seen = 0.0

        def on_gradients(self, trainer: Trainer) -> None:
            largest = max(float(p.grad.abs().max()) for p in trainer.model.parameters() if p.grad is not None)
            self.seen = max(self.seen, largest)

    spy = Largest()
    run("train.clip_value=0.001", callbacks=[spy])
    assert 0 < spy.seen <= 0.001001


def test_max_steps_ends_inside_an_epoch_and_still_measures(run: RunTraining) -> None:
    result = run("train.max_steps=10")
    assert (result.stopped, result.facts["finished"]) == ("max_steps", True)
    assert list(metrics(result.folder)["step"]) == [7, 10]


def test_early_stopping_waits_for_its_patience_and_keeps_the_best(run: RunTraining) -> None:
    result = run("train.patience=2", "train.epochs=60", "optimizer.lr=0.05")
    table = metrics(result.folder)
    best = int(table["val_loss"].to_numpy().argmin()) + 1
    assert result.stopped == "patience"
    assert len(table) == best + 2
    assert result.facts["best_epoch"] == best


def test_the_test_split_is_measured_with_the_best_weights(run: RunTraining) -> None:
    spy = Spy()
    result = run("optimizer.lr=0.05", "train.epochs=8", callbacks=[spy])
    assert result.facts["tested_weights"] == "best"
    assert spy.trainer is not None
    assert spy.trainer.data.val is not None
    spy.trainer.model.load_state_dict(torch.load(result.folder / "checkpoints" / "best.pt")["model"])
    again = spy.trainer.evaluator.measure(spy.trainer.data.val, "val")
    assert again["val_loss"] == pytest.approx(metrics(result.folder)["val_loss"].min(), rel=1e-6)


def test_the_optimizer_switches_at_its_epoch(run: RunTraining) -> None:
    spy = Spy()
    switch = ("optimizer.switch.epoch=2", "optimizer.switch.to.name=momentum", "optimizer.switch.to.lr=0.02")
    result = run("train.epochs=4", *switch, callbacks=[spy])
    assert spy.optimizers == ["Adam", "Adam", "SGD", "SGD"]
    assert list(metrics(result.folder)["lr"]) == [0.01, 0.01, 0.02, 0.02]


def test_averaged_weights_are_what_is_validated_and_kept(run: RunTraining) -> None:
    spy = Spy()
    result = run("regularize.average=ema", "regularize.average_decay=0.9", callbacks=[spy])
    assert spy.trainer is not None
    kept = torch.load(result.folder / "checkpoints" / "best.pt")["model"]
    last = torch.load(result.folder / "checkpoints" / "last.pt")["model"]
    assert any(not torch.equal(kept[name], last[name]) for name in kept)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_trains(run: RunTraining, precision: str) -> None:
    result = run(f"train.precision={precision}", "train.epochs=6")
    assert metrics(result.folder)["train_eval_accuracy"].iloc[-1] > 0.6


def test_lbfgs_lowers_the_loss_in_a_few_full_batches(run: RunTraining) -> None:
    result = run("optimizer.name=lbfgs", "optimizer.lr=1.0", "train.batch_size=full", "train.epochs=5")
    assert metrics(result.folder)["train_eval_loss"].iloc[-1] < 0.2


def test_channels_last_changes_nothing_but_the_layout(run: RunTraining) -> None:
    plain, laid_out = run(), run("train.channels_last=true")
    difference = metrics(plain.folder)["val_loss"] - metrics(laid_out.folder)["val_loss"]
    assert difference.abs().max() < 1e-2


def test_a_loss_that_is_no_number_ends_the_run_and_is_the_verdict(run: RunTraining) -> None:
    result = run("optimizer.name=sgd", "optimizer.lr=1e30", "train.epochs=50")
    assert result.stopped == "non-finite loss"
    assert result.report.verdict == "sick"
    primary = [finding.code for finding in result.report.outcome.findings if finding.primary]
    assert primary == ["G301"]  # where it began, with C401 as what follows
    assert {f.code: f.explained_by for f in result.report.outcome.findings}["C401"] == "G301"
    findings = json.loads((result.folder / "findings.json").read_text(encoding="utf-8"))
    assert findings["runs"][0]["verdict"] == "sick"


def test_recording_changes_no_weight(run: RunTraining, tmp_path: Path) -> None:
    spy, result = Spy(), run()
    from dlcheck.training.assemble import assemble

    parts = assemble(tiny().recipe, folder=tmp_path, device=torch.device("cpu"))
    Trainer(parts, [spy]).fit()
    assert spy.trainer is not None
    recorded = torch.load(result.folder / "checkpoints" / "last.pt")["model"]
    for name, weight in spy.trainer.model.state_dict().items():
        assert torch.equal(recorded[name], weight), name


def test_an_existing_run_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(DlcheckError, match="exists already"):
        train(tiny(), device="cpu", run_path=tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_tensorboard_files_hold_the_scalars(run: RunTraining) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = run("train.tensorboard=true")
    events = EventAccumulator(str(result.folder / "tensorboard"))
    events.Reload()
    written = [event.value for event in events.Scalars("loss/val")]
    assert written == pytest.approx(list(metrics(result.folder)["val_loss"]), rel=1e-5)


def test_exit_codes() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 129, 130, 143]
