"""The folder of one run: which file lies where, made once and never overwritten."""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dlcheck.errors import DlcheckError, one_line
from dlcheck.runs.atomic import refused, sweep, sync_folder, write_atomic
from dlcheck.runs.csv_log import CsvLog, whole_lines
from dlcheck.runs.environment import environment
from dlcheck.runs.intake import bytes_of
from dlcheck.runs.run import Event
from dlcheck.runs.strict_json import dumps, loads

SCHEMA = "dlcheck.run/1"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of a run. ``environment.json`` is there from the beginning and marks the folder as one."""

    path: Path

    @classmethod
    def create(cls, path: Path, *, recipe: str | None = None, facts: Mapping[str, object] | None = None) -> "RunFolder":
        """Make a new run folder with its checkpoint folder and ``environment.json``.

        It is made beside its place and put there in one move: whoever is killed meanwhile leaves no half of one.

        Args:
            path: Where.
            recipe: The text of ``recipe.toml``.
            facts: What is known from the beginning.

        Raises:
            DlcheckError: something of that name exists, or the folder cannot be made.
        """
        refuse_existing_run(path)
        aside: Path | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
            cls(aside)._fill(recipe, facts)
            aside.rename(path)
            aside = None
            sync_folder(path.parent)
        except OSError as error:
            if path.exists() and error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise _exists(path) from None
            raise refused(path, error) from None
        finally:
            if aside is not None:
                shutil.rmtree(aside, ignore_errors=True)
        return cls(path)

    def _fill(self, recipe: str | None, facts: Mapping[str, object] | None) -> None:
        mask = os.umask(0)
        os.umask(mask)
        self.path.chmod(0o777 & ~mask)  # temporary folders are private; the user's others are not
        self.checkpoints.mkdir()
        write_atomic(self.environment, dumps({"schema": SCHEMA, **environment()}, indent=2) + "\n")
        if recipe is not None:
            write_atomic(self.recipe, recipe)
        if facts:
            self.add_facts(facts)

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open an existing run folder.

        Raises:
            DlcheckError: not a folder, or not one that dlcheck made.
        """
        if not is_run_folder(path):
            what = "not a dlcheck run folder" if path.exists() else "no such folder"
            raise DlcheckError(f"{path}: {what}; expected one that holds {cls(path).environment.name}")
        return cls(path)

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.toml"

    @property
    def environment(self) -> Path:
        """Python, platform and package versions."""
        return self.path / "environment.json"

    @property
    def metrics(self) -> Path:
        """One row an epoch: epoch, step, wall_s, lr, train_*, train_eval_*, val_*, samples_per_s."""
        return self.path / "metrics.csv"

    @property
    def steps(self) -> Path:
        """One row a step or every few: step, epoch, loss (of that batch), lr, grad_norm and more."""
        return self.path / "steps.csv"

    @property
    def signals(self) -> Path:
        """One row a value that is measured now and then: step, epoch, split, metric, value."""
        return self.path / "signals.csv"

    @property
    def layers(self) -> Path:
        """One row a statistic: step, layer, statistic, value."""
        return self.path / "layers.csv"

    @property
    def phases(self) -> Path:
        """One row a phase of a step: step, phase, seconds."""
        return self.path / "phases.csv"

    @property
    def events(self) -> Path:
        """One JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def facts(self) -> Path:
        """What was measured once."""
        return self.path / "facts.json"

    @property
    def findings(self) -> Path:
        """The diagnosis as JSON."""
        return self.path / "findings.json"

    @property
    def report(self) -> Path:
        """The diagnosis to look at."""
        return self.path / "report.html"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    def log(self, file: Path, columns: Sequence[str]) -> CsvLog:
        """Start or go on with one of the CSV files.

        Raises:
            DlcheckError: it has another header, or cannot be written.
        """
        return CsvLog(file, columns)

    def add_event(self, event: Event) -> None:
        """Append an event and hand it to the operating system at once.

        Raises:
            DlcheckError: it cannot be written.
        """
        try:
            with self.events.open("a", encoding="utf-8") as file:
                file.write(dumps(asdict(event)) + "\n")
        except OSError as error:
            raise refused(self.events, error) from None

    def go_on(self, step: int) -> None:
        """Take away what a killed writer left: half-written files, a torn last event, and events of later steps.

        Raises:
            DlcheckError: a file cannot be read or written.
        """
        sweep(self.path)
        sweep(self.checkpoints)
        if self.events.exists():
            kept = [event for event in read_events(self.events) if event.step is None or event.step <= step]
            write_atomic(self.events, "".join(dumps(asdict(event)) + "\n" for event in kept))

    def add_facts(self, facts: Mapping[str, object]) -> None:
        """Add facts to those already there; one of the same name is replaced.

        Raises:
            DlcheckError: the file cannot be read or written.
        """
        write_atomic(self.facts, dumps({**read_object(self.facts), **facts}, indent=2) + "\n")


def refuse_existing_run(path: Path) -> None:
    """Refuse to make a run where something is, before any work is done for it.

    Raises:
        DlcheckError: something of that name exists.
    """
    if path.exists():
        raise _exists(path)


def _exists(path: Path) -> DlcheckError:
    return DlcheckError(f"{path}: exists already; nothing is ever overwritten, choose another --run-dir")


def is_run_folder(path: Path) -> bool:
    """Return whether this is a folder that ``RunFolder.create`` made."""
    marker = path / "environment.json"
    try:
        return path.is_dir() and f'"{SCHEMA}"' in bytes_of(marker).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def read_object(path: Path) -> dict[str, object]:
    """Read a JSON object; a file that is not there is an empty one.

    Raises:
        DlcheckError: unreadable, or no JSON object.
    """
    if not path.exists():
        return {}
    try:
        content = loads(bytes_of(path).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise DlcheckError(f"{path}: cannot read: {one_line(error)}") from None
    if not isinstance(content, dict):
        raise DlcheckError(f"{path}: expected a JSON object")
    return content


def read_events(path: Path) -> tuple[Event, ...]:
    """Read events, without a torn last line; no file, no events.

    Raises:
        DlcheckError: a line is no event; names it.
    """
    lines = whole_lines(path).splitlines() if path.exists() else []
    return tuple(_event(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1))


def default_run_path(name: str, root: Path = Path("dlcheck-runs")) -> Path:
    """Return ``<root>/<name>-<YYYYmmdd-HHMMSS>`` in local time, with -2, -3, … where that exists."""
    stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, count = root / stem, 1
    while path.exists():
        count += 1
        path = root / f"{stem}-{count}"
    return path


def _event(line: str, place: str) -> Event:
    try:
        content = loads(line)
        if isinstance(content, dict):
            return Event(**content)
    except (TypeError, ValueError) as error:
        raise DlcheckError(f"{place}: not an event: {one_line(error)}") from None
    raise DlcheckError(f"{place}: not an event: expected a JSON object")
