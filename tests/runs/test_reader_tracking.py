import contextlib
import json
import math
import random
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.runs.readers import dvclive, mlflow, read_run, wandb_file, wandb_run
from dlcheck.runs.readers.reader import Reader, ReadOptions, read_runs
from dlcheck.runs.run import Run
from tests.runs.protobuf import block

OPTIONS = ReadOptions()


def kinds(run: Run) -> list[str]:
    return [one.kind for one in run.events]


def attempt(reader: Reader, path: Path) -> None:
    """Read what may be anything: a run or a refusal, nothing else."""
    reader.matches(path)
    with contextlib.suppress(DlcheckError):
        reader.read(path, OPTIONS)


# MLflow


def mlflow_run(root: Path, metrics: Mapping[str, str]) -> Path:
    run = root / "mlruns" / "1" / "770cc011eb214ea9"
    for name, content in metrics.items():
        file = run / "metrics" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (run / "meta.yaml").write_text("artifact_uri: ''\nrun_name: brave-owl\nstatus: 4\nuser_id: someone\n")
    return run


def test_mlflow_lines_are_time_value_step(tmp_path: Path) -> None:
    lines = "".join(f"{1_700_000_000_000 + 1000 * step} {1 / (step + 1)} {step}\n" for step in range(4))
    run = read_run(mlflow_run(tmp_path, {"loss": lines, "val_loss": lines, "rollout/exploration rate": "1 0.5 0\n"}))
    assert run.meta["format"] == "mlflow"
    assert run.meta["mlflow"] == {"name": "brave-owl", "status": "failed"}
    assert run.meta["unmapped"] == ["rollout/exploration rate"]
    assert run.curve("loss").values.tolist() == [1, 1 / 2, 1 / 3, 1 / 4]
    assert run.curve("loss", "val").steps.tolist() == [0, 1, 2, 3]


def test_mlflow_keeps_nan_and_gives_infinity_back(tmp_path: Path) -> None:
    lines = "1 nan 0\n2 1.7976931348623157e+308 1\n3 -1.7976931348623157e+308 2\n4 0.5 3\n"
    values = read_run(mlflow_run(tmp_path, {"train_loss": lines})).curve("batch_loss").values
    assert np.array_equal(values, [math.nan, math.inf, -math.inf, 0.5], equal_nan=True)


def test_mlflow_without_steps_goes_by_time(tmp_path: Path) -> None:
    run = read_run(mlflow_run(tmp_path, {"loss": "3000 1.0 0\n1000 3.0 0\n2000 2.0 0\n"}))
    assert run.scalars["value"].tolist() == [3, 2, 1]
    assert run.scalars["step"].isna().all()
    assert run.scalars["wall_s"].tolist() == [0, 1, 2]


def test_mlflow_names_broken_lines_and_a_torn_one(tmp_path: Path) -> None:
    run = read_run(mlflow_run(tmp_path, {"loss": "1 0.5 0\nnonsense\n2 0.4 1\n3 0."}))
    assert kinds(run) == ["bad-record"]  # a torn value still is a number here
    run = read_run(mlflow_run(tmp_path, {"loss": "1 0.5 0\n2 0.4 1\n3"}))
    assert kinds(run) == ["truncated"]


def test_an_mlflow_experiment_is_no_run(tmp_path: Path) -> None:
    run = mlflow_run(tmp_path, {"loss": "1 0.5 0\n"})
    (run.parent / "meta.yaml").write_text("name: Default\n")
    assert not mlflow.READER.matches(run.parent)
    (run / "metrics" / "loss").write_text("what is this\n")
    with pytest.raises(DlcheckError, match="no MLflow run"):
        mlflow.READER.read(run, OPTIONS)


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200), st.binary(max_size=60))
def test_mlflow_takes_arbitrary_bytes(tmp_path_factory: pytest.TempPathFactory, metric: bytes, yaml: bytes) -> None:
    run = mlflow_run(tmp_path_factory.mktemp("any"), {"loss": ""})
    (run / "metrics" / "loss").write_bytes(metric)
    (run / "meta.yaml").write_bytes(yaml)
    attempt(mlflow.READER, run)


# DVCLive


def dvclive_folder(root: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        file = root / "dvclive" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root / "dvclive"


def test_dvclive_files_are_named_by_their_place(tmp_path: Path) -> None:
    lines = "step\tloss\n0\t2.0\n1\tnan\n2\t\n3\tinf\n"
    files = {"plots/metrics/train/loss.tsv": lines, "plots/metrics/val/loss.tsv": "step\tloss\n0\t1.0\n1\t0.5\n"}
    run = read_run(dvclive_folder(tmp_path, {**files, "metrics.json": "{}"}))
    assert run.meta["format"] == "dvclive"
    train = run.curve("loss")
    assert train.steps.tolist() == [0, 1, 3]
    assert np.array_equal(train.values, [2, math.nan, math.inf], equal_nan=True)
    assert run.curve("loss", "val").values.tolist() == [1, 0.5]


def test_old_dvclive_folders_have_times(tmp_path: Path) -> None:
    lines = "timestamp\tstep\tval_loss\n1650000000000\t0\t1.0\n1650000002000\t1\t0.5\n"
    run = read_run(dvclive_folder(tmp_path, {"val_loss.tsv": lines, "loss.tsv": lines.replace("val_", "")}))
    assert run.curve("loss", "val").values.tolist() == [1, 0.5]
    assert run.scalars["wall_s"].tolist() == [0, 2, 0, 2]


def test_the_average_over_the_run_is_not_taken_for_the_curve(tmp_path: Path) -> None:
    curve = "step\tloss\n" + "".join(f"{step}\t{step}\n" for step in range(5))
    files = {"plots/metrics/loss.tsv": curve, "plots/metrics/train/loss.tsv": "step\tloss\n5\t0.8\n"}
    assert len(read_run(dvclive_folder(tmp_path, files)).curve("batch_loss")) == 5


def test_dvclive_tells_what_it_skipped(tmp_path: Path) -> None:
    lines = "step\tloss\n0\t1.0\nwhat\t0.5\nstep\tloss\n1\t0.5\n2"
    run = read_run(dvclive_folder(tmp_path, {"plots/metrics/loss.tsv": lines}))
    assert kinds(run) == ["bad-record", "repeated-header", "truncated"]
    assert len(run.scalars) == 2


def test_other_tables_are_no_dvclive(tmp_path: Path) -> None:
    folder = dvclive_folder(tmp_path, {"genes.tsv": "gene\tcount\nA\t1\n"})
    assert not dvclive.READER.matches(folder)
    with pytest.raises(DlcheckError, match="no DVCLive folder"):
        dvclive.READER.read(folder, OPTIONS)


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200), st.booleans())
def test_dvclive_takes_arbitrary_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes, header: bool) -> None:
    folder = dvclive_folder(tmp_path_factory.mktemp("any"), {"plots/metrics/loss.tsv": ""})
    (folder / "plots/metrics/loss.tsv").write_bytes(b"step\tloss\n" * header + content)
    attempt(dvclive.READER, folder)


# Weights & Biases


def history(row: Mapping[str, str], *, nested: bool = False) -> bytes:
    key = 2 if nested else 1
    items = (block(1, block(key, name.encode()) + block(16, value.encode())) for name, value in row.items())
    return block(2, b"".join(items))


def wandb_bytes(records: Sequence[bytes]) -> bytes:
    out = bytearray(b":W&B\xe1\xbe\x00")
    for record in records:
        first = True
        while True:
            room = 32768 - len(out) % 32768
            if room < 7:
                out += bytes(room)
                continue
            piece, record = record[: room - 7], record[room - 7 :]
            kind = (1 if first else 4) if not record else (2 if first else 3)
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + piece), len(piece), kind) + piece
            first = False
            if not record:
                break
    return bytes(out)


def rows(count: int) -> list[bytes]:
    return [
        history({"_step": f"{step}", "train_loss": f"{1 / (step + 1)}", "_runtime": f"{step}.5"})
        for step in range(count)
    ]


def test_wandb_history_is_read_in_all_its_states(tmp_path: Path) -> None:
    told: list[dict[str, str]] = [
        {"_step": "0", "train_loss": "0.5", "images": '{"_type": "image"}', "flag": "true"},
        {"_step": "1", "train_loss": "NaN", "val_loss": '"Infinity"'},
        {"_step": "2", "val_loss": "0.25", "train_loss": "null"},
    ]
    path = tmp_path / "run-abc.wandb"
    path.write_bytes(wandb_bytes([history(one) for one in told]))
    run = read_run(path)
    assert run.meta["format"] == "wandb"
    train, val = (run.scalars[run.scalars["split"] == split] for split in ("train", "val"))
    assert np.array_equal(train["value"], [0.5, math.nan], equal_nan=True)
    assert val["value"].tolist() == [math.inf, 0.25]
    assert val["step"].tolist() == [1, 2]


def test_keys_in_parts_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "run-abc.wandb"
    records = [block(2, block(1, block(2, b"eval") + block(2, b"loss") + block(16, b"0.5"))) for _ in range(3)]
    path.write_bytes(wandb_bytes(records))
    assert len(read_run(path).curve("loss", "val")) == 3


def test_records_longer_than_a_block_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "run-abc.wandb"
    long = history({"_step": "5", "note": json.dumps("x" * 100_000), "train_loss": "9"})
    path.write_bytes(wandb_bytes([*rows(5), long, *rows(0)]))
    run = read_run(path)
    assert run.scalars["value"].tolist()[-1] == 9
    assert run.events == ()


def test_a_wandb_file_cut_in_a_record_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run-abc.wandb"
    content = wandb_bytes(rows(10))
    for cut in (1, 20):
        path.write_bytes(content[:-cut])
        run = read_run(path)
        assert kinds(run) == ["truncated"]
        assert len(run.scalars) == 9


def test_a_record_that_does_not_fit_its_sum_costs_the_rest_of_its_block(tmp_path: Path) -> None:
    path = tmp_path / "run-abc.wandb"
    content = bytearray(wandb_bytes(rows(2000)))
    content[40_000] ^= 0xFF
    path.write_bytes(content)
    run = read_run(path)
    assert kinds(run) == ["bad-record"]
    steps = run.scalars["step"].to_numpy()
    missing = sorted(set(range(2000)) - set(steps.tolist()))
    assert 0 < len(missing) < 1000
    assert missing == list(range(missing[0], missing[-1] + 1))
    assert steps[-1] == 1999


def test_a_run_folder_is_read_from_its_history_first(tmp_path: Path) -> None:
    folder = tmp_path / "run-20240101_000000-abc"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "wandb-summary.json").write_text('{"train_loss": 0.1}')
    with pytest.raises(DlcheckError, match="no history in this W&B run folder"):
        read_runs(folder)
    (folder / "files" / "output.log").write_text("".join(f"epoch {n} loss {1 / n}\n" for n in range(1, 6)))
    assert read_run(folder).meta["file"] == "output.log"
    lines = [json.dumps({"_step": n, "train_loss": 1.0, "note": "x"}) for n in range(7)]
    (folder / "files" / "wandb-history.jsonl").write_text("\n".join([*lines, '{"_step": 7, "tr']))
    run = read_run(folder)
    assert (run.meta["file"], len(run.scalars), kinds(run)) == ("wandb-history.jsonl", 7, ["truncated"])
    (folder / "run-abc.wandb").write_bytes(wandb_bytes(rows(9)))
    run = read_run(folder)
    assert (run.meta["format"], run.meta["file"], len(run.scalars)) == ("wandb", "run-abc.wandb", 9)


def test_a_wandb_file_without_a_curve_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run-abc.wandb"
    path.write_bytes(wandb_bytes([history({"gpu": "1"})]))
    with pytest.raises(DlcheckError, match="no loss or score"):
        read_run(path)
    with pytest.raises(DlcheckError, match="does not begin with its mark"):
        wandb_file.READER.read(Path(__file__), OPTIONS)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(max_size=60), max_size=5), st.binary(max_size=40))
def test_wandb_takes_arbitrary_records(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], rest: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "run-any.wandb"
    path.write_bytes(wandb_bytes([*rows(3), *records, *(block(2, one) for one in records)]) + rest)
    attempt(wandb_file.READER, path)
    path.write_bytes(wandb_bytes([]) + rest)
    attempt(wandb_file.READER, path)


@settings(deadline=None, max_examples=50)
@given(st.randoms(use_true_random=False), st.integers(0, 600))
def test_mutated_wandb_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("mutated")
    content = bytearray(wandb_bytes(rows(30)))
    for _ in range(1 + len(content) // 100):
        content[chance.randrange(len(content))] = chance.randrange(256)
    (folder / "run-any.wandb").write_bytes(content[: len(content) - cut])
    attempt(wandb_run.READER, folder)


# real ones


@pytest.mark.parametrize(
    ("log", "split", "first", "last", "points"),
    [
        ("ml01", "train", 0.01519, 0.0143, 29),
        ("dv01", "train", 1.32, 0.5471, 107),
        ("dv01", "val", 2.858, 0.7262, 107),
        ("dv06", "val", 0.1166, 0.03498, 10),
        ("dv07", "train", 14.56, 0.7198, 15),
        ("wb10", "val", 19.39, 1.33, 25),
        ("wb11", "train", 9.251, 8.867, 14),
        ("wb13", "val", 0.4813, 0.5148, 69),
    ],
)
def test_real_runs(shared_data: Path, log: str, split: str, first: float, last: float, points: int) -> None:
    folder = next((shared_data / "logs").glob(f"*/*/{log}"))
    readers = (mlflow.READER, dvclive.READER, wandb_run.READER, wandb_file.READER)
    places = [folder, *sorted(folder.rglob("*"))]
    fitting = ((one, path) for path in places for one in readers if one.folder == path.is_dir() and one.matches(path))
    reader, path = next(fitting)
    [run] = reader.read(path, OPTIONS)
    curve = run.curve("loss", split) if len(run.curve("loss", split)) else run.curve("batch_loss", split)
    assert len(curve) == points
    assert (curve.values[0], curve.values[-1]) == (pytest.approx(first, rel=5e-4), pytest.approx(last, rel=5e-4))
