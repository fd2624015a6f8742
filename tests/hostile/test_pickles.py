"""Nothing that lies on a disk is unpickled: what a malicious pickle would run leaves no mark, and is told in a line."""

import ast
import io
import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import dlcheck
from dlcheck import DlcheckError
from tests.cli.conftest import Command, Done

SOURCES = Path(dlcheck.__file__).parent
ALLOWED = {
    "tuning/worker.py": "pickle.load",  # from the pipe of the process that started it
    "watching/execute.py": "exec",  # the script that a user asks to watch
}
DANGEROUS = {
    "pickle": {"load", "loads", "Unpickler"},
    "joblib": {"load"},
    "dill": {"load", "loads"},
    "marshal": {"load", "loads"},
    "shelve": {"open"},
    "yaml": {"load", "unsafe_load", "full_load"},
    "pd": {"read_pickle", "read_hdf", "eval"},
    "pandas": {"read_pickle", "read_hdf", "eval"},
}
WORDS = (
    *("load(", "loads(", "load_state_dict_from_url", "get_state_dict", "shelve.", "read_pickle", "read_hdf"),
    *("eval(", "exec(", "compile(", "Unpickler"),
)
"""Without any of which a file need not be parsed."""


class Touch:
    """What makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def hostile(mark: Path) -> bytes:
    """Return a pickle that leaves a mark; the test fails where it would not."""
    content = pickle.dumps(Touch(mark), protocol=2)  # as torch.save writes
    pickle.loads(content)
    assert mark.exists()
    mark.rmdir()
    return content


def test_no_module_unpickles_or_evaluates() -> None:
    found = {place: sorted(set(calls)) for place, calls in _calls()}
    assert found == {place: [call] for place, call in ALLOWED.items()}


def _calls() -> Iterator[tuple[str, list[str]]]:
    for path in sorted(SOURCES.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not any(word in text for word in WORDS):
            continue
        tree = ast.parse(text)
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        told = [told for call in calls if (told := _dangerous(call)) is not None]
        if told:
            yield path.relative_to(SOURCES).as_posix(), told


def _dangerous(call: ast.Call) -> str | None:
    """Return a call that would run what a file names; None for any other."""
    name = ast.unparse(call.func)
    owner, _, last = name.rpartition(".")
    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
    if name in ("eval", "exec", "compile"):
        return name if name != "compile" or len(call.args) < 3 else None
    if name == "torch.load" and given.get("weights_only") != "True":
        return name
    if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
        return name
    if last == "load_state_dict_from_url" or (last == "get_state_dict" and given.get("weights_only") != "True"):
        return name
    return name if last in DANGEROUS.get(owner, ()) else None


def _pt(content: bytes, path: Path) -> None:
    """Write a checkpoint as torch.save does, with this pickle for its content."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")


def _npy(content: bytes, path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    path.write_bytes(head.getvalue() + content)


def _npz(content: bytes, path: Path) -> None:
    _npy(content, path)
    array = path.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", array)
        archive.writestr("y.npy", array)


def _bare(content: bytes, path: Path) -> None:
    path.write_bytes(content)


WRITERS: dict[str, Callable[[bytes, Path], None]] = {"pt": _pt, "pth": _bare, "npy": _npy, "npz": _npz}


@pytest.mark.parametrize("suffix", WRITERS)
def test_data_sets(command: Command, hostile: bytes, mark: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"data.{suffix}"
    WRITERS[suffix](hostile, path)
    labels = f'labels = "{path}"\n' if suffix == "npy" else ""
    recipe = tmp_path / "r.toml"
    recipe.write_text(f'[data]\nname = "arrays"\npath = "{path}"\n{labels}[model]\nname = "mlp"\n')
    _told(command("train", str(recipe), "--quiet"), path, mark)


@pytest.mark.parametrize("suffix", ["pt", "pth"])
def test_weights(command: Command, hostile: bytes, mark: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights.{suffix}"
    WRITERS[suffix](hostile, path)
    recipe = tmp_path / "r.toml"
    recipe.write_text(f'[data]\nname = "digits"\nlimit = 64\n[model]\nname = "mlp"\nweights = "{path}"\n')
    _told(command("check", str(recipe), "--quiet"), path, mark)


def test_weights_in_the_folder_of_downloads(
    command: Command, hostile: bytes, mark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    from torchvision import models  # type: ignore[import-untyped]

    name = models.ResNet18_Weights.DEFAULT.url.rpartition("/")[2]
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    _pt(hostile, tmp_path / "hub" / "checkpoints" / name)
    recipe = tmp_path / "r.toml"
    data = '[data]\nname = "digits"\nlimit = 64\n'
    recipe.write_text(f'{data}[model]\nname = "torchvision"\narchitecture = "resnet18"\nweights = "DEFAULT"\n')
    done = command("check", str(recipe), "--quiet")
    assert done.returncode == 2
    assert "cannot be read as weights" in done.stderr
    assert not mark.exists()


def test_the_checkpoint_of_a_run_folder(command: Command, hostile: bytes, mark: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('[data]\nname = "digits"\nlimit = 64\n[model]\nname = "mlp"\nhidden = [8]\n[train]\nepochs = 1\n')
    assert command("train", str(recipe), "--quiet", "--run-dir", "run", "--fail-on", "never").returncode == 0
    facts = tmp_path / "run" / "facts.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "finished": False}))
    for file in (tmp_path / "run" / "checkpoints").iterdir():
        _pt(hostile, file)
    done = command("train", "--resume", "run", "--quiet")
    assert "last.pt: cannot read this checkpoint" in done.stderr
    assert done.returncode in (0, 2), "begun anew, or refused"
    assert not mark.exists()


@pytest.mark.parametrize("name", ["history.pkl", "metrics.csv", "history.json", "train.log", "events.out.tfevents.1"])
def test_logs(command: Command, hostile: bytes, mark: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(hostile)
    done = command("diagnose", name)
    _told(done, tmp_path / name, mark)
    assert "never loads one" in done.stderr


def test_the_state_of_a_search(hostile: bytes, mark: Path) -> None:
    pytest.importorskip("cmaes")
    from optuna.samplers import CmaEsSampler
    from optuna.trial import FrozenTrial, TrialState

    from dlcheck.tuning.sampling import make_sampler

    trial = FrozenTrial(
        number=3,
        trial_id=3,
        state=TrialState.COMPLETE,
        value=1.0,
        datetime_start=None,
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={"cma:optimizer:0": hostile.hex()},
        intermediate_values={},
    )
    CmaEsSampler()._restore_optimizer([trial])
    assert mark.exists(), "Optuna's own would have run it"
    mark.rmdir()
    sampler = make_sampler("cmaes", {}, seed=0, trials=10)
    with pytest.raises(DlcheckError, match="trial 3 of this study holds a state of sampler cmaes"):
        sampler._restore_optimizer([trial])  # type: ignore[attr-defined]
    assert not mark.exists()


def test_the_state_that_cmaes_writes_is_taken_up() -> None:
    cmaes = pytest.importorskip("cmaes")
    from dlcheck.tuning.evolution import read_state

    state = cmaes.CMA(mean=np.zeros(3), sigma=1.0, bounds=np.array([[-1.0, 1.0]] * 3), seed=1)
    for _ in range(2):
        state.tell([(state.ask(), float(value)) for value in range(state.population_size)])
    again = read_state(pickle.dumps(state).hex())
    assert again.generation == state.generation == 2
    np.testing.assert_array_equal(again._mean, state._mean)
    np.testing.assert_allclose(again._C, state._C, rtol=1e-12)


def test_no_process_imports_from_the_current_folder(tmp_path: Path, mark: Path) -> None:
    import subprocess

    from dlcheck.recipe.code import own_process

    code = f"import os\nos.mkdir({str(mark)!r})\n"
    for name in ("multiprocessing", "numpy", "torch"):
        (tmp_path / f"{name}.py").write_text(code)
    module = "dlcheck.profiling.aside"
    command = own_process(module, "99")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not mark.exists()
    subprocess.run([sys.executable, "-m", module, "99"], cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert mark.exists(), "python -m would have"


def _told(done: Done, path: Path, mark: Path) -> None:
    status, text = done.returncode, done.stderr
    assert status == 2, text
    assert len(text.splitlines()) == 1, text
    assert path.name in text
    assert not mark.exists()
