"""What the numbers of a log line mean, judged by the words between them."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from dlcheck.runs.names import SPLITS, STEPS, Meaning, meaning, plain_name

NUMBER = re.compile(
    r"((?<![\w@#.%])[-+]?(?:\d{1,3}(?:,\d{3})+(?![\d])(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
    r"|(?<![\w.])[-+]?(?i:nan|inf(?:inity)?)(?![A-Za-z]| iterations))"
)
"""Splits a line into words and numbers, in turn."""

_RIGHT = " \t:=~≈\"'([{<>*"
_WRAPPED = re.compile(r"(?:tensor|np\.float\d+|numpy\.float\d+|array)$")
_PARTS = re.compile(r"[|,;\t{}\[\]\"'<>=]|\s-\s|--|\s{2,}|:\s|\)\s|·")
_BAR = re.compile(r"\[[=>.]{5,}\]|━|%\|")
_BRACKET = re.compile(r"(?:^|[^\w\s])\s*\[\s*$")
_UNIT = re.compile(r"[A-Za-z]|\s?(?:sec|secs|seconds|s|ms|min|hours)\b")
_BEFORE = re.compile(r"^(?:(?:INFO|WARNING|ERROR|DEBUG|sec|secs|seconds|s|ms|min|\S+/s)\s+)+")
_FILE = re.compile(r"\S+\.(?:py|cpp|cc|c|txt|log)\b")
_PER = {"best", "per", "last", "every", "from", "max", "total", "than", "until", "after"}
_CONFIG = ("Namespace(", "Arguments(", "Config")
_COUNTED = {"epochs", "steps", "iterations", "iters", "batches", "updates"}
_HEADING = {"info", "of", "train", "training", "testing", "net", "begin", "beginning", "start", "starting", "running"}
_LEADS = {**SPLITS, "testing": "test", "evaluating": "val", "validating": "val"}


@dataclass(frozen=True, slots=True)
class Plan:
    """Which numbers of a line are values and which are counters, as places among its numbers."""

    values: tuple[tuple[int, str], ...]
    """Place and name."""
    epoch: int | None = None
    step: int | None = None
    progress: int | None = None
    """How far a progress bar or an evaluation has come; later states of the same one replace this line."""
    is_evaluation: bool = False

    @property
    def family(self) -> tuple[str, ...]:
        """The names of the values."""
        return tuple(name for _, name in self.values)

    @property
    def places(self) -> tuple[int, ...]:
        """All places that matter, rising."""
        counters = (place for place in (self.epoch, self.step, self.progress) if place is not None)
        return tuple(sorted({*counters, *(place for place, _ in self.values)}))

    @property
    def tells_of_training(self) -> bool:
        """Whether there is a loss or a score among the values."""
        return any(said.kind in ("loss", "metric") for name in self.family if (said := meaning(name)))


@dataclass(slots=True)
class _Found:
    values: dict[str, int] = field(default_factory=dict)
    epoch: int | None = None
    step: int | None = None
    step_rank: int = 0
    bare_step: int | None = None
    """A counter without a name, as ``[10/5005]``."""


def plan_of(texts: tuple[str, ...]) -> Plan | None:
    """Return what the numbers between these texts mean; None where none is a loss, a score or a counter."""
    if any(mark in text for text in texts for mark in _CONFIG):
        return None
    found = _Found()
    split: str | None = None
    for place in range(len(texts) - 1):
        if not found.values:
            split = _lead_split(texts[place]) or split
        _assign(found, place, texts, split)
    return _plan(found, texts, split)


def name_before(text: str) -> str:
    """Return the name at the end of the text before a number; empty where there is none."""
    name = _WRAPPED.sub("", text.rstrip(_RIGHT)).rstrip(_RIGHT)
    name = name[:-3] if name.lower().endswith(" is") else name
    last = " ".join(str(_PARTS.split(name)[-1]).split()).strip(" :-*().#%")
    return _BEFORE.sub("", last)[-80:].strip()


def _plan(found: _Found, texts: tuple[str, ...], split: str | None) -> Plan | None:
    step = found.bare_step if found.step is None else found.step
    kinds = {said.kind for name in found.values if (said := meaning(name))}
    counted = step is not None or found.epoch is not None
    if not kinds & {"loss", "metric"} and not (kinds and counted):
        return _heading(found, texts) if counted else None
    evaluation = split in ("val", "test") and found.bare_step is not None and found.step is None
    values = tuple((place, name) for name, place in found.values.items())
    is_state = evaluation or any(_BAR.search(text) for text in texts)
    progress = found.bare_step if is_state else None
    return Plan(values, found.epoch, step if progress is None else found.step, progress, evaluation)


def _heading(found: _Found, texts: tuple[str, ...]) -> Plan | None:
    """Return the plan of a line that is no more than a counter."""
    words = [word for word in re.findall(r"[A-Za-z]{2,}", " ".join(texts)) if word.lower() not in _HEADING]
    if any(meaning(word) is None for word in words) or len(texts) > 5 or (found.step is None and found.epoch is None):
        return None
    return Plan((), found.epoch, found.step)


def _assign(found: _Found, place: int, texts: tuple[str, ...], split: str | None) -> None:
    before, after = texts[place], texts[place + 1]
    name = name_before(before)
    role = _role(name, blank=before.rstrip(" ")[-1:].isalnum()) if name else None
    if role is None:
        _assign_bare(found, place, texts)
    elif _UNIT.match(after):  # a quantity with a unit, as 2.5s or 120ms
        return
    elif role[1].kind == "epoch":
        found.epoch = place if found.epoch is None else found.epoch
    elif role[1].kind == "step":
        rank = STEPS.index(plain_name(role[0])) if plain_name(role[0]) in STEPS else len(STEPS)
        if found.step is None or rank < found.step_rank:
            found.step, found.step_rank = place, rank
    elif role[1].kind != "time":
        word, said = role
        shown = word if said.explicit or split is None or said.kind == "other" else f"{split} {word}"
        found.values.setdefault(shown, place)


def _assign_bare(found: _Found, place: int, texts: tuple[str, ...]) -> None:
    before, after = texts[place], texts[place + 1]
    last = next((name for name, at in found.values.items() if at == place - 1), None)
    if before.strip() == "(" and after.startswith(")") and last:
        said = meaning(last)  # Loss 0.5 (0.6): the mean so far, which is what an evaluation is about
        if said and said.explicit and said.split in ("val", "test"):
            found.values[last] = place
    elif found.bare_step is None and _is_bare_step(place, texts):
        found.bare_step = place


def _is_bare_step(place: int, texts: tuple[str, ...]) -> bool:
    before, after, *rest = texts[place : place + 4]
    if after.strip() == "/" and (not name_before(before) or _BRACKET.search(before)):
        return not (len(rest) == 2 and rest[0].isspace() and rest[1] == ":")  # month, day and time of day
    return after.startswith("]") and bool(_BRACKET.search(before))


@lru_cache(maxsize=4096)
def _role(name: str, *, blank: bool) -> tuple[str, Meaning] | None:
    """Return a name, or the end of it that means something, with its meaning.

    Args:
        name: Words before a number.
        blank: Whether only blanks part it from its number, so that it may be the end of a sentence.
    """
    words = name.split()
    last = meaning(words[-1])
    if last and last.kind in ("epoch", "step") and blank and len(words) > 1:
        return None if _PER & set(words) else (words[-1], last)
    said = meaning(name)
    if blank and not (last or meaning(" ".join(words[-2:]))):
        return None  # a sentence that only mentions a loss or a rate
    if said is None or (said.kind in ("epoch", "step") and words[-1].lower() in _COUNTED):
        return None
    return name, said


def _lead_split(text: str) -> str | None:
    """Return the split that the words before the first value speak of."""
    words = re.findall(r"[a-z]+", _FILE.sub("", text.lower()))
    return next((_LEADS[word] for word in reversed(words) if word in _LEADS), None)
