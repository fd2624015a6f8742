"""A wall clock that is set back or forth: deadlines hold, no duration is negative, nothing waits for it."""

import dataclasses
import datetime
import os
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pandas as pd
import pytest

from dlcheck.recipe import load_recipe
from dlcheck.recipe.resolve import resolve
from dlcheck.runs import delimited
from dlcheck.runs.delimited import read_delimited
from dlcheck.runs.delimited_frame import parsed_frame
from dlcheck.runs.table_head import TableHead
from dlcheck.tuning.planning import Request, make_plan
from dlcheck.tuning.quota import enough
from dlcheck.tuning.status import seconds_left
from dlcheck.tuning.trials import StudyView, view
from tests.crash.test_kills_train import BASE
from tests.tuning.views import row
from tests.tuning.views import view as made

DAY_S = 86400.0


class Clock:
    """Goes as the real one did, except for what it was set by."""

    def __init__(self, real: Callable[[], float]) -> None:
        self.real, self.set_by, self.step = real, 0.0, 0.0

    def __call__(self) -> float:
        self.set_by += self.step
        return self.real() + self.set_by


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(time.time)
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_the_deadline_of_a_search_is_no_matter_of_the_wall_clock(
    jump_s: float, wall: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.toml").write_text(BASE.replace("limit = 300", "limit = 64"), encoding="utf-8")
    loaded = load_recipe(tmp_path / "r.toml", ["tune.timeout=600"])
    plan = make_plan(loaded, resolve(loaded), Request(study_dir=tmp_path / "study", device="cpu"))
    empty = StudyView("tiny", "val_loss", True, (), {})
    wall.set_by = jump_s
    assert enough(plan, empty) is None
    later = time.monotonic() + 601
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert enough(plan, empty) is not None


@pytest.mark.parametrize(("now", "left"), [(1000.0, 60.0), (1030.0, 30.0), (1000.0 - DAY_S, 60.0), (9e9, 0.0)])
def test_what_is_left_of_a_search_is_never_more_than_its_last_trial_had(now: float, left: float) -> None:
    begun = dataclasses.replace(row(0, 3e-3, 0.1), state="RUNNING", ending=None, started=1000.0)
    assert seconds_left(dataclasses.replace(made(0), trials=(begun,), total=None, deadline=1060.0), now) == left


def test_a_trial_that_ended_before_it_began_took_no_time() -> None:
    study = optuna.create_study()
    trial = optuna.create_trial(value=0.5)
    assert trial.datetime_start is not None
    trial.datetime_complete = trial.datetime_start - datetime.timedelta(days=1)
    study.add_trial(trial)
    assert view(study).trials[0].seconds == 0.0
    trial.user_attrs["dlcheck.result"] = {"metrics": {"seconds": 2.5}}
    study.add_trial(trial)
    assert view(study).trials[1].seconds == 2.5


def test_a_training_measures_no_duration_with_the_wall_clock(wall: Clock, tmp_path: Path) -> None:
    from dlcheck.training.session import train

    (tmp_path / "r.toml").write_text(BASE, encoding="utf-8")
    wall.step = -3600.0  # at every look
    loaded = load_recipe(tmp_path / "r.toml", ["train.epochs=2"])
    done = train(loaded, device="cpu", run_path=tmp_path / "run")
    assert done.stopped is None
    rows, phases = pd.read_csv(tmp_path / "run" / "metrics.csv"), pd.read_csv(tmp_path / "run" / "phases.csv")
    assert rows["wall_s"].is_monotonic_increasing
    assert rows["wall_s"].between(0, 600).all()
    assert (phases["seconds"] >= 0).all()


@pytest.mark.parametrize("age_s", [-DAY_S, DAY_S])
def test_a_log_of_the_future_is_read_as_fast_as_an_old_one(
    age_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, used = tmp_path / "log.csv", list[str]()
    path.write_text("step,loss\n" + "".join(f"{step},0.{step:07d}\n" for step in range(400_000)), encoding="utf-8")
    os.utime(path, (time.time() - age_s,) * 2)

    def counted(source: str | bytes, header: TableHead, names: tuple[str, ...]) -> object:
        used.append(str(source))
        return parsed_frame(source, header, names)  # type: ignore[arg-type]

    monkeypatch.setattr(delimited, "parsed_frame", counted)
    assert len(read_delimited(path).columns[0].values) == 400_000
    assert used == [str(path)]
