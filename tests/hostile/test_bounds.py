"""No log makes a reader take more than its bounds say, and each refusal names the way around it."""

import json
import struct
import time
import zlib
from pathlib import Path

import pytest

from dlcheck import DlcheckError, diagnose
from dlcheck.runs import intake
from dlcheck.runs.intake import read_size
from dlcheck.runs.readers.protobuf_wire import fields
from dlcheck.runs.readers.tensorboard_crc import masked_crc32c
from tests.cli.conftest import Command
from tests.hostile.test_places import CURVE

LINES = {
    "csv": "epoch,train_loss,val_loss\n" + "1,0.5,0.6\n" * 10_000,
    "log": "epoch 1 train loss 0.5 val loss 0.6\n" * 3_000,
    "jsonl": '{"epoch": 1, "loss": 0.5}\n' * 5_000,
    "json": '{"loss": [' + "0.5, " * 20_000,
}


def sparse(path: Path, size: int) -> None:
    """Make a file that begins as a log does, of a size that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(LINES[path.suffix[1:]].encode())
        file.truncate(size)


@pytest.mark.parametrize("name", ["x.csv", "x.log", "x.json", "x.jsonl"])
def test_a_file_that_is_too_large_is_one_line(command: Command, tmp_path: Path, name: str) -> None:
    sparse(tmp_path / name, 10**13)
    begun = time.monotonic()
    done = command("diagnose", name)
    assert done.returncode == 2
    assert "too large: 10 TB, and at most 4 GB are read; --max-size 10000GB reads it" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert time.monotonic() - begun < 20


def test_in_a_folder_the_others_are_read(command: Command, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(CURVE)
    sparse(tmp_path / "huge.csv", 10**13)
    content = json.loads(command("diagnose", ".", "--format", "json").stdout)
    assert [run["source"] for run in content["runs"]] == ["good.csv"]
    assert [item["source"] for item in content["refused"]] == ["huge.csv"]
    assert "too large: 10 TB" in content["refused"][0]["why"]


def test_the_bound_can_be_moved_both_ways(command: Command, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(CURVE)
    size = len(CURVE)
    small = command("diagnose", "x.csv", "--max-size", str(size - 1))
    assert small.returncode == 2
    assert "--max-size 1MB reads it" in small.stderr
    assert command("diagnose", "x.csv", "--max-size", str(size)).returncode in (0, 1)
    assert command("diagnose", "x.csv", "--max-size", "1 MB").returncode in (0, 1)
    with pytest.raises(DlcheckError, match="too large"):
        diagnose(tmp_path / "x.csv", max_size=10)


@pytest.mark.parametrize(
    ("text", "size"), [("800MB", 8 * 10**8), ("2GiB", 2**31), ("5000", 5000), ("1.5 kB", 1500), ("3tb", 3 * 10**12)]
)
def test_sizes(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "0", "1e9", "1 XB", "nan", "9" * 40])
def test_what_is_no_size_is_refused(command: Command, text: str) -> None:
    done = command("diagnose", "x.csv", "--max-size", text)
    assert done.returncode == 2
    assert "expected a size as 800MB" in done.stderr or "no such option" in done.stderr.lower()


def test_ten_million_rows_are_within_the_bound() -> None:
    row = len("10000000,100000.000,0.123456789,0.123456789,0.123456789,0.123456789,0.1,0.1,0.1,0.1\n")
    assert row * 10**7 < intake.MOST_BYTES


def test_more_columns_than_a_log_has(command: Command, tmp_path: Path) -> None:
    names = ",".join(f"loss_{n}" for n in range(20_000))
    (tmp_path / "x.csv").write_text(f"epoch,{names}\n" + ("1," * 20_000 + "1\n") * 3)
    done = command("diagnose", "x.csv", "--reader", "csv")
    assert done.returncode == 2
    assert "more than 10000 columns" in done.stderr


def record(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", masked_crc32c(length)) + payload + struct.pack("<I", masked_crc32c(payload))


def scalar(tag: str, step: int, value: float) -> bytes:
    name = tag.encode()
    inner = b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + bytes([len(inner)]) + inner
    return b"\x09" + struct.pack("<d", 1.0) + b"\x10" + bytes([step]) + b"\x2a" + bytes([len(summary)]) + summary


def test_more_tags_than_a_log_has(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dlcheck.runs.readers.tensorboard_event as event

    monkeypatch.setattr(event, "MOST_SERIES", 100)
    (tmp_path / "a.tfevents.1").write_bytes(b"".join(record(scalar(f"loss{n}", 1, 0.5)) for n in range(200)))
    done = command("diagnose", "a.tfevents.1")
    assert done.returncode == 2
    assert "more than 100 tags" in done.stderr


@pytest.mark.parametrize("claimed", [2**32, 2**40, 2**63, 2**64 - 1])
def test_a_record_that_claims_gigabytes(command: Command, tmp_path: Path, claimed: int) -> None:
    good = b"".join(record(scalar("loss", n, 2 / n)) for n in range(1, 30))
    length = struct.pack("<Q", claimed)
    (tmp_path / "a.tfevents.1").write_bytes(good + length + struct.pack("<I", masked_crc32c(length)) + b"x" * 100)
    done = command("diagnose", "a.tfevents.1", "--format", "json")
    assert done.returncode in (0, 1), done.stderr


@pytest.mark.parametrize("claimed", [2**32, 2**62])
def test_a_field_that_claims_gigabytes(claimed: int) -> None:
    varint = b""
    while claimed >= 0x80:
        varint, claimed = varint + bytes([claimed & 0x7F | 0x80]), claimed >> 7
    with pytest.raises(ValueError, match="beyond the end"):
        list(fields(b"\x0a" + varint + bytes([claimed]) + b"short"))


def test_a_wandb_piece_that_claims_more_than_there_is(command: Command, tmp_path: Path) -> None:
    piece = struct.pack("<IHB", zlib.crc32(b"\x01x"), 0xFFFF, 1) + b"x"
    (tmp_path / "run.wandb").write_bytes(b":W&B\xe1\xbe\x00" + piece * 5)
    done = command("diagnose", "run.wandb")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("text", ["[" * 200_000, '{"loss":' * 200_000, '{"loss": [' + "[" * 100_000])
def test_json_that_is_nested_without_end(command: Command, tmp_path: Path, text: str) -> None:
    for name in ("x.json", "x.jsonl", "trainer_state.json"):
        (tmp_path / name).write_text(text.replace("loss", "log_history") if name.startswith("trainer") else text)
        done = command("diagnose", name)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1


def test_a_line_without_end(command: Command, tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("epoch 1 loss 0.5\n" * 5 + "loss 0.5 " * 1_000_000)
    assert command("diagnose", "x.log").returncode in (0, 1, 2)


def test_a_recipe_is_a_page(command: Command, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text('title = "' + "x" * 2_000_000 + '"\n')
    done = command("train", "r.toml")
    assert done.returncode == 2
    assert "larger than 1,000,000 bytes" in done.stderr


def test_a_search_looks_at_so_many_files(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlcheck.runs import discover

    (tmp_path / "runs").mkdir()
    for number in range(30):
        (tmp_path / "runs" / f"{number}.csv").write_text(CURVE)
    monkeypatch.setattr(discover._Search.__init__, "__defaults__", (20,))
    done = command("diagnose", "runs")
    assert done.returncode == 2
    assert "files and folders; name fewer of them" in done.stderr
