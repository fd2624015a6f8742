"""Readers of delimited tables, and the traps that such logs hold."""

import math
from pathlib import Path

import numpy as np
import pytest

from dlcheck.errors import DlcheckError
from dlcheck.runs.readers.reader import ReadOptions, read_run, read_runs
from dlcheck.runs.run import Run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def runs_of(log: Path, text: str | bytes, **names: str) -> list[Run]:
    log.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_runs(log, options=ReadOptions(names))


def run_of(log: Path, text: str | bytes, **names: str) -> Run:
    found = runs_of(log, text, **names)
    assert len(found) == 1
    return found[0]


def kinds(run: Run) -> list[str]:
    return [event.kind for event in run.events]


def losses(run: Run, split: str = "train") -> list[float]:
    return [float(value) for value in run.curve("loss", split).values]


HEADERS = {
    "lightning-csv": "epoch,step,train_loss,val_loss\n0,9,1.0,\n0,9,,1.1\n1,19,0.9,\n1,19,,1.0\n",
    "keras-csv": "epoch,accuracy,loss,lr,val_accuracy,val_loss\n0,0.1,1.0,0.01,0.2,1.1\n1,0.2,0.9,0.01,0.3,1.0\n",
    "fastai-csv": "epoch,train_loss,valid_loss,accuracy,time\n0,1.0,1.1,0.5,00:12\n1,0.9,1.0,0.6,00:12\n",
    "timm-csv": "epoch,train_loss,eval_loss,eval_top1,eval_top5\n0,1.0,1.1,50,80\n1,0.9,1.0,60,90\n",
    "csv": "iter,train/loss,val/loss,mfu\n0,1.0,1.1,-100\n250,0.9,1.0,20\n",
}


@pytest.mark.parametrize("name", HEADERS)
def test_each_format_is_told_by_its_header_and_read(name: str, log: Path) -> None:
    run = run_of(log, HEADERS[name])
    assert run.meta["format"] == name
    assert losses(run) == [1.0, 0.9]
    assert losses(run, "val") == [1.1, 1.0]
    assert run.meta["ambiguous"] == []


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("_step,loss,_runtime", "wandb-csv"),
        ("_timestamp,loss,_step", "wandb-csv"),
        ("_step,loss,minutes", "csv"),
        ("Step,one - loss,one - loss__MIN", "wandb-csv"),
    ],
)
def test_exports_of_weights_and_biases_are_named(header: str, name: str, log: Path) -> None:
    assert run_of(log, f"{header}\n0,1.0,5\n1,0.9,6\n2,0.8,7\n").meta["format"] == name


def test_the_history_that_pandas_wrote_has_an_unnamed_counter(log: Path) -> None:
    run = run_of(log, ",loss,val_loss\n0,1.0,1.1\n1,0.9,1.0\n")
    assert run.meta["format"] == "keras-csv"
    assert run.curve("loss").epochs.tolist() == [0, 1]


def test_absent_nan_and_infinity_are_three_states(log: Path) -> None:
    run = run_of(log, "epoch,train_loss,val_loss\n0,1.0,\n1,nan,\n2,-inf,0.5\n3,,NaN\n4,NA,-1.#IND\n")
    train, val = run.curve("loss"), run.curve("loss", "val")
    assert train.epochs.tolist() == [0, 1, 2]
    assert np.isnan(train.values[1])
    assert train.values[2] == -math.inf
    assert val.epochs.tolist() == [2, 3, 4]
    assert np.isnan(val.values[1:]).all()


def test_a_loss_that_is_nan_on_every_row_is_there(log: Path) -> None:
    run = run_of(log, "epoch,step,train_loss\n0,1,nan\n1,2,nan\n2,3,nan\n")
    assert np.isnan(losses(run)).all()
    assert len(losses(run)) == 3


@pytest.mark.parametrize(
    "text",
    [
        "epoch;loss;val_loss\n0;1,5;1.0\n1;0,5;0,7\n".replace("1.0", "1,0"),
        "epoch;loss;val_loss\n0;1.5;1.0\n1;0.5;0.7\n",
        "epoch\tloss\tval_loss\n0\t1.5\t1.0\n1\t0.5\t0.7\n",
        "\ufeffepoch,loss,val_loss\r\n0,1.5,1.0\r\n1,0.5,0.7\r\n",
        "epoch,loss,val_loss\r\r\n0,1.5,1.0\r\r\n1,0.5,0.7\r\r\n",
        "   epoch,    loss, val_loss\n       0,    1.5,  1.0\n       1,    0.5,  0.7\n",
        '"epoch","loss","val_loss"\n"0","1.5","1.0"\n"1","0.5","0.7"\n',
        "# written by hand\n\nepoch,loss,val_loss\n0,1.5,1.0\n\n1,0.5,0.7",
    ],
    ids=["decimal commas", "semicolons", "tabs", "mark", "doubled returns", "padded", "quoted", "comment"],
)
def test_ways_to_write_a_table(text: str, log: Path) -> None:
    for encoding in ("utf-8", "utf-16"):
        run = run_of(log, text.encode(encoding))
        assert losses(run) == [1.5, 0.5]
        assert losses(run, "val") == [1.0, 0.7]
        assert run.curve("loss").epochs.tolist() == [0, 1]


def test_bytes_that_are_no_utf8_spoil_only_their_cell(log: Path) -> None:
    run = run_of(log, "epoch,loss,note\n0,1.0,caf\xe9\n1,0.5,x\n".encode("latin-1"))
    assert losses(run) == [1.0, 0.5]


def test_appended_fits_are_separate_runs(log: Path) -> None:
    runs = runs_of(log, "epoch,loss\n0,1.0\n1,0.8\n2,0.7\n0,2.0\n1,1.8\n0,3.0\n")
    assert [losses(run) for run in runs] == [[1.0, 0.8, 0.7], [2.0, 1.8], [3.0]]
    assert [kinds(run) for run in runs] == [[], ["restart"], ["restart"]]
    assert read_run(log).curve("loss").values.tolist() == [3.0]


def test_one_row_after_another_run_of_one_row_is_a_run(log: Path) -> None:
    rows = "".join(f"{epoch},{epoch / 10}\n" for epoch in (*range(1, 11), 1, *range(1, 11)))
    assert [len(losses(run)) for run in runs_of(log, "epoch,loss\n" + rows)] == [10, 1, 10]


def test_a_resume_replaces_what_it_went_over_again(log: Path) -> None:
    run = run_of(log, "epoch,loss\n0,1.0\n1,0.8\n2,0.7\n3,0.6\n2,0.65\n3,0.55\n4,0.5\n")
    assert losses(run) == [1.0, 0.8, 0.65, 0.55, 0.5]
    assert run.curve("loss").epochs.tolist() == [0, 1, 2, 3, 4]
    (event,) = run.events
    assert event.kind == "overlap"
    assert event.epoch == 2
    assert (event.detail["first"], event.detail["last"]) == (2, 3)


def test_a_repeated_header_is_no_row(log: Path) -> None:
    text = "epoch,train_loss,valid_loss,time\n0,1.0,1.1,00:01\n1,0.9,1.0,00:01\n"
    runs = runs_of(log, text + text)
    assert [losses(run) for run in runs] == [[1.0, 0.9], [1.0, 0.9]]
    assert "repeated-header" in kinds(runs[1])


def test_epochs_that_go_on_behind_a_second_header_are_one_run(log: Path) -> None:
    run = run_of(log, "epoch,loss\n0,1.0\n1,0.9\nepoch,loss\n2,0.8\n3,0.7\n")
    assert losses(run) == [1.0, 0.9, 0.8, 0.7]
    assert kinds(run) == ["repeated-header"]


def test_rows_of_few_cells_lack_the_last_and_a_torn_end_is_dropped(log: Path) -> None:
    run = run_of(log, "step,train/loss,val/loss,lr\n0,1.0\n1,0.9,1.0,0.1\n2,0.8,0.9,0.1\n3,0.7,0.")
    assert losses(run) == [1.0, 0.9, 0.8]
    assert losses(run, "val") == [1.0, 0.9]
    assert kinds(run) == ["truncated"]


def test_a_last_row_without_a_line_end_counts_when_it_is_whole(log: Path) -> None:
    run = run_of(log, "epoch,loss\n0,1.0\n1,0.5")
    assert losses(run) == [1.0, 0.5]
    assert kinds(run) == []


def test_rows_of_too_many_cells_are_left_out_and_told(log: Path) -> None:
    rows = "".join(f"{epoch},{1 / (epoch + 1)}\n" for epoch in range(20))
    run = run_of(log, "epoch,loss\n" + rows + "20,0.5,7,8\n21,0.1\n")
    assert len(losses(run)) == 21
    (event,) = run.events
    assert (event.kind, event.detail["line"]) == ("bad-record", 22)


def test_a_word_among_numbers_is_told(log: Path) -> None:
    rows = "".join(f"{epoch},{1 / (epoch + 1)}\n" for epoch in range(20))
    run = run_of(log, "epoch,loss\n" + rows + "20,oops\n")
    assert len(losses(run)) == 20
    assert run.events[0].detail["found"] == "oops"


def test_gigantic_numbers_are_infinite(log: Path) -> None:
    run = run_of(log, f"epoch,loss\n0,1e999\n1,{'9' * 400}\n2,-1e999\n")
    assert losses(run) == [math.inf, math.inf, -math.inf]


def test_validation_steps_of_their_own_do_not_part_a_run(log: Path) -> None:
    rows = "".join(f"{e},{99 * (e + 1)},{1 / (e + 1)},\n,{e % 2},,1.0\n" for e in range(6))
    run = run_of(log, "epoch,step,train_loss,val_loss\n" + rows)
    assert len(losses(run)) == 6
    assert len(losses(run, "val")) == 6


def test_the_parts_of_a_detectors_loss_are_summed(log: Path) -> None:
    header = "epoch,train/box_loss,train/cls_loss,val/box_loss,val/cls_loss,metrics/mAP50(B),lr/pg0,lr/pg1\n"
    run = run_of(log, header + "1,1.0,2.0,3.0,4.0,0.1,0.01,0.1\n2,0.5,1.0,2.0,nan,0.2,0.01,0.05\n")
    assert run.meta["format"] == "ultralytics-csv"
    assert losses(run) == [3.0, 1.5]
    assert losses(run, "val")[0] == 7.0
    assert math.isnan(losses(run, "val")[1])
    assert run.curve("map50", "val").values.tolist() == [0.1, 0.2]
    assert run.curve("lr").values.tolist() == [0.01, 0.01]
    assert run.curve("box_loss", "val").values.tolist() == [3.0, 2.0]
    inferred = run.meta["inferred"]
    assert isinstance(inferred, list)
    assert "sum of train/box_loss, train/cls_loss" in inferred[0]


def test_losses_of_steps_and_of_epochs_stay_apart(log: Path) -> None:
    rows = "".join(f"{s // 10},{s},{1 / (s + 1)},\n" for s in range(40))
    run = run_of(log, "epoch,step,train_loss,val_loss\n" + rows + "3,40,,0.5\n")
    assert len(run.curve("batch_loss")) == 40
    assert len(run.curve("loss")) == 0
    assert run.meta["x"] == "step"
    both = run_of(log, "epoch,step,train_loss_epoch,train_loss_step\n0,1,,2.0\n0,2,1.5,\n1,3,,1.0\n1,4,0.8,\n")
    assert both.curve("batch_loss").values.tolist() == [2.0, 1.0]
    assert losses(both) == [1.5, 0.8]


def test_a_user_says_what_a_column_is(log: Path) -> None:
    text = "n,eval/ce,loss,weird\n5,3.0,1.0,9.0\n6,2.0,0.5,8.0\n"
    run = run_of(log, text, val_loss="weird", epoch="n")
    assert losses(run, "val") == [9.0, 8.0]
    assert run.curve("loss").epochs.tolist() == [5, 6]
    columns = run.meta["columns"]
    assert isinstance(columns, dict)
    assert columns["weird"] == "val/loss"
    with pytest.raises(DlcheckError, match=r"--map val_loss=wierd: .* did you mean 'weird'"):
        run_of(log, text, val_loss="wierd")


def test_a_test_split_measured_all_along_is_validation(log: Path) -> None:
    run = run_of(log, "epoch,train_loss,test_loss\n1,1.0,2.0\n2,0.9,1.0\n")
    assert losses(run, "val") == [2.0, 1.0]
    once = run_of(log, "epoch,train_loss,test_loss\n1,1.0,\n2,0.9,\n3,,1.0\n")
    assert losses(once, "test") == [1.0]
    assert losses(once, "val") == []


def test_folds_in_a_column_are_separate_runs(log: Path) -> None:
    text = "fold,epoch,train_loss,val_loss\n0,0,1.0,2.0\n0,1,0.9,1.9\n1,0,3.0,4.0\n1,1,2.0,3.0\n"
    runs = runs_of(log, text)
    assert [losses(run) for run in runs] == [[1.0, 0.9], [3.0, 2.0]]
    assert [run.meta["group"] for run in runs] == ["fold 0", "fold 1"]
    mixed = "".join(["fold,epoch,loss\n", *(f"{fold},{n},{fold + n}\n" for n in range(3) for fold in (1, 2))])
    assert [losses(run) for run in runs_of(log, mixed)] == [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]


def test_the_runs_of_an_exported_chart_are_parted(log: Path) -> None:
    header = '"Step","a-1 - val/loss","a-1 - val/loss__MIN","a-1 - val/loss__MAX","b-2 - val/loss"\n'
    runs = runs_of(log, header + '"0","2.0","1.0","3.0","5.0"\n"1","1.5","1.0","3.0",""\n"2","1.0","1.0","3.0","4.0"\n')
    assert [losses(run, "val") for run in runs] == [[2.0, 1.5, 1.0], [5.0, 4.0]]
    assert [run.meta["group"] for run in runs] == ["a-1", "b-2"]
    assert all(len(run.scalars) <= 3 for run in runs)


def test_a_score_that_turns_into_percent_is_told(log: Path) -> None:
    rows = "".join(f"{n},0.5,{0.1 * n + 0.3 if n < 4 else 10.0 * n + 30}\n" for n in range(7))
    (event,) = run_of(log, "epoch,loss,val_acc\n" + rows).events
    assert event.kind == "unit-change"
    assert event.epoch == 4
    assert event.detail["metric"] == "val/accuracy"
    steady = "".join(f"{n},0.5,{10.0 * n + 30}\n" for n in range(7))
    assert run_of(log, "epoch,loss,val_acc\n" + steady).events == ()


def test_the_monitor_of_stable_baselines_has_rewards(log: Path) -> None:
    run = run_of(log, '#{"t_start": 1.5}\nr,l,t\n-10.0,200,0.1\n-9.0,200,0.2\n')
    assert run.meta["format"] == "sb3-monitor"
    assert run.curve("reward").values.tolist() == [-10, -9]


@pytest.mark.parametrize(
    "text",
    [
        ",Model,Accuracy,AUC\n0,Extra Trees,0.8,0.9\n1,Random Forest,0.7,0.8\n2,Naive Bayes,0.5,0.6\n",
        "Id,Model,Train Epoch,Learning Rate,R2 Score\na,GMM,300,0.1,0.5\nb,KNN,100,0.2,0.6\nc,MLP,200,0.1,0.7\n",
        "age,height\n30,180\n31,170\n",
        "epoch,loss\n",
        "n,loss\n0,1.0\n",
        "1,2,3\n4,5,6\n",
        "loss of appetite,weight\nyes,70\nno,80\n",
    ],
    ids=["models", "scoreboard", "people", "no rows", "one row", "no header", "words"],
)
def test_a_table_that_is_no_log_is_refused(text: str, log: Path) -> None:
    with pytest.raises(DlcheckError, match="no training log"):
        runs_of(log, "#x\n" + text if text.startswith("1") else text)


def test_a_table_of_a_million_columns_is_refused(log: Path) -> None:
    log.write_text("loss,lr" + ",x" * 1_000_000 + "\n1,1" + ",1" * 1_000_000 + "\n")
    with pytest.raises(DlcheckError, match="10000 columns"):
        read_runs(log, reader="csv")
