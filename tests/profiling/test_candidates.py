"""Settings that are worth measuring, and why others are not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.profiling.candidates import (
    Candidate,
    Known,
    candidates,
    grid_size,
    ladder,
    present_setting,
    variants,
)
from dlcheck.profiling.found import Found
from dlcheck.profiling.predict import Prediction
from dlcheck.profiling.sweep_choice import Entry, next_entry
from dlcheck.recipe import Recipe, parse_recipe
from dlcheck.runs.facts import LoaderSetting

MIB = 2**20
FOUND = Found(kind="main", batch_size=32, batch_bytes=4 * MIB, samples=3200, steps_per_epoch=100)
KNOWN = Known(FOUND, cores=2.0, period_s=0.1)
PHOTOS = '[data]\nname = "image_folder"\nroot = "photos"\n[model]\nname = "cnn"\n'


def recipe(text: str = "") -> Recipe:
    return parse_recipe(PHOTOS + text, "mine.toml").recipe


class Line:
    """A forecast that knows one law: so long a batch, by so many workers, and a step takes no less than that."""

    def __init__(self, making: float, computing: float, *, known: bool = True) -> None:
        self.making, self.computing, self.known = making, computing, known

    def step(self, workers: int, *, prefetch: int | None = None, in_order: bool | None = None) -> Prediction:
        step_s = max(self.making / workers, self.computing) if workers else self.making + self.computing
        return Prediction(workers, step_s if self.known else None, step_s)


def settings(known: Known, budget_s: float = 90.0) -> list[LoaderSetting]:
    return [one.setting for one in candidates(known, budget_s=budget_s)]


def test_numbers_of_workers_go_up_to_four_times_the_cores_and_hold_the_present_one() -> None:
    assert ladder(KNOWN) == [0, 1, 2, 3, 4, 6, 8]
    odd = replace(KNOWN, found=replace(FOUND, kind="workers", workers=20, persistent=True))
    assert ladder(odd)[-2:] == [8, 20]
    assert 20 not in [one.workers for one in settings(odd)]


def test_workers_of_a_script_are_kept_from_epoch_to_epoch_and_pinned_only_for_another_device() -> None:
    assert LoaderSetting(workers=2, persistent=True) in settings(KNOWN)
    cuda = replace(KNOWN, found=replace(FOUND, device="cuda"))
    assert LoaderSetting(workers=2, persistent=True, pin_memory=True) in settings(cuda)
    assert LoaderSetting(workers=2) in settings(replace(KNOWN, recipe=recipe()))


def test_workers_that_are_started_again_each_epoch_may_stay_as_many() -> None:
    workers = replace(FOUND, kind="workers", workers=2, prefetch=2)
    known = replace(KNOWN, found=workers, startup_share=0.4, forecast=Line(0.1, 0.05))
    same = [one for one in candidates(known, budget_s=90) if one.workers == 2]
    assert [one.setting.persistent for one in same] == [True]
    assert same[0].least_s == pytest.approx(0.06)
    kept = replace(known, found=replace(workers, persistent=True))
    assert not [one for one in candidates(kept, budget_s=90) if one.workers == 2]


def test_what_does_not_fit_into_shared_memory_is_left_out_with_the_numbers() -> None:
    known = replace(KNOWN, shm_free=64 * MIB)
    told = {one.workers: one.skipped for one in candidates(known, budget_s=90)}
    assert told[6] == ""
    assert told[8] == "needs 68 MiB of shared memory, 64 MiB are free in /dev/shm"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"memory_free": 500 * MIB}, "needs 0.4 GiB of memory, 0.5 GiB are free"),
        ({"item_s": 0.02}, "reading all 3,200 samples first takes some 64 s"),
        ({"found": replace(FOUND, samples=None)}, "its size is not known"),
    ],
)
def test_data_is_kept_in_memory_where_there_is_room_and_time(change: dict[str, object], told: str) -> None:
    known = replace(KNOWN, recipe=recipe(), **change)  # type: ignore[arg-type]
    (kept,) = [one for one in candidates(known, budget_s=90) if one.setting.in_memory]
    assert kept.skipped == told


def test_a_recipe_that_augments_samples_may_do_it_on_the_device_with_the_best_number_of_workers() -> None:
    winner = Candidate(LoaderSetting(workers=2), 2)
    on_device = LoaderSetting(workers=2, augment_on_device=True)
    flipped = recipe("[augment]\nflip_horizontal = true\n")
    assert [one.setting for one in variants(replace(KNOWN, recipe=flipped), winner)] == [on_device]
    there = recipe('[augment]\nflip_horizontal = true\nwhere = "batch"\n')
    for other in (there, recipe(), None):
        assert not variants(replace(KNOWN, recipe=other), winner)
    in_memory = Candidate(LoaderSetting(in_memory=True), 0)
    assert not variants(replace(KNOWN, recipe=flipped), in_memory)  # batches are augmented whole there anyway


@pytest.mark.parametrize("kind", ["memory", "opaque"])
def test_loaders_without_settings_have_no_candidates(kind: str) -> None:
    known = replace(KNOWN, found=replace(FOUND, kind=kind))
    assert (settings(known), grid_size(known)) == ([], 1)


def test_another_order_is_offered_only_where_samples_were_slow_and_never_to_a_recipe() -> None:
    winner = Candidate(LoaderSetting(workers=2), 2)
    uneven = replace(KNOWN, slow_share=0.5)
    assert not variants(KNOWN, winner)
    assert [one.setting.in_order for one in variants(uneven, winner)] == [None, False]
    assert [one.setting.in_order for one in variants(replace(uneven, recipe=recipe()), winner)] == [None]
    assert not variants(uneven, Candidate(LoaderSetting(workers=0), 0))


def test_a_variant_of_the_present_setting_changes_one_thing() -> None:
    found = replace(FOUND, kind="workers", workers=2, prefetch=3, pin_memory=True)
    known = replace(KNOWN, found=found, slow_share=0.5)
    made = variants(known, Candidate(present_setting(found), 2))
    assert [one.setting for one in made] == [
        LoaderSetting(workers=2, prefetch=6),
        LoaderSetting(workers=2, in_order=False),
    ]


def chosen(known: Known, *measured: tuple[int, float]) -> int | None:
    """Return the workers of the next setting to measure, once those given were measured."""
    present = Entry(Candidate(present_setting(known.found), known.found.workers), relative=1.0)
    entries = [present, *(Entry(one) for one in candidates(known, budget_s=90))]
    for entry in entries:
        entry.relative = dict(measured).get(entry.candidate.workers, entry.relative)
    found = next_entry(entries, period_s=known.period_s, ideal_s=known.ideal_s or 0.0, cores=known.cores)
    return found.candidate.workers if found is not None else None


def test_the_fewest_workers_that_are_predicted_to_be_enough_come_first() -> None:
    assert chosen(replace(KNOWN, forecast=Line(0.08, 0.02))) == 6  # with 4 they would need all of their time
    assert chosen(replace(KNOWN, forecast=Line(0.05, 0.05))) == 2
    assert chosen(replace(KNOWN, forecast=Line(0.001, 0.099))) is None


def test_without_a_prediction_as_many_workers_as_cores_come_first() -> None:
    assert chosen(KNOWN) == 2
    assert chosen(KNOWN, (2, 0.6)) == 3
    assert chosen(KNOWN, (2, 0.6), (3, 0.6)) == 1  # more than three are ruled out
    assert chosen(KNOWN, (2, 0.6), (3, 0.6), (1, 0.8)) is None


def test_workers_that_lost_against_none_are_not_followed_by_more() -> None:
    known = replace(KNOWN, forecast=Line(0.01, 0.09, known=False))
    assert chosen(known, (1, 1.4)) is None


def test_a_prediction_that_was_missed_is_not_believed_again() -> None:
    known = replace(KNOWN, forecast=Line(0.08, 0.02))
    assert chosen(known, (6, 0.2)) is None
    assert chosen(known, (6, 0.5)) == 8


@given(
    st.floats(0.001, 1), st.floats(0.001, 1), st.integers(1, 16), st.floats(0, 1), st.booleans(), st.integers(0, 10**9)
)
def test_any_training_has_candidates_that_differ_from_the_present(
    making: float, computing: float, cores: int, slow: float, known: bool, free: int
) -> None:
    ground = Known(
        FOUND, cores, making + computing, Line(making, computing, known=known), slow_share=slow, shm_free=free
    )
    made = candidates(ground, budget_s=60)
    assert len({one.setting for one in made}) == len(made)
    assert all(one.workers != 0 or one.setting.in_memory for one in made)
    assert grid_size(ground) >= len(made)
    assert all(one.least_s <= (one.predicted_s or one.least_s) for one in made)
