"""A study while it runs: the table, the lines, the text of ``--status``."""

import io
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from dlcheck.report.sketch import spark
from dlcheck.tuning.live import Table, lines
from dlcheck.tuning.status import seconds_left, span, status
from dlcheck.tuning.trials import Ending, StudyView, TrialRow
from tests.tuning.views import died, row, view

RUNNING = row(22, 0.01, 0.1, state="RUNNING", ending=None, value=None, worker=1, started=1000.0)
WAITING = row(23, 0.01, 0.1, state="WAITING", ending=None, value=None, curve=())


def shown(known: StudyView, *, ascii: bool = False, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, no_color=True)
    console.print(Table(known, ascii=ascii, now=1100.0))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def at_work(*more: TrialRow) -> StudyView:
    return view(20, died(20, 0.5), row(21, 0.1, 0.1, ending=Ending.pruned), RUNNING, WAITING, *more, total=40)


def test_the_table_says_how_far_it_is_and_what_runs() -> None:
    text = shown(at_work())
    assert "tiny: 22 of 40 trials done, 1 running, about 36 s left" in text
    assert "better than your recipe (0.2523)" in text
    assert "ended: 20 ok, 1 nan, 1 pruned" in text
    assert "22    4/4" in text
    assert "█" in text
    assert "100 s" not in text
    assert "2 min" in text


def test_the_table_has_ascii_signs_only_where_asked() -> None:
    assert shown(at_work(), ascii=True).isascii()


def test_a_study_that_has_just_begun_is_shown() -> None:
    known = replace(view(), trials=(replace(RUNNING, number=0, curve=(), baseline=True),))
    assert "no trial has finished yet" in shown(known)
    assert "0/4" in shown(known)
    assert "no trial has finished yet" in shown(replace(known, trials=()))


def test_many_running_trials_are_counted() -> None:
    more = [replace(RUNNING, number=30 + place) for place in range(12)]
    assert "and 5 more" in shown(at_work(*more))


def test_words_of_the_users_side_do_not_reach_the_terminal_as_they_are() -> None:
    evil = replace(at_work(), name="\x1b[31m[bold]x", metric="val_\x07loss")
    assert "\x1b" not in shown(evil)
    assert "[bold]" in shown(evil)
    assert "\x07" not in shown(evil)
    told = lines(None, view(1, replace(died(1, 0.5), reason="\x1b[2Jgone\n")))
    assert not any("\x1b" in line or "\n" in line for line in told)


def test_every_trial_that_ends_is_told_once() -> None:
    before, after = view(3), view(3, died(3, 0.5), row(4, 3e-3, 0.1), total=9)
    told = lines(before, after)
    assert len(told) == 2
    assert told[0].startswith("[4/9] trial 3 nan, no val_loss, 1 epochs")
    assert "in 1 (Linear)" in told[0]
    assert told[1].startswith("[5/9] trial 4 ok, val_loss 0.2,")
    assert told[1].endswith(", with optimizer.lr 0.003, model.dropout 0.1, best so far")
    assert lines(after, after) == []
    assert lines(None, before)[0].startswith("[1/3] your recipe ok")


def test_trials_that_do_not_count_do_not_move_the_count() -> None:
    stopped = replace(died(3, 0.5), ending=Ending.stopped)
    told = lines(view(3), view(3, stopped, row(4, 0.1, 0.1), total=9))
    assert [line.partition("]")[0] for line in told] == ["[3/9", "[4/9"]


def test_the_status_tells_the_last_deaths_and_what_is_left() -> None:
    text = status(at_work(), now=1100.0)
    assert "tiny: 22 of 40 trials done, 1 running (20 ok, 1 nan, 1 pruned)" in text
    assert "trial 22 runs: epoch 4 of 4" in text
    assert "trial 20 ended as nan: loss nan at step 37, in 1 (Linear)" in text
    assert "about 36 s left" in text
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"total": 40}, 40.0),
        ({"total": 40, "workers": 2}, 20.0),
        ({"total": 20}, 0.0),
        ({"total": None}, None),
        ({"total": None, "budget_epochs": 120}, 20.0),
        ({"total": 40, "deadline": 1010.0}, 10.0),
        ({"total": 40, "deadline": 900.0}, 0.0),
    ],
)
def test_the_time_left_is_that_of_the_first_limit(more: dict[str, object], expected: float | None) -> None:
    assert seconds_left(view(20, **more), now=1000.0) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7500, "2 h 5 min")]
)
def test_durations_are_said_as_people_say_them(seconds: float, told: str) -> None:
    assert span(seconds) == told


def test_a_spark_ends_where_the_curve_does() -> None:
    assert spark([1.0, 0.5, 0.0], 24) == "█▅▁"
    assert spark([1.0, float("nan"), 0.0], 24) == "█ ▁"
    assert spark([3.0, 3.0], 24) == "▅▅"
    assert spark([], 24) == ""
    assert spark([float("nan")], 24) == " "
    assert len(spark(list(range(1000)), 24)) == 24
    assert spark([0.0, 1e308, -1e308], 3, ascii=True).isascii()


def test_status_and_table_need_neither_torch_nor_optuna() -> None:
    code = (
        "import sys; from dlcheck.tuning import live, status, study_json; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'torchvision', 'optuna', 'scipy', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
