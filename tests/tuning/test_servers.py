"""A study that several hosts work on: a real PostgreSQL, and Optuna's journal file and gRPC proxy."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from dlcheck.tuning import storage
from dlcheck.tuning.planning import Request
from dlcheck.tuning.storage import open_storage, shown, with_driver
from dlcheck.tuning.trials import BASELINE, Ending, TrialRow, read_study
from dlcheck.tuning.tune import tune
from tests.tuning.conftest import RATES, TINY, written
from tests.tuning.postgres import free_port, postgres, wait_for


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a PostgreSQL of our own, and return the URL of an empty database."""
    with postgres() as url:
        yield url


def run(folder: Path, url: str, trials: int, name: str) -> tuple[TrialRow, ...]:
    loaded = written(folder, TINY + RATES, f"tune.trials={trials}")
    request = Request(study_dir=folder / "study", storage=url, study_name=name, device="cpu", conclude=False)
    return tune(loaded, request).view.trials


def test_two_hosts_share_a_study_to_its_total(server: str, tmp_path: Path) -> None:
    first = run(tmp_path / "a", server, 2, "shared")
    second = run(tmp_path / "b", server, 4, "shared")
    assert [len(first), len(second)] == [2, 4]
    assert [row.ending for row in second] == [Ending.ok] * 4
    assert [row.baseline for row in second] == [True, False, False, False]
    assert len(run(tmp_path / "a", server, 4, "shared")) == 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_a_host_that_went_silent_is_noticed_and_its_trial_runs_again(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "HEARTBEAT_S", 1)
    monkeypatch.setattr(storage, "GRACE_S", 2)
    run(tmp_path / "a", server, 1, "silent")
    kept = open_storage(server, create=False, heartbeat=True)
    assert isinstance(kept, optuna.storages.RDBStorage)
    study = optuna.load_study(study_name="silent", storage=kept)
    trial = study.ask()
    values = (trial.suggest_float("optimizer.lr", 1e-3, 1e-1, log=True), trial.suggest_float("model.dropout", 0, 0.3))
    kept.record_heartbeat(trial._trial_id)
    time.sleep(4)
    rows = run(tmp_path / "b", server, 3, "silent")
    assert rows[trial.number].ending is Ending.lost
    assert rows[trial.number].requeued
    assert sum(row.counts for row in rows) == 3
    assert [tuple(row.raw.values()) for row in rows].count(values) == 2


@pytest.mark.slow
def test_hosts_that_begin_together_do_not_overshoot(server: str, tmp_path: Path) -> None:
    seen: list[BaseException] = []
    run(tmp_path / "a", server, 1, "together")

    def host(folder: Path) -> None:
        try:
            run(folder, server, 4, "together")
        except BaseException as error:
            seen.append(error)

    threads = [threading.Thread(target=host, args=(tmp_path / name,)) for name in "bc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not seen
    rows = read_study(server, "together").trials
    assert sum(row.counts for row in rows) == 4


def test_a_journal_file_is_resumed(tmp_path: Path) -> None:
    url = f"journal:{tmp_path / 'study.log'}"
    assert len(run(tmp_path, url, 2, "written")) == 2
    rows = run(tmp_path, url, 3, "written")
    assert [row.ending for row in rows] == [Ending.ok] * 3
    assert read_study(url).trials == rows


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_proxy_shares_a_database(tmp_path: Path) -> None:
    pytest.importorskip("grpc")
    port = free_port()
    kept = open_storage(f"sqlite:///{tmp_path / 'kept.db'}", create=True)
    thread = threading.Thread(
        target=optuna.storages.run_grpc_proxy_server,
        args=(kept,),
        kwargs={"host": "127.0.0.1", "port": port},
        daemon=True,
    )
    thread.start()
    wait_for(port)
    rows = run(tmp_path, f"grpc://127.0.0.1:{port}", 2, "proxied")
    assert [row.ending for row in rows] == [Ending.ok] * 2


def test_a_lost_trial_of_the_own_place_is_queued_again_where_nothing_beats(tmp_path: Path) -> None:
    url = f"journal:{tmp_path / 'study.log'}"
    run(tmp_path, url, 1, "left")
    study = optuna.load_study(study_name="left", storage=open_storage(url, create=False))
    study.enqueue_trial({"optimizer.lr": 0.02, "model.dropout": 0.1})
    trial = study.ask()
    trial.suggest_float("optimizer.lr", 1e-3, 1e-1, log=True)
    trial.set_user_attr("dlcheck.start", {"place": f"{socket.gethostname()}:{(tmp_path / 'study').absolute()}"})
    rows = run(tmp_path, url, 2, "left")
    assert rows[trial.number].ending is Ending.lost
    assert sum(row.counts for row in rows) == 2
    assert not any(BASELINE in str(row.raw) for row in rows)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db"),
        ("mysql://host/db", "mysql://host/db"),
        ("journal:/a/b@c", "journal:/a/b@c"),
    ],
)
def test_passwords_are_never_shown(url: str, told: str) -> None:
    assert shown(url) == told


def test_a_driver_that_the_url_names_is_kept() -> None:
    assert with_driver("postgresql+psycopg2://host/db") == "postgresql+psycopg2://host/db"
