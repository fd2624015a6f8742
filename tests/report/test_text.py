from dataclasses import replace
from io import StringIO

import numpy as np
from rich.console import Console

from dlcheck.findings import NotChecked, Outcome, Where
from dlcheck.report import Report, render_text
from dlcheck.report.report import shown_by
from dlcheck.runs import Part, Run, scalar_frame


def rendered(
    *reports: Report,
    width: int = 80,
    verbose: bool = False,
    chart: bool = False,
    colour: bool = False,
    moments: bool = False,
) -> str:
    file = StringIO()
    console = Console(width=width, file=file, force_terminal=colour, legacy_windows=False)
    render_text(reports, console, verbose=verbose, chart=chart, moments=moments)
    return file.getvalue()


SICK = """\
runs/digits
sick: C409 overfit

C409 overfit  warning, 95% sure
   val_loss rose over the last 6 validations while train_loss fell from 2.3 to
     0.05
   best_epoch 4; best_val_loss 0.52; worst inf; p none; worsens True
   at val_loss, step 40, epoch 4
   cause: the network learns what holds for the training samples alone
   do: stop early
       --set train.patience=5 --set train.restore_best=true
   do: more data

C411 stopped-late  info, 90% sure
   60% of the run came after
   explained by C409

2 findings; 2 clean; 3 not checked; 1 crashed
   not checked, no layer_grad_norm in this run (dlcheck watch SCRIPT measures
     it): G303, G304
   not checked, only 2 finite values of val_loss; 3 are needed: C406
   crashed: X901: ValueError: odd
next: dlcheck explain C409
"""


def test_a_sick_run_as_a_whole(sick: Report) -> None:
    assert rendered(sick) == SICK


def test_an_unknown_run_as_a_whole(unknown: Report) -> None:
    assert rendered(unknown) == (
        "metrics.csv\n"
        "unknown: too little was measured to call it healthy; nothing shows it to be sick\n"
        "\n"
        "0 findings; 0 clean; 1 not checked; 0 crashed\n"
        "   not checked, no loss in this run (dlcheck train RECIPE measures it): C401\n"
        "next: dlcheck train RECIPE, for what was not checked\n"
    )


def test_a_healthy_run_as_a_whole() -> None:
    report = Report("runs/digits", Run(), Outcome(clean=("C401", "C402")), "healthy")
    assert rendered(report) == (
        "runs/digits\n"
        "healthy: the rules that could have told otherwise ran clean\n"
        "\n"
        "0 findings; 2 clean; 0 not checked; 0 crashed\n"
        "next: nothing to mend\n"
    )


def test_verbose_adds_references_and_what_was_inferred(sick: Report) -> None:
    added = set(rendered(sick, verbose=True).splitlines()) - set(SICK.splitlines())
    assert added == {"   see: Prechelt 1998", "   read as: dlcheck-run", "   inferred: step: optimizer steps"}


def test_verbose_says_how_the_columns_were_read(sick: Report) -> None:
    meta = {
        "format": "generic-csv",
        "columns": {"eval/ce": "val/loss"},
        "inferred": ["a step is an epoch"],
        "ambiguous": ["two columns name the loss"],
        "unmapped": [f"x{number}" for number in range(22)],
    }
    text = rendered(replace(sick, run=replace(sick.run, meta=meta)), width=400, verbose=True)
    for line in ("read as: generic-csv", "column: eval/ce -> val/loss", "inferred: a step is an epoch"):
        assert f"   {line}\n" in text
    assert "   not clear: two columns name the loss\n" in text
    assert "x19 and 2 more\n" in text


def test_several_runs_are_told_apart(sick: Report, unknown: Report) -> None:
    assert rendered(sick, unknown) == SICK + "\n" + rendered(unknown)


def test_escapes_and_markup_of_the_user_are_shown_not_obeyed(hostile: Report) -> None:
    text = rendered(hostile, width=400, verbose=True, chart=True)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "\\x1b[31m[bold]<script>alert(1)</script> &\\x07" in text
    assert "\x1b[31m[bold]" not in rendered(hostile, width=400, colour=True)


def test_colour_adds_nothing_but_colour(sick: Report) -> None:
    import re

    coloured = rendered(sick, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == SICK


def test_the_chart_fits_and_holds_both_losses(sick: Report) -> None:
    lines = rendered(sick, chart=True).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("train_loss" in line and "x val_loss" in line for line in lines)


def test_many_codes_are_counted_rather_than_listed() -> None:
    from dlcheck.findings import NotChecked

    outcome = Outcome(not_checked=tuple(NotChecked(f"G{number}", "no gradients") for number in range(301, 318)))
    text = rendered(Report("x", Run(), outcome, "unknown"))
    assert "G312 and 5 more" in text
    assert "G313" not in text


def test_a_cause_is_drawn_with_its_moment_marked(sick: Report) -> None:
    text = rendered(sick, moments=True)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    (legend,) = [line for line in lines if "C409 overfit 4" in line]
    assert "train_loss" in legend
    assert "val_loss" in legend
    marked = [line for line in lines if "┤" in line and "│" in line]
    assert len(marked) >= 3
    assert "C411 stopped-late 4" not in text


def test_a_finding_is_drawn_on_the_chart_of_its_metric(sick: Report) -> None:
    (finding, _) = sick.outcome.findings

    def drawn(metric: str | None, report: Report = sick) -> list[str]:
        shown = shown_by(report, replace(finding, where=Where(metric=metric, epoch=4)))
        return [item.label for item in shown]

    assert drawn("val_loss") == drawn(None) == ["train_loss", "val_loss"]
    assert drawn("val_accuracy") == ["val_accuracy"]
    assert drawn("lr") == ["lr"]
    assert drawn("unheard_of") == ["train_loss", "val_loss"]
    assert shown_by(sick, replace(finding, where=Where())) == []


def test_nothing_is_drawn_where_nothing_is_finite(sick: Report) -> None:
    nan = Run(scalars=scalar_frame([Part("train", "loss", np.full(5, np.nan))]))
    assert shown_by(replace(sick, run=nan), sick.outcome.findings[0]) == []


def test_a_run_without_the_signals_is_told_without_a_curve(hostile: Report) -> None:
    assert "┤" not in rendered(hostile.without_signals, moments=True)


def test_a_narrow_terminal_is_kept_to(sick: Report) -> None:
    assert max(len(line) for line in rendered(sick, width=60).splitlines()[2:]) <= 60


def test_many_lacking_signals_are_one_line_and_each_by_name_when_asked() -> None:
    lacking = tuple(
        NotChecked(f"G30{place}", f"no signal_{place} in this run", "dlcheck watch SCRIPT", lacking=True)
        for place in range(1, 6)
    )
    short = NotChecked("C406", "only 2 finite values of val_loss; 3 are needed")
    report = Report("runs/digits", Run(), Outcome(not_checked=(*lacking, short)), "unknown")
    text = " ".join(rendered(report).split())
    assert "not checked, for want of what other commands measure: 5 rules (dlcheck watch SCRIPT)" in text
    assert "not checked, only 2 finite values" in text
    assert "signal_1" not in text
    assert "no signal_4 in this run" in " ".join(rendered(report, verbose=True).split())


def test_what_a_watched_script_did_not_show_is_not_asked_of_watching_again() -> None:
    lacking = tuple(
        NotChecked(f"D10{n}", f"no fact_{n} in this run", "dlcheck watch SCRIPT", lacking=True) for n in range(6)
    )
    report = Report("runs/script", Run(facts={"watched": True}), Outcome(not_checked=lacking), "unknown")
    text = " ".join(rendered(report).split())
    assert "not checked, the script showed nothing of what they judge: D100, D101" in text
    assert text.endswith("next: dlcheck check my_package.module:factory, for what a run does not show")
