import contextlib
import math
import random
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.runs.readers import read_run, tensorboard, tensorboard_folder
from dlcheck.runs.readers.reader import ReadOptions, read_runs
from dlcheck.runs.readers.tensorboard_crc import masked_crc32c, masked_crc32c_rows
from dlcheck.runs.readers.tensorboard_files import read_event_file
from dlcheck.runs.readers.tensorboard_record import read_frames
from dlcheck.runs.run import Run
from tests.runs.protobuf import block, varint

OPTIONS = ReadOptions()
Scalar = tuple[str, int, float]


def simple(tag: str, value: float) -> bytes:
    return block(1, block(1, tag.encode()) + b"\x15" + struct.pack("<f", value))


def event(step: int, summary: bytes, wall_time: float = 1.7e9) -> bytes:
    told = b"" if step == 0 else b"\x10" + varint(step)
    return b"\x09" + struct.pack("<d", wall_time) + told + block(5, summary)


def frame(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    sums = [struct.pack("<I", masked_crc32c(one)) for one in (length, payload)]
    return length + sums[0] + payload + sums[1]


def write(path: Path, scalars: Sequence[Scalar], *, start_s: float = 1.7e9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    version = frame(b"\x09" + struct.pack("<d", start_s) + block(3, b"brain.Event:2"))
    events = (event(step, simple(tag, value), start_s + place) for place, (tag, step, value) in enumerate(scalars))
    path.write_bytes(version + b"".join(frame(one) for one in events))
    return path


def kinds(run: Run) -> list[str]:
    return [one.kind for one in run.events]


def test_the_sum_is_that_of_the_published_check_value() -> None:
    # 0xE3069283 is the check value of CRC-32C (RFC 3720, B.4, and the catalogues of CRCs)
    crc = 0xE3069283
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked_crc32c(b"123456789") == masked
    rows = np.frombuffer(b"123456789" * 3, dtype=np.uint8).reshape(3, 9)
    assert masked_crc32c_rows(rows).tolist() == [masked] * 3


@given(
    st.integers(0, 40).flatmap(lambda size: st.lists(st.binary(min_size=size, max_size=size), min_size=1, max_size=5))
)
def test_many_sums_at_once_are_those_of_one_at_a_time(rows: list[bytes]) -> None:
    matrix = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), -1)
    assert masked_crc32c_rows(matrix).tolist() == [masked_crc32c(row) for row in rows]


def test_scalars_keep_steps_values_times_and_states(tmp_path: Path) -> None:
    values = [0.5, math.nan, math.inf, -math.inf]
    steps = [0, 127, 128, 3_000_000_000]
    path = write(
        tmp_path / "events.out.tfevents.1.host", [("loss/train", *pair) for pair in zip(steps, values, strict=True)]
    )
    run = read_run(path)
    assert run.meta["format"] == "tensorboard"
    assert run.meta["columns"] == {"loss/train": "train/batch_loss"}
    curve = run.curve("batch_loss")
    assert curve.steps.tolist() == steps
    assert np.array_equal(curve.values, values, equal_nan=True)
    assert np.diff(run.scalars["wall_s"]).tolist() == [1, 1, 1]
    assert run.events == ()


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["loss", "val_loss", "lr", "train/accuracy"]),
            st.integers(0, 2**40),
            st.floats(width=32, allow_nan=False),
        ),
        min_size=1,
    )
)
def test_every_scalar_comes_back(tmp_path_factory: pytest.TempPathFactory, scalars: list[Scalar]) -> None:
    path = write(tmp_path_factory.mktemp("run") / "events.out.tfevents.2", scalars)
    run = read_run(path)
    assert sorted(run.scalars["value"]) == sorted(value for _, _, value in scalars)


@pytest.mark.parametrize(
    ("tensor", "value"),
    [
        (b"\x08\x01\x12\x00\x22\x04" + struct.pack("<f", 0.25), 0.25),
        (b"\x08\x01\x12\x00\x2a\x04" + struct.pack("<f", 0.25), 0.25),
        (b"\x08\x01\x12\x00\x2d" + struct.pack("<f", 0.25), 0.25),
        (b"\x08\x02\x12\x00\x22\x08" + struct.pack("<d", 0.1), 0.1),
        (b"\x08\x09\x12\x00\x50" + varint(-3), -3.0),
        (b"\x08\x0e\x22\x02\x80\x3e", 0.25),
        (b"\x08\x13\x22\x02" + struct.pack("<e", 0.25), 0.25),
    ],
    ids=["content", "packed", "unpacked", "double", "int64", "bfloat16", "half"],
)
def test_tensors_without_dimensions_are_scalars(tmp_path: Path, tensor: bytes, value: float) -> None:
    path = tmp_path / "train" / "events.out.tfevents.1.v2"
    path.parent.mkdir()
    summary = block(1, block(1, b"epoch_loss") + block(8, tensor) + block(9, b"\x0a\x09\x0a\x07scalars"))
    path.write_bytes(frame(event(0, summary)) + frame(event(1, summary)))
    assert read_run(path).curve("loss").values.tolist() == [value, value] or (
        read_run(path).curve("batch_loss").values.tolist() == [value, value]
    )


def test_tensors_with_dimensions_and_words_are_none(tmp_path: Path) -> None:
    vector = b"\x08\x01\x12\x04\x12\x02\x08\x02\x22\x08" + struct.pack("<ff", 1, 2)
    word = b"\x08\x07\x42\x05hello"
    path = tmp_path / "events.out.tfevents.1"
    summaries = [block(1, block(1, b"loss") + block(8, one)) for one in (vector, word)]
    path.write_bytes(b"".join(frame(event(step, one)) for step, one in enumerate(summaries)))
    run = read_run(path)
    assert run.scalars.empty


def test_several_values_of_one_event_are_all_read(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    records = [event(step, simple("loss", step / 2) + simple("val_loss", step)) for step in range(3)]
    path.write_bytes(b"".join(map(frame, records)))
    run = read_run(path)
    assert run.curve("loss").values.tolist() == [0, 0.5, 1]
    assert run.curve("loss", "val").values.tolist() == [0, 1, 2]


def test_long_records_are_read_and_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    many = b"".join(simple(f"layer_{place}/some_long_name_of_a_loss", place) for place in range(150))
    whole = frame(event(1, many))
    assert len(whole) > 4096
    path.write_bytes(whole + frame(event(1, simple("loss", 1.0))))
    assert len(read_run(path).scalars) == 151
    path.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:] + frame(event(1, simple("loss", 1.0))))
    run = read_run(path)
    assert len(run.scalars) == 1
    assert kinds(run) == ["bad-record"]


def test_a_torn_end_is_told_and_the_rest_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "events.out.tfevents.1", [("loss", step, 1.0) for step in range(10)])
    whole = path.read_bytes()
    for cut in (1, 7, 20):
        path.write_bytes(whole[:-cut])
        run = read_run(path)
        assert kinds(run) == ["truncated"]
        assert run.curve("batch_loss").steps.tolist() == list(range(9))


def test_a_broken_payload_costs_one_record(tmp_path: Path) -> None:
    path = write(tmp_path / "events.out.tfevents.1", [("loss", step, 1.0) for step in range(1, 11)])
    content = bytearray(path.read_bytes())
    content[-60] ^= 0xFF
    path.write_bytes(content)
    run = read_run(path)
    assert kinds(run) == ["bad-record"]
    assert len(run.curve("batch_loss")) == 9


def test_behind_a_broken_length_reading_goes_on_with_the_next_sound_record(tmp_path: Path) -> None:
    path = write(tmp_path / "events.out.tfevents.1", [("loss", step, 1.0) for step in range(1, 11)])
    content = bytearray(path.read_bytes())
    frames = read_frames(bytes(content))
    content[frames.starts[5] - 12] ^= 0xFF
    path.write_bytes(content)
    run = read_run(path)
    assert run.curve("batch_loss").steps.tolist() == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert run.events[0].detail["byte"] == frames.starts[5] - 12


def test_train_and_validation_folders_are_one_run(tmp_path: Path) -> None:
    write(tmp_path / "train" / "events.out.tfevents.1.v2", [("epoch_loss", step, 1.0) for step in range(3)])
    write(tmp_path / "validation" / "events.out.tfevents.1.v2", [("epoch_loss", step, 2.0) for step in range(3)])
    run = read_run(tmp_path)
    assert run.meta["format"] == "tensorboard"
    assert run.curve("loss").values.tolist() == [1, 1, 1]
    assert run.curve("loss", "val").values.tolist() == [2, 2, 2]


def test_a_split_in_the_tag_beats_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "train" / "events.out.tfevents.1", [("val/loss", step, 2.0) for step in range(3)])
    assert len(read_run(tmp_path).curve("loss", "val")) == 3


def test_curves_of_add_scalars_belong_to_the_run(tmp_path: Path) -> None:
    write(tmp_path / "events.out.tfevents.1", [("lr", step, 0.5) for step in range(3)])
    write(tmp_path / "Loss_train" / "events.out.tfevents.2", [("Loss", step, 1.0) for step in range(3)])
    write(tmp_path / "Loss_val" / "events.out.tfevents.3", [("Loss", step, 2.0) for step in range(3)])
    write(tmp_path / "other_run" / "events.out.tfevents.4", [("Loss", step, 9.0) for step in range(3)])
    run = read_run(tmp_path)
    assert set(run.scalars["value"]) == {0.5, 1.0, 2.0}
    assert run.curve("loss", "val").values.tolist() == [2, 2, 2]


def test_a_resume_takes_the_place_of_the_steps_it_repeats(tmp_path: Path) -> None:
    first = [("loss", step, 1.0) for step in range(1, 11)]
    later = [("loss", step, 2.0) for step in range(8, 15)]
    # named so that the order of names is not the order of time
    write(tmp_path / "events.out.tfevents.9", first, start_s=1e9)
    write(tmp_path / "events.out.tfevents.1", later, start_s=2e9)
    [run] = read_runs(tmp_path)
    curve = run.curve("batch_loss")
    assert curve.steps.tolist() == list(range(1, 15))
    assert curve.values.tolist() == [1.0] * 7 + [2.0] * 7
    [overlap] = run.events
    assert (overlap.kind, overlap.detail) == ("overlap", {"first": 8, "last": 10})


def begins_at(path: Path, step: int, start_s: float) -> None:
    """Say in a file that a session begins at a step, as ``SummaryWriter(purge_step=...)`` does."""
    mark = frame(b"\x09" + struct.pack("<d", start_s) + b"\x10" + varint(step) + block(7, b"\x08\x01"))
    content = path.read_bytes()
    length = len(frame(b"\x09" + struct.pack("<d", start_s) + block(3, b"brain.Event:2")))
    path.write_bytes(content[:length] + mark + content[length:])


def test_a_resume_that_purges_leaves_nothing_of_the_steps_it_makes_again(tmp_path: Path) -> None:
    steps = [("loss", step, 1.0) for step in range(1, 11)]
    write(tmp_path / "events.out.tfevents.1", [*steps, ("val_loss", 7, 1.0), ("val_loss", 9, 1.0)], start_s=1e9)
    resumed = [*(("loss", step, 2.0) for step in range(8, 15)), ("val_loss", 14, 2.0)]
    second = write(tmp_path / "events.out.tfevents.2", resumed, start_s=2e9)
    begins_at(second, 8, 2e9)
    begins_at(write(tmp_path / "events.out.tfevents.3", [], start_s=3e9), 2, 3e9)  # died before it wrote a point
    [run] = read_runs(tmp_path)
    assert run.curve("batch_loss").steps.tolist() == list(range(1, 15))
    assert run.curve("loss", "val").steps.tolist() == [7, 14]
    assert kinds(run) == [], "steps that are made again on purpose overlap with nothing"


def test_it_purges_as_tensorboard_does(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    writing = pytest.importorskip("torch.utils.tensorboard")
    for begins, value in ((None, 1.0), (6, 2.0), (9, 3.0)):
        with writing.SummaryWriter(str(tmp_path), purge_step=begins, filename_suffix=f".{value}") as writer:
            for step in range(begins or 0, 12):
                writer.add_scalar("loss", value, step, walltime=1e9 * value + step)
                if step % 4 == 3:
                    writer.add_scalar("val_loss", value, step, walltime=1e9 * value + step)
    theirs = accumulator.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    theirs.Reload()
    [run] = read_runs(tmp_path)
    for tag, curve in (("loss", run.curve("batch_loss")), ("val_loss", run.curve("loss", "val"))):
        points = theirs.Scalars(tag)
        assert curve.steps.tolist() == [one.step for one in points]
        assert curve.values.tolist() == [one.value for one in points]


def test_a_second_start_from_the_beginning_is_a_second_run(tmp_path: Path) -> None:
    write(tmp_path / "events.out.tfevents.1", [("loss", step, 1.0) for step in range(5)], start_s=1e9)
    write(tmp_path / "events.out.tfevents.2", [("loss", step, 2.0) for step in range(9)], start_s=2e9)
    runs = read_runs(tmp_path)
    assert [len(run.curve("batch_loss")) for run in runs] == [5, 9]
    assert kinds(runs[1]) == ["restart"]


def test_steps_that_never_move_or_go_back_say_nothing(tmp_path: Path) -> None:
    write(
        tmp_path / "events.out.tfevents.1", [("loss", 0, 1.0)] * 3 + [("val_loss", step % 2, 1.0) for step in range(6)]
    )
    run = read_run(tmp_path)
    assert np.isnan(run.curve("loss").steps).all() or np.isnan(run.curve("batch_loss").steps).all()
    assert len(run.curve("loss", "val")) == 6
    assert np.isnan(run.curve("loss", "val").steps).all()
    assert "go back" in str(run.meta["inferred"])


def test_epochs_written_beside_are_those_of_the_points(tmp_path: Path) -> None:
    scalars = [(tag, step, value) for step in range(4) for tag, value in (("train_loss", 1.0), ("epoch", step // 2))]
    run = read_run(write(tmp_path / "events.out.tfevents.1", scalars))
    assert run.scalars["epoch"].tolist() == [0, 0, 1, 1]


def test_a_file_without_scalars_is_an_empty_run(tmp_path: Path) -> None:
    assert read_run(write(tmp_path / "events.out.tfevents.1", [])).scalars.empty


def test_a_broken_file_among_others_is_named(tmp_path: Path) -> None:
    write(tmp_path / "events.out.tfevents.1", [("loss", step, 1.0) for step in range(5)])
    (tmp_path / "events.out.tfevents.2").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert len(read_run(tmp_path).curve("batch_loss")) == 5


def test_what_is_no_event_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:64\nsize 3140\n")
    assert not tensorboard.is_event_file(path)
    assert not tensorboard_folder.is_event_folder(tmp_path)
    with pytest.raises(DlcheckError, match="no sound record"):
        tensorboard.read_file(path, OPTIONS)


def attempt(path: Path, content: bytes) -> None:
    """Read what may be anything: a run or a refusal, nothing else."""
    path.write_bytes(content)
    tensorboard.is_event_file(path)
    with contextlib.suppress(DlcheckError):
        tensorboard.read_file(path, OPTIONS)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300), st.booleans())
def test_arbitrary_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, framed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "events.out.tfevents.any"
    attempt(path, frame(content) + frame(b"\x09" + content) if framed else content)


@settings(deadline=None, max_examples=60)
@given(st.randoms(use_true_random=False), st.integers(0, 400))
def test_mutated_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("mutated")
    content = bytearray(
        write(folder / "events.out.tfevents.1", [("loss", step, 1.0) for step in range(20)]).read_bytes()
    )
    for _ in range(max(1, len(content) // 100)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    attempt(folder / "events.out.tfevents.2", bytes(content[: len(content) - cut]))


def test_it_agrees_with_tensorboard_on_real_files(shared_data: Path, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    files = sorted((shared_data / "logs" / "tensorboard").rglob("*tfevents*"))
    compared = 0
    for place, path in enumerate(files):
        if not tensorboard.is_event_file(path):
            continue
        folder = tmp_path / str(place)
        folder.mkdir()
        shutil.copy(path, folder)
        theirs = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0}, purge_orphaned_data=False)
        theirs.Reload()
        ours = read_event_file(path)
        for tag in theirs.Tags()["scalars"]:
            points = theirs.Scalars(tag)
            assert ours.points[tag].steps.tolist() == [one.step for one in points]
            assert np.array_equal(ours.points[tag].values, [one.value for one in points], equal_nan=True)
            compared += len(points)
    assert compared > 10_000
