"""Readers of JSON and JSON lines, and the traps that such logs hold."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from dlcheck.errors import DlcheckError
from dlcheck.runs.readers.reader import read_runs
from dlcheck.runs.run import Run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def run_of(log: Path, text: str) -> Run:
    log.write_text(text)
    (run,) = read_runs(log)
    return run


def lines(*records: Mapping[str, object]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def losses(run: Run, split: str = "train", metric: str = "loss") -> list[float]:
    return [float(value) for value in run.curve(metric, split).values]


def test_the_trainers_summary_is_no_point_of_the_curve(log: Path) -> None:
    history: list[dict[str, object]] = [
        {"loss": 2.0, "learning_rate": 1e-4, "grad_norm": 3.0, "epoch": 1.0, "step": 10},
        {"eval_loss": 2.1, "eval_runtime": 1.0, "epoch": 1.0, "step": 10},
        {"loss": 0.0, "learning_rate": 5e-5, "grad_norm": math.nan, "epoch": 2.0, "step": 20},
        {"eval_loss": 1.9, "eval_runtime": 1.0, "epoch": 2.0, "step": 20},
        {"train_loss": 1.0, "train_runtime": 9.0, "total_flos": 1.0, "epoch": 2.0, "step": 20},
    ]
    run = run_of(log, json.dumps({"max_steps": 40, "log_history": history}))
    assert run.meta["format"] == "hf-trainer-state"
    assert losses(run) == [2.0, 0.0]
    assert losses(run, "val") == [2.1, 1.9]
    assert math.isnan(losses(run, metric="grad_norm")[1])
    assert run.curve("loss", "val").steps.tolist() == [10, 20]
    assert run.meta["plan"] == {"max_steps": 40}


def test_several_evaluation_sets_are_not_mixed(log: Path) -> None:
    records = [{"eval_a_loss": 1.0 + n, "eval_b_loss": 9.0, "loss": 1.0, "epoch": n, "step": n} for n in range(3)]
    run = run_of(log, json.dumps({"log_history": records}))
    assert losses(run, "val") == [1.0, 2.0, 3.0]
    assert losses(run, "val", "b_loss") == [9.0] * 3
    assert run.meta["ambiguous"] == ["2 val losses, none of them the whole: 'eval_a_loss' is taken"]


def test_a_state_cut_off_is_read_up_to_the_cut(log: Path) -> None:
    text = json.dumps({"log_history": [{"loss": 1 / (n + 1), "step": n, "epoch": n} for n in range(10)]}, indent=1)
    run = run_of(log, text[: len(text) // 2])
    assert 3 <= len(losses(run)) <= 6
    assert [event.kind for event in run.events] == ["truncated"]


def test_lines_of_detectron2_restart_and_hold_nan_of_empty_classes(log: Path) -> None:
    rows: list[dict[str, object]] = [
        {"iteration": step, "total_loss": 1.0, "loss_cls": 0.5, "lr": 0.1} for step in (19, 39, 59, 19, 39)
    ]
    log.write_text(lines(*rows[:3], {"iteration": 59, "bbox/AP-cat": math.nan, "bbox/AP": 30.0}, *rows[3:]))
    first, second = read_runs(log)
    assert first.meta["format"] == "detectron2-jsonl"
    assert first.meta["written_by"] == "detectron2"
    assert losses(first, metric="batch_loss") == [1.0] * 3
    assert first.curve("batch_loss").steps.tolist() == [19, 39, 59]
    assert losses(first, "val", "bbox_ap") == [30.0]
    assert len(losses(second, metric="batch_loss")) == 2
    assert second.events[0].kind == "restart"


def test_mmcv_counts_iterations_through_and_keeps_modes_apart(log: Path) -> None:
    rows: list[dict[str, object]] = [{"env_info": "Linux", "seed": 0}]
    for epoch in (1, 2):
        rows += [{"mode": "train", "epoch": epoch, "iter": i, "loss": 2.0, "lr": 0.1} for i in (50, 100)]
        rows.append({"mode": "val", "epoch": epoch, "iter": 7, "loss": 1.5, "acc": 0.9, "IoU.cat": math.nan})
    run = run_of(log, lines(*rows))
    assert run.curve("batch_loss").steps.tolist() == [50, 100, 150, 200]
    assert losses(run, "val") == [1.5, 1.5]
    assert run.curve("loss", "val").epochs.tolist() == [1, 2]
    assert np.isfinite(losses(run, metric="batch_loss")).all()


def test_lines_of_deit_hold_validation_under_the_name_of_test(log: Path) -> None:
    rows = [{"train_lr": 0.1, "train_loss": 3.0 - n, "test_loss": 2.0, "epoch": n, "n_parameters": 9} for n in range(2)]
    run = run_of(log, lines(*rows))
    assert losses(run) == [3.0, 2.0]
    assert losses(run, "val") == [2.0, 2.0]
    assert losses(run, metric="lr") == [0.1, 0.1]


def test_numbers_in_strings_and_bare_words_of_every_state(log: Path) -> None:
    states = ('"9.5"', '"nan"', "NaN", "Infinity", "-Infinity", '"Infinity"')
    text = "".join(f'{{"step": {step}, "loss": {state}}}\n' for step, state in enumerate(states))
    values = losses(run_of(log, text), metric="batch_loss")
    assert values[0] == 9.5
    assert np.isnan(values[1:3]).all()
    assert values[3:] == [math.inf, -math.inf, math.inf]


def test_null_is_absent_but_for_a_loss_that_stays_null_to_the_end(log: Path) -> None:
    sparse = run_of(log, lines(*({"epoch": n, "loss": 1.0, "val_loss": 0.5 if n % 2 else None} for n in range(6))))
    assert losses(sparse, "val") == [0.5] * 3
    gone = run_of(log, lines(*({"epoch": n, "loss": 1.0 if n < 3 else None} for n in range(6))))
    assert losses(gone)[:3] == [1.0] * 3
    assert np.isnan(losses(gone)[3:]).all()
    assert len(losses(gone)) == 6


def test_a_torn_last_line_and_a_broken_one_are_told(log: Path) -> None:
    rows: list[dict[str, object]] = [{"epoch": n, "loss": 1.0} for n in range(9)]
    text = lines(*rows[:4]) + "Killed\n" + lines(*rows[4:])
    run = run_of(log, text + '{"epoch": 9, "lo')
    assert len(losses(run)) == 9
    assert [(event.kind, event.detail["line"]) for event in run.events] == [("bad-record", 5), ("truncated", 11)]


def test_chainer_names_the_model_before_the_metric(log: Path) -> None:
    rows = [
        {"epoch": n, "iteration": 100 * n, "main/loss": 1.0 / n, "validation/main/loss": 2.0 / n, "elapsed_time": n}
        for n in (1, 2)
    ]
    run = run_of(log, json.dumps(rows, indent=4))
    assert run.meta["format"] == "chainer-log"
    assert losses(run) == [1.0, 0.5]
    assert losses(run, "val") == [2.0, 1.0]
    assert run.scalars["wall_s"].tolist()[:2] == [1, 2]


def test_skorch_keeps_its_batches_to_itself(log: Path) -> None:
    rows = [
        {
            "batches": [{"train_loss": 9.0}],
            "epoch": n,
            "train_loss": 1.0 / n,
            "valid_loss": 2.0 / n,
            "valid_loss_best": True,
        }
        for n in (1, 2, 3)
    ]
    run = run_of(log, json.dumps(rows))
    assert run.meta["format"] == "skorch-history"
    assert losses(run)[:2] == [1.0, 0.5]
    assert losses(run, "val")[:2] == [2.0, 1.0]


def test_allennlp_orders_epochs_by_number(tmp_path: Path) -> None:
    for epoch in range(12):
        record = {"epoch": epoch, "training_loss": float(epoch), "validation_loss": 1.0, "best_validation_loss": 0.5}
        (tmp_path / f"metrics_epoch_{epoch}.json").write_text(json.dumps(record))
    (tmp_path / "metrics_epoch_5.json").write_text('{"training_lo')
    (run,) = read_runs(tmp_path)
    assert run.meta["format"] == "allennlp-metrics"
    assert losses(run) == [float(epoch) for epoch in range(12) if epoch != 5]
    assert [(event.kind, event.epoch) for event in run.events] == [("bad-record", 5)]


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [2.0, 1.0], "val_loss": [3.0, 2.0], "lr": [0.1, 0.1]},
        {"granularity": "epoch", "train_losses": [2.0, 1.0], "val_losses": [3.0, 2.0], "learning_rates": [0.1, 0.1]},
        {"config": {"layers": 3}, "history": {"loss": [2.0, 1.0], "val_loss": [3.0, 2.0], "lr": [0.1, 0.1]}},
        {"train": {"loss": [2.0, 1.0]}, "val": {"loss": [3.0, 2.0]}, "lr": [0.1, 0.1]},
        [{"epoch": 0, "loss": 2.0, "val_loss": 3.0, "lr": 0.1}, {"epoch": 1, "loss": 1.0, "val_loss": 2.0, "lr": 0.1}],
        {"history": [{"loss": 2.0, "val_loss": 3.0, "lr": 0.1}, {"loss": 1.0, "val_loss": 2.0, "lr": 0.1}]},
    ],
    ids=["keras", "own loop", "nested", "by split", "records", "nested records"],
)
def test_histories_of_many_shapes(history: object, log: Path) -> None:
    run = run_of(log, json.dumps(history, indent=1))
    assert run.meta["format"] == "history-json"
    assert losses(run) == [2.0, 1.0]
    assert losses(run, "val") == [3.0, 2.0]
    assert losses(run, metric="lr") == [0.1, 0.1]
    assert run.curve("loss").epochs.tolist() == [0, 1]


def test_sacred_gives_each_series_steps_of_its_own(log: Path) -> None:
    run = run_of(
        log, '{"train.loss": {"values": [1.0, 0.5], "steps": [10, 20]}, "val.loss": {"values": [2.0], "steps": [20]}}'
    )
    assert run.curve("loss", "val").steps.tolist() == [20]
    assert losses(run, metric="batch_loss") == [1.0, 0.5]


@pytest.mark.parametrize(
    "content",
    [
        [{"image_id": n, "category_id": 1, "bbox": [1.0, 2.0], "score": 0.9 - n / 10} for n in range(5)],
        {"bench.time": {"code": "x = 1", "number": 0, "params": [], "rounds": 2}},
        {"lr": 0.1, "loss": "cross_entropy", "layers": [64, 64]},
        {"loss": 0.5, "accuracy": 0.9},
        [1, 2, 3],
        "loss",
    ],
    ids=["detections", "benchmarks", "settings", "last values", "numbers", "word"],
)
def test_json_that_is_no_log_is_refused(content: object, log: Path) -> None:
    log.write_text(json.dumps(content, indent=1))
    with pytest.raises(DlcheckError, match="no training log"):
        read_runs(log)


def test_broken_json_is_named_with_its_line(log: Path) -> None:
    log.write_text('{"loss": [1.0, 0.5],\n "val_loss": [1.0, ')
    with pytest.raises(DlcheckError, match="line 2: broken or truncated JSON"):
        read_runs(log)


def test_a_pickle_is_refused_by_its_first_bytes(log: Path) -> None:
    # Loading it would create a file.
    created = log.with_name("created")
    log.write_bytes(b"\x80\x04c" + b"pathlib\nPath.touch\n(V" + str(created).encode() + b"\ntR.")
    with pytest.raises(DlcheckError, match="pickle"):
        read_runs(log)
    assert not created.exists()
