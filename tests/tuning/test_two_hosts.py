"""A search on two hosts that share one PostgreSQL over a network of their own; one of them is switched off."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from dlcheck.tuning.storage import open_storage
from dlcheck.tuning.trials import Ending, TrialRow, read_study
from tests.hosts import Host, Net, hosts, until
from tests.tuning.conftest import DATA, RATES
from tests.tuning.postgres import postgres

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Heartbeat of storage")]
BOUND_S = 200
RECIPE = (
    DATA.replace("128", "512")
    + '[model]\nname = "mlp"\nhidden = [64]\n[optimizer]\nname = "adam"\nlr = 0.01\n'
    + "[train]\nepochs = 20\nbatch_size = 8\n[tune]\npruner = 'none'\n"
    + RATES
)
QUICK = (
    "import sys; from dlcheck.tuning import storage; storage.HEARTBEAT_S, storage.GRACE_S = 1, 5; "
    "from dlcheck.__main__ import main; main(sys.argv[1:])"
)
"""The command, with signs of life that come sooner: three minutes of silence are too long for a test."""


@pytest.fixture(scope="module")
def net() -> Iterator[tuple[Net, str]]:
    with hosts(2) as made, postgres(made.address, f"{made.address.rsplit('.', 1)[0]}.0/24") as url:
        yield made, url


def start(host: Host, url: str, folder: Path, name: str, trials: int) -> None:
    folder.mkdir(parents=True)
    (folder / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    options = [
        "--storage",
        url,
        "--study-name",
        name,
        "--study-dir",
        "study",
        "--trials",
        str(trials),
        "--device",
        "cpu",
    ]
    host.start([sys.executable, "-c", QUICK, "tune", "tiny.toml", "--quiet", *options], folder)


def rows(url: str, name: str) -> tuple[TrialRow, ...]:
    try:
        return read_study(url, name).trials
    except Exception:  # not there yet
        return ()


def placed(url: str, name: str, host: Host, *states: optuna.trial.TrialState) -> list[int]:
    """Return the numbers of a host's trials in these states."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            study = optuna.load_study(study_name=name, storage=open_storage(url, create=False))
        except Exception:  # not there yet
            return []
    trials = study.get_trials(deepcopy=False, states=states or None)
    return [one.number for one in trials if f"{host.name}:" in str(one.user_attrs.get("dlcheck.start"))]


def finished(url: str, name: str) -> list[TrialRow]:
    return [row for row in rows(url, name) if row.ending is Ending.ok]


def test_both_hosts_work_on_one_study_to_its_total(net: tuple[Net, str], tmp_path: Path) -> None:
    made, url = net
    for place, host in enumerate(made.hosts):
        start(host, url, tmp_path / str(place), "both", 8)
    for host in made.hosts:
        assert host.started[-1].wait(BOUND_S) == 0, host.screen.read_text("utf-8")
    found = rows(url, "both")
    assert sum(row.counts for row in found) == 8
    assert {row.ending for row in found} == {Ending.ok}
    assert all(placed(url, "both", host) for host in made.hosts)


def test_a_host_that_is_switched_off_in_a_trial_loses_none_that_was_finished(
    net: tuple[Net, str], tmp_path: Path
) -> None:
    made, url = net
    first, second = made.hosts
    for place, host in enumerate(made.hosts):
        start(host, url, tmp_path / str(place), "lost", 8)
    running = optuna.trial.TrialState.RUNNING
    until(lambda: len(finished(url, "lost")) >= 2 and placed(url, "lost", second, running), BOUND_S, "trials run")
    second.kill()
    before = finished(url, "lost")
    lost = placed(url, "lost", second, running)
    assert first.started[-1].wait(BOUND_S) == 0, first.screen.read_text("utf-8")
    after = {row.number: row for row in rows(url, "lost")}
    assert all((after[row.number].ending, after[row.number].value) == (row.ending, row.value) for row in before)
    assert sum(row.counts for row in after.values()) == 8
    for number in lost:
        assert after[number].ending is Ending.lost
