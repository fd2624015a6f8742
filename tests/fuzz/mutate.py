"""Changes that keep a format's frame whole, so that fuzzing gets beneath check sums, lengths and brackets."""

import io
import json
import random
import re
import struct
import warnings
import zipfile
from collections.abc import Callable

from dlcheck.runs.readers.protobuf_wire import BYTES, FIXED32, FIXED64, VARINT, fields
from dlcheck.runs.readers.tensorboard_record import has_record, read_frames
from dlcheck.runs.readers.wandb_record import HEADER, WandbRecords
from tests.fuzz import pack
from tests.fuzz.words import NUMBERS, WORDS
from tests.runs.protobuf import varint
from tests.runs.test_reader_tensorboard import frame
from tests.runs.test_reader_tracking import wandb_bytes

Raw = Callable[[bytes, int], bytes]
"""The fuzzer's own change of bytes, up to a length."""

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|\bnan\b|\binf\b|NaN")
_ZIP = b"PK\x03\x04"
_SEPARATORS = (b",", b"\t", b";", b" ", b"|", b"=", b":")


def mutate(content: bytes, most: int, chance: random.Random, raw: Raw) -> bytes:
    """Return the bytes changed: as the fuzzer would, or with the frame of their format kept."""
    if chance.random() < 0.25:
        return raw(content, most)
    files = pack.unpacked(content) if content.startswith(pack.MARK) else []
    changed = _folder(files, most, chance, raw) if files else _log(content, most, chance, raw)
    return changed[:most]


def _folder(files: pack.Files, most: int, chance: random.Random, raw: Raw) -> bytes:
    files = list(files)
    place, act = chance.randrange(len(files)), chance.random()
    name, content = files[place]
    if act < 0.8:
        files[place] = (name, _log(content, most, chance, raw))
    elif act < 0.85:
        files[place] = (chance.choice(files)[0] + chance.choice(("", ".csv", ".json", "/a")), content)
    elif act < 0.9:
        files.append((name.replace("0", "1") + chance.choice(("", "2", ".log")), content))
    elif act < 0.95:
        other = chance.randrange(len(files))
        files[place], files[other] = (name, files[other][1]), (files[other][0], content)
    elif len(files) > 1:
        del files[place]
    return pack.packed(files)


def _log(content: bytes, most: int, chance: random.Random, raw: Raw) -> bytes:
    if has_record(content[:12]):
        frames = read_frames(content)
        pairs = zip(frames.starts.tolist(), frames.lengths.tolist(), strict=True)
        payloads = [content[start : start + length] for start, length in pairs]
        return b"".join(frame(one) for one in _records(payloads, most, chance, raw))
    start = content.find(_ZIP, 0, 5)
    if start >= 0:
        return content[:start] + _archive(content[start:], chance, raw)
    if content.startswith(HEADER):
        return wandb_bytes(_records(list(WandbRecords(content)), most, chance, raw))
    if b"\xff\xfe|" in content:
        return b"\xff\xfe|".join(_records(content.split(b"\xff\xfe|"), most, chance, raw))
    ways = [_numbers, _cells, _lines, _number_of_lines, raw_way(raw, most)]
    if content.lstrip()[:1] in (b"{", b"["):
        ways += [_json_value] * 6
    return chance.choice(ways)(content, chance)


def _archive(content: bytes, chance: random.Random, raw: Raw) -> bytes:
    """Change one member of a zip archive, and give it the sum that fits."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(one.filename, archive.read(one)) for one in archive.infolist()]
    except Exception:  # damaged archives raise nearly anything
        return raw(content, len(content) + 64)
    if not members:
        return raw(content, len(content) + 64)
    place = chance.randrange(len(members))
    name, told = members[place]
    members[place] = (name, raw(told, len(told) + 64))
    changed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(changed, "w") as archive:
        warnings.simplefilter("ignore")  # of names that stand there twice
        for name, told in members:
            archive.writestr(zipfile.ZipInfo(name), told)
    return changed.getvalue()


def raw_way(raw: Raw, most: int) -> Callable[[bytes, random.Random], bytes]:
    """Return the fuzzer's own change as one of ours."""
    return lambda content, chance: raw(content, most)


def _records(payloads: list[bytes], most: int, chance: random.Random, raw: Raw) -> list[bytes]:
    if not payloads:
        return [raw(b"", 64)]
    place, act = chance.randrange(len(payloads)), chance.random()
    if act < 0.8:
        payloads[place] = _message(payloads[place], chance, raw)
    elif act < 0.9:
        payloads.insert(place, chance.choice(payloads))
    elif len(payloads) > 1:
        payloads.append(payloads.pop(place))
    return payloads


def _message(message: bytes, chance: random.Random, raw: Raw, depth: int = 0) -> bytes:
    """Change one field of a protobuf message, however deep, with all lengths around it put right."""
    try:
        parts = list(fields(message))
    except ValueError:
        parts = []
    if not parts or chance.random() < 0.1:
        return raw(message, len(message) + 64)
    place = chance.randrange(len(parts))
    number, kind, value = parts[place]
    act = chance.random()
    if act < 0.1:
        parts.append(parts[place])
    elif act < 0.2:
        parts.append(parts.pop(place))
    elif act < 0.25:
        parts[place] = (chance.randrange(1, 20), kind, value)
    else:
        parts[place] = _changed_field(number, kind, value, chance, raw, depth)
    return b"".join(_encoded(*part) for part in parts)


def _changed_field(
    number: int, kind: int, value: int | bytes, chance: random.Random, raw: Raw, depth: int
) -> tuple[int, int, int | bytes]:
    if kind == VARINT:
        return (
            number,
            kind,
            chance.choice((0, 1, 127, 128, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, chance.getrandbits(64))),
        )
    if kind in (FIXED32, FIXED64):
        told = chance.choice((float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e30, 1.7e9, chance.random()))
        return number, kind, struct.pack("<f" if kind == FIXED32 else "<d", told)
    assert isinstance(value, bytes)
    if depth < 6 and chance.random() < 0.7:
        return number, kind, _message(value, chance, raw, depth + 1)
    return number, kind, chance.choice((*WORDS, *NUMBERS)).encode("utf-8", "surrogatepass")


def _encoded(number: int, kind: int, value: int | bytes) -> bytes:
    key = varint(number << 3 | kind)
    if isinstance(value, int):
        return key + varint(value)
    return key + (varint(len(value)) if kind == BYTES else b"") + value


def _token(chance: random.Random) -> bytes:
    return chance.choice(NUMBERS if chance.random() < 0.7 else WORDS).encode("utf-8", "surrogatepass")


def _numbers(content: bytes, chance: random.Random) -> bytes:
    """Put strange numbers in the place of some."""
    found = list(_NUMBER.finditer(content))
    if not found:
        return content + _token(chance)
    for match in sorted(
        chance.sample(found, min(len(found), chance.choice((1, 1, 2, 8)))), key=lambda one: -one.start()
    ):
        content = content[: match.start()] + _token(chance) + content[match.end() :]
    return content


def _cells(content: bytes, chance: random.Random) -> bytes:
    """Change, drop, double or rename one cell of one line."""
    lines = content.split(b"\n")
    place = chance.choice((0, chance.randrange(len(lines))))
    separator = max(_SEPARATORS, key=lines[place].count)
    cells = lines[place].split(separator)
    at, act = chance.randrange(len(cells)), chance.random()
    if act < 0.6:
        cells[at] = _token(chance)
    elif act < 0.8:
        cells.insert(at, cells[chance.randrange(len(cells))])
    else:
        del cells[at]
    lines[place] = separator.join(cells)
    return b"\n".join(lines)


def _lines(content: bytes, chance: random.Random) -> bytes:
    """Move, double, join or drop lines, or change how they end."""
    lines = content.split(b"\n")
    place, act = chance.randrange(len(lines)), chance.random()
    if act < 0.3:
        lines.insert(chance.randrange(len(lines)), lines[place])
    elif act < 0.6:
        lines.insert(chance.randrange(len(lines)), lines.pop(place))
    elif act < 0.8:
        del lines[place]
    return chance.choice((b"\n", b"\n", b"\n", b"\r\n", b"\r")).join(lines)


def _number_of_lines(content: bytes, chance: random.Random) -> bytes:
    """Repeat one line often, with its last number counting on."""
    lines = content.split(b"\n")
    place = chance.randrange(len(lines))
    more = [
        _NUMBER.sub(lambda _: b"%d" % chance.randrange(200), lines[place]) for _ in range(chance.choice((5, 30, 100)))
    ]
    return b"\n".join([*lines[: place + 1], *more, *lines[place + 1 :]])


def _json_value(content: bytes, chance: random.Random) -> bytes:
    """Change one value somewhere inside a JSON text, or in one of its lines."""
    try:
        return _dumped(_changed(json.loads(content), chance))
    except (ValueError, RecursionError):
        lines = content.split(b"\n")
        place = chance.randrange(len(lines))
        try:
            lines[place] = _dumped(_changed(json.loads(lines[place]), chance))
        except (ValueError, RecursionError):
            return _numbers(content, chance)
        return b"\n".join(lines)


def _dumped(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _changed(value: object, chance: random.Random, depth: int = 0) -> object:
    if isinstance(value, dict) and value and chance.random() < 0.9 and depth < 8:
        key, act = chance.choice(list(value)), chance.random()
        if act < 0.75:
            return {**value, key: _changed(value[key], chance, depth + 1)}
        if act < 0.9:
            return {**value, chance.choice(WORDS): value[key]}
        return {name: item for name, item in value.items() if name != key}
    if isinstance(value, list) and value and chance.random() < 0.9 and depth < 8:
        place, act = chance.randrange(len(value)), chance.random()
        if act < 0.75:
            return [*value[:place], _changed(value[place], chance, depth + 1), *value[place + 1 :]]
        return [*value, value[place]] if act < 0.9 else value[:place]
    return _strange(value, chance)


def _strange(value: object, chance: random.Random) -> object:
    whole = (0, -1, 2**31, 2**53, 2**63, 2**64, 10**400, -(10**30))
    real = (float("nan"), float("inf"), -float("inf"), 1e308, 5e-324, -0.0, 0.5, 1e15)
    other: tuple[object, ...] = (
        None,
        True,
        False,
        [],
        {},
        [value],
        {"values": [value], "steps": [1]},
        [[1, 2]],
        [None, 1, float("nan")],
    )
    return chance.choice((*whole, *real, *other, chance.choice(WORDS), chance.choice(NUMBERS)))
