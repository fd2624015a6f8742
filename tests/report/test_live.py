import json
import re

from dlcheck.report import Report
from dlcheck.report.live import change_line


def test_a_finding_in_words(sick: Report) -> None:
    cause, consequence = sick.outcome.findings
    line = change_line("found", sick, cause, "text")
    assert re.match(r"\d\d:\d\d:\d\d runs/digits: C409 overfit \(warning, 95% sure\): val_loss rose over", line)
    assert line.endswith("\n   do: stop early")
    later = change_line("found", sick, consequence, "text")
    assert later.endswith("60% of the run came after; explained by C409")


def test_a_withdrawal_is_told_in_every_format(sick: Report) -> None:
    (finding, _) = sick.outcome.findings
    assert change_line("withdrawn", sick, finding, "text").endswith("C409 overfit is withdrawn: no longer seen")
    told = json.loads(change_line("withdrawn", sick, finding, "json"))
    assert (told["event"], told["source"], told["finding"]["code"]) == ("withdrawn", "runs/digits", "C409")
    line = change_line("withdrawn", sick, finding, "github")
    assert line == "::notice title=dlcheck,file=runs/digits::C409 overfit is withdrawn: no longer seen"


def test_hostile_words_stay_on_their_line(hostile: Report) -> None:
    (finding,) = hostile.outcome.findings
    assert "\n" not in change_line("found", hostile, finding, "json")
    assert "\n" not in change_line("found", hostile, finding, "github")
    text = change_line("found", hostile, finding, "text")
    assert text.count("\n") == 1
    assert "\x1b" not in text
