"""Commands that need no torch start without it, every rule and reader loaded."""

import subprocess
import sys

import pytest

HEAVY = "('torch', 'torchvision', 'optuna', 'sklearn', 'lightning')"
LIGHT = {
    "help": "run(['--help'])",
    "train help": "run(['train', '--help'])",
    "lr-find help": "run(['lr-find', '--help'])",
    "list": "run(['train', '--list'])",
    "schema": "run(['init', '--schema'])",
    "explain": "run(['explain', 'C401'])",
    "tune help": "run(['tune', '--help'])",
    "every rule": "from dlcheck.rules import all_rules, diagnose; from dlcheck.runs import Run; diagnose(Run())\n"
    "assert len(all_rules()) > 5",
    "a page of a log": "import pathlib, tempfile; log = pathlib.Path(tempfile.mkdtemp()) / 'a.csv'\n"
    "log.write_text('epoch,train_loss,val_loss\\n1,2,2\\n2,1,1\\n')\n"
    "run(['report', str(log), '--output', f'{log}.html'])",
    "every report": "import dlcheck.report.html.run, dlcheck.report.text, dlcheck.report.json",
}


@pytest.mark.parametrize("code", LIGHT.values(), ids=LIGHT.keys())
def test_starts_without_torch(code: str) -> None:
    program = f"""
import sys
from dlcheck.cli.app import run
{code}
heavy = [name for name in {HEAVY} if name in sys.modules]
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
