"""JSON that keeps NaN and infinity apart from a missing value, and stays valid JSON."""

import json
import math
import re
from collections.abc import Mapping

_STATES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_SUFFIX = "_state"
_BEYOND_ASCII = re.compile(r"[^\n -~]")


def dumps(value: object, *, indent: int | None = None) -> str:
    """Return strict JSON: a value that is not finite becomes null, and ``<key>_state`` says which.

    ``{"loss": nan}`` is written ``{"loss": null, "loss_state": "nan"}``. In a list the state is a list of
    the same length. Keys become strings; what JSON does not know becomes its ``str``. Characters that are not to
    be seen, as those that a terminal obeys or that turn the direction of writing, are written as ``\\uXXXX``.
    """
    text = json.dumps(_encode(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return _BEYOND_ASCII.sub(_visible, text)


def loads(text: str) -> object:
    """Read what ``dumps`` wrote, with NaN and infinity restored.

    Raises:
        ValueError: not JSON.
    """
    return _decode(json.loads(text))


def _visible(found: re.Match[str]) -> str:
    if found[0].isprintable():
        return found[0]
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _encode(value: object) -> object:
    if isinstance(value, Mapping):
        return _encode_mapping(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_encode(item) for item in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    number = _as_float(value)
    if number is None:
        return str(value)
    return number if math.isfinite(number) else None


def _encode_mapping(mapping: Mapping[object, object]) -> dict[str, object]:
    encoded: dict[str, object] = {}
    for key, item in mapping.items():
        encoded[str(key)] = _encode(item)
        state = _state(item)
        if state is not None:
            encoded[f"{key}{_SUFFIX}"] = state
    return encoded


def _state(value: object) -> object:
    """Return the word for a number that is not finite, a list with such words, or None."""
    if isinstance(value, list | tuple):
        states = [_state(item) for item in value]
        return states if any(state is not None for state in states) else None
    number = None if isinstance(value, bool | int | str) else _as_float(value)
    if number is None or math.isfinite(number):
        return None
    return "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"


def _as_float(value: object) -> float | None:
    # float first: also takes NumPy's scalars of any width, and 0-d arrays.
    if isinstance(value, float) or hasattr(value, "__float__"):
        try:
            return float(value)
        except (TypeError, ValueError):
            return None
    return None


def _decode(value: object) -> object:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    decoded = {key: _decode(item) for key, item in value.items()}
    for key in list(decoded):
        name = key.removesuffix(_SUFFIX)
        if name != key and name in decoded and _restorable(decoded[name], decoded[key]):
            decoded[name] = _restore(decoded[name], decoded.pop(key))
    return decoded


def _restorable(value: object, state: object) -> bool:
    if isinstance(value, list) and isinstance(state, list):
        return len(value) == len(state)
    return value is None and state in _STATES


def _restore(value: object, state: object) -> object:
    if isinstance(value, list) and isinstance(state, list):
        return [_restore(item, word) for item, word in zip(value, state, strict=True)]
    return _STATES[state] if isinstance(state, str) and state in _STATES else value
