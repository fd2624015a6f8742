"""Studies are resumed to their total, refuse what is not theirs, and keep the user's files."""

import errno
import gc
import os
import signal
import sqlite3
from pathlib import Path

import optuna
import pytest

from dlcheck.errors import DlcheckError
from dlcheck.recipe import LoadedRecipe
from dlcheck.tuning import once
from dlcheck.tuning.planning import Request
from dlcheck.tuning.storage import database_url, open_storage
from dlcheck.tuning.study import sweep
from dlcheck.tuning.trials import BASELINE, Ending, StudyView, read_study
from dlcheck.tuning.tune import Tuned, tune
from tests.tuning.conftest import RATES, TINY, written


def run(loaded: LoadedRecipe, folder: Path) -> Tuned:
    return tune(loaded, Request(study_dir=folder, device="cpu", conclude=False))


def refusal(loaded: LoadedRecipe, request: Request) -> str:
    with pytest.raises(DlcheckError) as caught:
        tune(loaded, request)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def content(folder: Path) -> dict[str, bytes]:
    """Return every file but the locks, which hold nothing."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith((".", "study.db-"))
    }


def step_rows(folder: Path) -> list[int]:
    """Return the steps that each training in a folder logged."""
    return [len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in sorted(folder.glob("*/steps.csv"))]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyView]:
    folder = tmp_path_factory.mktemp("two")
    view = run(written(folder, TINY + RATES, "tune.trials=2"), folder / "study").view
    gc.collect()  # the last connection that is closed still writes into the file
    return folder, view


def test_a_study_is_resumed_to_its_total(tmp_path: Path) -> None:
    for total, expected in ((2, 2), (5, 5), (5, 5), (3, 5)):
        tuned = run(written(tmp_path, TINY + RATES, f"tune.trials={total}"), tmp_path / "study")
        assert len(tuned.view.trials) == expected
        assert all(row.ending is not None for row in tuned.view.trials)
    assert len({row.params.get("optimizer.lr") for row in tuned.view.trials}) == 5


def test_a_chosen_space_stays_when_the_study_gets_more_trials(tmp_path: Path) -> None:
    few = run(written(tmp_path, TINY, "tune.trials=2"), tmp_path / "study").view
    more = run(written(tmp_path, TINY, "tune.trials=4"), tmp_path / "study").view
    assert list(few.space) == list(more.space) == ["times optimizer.lr"]
    assert sum(row.counts for row in more.trials) == 4


def test_a_study_reads_the_same_from_folder_file_and_url(two: tuple[Path, StudyView]) -> None:
    folder = two[0] / "study"
    views = [read_study(place) for place in (folder, folder / "study.db", database_url(folder))]
    assert len({view.name for view in views}) == 1
    assert all(view.trials == two[1].trials for view in views)
    assert two[1].total == 2
    assert two[1].space["optimizer.lr"].high == 0.1


def test_the_baseline_is_the_recipe_with_its_own_values(two: tuple[Path, StudyView]) -> None:
    first = two[1].trials[0]
    assert first.baseline
    assert first.raw == {"optimizer.lr": 0.01, "model.dropout": 0.0}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("hidden = [16]", "hidden = [17]"), "model.hidden was [16], is [17]"),
        (("log = [1e-3, 1e-1]", "log = [1e-3, 1]"), "search had optimizer.lr: log [0.001, 0.1]"),
        (("[search]", '[tune]\nmetric = "val_accuracy"\n[search]'), 'metrics was ["val_loss"], is ["val_accuracy"]'),
        (("[search]", "[tune]\nsubset = 0.5\n[search]"), "subset was not set, is 0.5"),
    ],
)
def test_another_ones_study_is_refused_and_left_as_it_was(
    two: tuple[Path, StudyView], change: tuple[str, str], told: str
) -> None:
    folder = two[0] / "study"
    before = content(folder)
    loaded = written(two[0], (TINY + RATES).replace(*change), name="other")
    message = refusal(loaded, Request(study_dir=folder, study_name="tiny", device="cpu"))
    assert told in message
    assert "choose another --study-dir" in message
    assert content(folder) == before


def test_a_metric_that_is_never_logged_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    loaded = written(tmp_path, TINY + RATES, "tune.metric=val_acuracy")
    message = refusal(loaded, Request(study_dir=tmp_path / "study", device="cpu"))
    assert "'val_acuracy' is never logged by this recipe; did you mean 'val_accuracy'?" in message
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://host", "expected sqlite:///FILE"),
        ("grpc://host", "expected grpc://HOST:PORT"),
        ("postgresql://me:secret@127.0.0.1:1/none", "cannot open this storage"),
    ],
)
def test_a_storage_that_cannot_be_is_refused_without_its_password(tmp_path: Path, url: str, told: str) -> None:
    loaded = written(tmp_path, TINY + RATES)
    message = refusal(loaded, Request(study_dir=tmp_path / "study", storage=url, device="cpu"))
    assert told in message
    assert "secret" not in message
    assert not (tmp_path / "study").exists()


def test_a_file_that_is_no_study_is_refused_and_kept(tmp_path: Path) -> None:
    loaded = written(tmp_path, TINY + RATES)
    text, table = tmp_path / "notes.db", tmp_path / "table.db"
    text.write_text("not a database" * 100, encoding="utf-8")
    connection = sqlite3.connect(table)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    for file in (text, table):
        before = file.read_bytes()
        message = refusal(loaded, Request(study_dir=tmp_path / "study", storage=f"sqlite:///{file}", device="cpu"))
        assert "study" in message
        assert file.read_bytes() == before
        with pytest.raises(DlcheckError):
            read_study(file)


def test_a_folder_of_other_things_is_refused_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("words", encoding="utf-8")
    message = refusal(written(tmp_path, TINY + RATES), Request(study_dir=folder, device="cpu"))
    assert "not a study's folder, and not empty" in message
    assert [path.name for path in folder.iterdir()] == ["chapter.txt"]


def test_a_study_of_another_program_is_refused(tmp_path: Path) -> None:
    url = database_url(tmp_path)
    study = optuna.create_study(storage=open_storage(url, create=True), study_name="tiny")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    message = refusal(written(tmp_path, TINY + RATES), Request(study_dir=tmp_path / "s", storage=url, device="cpu"))
    assert "not made by dlcheck tune" in message
    assert read_study(url).trials[0].ending is Ending.ok


def test_a_full_disk_stops_the_study_and_the_next_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = written(tmp_path, TINY + RATES, "tune.trials=3")
    whole = once._train
    calls = 0

    def full(*arguments: object, **named: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(once, "_train", full)
    assert "no space left on the device" in refusal(loaded, Request(study_dir=tmp_path / "study", device="cpu"))
    rows = run(loaded, tmp_path / "study").view.trials
    assert sum(row.counts for row in rows) == 3
    assert [row.ending for row in rows if row.requeued] == [Ending.stopped]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_trial_is_queued_again_and_counts_once(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("these tests run under nohup, and what it ignores stays ignored")
    former = signal.getsignal(number)
    loaded = written(tmp_path, TINY + RATES, "tune.trials=3")
    whole = once._train
    calls = 0

    def interrupted(*arguments: object, **named: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            os.kill(os.getpid(), number)
        whole(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(once, "_train", interrupted)
    tuned = run(loaded, tmp_path / "study")
    assert tuned.enough is None
    assert tuned.signal == number
    assert signal.getsignal(number) == former
    assert [row.ending for row in tuned.view.trials] == [Ending.ok, Ending.stopped, None]
    rows = run(loaded, tmp_path / "study").view.trials
    assert [row.ending for row in rows if row.counts] == [Ending.ok] * 3
    assert rows[1].params == rows[2].params


def test_a_lost_trial_is_queued_again_once(tmp_path: Path) -> None:
    study = optuna.create_study(storage=open_storage(database_url(tmp_path), create=True), study_name="lost")
    study.enqueue_trial({"x": 0.5})
    for times in (1, 2):
        trial = study.ask()
        assert trial.suggest_float("x", 0, 1) == 0.5
        assert sweep(study, lambda start: True) == [times - 1]
    rows = read_study(tmp_path).trials
    assert [(row.state, row.ending, row.requeued) for row in rows] == [
        ("FAIL", Ending.lost, True),
        ("FAIL", Ending.lost, False),
    ]
    assert rows[1].reason == "its process was killed"


def test_a_second_command_on_the_same_study_is_refused(tmp_path: Path) -> None:
    from dlcheck.tuning.turn import Sole

    loaded = written(tmp_path, TINY + RATES, "tune.trials=1")
    run(loaded, tmp_path / "study")
    with Sole(tmp_path / "study" / ".lock"):
        assert "another dlcheck tune is at work" in refusal(loaded, Request(study_dir=tmp_path / "study", device="cpu"))


@pytest.mark.parametrize(("budget", "most"), [("6 epochs", 3), ("7 epochs", 4), ("1s", 200)])
def test_a_budget_ends_the_study(tmp_path: Path, budget: str, most: int) -> None:
    tuned = run(written(tmp_path, TINY + RATES, f'tune.budget="{budget}"'), tmp_path / "study")
    assert tuned.view.total is None
    assert 1 <= len(tuned.view.trials) <= most
    assert tuned.enough is not None
    assert not tuned.enough.failed


def test_trials_see_a_share_of_the_data_and_the_retraining_all(tmp_path: Path) -> None:
    loaded = written(tmp_path, TINY + RATES, "tune.subset=0.25", "tune.trials=1")
    tuned = run(loaded, tmp_path / "study")
    steps = step_rows(tmp_path / "study" / "trials")
    value = tuned.retrain({"optimizer.lr": 0.02}, 7)
    assert steps == [2 * 1]
    assert step_rows(tmp_path / "study" / "confirm") == [2 * 4]
    assert value == tuned.retrain({"optimizer.lr": 0.02}, 7)
    assert value != tuned.retrain({"optimizer.lr": 0.02}, 8)


def test_only_the_best_logs_are_kept(tmp_path: Path) -> None:
    tuned = run(written(tmp_path, TINY + RATES, "tune.trials=7"), tmp_path / "study")
    kept = {path.name for path in (tmp_path / "study" / "trials").iterdir()}
    best = sorted((row for row in tuned.view.trials[1:] if row.usable), key=lambda row: row.value or 0.0)
    assert kept == {"0000", *(f"{row.number:04d}" for row in best[:5])}


def test_a_trial_that_was_lost_with_its_command_is_queued_again_more_often(tmp_path: Path) -> None:
    study = optuna.create_study(storage=open_storage(database_url(tmp_path), create=True), study_name="lost")
    study.enqueue_trial({"x": 0.5}, user_attrs={BASELINE: True})
    for command in (True, False, True, False):
        study.ask().suggest_float("x", 0, 1)
        assert len(sweep(study, lambda start: True, command=command)) == 1
    rows = read_study(tmp_path).trials
    assert [row.requeued for row in rows] == [True, True, True, False]
    assert all(row.baseline for row in rows)
    assert rows[3].counts


@pytest.mark.parametrize("left", [(), (".lock", ".study.db.99.tmp", ".recipe.toml.abc.tmp")])
def test_a_study_begins_where_a_command_was_killed_at_once(left: tuple[str, ...], tmp_path: Path) -> None:
    study = tmp_path / "study"
    (study / "trials").mkdir(parents=True)
    for name in left:
        (study / name).write_text("half", encoding="utf-8")
    rows = run(written(tmp_path, TINY + RATES, "tune.trials=1"), study).view.trials
    assert [row.ending for row in rows] == [Ending.ok]
    assert not list(study.rglob(".*.tmp*"))
