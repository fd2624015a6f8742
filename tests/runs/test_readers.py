import math
from pathlib import Path

import numpy as np
import pytest

from dlcheck.errors import DlcheckError
from dlcheck.runs import Event, RunFolder
from dlcheck.runs.readers import read_run, readers


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path / "digits")
    folder.recipe.write_text('[data]\nname = "digits"\n')
    folder.metrics.write_text(
        "epoch,step,wall_s,lr,train_loss,train_eval_loss,val_loss,val_accuracy,samples_per_s\n"
        "1,10,0.5,0.1,2.0,1.9,,0.5,100\n"
        "2,20,1.0,0.1,nan,0.9,1.0,0.7,110\n"
        "3,30,1.5,0.1,inf,0."
    )
    folder.steps.write_text("step,epoch,loss,lr,grad_norm\n1,1,2.3,0.2,1.5\n2,1,2.2,0.1,\n")
    folder.layers.write_text("step,layer,statistic,value\n1,fc,grad_norm,0.5\n1,fc,dead_fraction,nan\n")
    folder.add_facts({"trivial_loss": 2.3, "initial_loss": math.nan})
    folder.add_event(Event("nonfinite", step=11))
    return folder


def test_metrics_become_curves(folder: RunFolder) -> None:
    run = read_run(folder.path)
    train = run.curve("loss", "train")
    assert train.values[0] == 2.0
    assert np.isnan(train.values[1])
    assert len(train) == 2
    assert train.epochs.tolist() == [1, 2]
    assert train.finite.steps.tolist() == [10]
    assert train.place(1) == (20, 2)
    assert run.curve("loss", "train_eval").values.tolist() == [1.9, 0.9]
    assert run.metrics("val") == ("loss", "accuracy")
    assert run.curve("samples_per_s").values.tolist() == [100, 110]


def test_an_absent_value_is_no_point(folder: RunFolder) -> None:
    run = read_run(folder.path)
    assert run.curve("loss", "val").values.tolist() == [1.0]
    assert run.curve("loss", "val").epochs.tolist() == [2]
    assert len(run.curve("grad_norm")) == 1
    assert len(run.curve("loss", "test")) == 0


def test_steps_are_the_finer_picture(folder: RunFolder) -> None:
    run = read_run(folder.path)
    assert run.curve("batch_loss").values.tolist() == [2.3, 2.2]
    assert run.curve("lr").values.tolist() == [0.2, 0.1]


def test_the_rest_of_the_folder_comes_along(folder: RunFolder) -> None:
    run = read_run(folder.path)
    assert run.meta["format"] == "dlcheck-run"
    assert run.meta["recipe"] == {"data": {"name": "digits"}}
    assert run.number("trivial_loss") == 2.3
    assert math.isnan(run.number("initial_loss") or 0)
    assert run.number("classes") is None
    assert run.events == (Event("nonfinite", step=11),)
    assert run.layers["statistic"].tolist() == ["grad_norm", "dead_fraction"]
    assert np.isnan(run.layers["value"].to_numpy()[1])
    assert run.phases.empty


def test_a_folder_of_a_run_that_just_began_is_an_empty_run(tmp_path: Path) -> None:
    run = read_run(RunFolder.create(tmp_path / "new").path)
    assert run.scalars.empty
    assert run.events == ()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("layers.csv", "step,layer,value\n1,fc,1\n", "has no column statistic"),
        ("facts.json", "[1]", "expected a JSON object"),
        ("facts.json", "{", "cannot read"),
        ("recipe.toml", "= 1", "cannot read"),
        ("metrics.csv", "epoch,train_loss\n1,bad\n", "line 2: 'bad' in column train_loss"),
    ],
)
def test_a_broken_file_is_named(folder: RunFolder, name: str, content: str, said: str) -> None:
    (folder.path / name).write_text(content)
    with pytest.raises(DlcheckError, match=said) as caught:
        read_run(folder.path)
    assert name in str(caught.value)


def test_what_no_reader_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DlcheckError, match="no such file"):
        read_run(tmp_path / "none")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(DlcheckError, match="no training log: the file is an image; it reads: dlcheck-run"):
        read_run(tmp_path / "photo.jpg")


def test_readers_are_found_by_lying_in_the_package() -> None:
    assert next(reader.name for reader in readers()) == "dlcheck-run"
    assert len({reader.name for reader in readers()}) == len(readers())
