"""Settings of a loader in words, as keys of a recipe, and as a remedy with what it was measured to bring."""

from __future__ import annotations

from dlcheck.findings import Remedy
from dlcheck.rules.remedy import patched
from dlcheck.rules.speed.picture import MOST_S, sound
from dlcheck.runs import Run
from dlcheck.runs.facts import LoaderSetting, LoaderSweep, LoaderTrial, fact

KEYS = {
    "workers": "data.workers",
    "prefetch": "data.prefetch",
    "pin_memory": "data.pin_memory",
    "in_memory": "data.in_memory",
    "batch_size": "train.batch_size",
}
"""Key of the recipe by field of ``LoaderSetting``; the other fields have none."""
ARGUMENTS = {
    "workers": "num_workers",
    "prefetch": "prefetch_factor",
    "pin_memory": "pin_memory",
    "persistent": "persistent_workers",
    "in_order": "in_order",
    "batch_size": "batch_size",
}
"""Argument of ``torch.utils.data.DataLoader`` by field of ``LoaderSetting``."""
NEED_WORKERS = ("prefetch", "persistent")
"""Fields that mean nothing without workers, and that ``DataLoader`` refuses then."""
NAMES = ("workers", "prefetch", "pin_memory", "persistent", "in_order", "batch_size", "in_memory", "augment_on_device")


def setting_words(setting: LoaderSetting, before: LoaderSetting | None = None) -> str:
    """Return a setting as ``workers 4, pin_memory on``; with ``before`` only what differs from it."""
    changed = [(name, getattr(setting, name)) for name in NAMES if getattr(setting, name) is not None]
    if before is not None:
        changed = [(name, value) for name, value in changed if getattr(before, name) != value]
    return ", ".join(f"{name} {_word(value)}" for name, value in changed) or "as it is"


def setting_arguments(setting: LoaderSetting, before: LoaderSetting) -> str:
    """Return the difference as arguments of ``DataLoader``, as ``num_workers=4, persistent_workers=True``."""
    changed = {name: (getattr(setting, name), getattr(before, name)) for name in ARGUMENTS}
    wanted = {name: new for name, (new, old) in changed.items() if new is not None and new != old}
    if setting.workers == 0:
        wanted = {name: value for name, value in wanted.items() if name not in NEED_WORKERS}
    return ", ".join(f"{ARGUMENTS[name]}={value}" for name, value in wanted.items())


def setting_patch(setting: LoaderSetting, before: LoaderSetting) -> dict[str, object]:
    """Return the recipe's keys that make the difference, those of fields without a key left out."""
    changed = {path: (getattr(setting, name), getattr(before, name)) for name, path in KEYS.items()}
    patch = {path: new for path, (new, old) in changed.items() if new is not None and new != old and new >= 0}
    if not setting.workers:
        patch.pop("data.prefetch", None)  # nobody fetches ahead
    return {path: value for path, value in patch.items() if value or path not in ("data.prefetch", "train.batch_size")}


def recommended(sweep: LoaderSweep | None) -> LoaderTrial | None:
    """Return the trial that a sweep recommends over the present setting; None where it recommends none."""
    if sweep is None or sweep.best is None or not 0 < sweep.best < len(sweep.trials):
        return None
    return sweep.trials[sweep.best] if (sound(sweep.gain_low, MOST_S) or 0.0) > 1 else None


def fewer_workers(sweep: LoaderSweep | None, least: float) -> tuple[int, int] | None:
    """Return the present number of workers and the smaller one that is faster for sure; None where there is none.

    Args:
        sweep: What was measured.
        least: Lower end that the 95 % interval of the gain must have.
    """
    best, now = recommended(sweep), sweep.current.workers if sweep is not None else None
    low = sound(sweep.gain_low, MOST_S) if sweep is not None else None
    if best is None or best.setting.workers is None or now is None or low is None or low < least:
        return None
    return (now, best.setting.workers) if 0 <= best.setting.workers < now else None


def swept_remedies(run: Run) -> tuple[Remedy, ...]:
    """Return the setting that a sweep recommends, with its measured gain; nothing where none was better."""
    sweep = fact(run, LoaderSweep)
    trial = recommended(sweep)
    if sweep is None or trial is None:
        return ()
    text = _to_do(run, trial.setting, sweep.current)
    gain, low, high = (sound(value, MOST_S) for value in (sweep.gain, sweep.gain_low, sweep.gain_high))
    if gain is not None and low is not None and high is not None:
        text += f": measured {gain:.2f} times as fast (95 % interval {low:.2f} to {high:.2f})"
    patch = setting_patch(trial.setting, sweep.current)
    patch.pop("train.batch_size", None)  # another batch trains otherwise: that is not the loader's to decide
    return (patched(run, text, patch),)


def _to_do(run: Run, setting: LoaderSetting, before: LoaderSetting) -> str:
    arguments = setting_arguments(setting, before)
    if run.meta.get("recipe") or not arguments:
        return f"set the loader to {setting_words(setting, before)}"
    return f"give the DataLoader {arguments}"


def _word(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
