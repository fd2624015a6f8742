"""Where a study is kept: SQLite in its folder, or a storage of Optuna's that many hosts can reach."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.errors import DlcheckError, nearest, one_line

if TYPE_CHECKING:
    import optuna

DATABASE = "study.db"
SCHEMES = ("sqlite:///", "postgresql://", "mysql://", "journal:", "grpc://")
EXAMPLES = "sqlite:///FILE, postgresql://USER@HOST/DB, mysql://USER@HOST/DB, journal:FILE or grpc://HOST:PORT"
DRIVERS = {
    "postgresql://": {"psycopg": "psycopg", "psycopg2": "psycopg2", "pg8000": "pg8000"},
    "mysql://": {"MySQLdb": "mysqldb", "pymysql": "pymysql", "mysql.connector": "mysqlconnector"},
}
"""Python packages that speak to a server, in the order of preference, and SQLAlchemy's names for them."""
LOCK_TIMEOUT_S = 60
"""How long a writer waits for another: SQLite lets one write at a time."""
HEARTBEAT_S, GRACE_S = 60, 180
"""How often a worker on any host tells a server that it lives, and after what silence it is taken for dead."""
NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs", "9p")


def database_url(folder: Path) -> str:
    """Return the URL of the SQLite database in a study's folder."""
    return f"sqlite:///{(folder / DATABASE).absolute()}"


def open_study(place: str | Path, name: str | None = None) -> tuple[optuna.Study, str]:
    """Open an existing study for reading, by folder, database file or URL; return it with its URL.

    Raises:
        DlcheckError: nothing there, not a study, or several and no ``name``.
    """
    import optuna

    url = find_url(place)
    storage = open_storage(url, create=False)
    names = optuna.get_all_study_names(storage)
    if name is None and len(names) != 1:
        what = f"holds {len(names)} studies ({', '.join(names)}); say which by --study-name" if names else "no study"
        raise DlcheckError(f"{shown(url)}: {what}")
    if name is not None and name not in names:
        raise DlcheckError(f"{shown(url)}: no study {name!r}; {nearest(name, names, 'studies there')}")
    return optuna.load_study(study_name=name or names[0], storage=storage), url


def find_url(place: str | Path) -> str:
    """Return the storage URL of a study's folder, of a database file, or a URL as it is.

    Raises:
        DlcheckError: neither a study nor a URL.
    """
    text = str(place)
    if text.startswith(SCHEMES) or "://" in text:
        return text
    path = Path(place)
    if path.is_dir() and (path / DATABASE).is_file():
        return database_url(path)
    if path.is_file():
        return f"sqlite:///{path.absolute()}"
    what = f"a folder without {DATABASE}" if path.is_dir() else "no such study"
    raise DlcheckError(f"{place}: {what}; expected the folder of a study that dlcheck tune made, or a storage's URL")


def open_storage(url: str, *, create: bool, heartbeat: bool = False) -> optuna.storages.BaseStorage:
    """Return Optuna's storage behind a URL.

    Args:
        url: One of ``SCHEMES``.
        create: Make what is not there; else a missing database is refused.
        heartbeat: Let workers tell that they live (servers only: a parent sees its own children die).

    Raises:
        DlcheckError: unknown scheme, missing driver, unreachable server, or not a study's storage.
    """
    try:
        if url.startswith("sqlite:///"):
            return _open_sqlite(url, create)
        if url.startswith("journal:"):
            return _open_journal(Path(url.removeprefix("journal:")), create)
        if url.startswith("grpc://"):
            return _open_grpc(url)
        if url.startswith(("postgresql", "mysql")):
            return _open_server(url, heartbeat)
    except ImportError as error:
        what = error.name or one_line(error, 100)
        raise DlcheckError(f"{shown(url)}: this storage needs a Python package that is not installed: {what}") from None
    except DlcheckError:
        raise
    except Exception as error:  # drivers have exceptions of their own, which only they can name
        raise DlcheckError(f"{shown(url)}: cannot open this storage: {one_line(error, 160)}") from None
    raise DlcheckError(f"--storage {shown(url)}: expected {EXAMPLES}")


def shown(url: str) -> str:
    """Return a URL without its password."""
    scheme, slashes, rest = url.partition("://")
    account, at, host = rest.rpartition("@")
    return f"{scheme}{slashes}{account.partition(':')[0]}{at}{host}"


def sqlite_path(url: str) -> Path:
    """Return the file behind a SQLite URL."""
    return Path(url.removeprefix("sqlite:///"))


def refuse_other_files(path: Path) -> None:
    """Refuse a file that is not a database of Optuna's, without changing a byte of it.

    Raises:
        DlcheckError: another kind of file, or one that cannot be read.
    """
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_S) as connection:
            found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
        connection.close()
    except sqlite3.Error as error:
        raise DlcheckError(f"{path}: not a study's database: {one_line(error)}") from None
    if not {"studies", "trials", "alembic_version"} <= found:
        raise DlcheckError(f"{path}: a SQLite database, but not a study's; choose another --study-dir or --storage")


def _open_sqlite(url: str, create: bool) -> optuna.storages.BaseStorage:
    from optuna.storages import RDBStorage
    from sqlalchemy import event

    path = sqlite_path(url)
    if path.exists():
        refuse_other_files(path)
    elif not create:
        raise DlcheckError(f"{path}: no such study")
    else:
        _make_sqlite(path)
    storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": LOCK_TIMEOUT_S}})

    @event.listens_for(storage.engine, "connect")
    def _relax(connection: sqlite3.Connection, _: object) -> None:
        # With a write-ahead log this costs no finished trial to a kill, only to a power cut, and it spares the disk.
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            connection.execute("PRAGMA synchronous=NORMAL")

    storage.engine.dispose()  # connections made before the listener was there
    return storage


def _make_sqlite(path: Path) -> None:
    """Make an empty database beside its place and put it there in one move: no kill leaves half of one."""
    from optuna.storages import RDBStorage

    for old in path.parent.glob(f".{path.name}.*.tmp*"):  # of somebody who was killed
        old.unlink(missing_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        RDBStorage(f"sqlite:///{made}").engine.dispose()
        connection = sqlite3.connect(made, timeout=LOCK_TIMEOUT_S)
        if not on_network(path.parent):
            connection.execute("PRAGMA journal_mode=WAL")  # stays with the file
        connection.close()
        with suppress(FileExistsError):  # another was as quick
            _move(made, path)
    finally:
        made.unlink(missing_ok=True)


def _move(made: Path, path: Path) -> None:
    """Give a file its name, but never another's."""
    try:
        os.link(made, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        made.rename(path)


def on_network(folder: Path) -> bool:
    """Return whether a folder lies on a network file system, where SQLite's shared memory does not work."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return False  # no Linux: nothing to go by
    place = folder.absolute()
    inside = [(Path(point), kind) for point, kind in mounts if place.is_relative_to(point)]
    return bool(inside) and max(inside, key=lambda mount: len(mount[0].parts))[1].startswith(NETWORK_FILE_SYSTEMS)


def _open_journal(path: Path, create: bool) -> optuna.storages.BaseStorage:
    import warnings

    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    if not create and not path.is_file():
        raise DlcheckError(f"{path}: no such study")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path))))


def _open_server(url: str, heartbeat: bool) -> optuna.storages.BaseStorage:
    import warnings

    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

    url = with_driver(url)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        if not heartbeat:
            return RDBStorage(url)
        return RDBStorage(
            url,
            heartbeat_interval=HEARTBEAT_S,
            grace_period=GRACE_S,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=1),
        )


def with_driver(url: str) -> str:
    """Return a server's URL with the driver that is installed; one that names its own is left as it is.

    Raises:
        DlcheckError: none is installed.
    """
    from importlib.util import find_spec

    for scheme, drivers in DRIVERS.items():
        if not url.startswith(scheme):
            continue
        for package, driver in drivers.items():
            if find_spec(package.split(".")[0]) is not None:
                return f"{scheme.removesuffix('://')}+{driver}://{url.removeprefix(scheme)}"
        raise DlcheckError(f"{shown(url)}: this storage needs one of the Python packages {', '.join(drivers)}")
    return url


def _open_grpc(url: str) -> optuna.storages.BaseStorage:
    import warnings

    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import GrpcStorageProxy

    host, colon, port = url.removeprefix("grpc://").rpartition(":")
    if not colon or not port.isdigit():
        raise DlcheckError(f"--storage {url}: expected grpc://HOST:PORT")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return GrpcStorageProxy(host=host, port=int(port))


def is_local(url: str) -> bool:
    """Return whether all workers of a study are on this machine, so that its parent sees each of them die."""
    return url.startswith("sqlite:///")
