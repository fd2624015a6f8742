"""What a sweep recommends becomes keys of a recipe, and its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.profiling.settings import Subject
from dlcheck.profiling.write import patches, refuse_unwritable, write
from dlcheck.recipe import load_recipe
from dlcheck.recipe.patch import patched
from dlcheck.runs.facts import ComputeTrial, ComputeTrials, LoaderSetting, LoaderSweep, LoaderTrial

NOW = LoaderSetting(workers=0, pin_memory=False, batch_size=32)
TEXT = '[data]\nname = "digits"\nworkers = 0  # for now\n\n[model]\nname = "mlp"\n'


def sweep(setting: LoaderSetting, now: LoaderSetting = NOW, *, low: float = 1.2) -> LoaderSweep:
    trials = (LoaderTrial(now, None, 0.1, 40), LoaderTrial(setting, 0.05, 0.05, 40))
    return LoaderSweep(now, trials, best=1, gain=2.0, gain_low=low, gain_high=2.4)


def trials(*made: ComputeTrial) -> ComputeTrials:
    return ComputeTrials("cuda", made)


BF16 = ComputeTrial("bf16", "train.precision", "bf16", 1.6, 1.5, 1.7, True)
LAST = ComputeTrial("channels_last", "train.channels_last", True, 1.1, 1.05, 1.15, True)
BOTH = ComputeTrial("bf16 + channels_last", "", None, 1.75, 1.7, 1.8, True)
DOUBLED = ComputeTrial("batch doubled", "train.batch_size", 64, 1.5, 1.4, 1.6, None)
THREADS = ComputeTrial("threads", "train.threads", 2, 1.4, 1.3, 1.5, True)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (LoaderSetting(workers=2), {"data.workers": 2}),
        (LoaderSetting(workers=2, prefetch=4), {"data.workers": 2, "data.prefetch": 4}),
        (LoaderSetting(in_memory=True), {"data.in_memory": True}),
        (LoaderSetting(augment_on_device=True), {"augment.where": "batch"}),
        (LoaderSetting(workers=2, batch_size=64), {"data.workers": 2}),
        (LoaderSetting(workers=2, persistent=True, in_order=False), {"data.workers": 2}),
    ],
)
def test_a_recommended_setting_is_told_in_keys_of_the_recipe(
    setting: LoaderSetting, expected: dict[str, object]
) -> None:
    assert patches(sweep(setting), None) == expected


def test_what_is_not_sure_is_not_written() -> None:
    assert patches(sweep(LoaderSetting(workers=2), low=0.98), None) == {}
    assert patches(replace(sweep(LoaderSetting(workers=2)), best=0), None) == {}
    assert patches(None, trials(replace(BF16, low=0.99))) == {}
    assert patches(None, trials(replace(BF16, same_loss=False))) == {}
    assert patches(None, trials(replace(BF16, same_loss=None))) == {}
    assert patches(None, None) == {}


def test_a_larger_batch_is_never_written() -> None:
    assert patches(None, trials(DOUBLED)) == {}


def test_several_changes_are_written_only_if_they_were_fast_together() -> None:
    assert patches(None, trials(BF16, LAST, BOTH)) == {"train.precision": "bf16", "train.channels_last": True}
    assert patches(None, trials(BF16, LAST)) == {"train.precision": "bf16"}
    assert patches(None, trials(BF16, LAST, replace(BOTH, ratio=1.2, low=1.1))) == {"train.precision": "bf16"}
    assert patches(None, trials(BF16, LAST, replace(BOTH, same_loss=False))) == {"train.precision": "bf16"}


def test_more_threads_are_written_only_without_workers_to_compete_with() -> None:
    assert patches(sweep(NOW, NOW), trials(THREADS)) == {"train.threads": 2}
    assert patches(sweep(LoaderSetting(workers=2)), trials(THREADS)) == {"data.workers": 2}
    assert patches(None, trials(THREADS)) == {}
    assert patches(None, trials(replace(THREADS, value=1))) == {"train.threads": 1}


def test_every_patch_is_valid_in_a_recipe() -> None:
    values = patches(sweep(LoaderSetting(workers=2, prefetch=4, in_memory=True, augment_on_device=True)), trials(BF16))
    assert len(values) == 5
    assert patched(load_recipe("digits").recipe, values)


def test_values_go_into_the_file_and_its_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    subject = Subject("recipe", str(path))
    refuse_unwritable(subject)
    write(subject, {"data.workers": 2, "train.precision": "bf16"}, expected=TEXT)
    changed = TEXT.replace("workers = 0", "workers = 2") + '\n[train]\nprecision = "bf16"\n'
    assert path.read_text() == changed
    with pytest.raises(DlcheckError, match="has changed since"):
        write(subject, {"data.workers": 3}, expected=TEXT)
    assert path.read_text() == changed


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        (Subject("script", "train.py"), "train.py is no recipe"),
        (Subject("recipe", "digits"), "no recipe file of yours"),
        (Subject("recipe", "mine.toml", overrides=("train.epochs=3",)), "takes no --set"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(subject: Subject, told: str) -> None:
    with pytest.raises(DlcheckError, match=told) as caught:
        refuse_unwritable(subject)
    assert "\n" not in str(caught.value)
