"""What batches bring along from where they are made, and that nobody notices."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, Subset, TensorDataset

from dlcheck.profiling.loader_hooks import LoaderHooks
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.named import Timed, name_of, time_transforms
from dlcheck.profiling.recorder import RECORDER, Recorder
from dlcheck.profiling.rows import BatchRow, StepRow
from dlcheck.profiling.scheduling import RunQueue
from dlcheck.profiling.settings import Subject, TrialSettings
from dlcheck.profiling.stamps import Stamped, StampedCollate, StampedData, opened
from dlcheck.profiling.stepping import BACKWARD
from dlcheck.runs.facts import LoaderSetting
from tests.profiling import loaders
from tests.profiling.loaders import Compose, Doubled, Numbers, Straggling, Stream, Whole, collate, share

SUBJECT = Subject("script", "none.py")


@pytest.fixture
def hooks() -> Iterator[LoaderHooks]:
    yield from hooked(LoaderSetting())


def hooked(setting: LoaderSetting) -> Iterator[LoaderHooks]:
    before = dict(vars(DataLoader))
    hooks = LoaderHooks(TrialSettings(SUBJECT, loader=setting))
    hooks.meter = Meter(lambda meter: None)
    hooks.meter.wanted, hooks.meter.active = 1_000_000, True
    hooks.install()
    try:
        yield hooks
    finally:
        hooks.remove()
        assert all(vars(DataLoader)[name] is before[name] for name in ("__init__", "__iter__"))


def rows_of(hooks: LoaderHooks, loader: DataLoader[Any], epochs: int = 1) -> tuple[list[StepRow], list[Any]]:
    """Draw every batch as a training would; return rows and batches."""
    meter, batches = hooks.meter, []
    assert meter is not None
    for _ in range(epochs):
        for batch in loader:
            batches.append(batch)
            meter.begin(BACKWARD)
            meter.end(BACKWARD)
    return meter.take()[0], batches


def stamps_of(rows: list[StepRow]) -> list[BatchRow]:
    stamps = [row.batch for row in rows if row.batch is not None]
    assert len(stamps) == len(rows)
    return stamps


@pytest.mark.parametrize("workers", [0, 2])
def test_every_batch_tells_how_it_was_made(hooks: LoaderHooks, workers: int) -> None:
    loader = DataLoader(Numbers(), batch_size=8, num_workers=workers, collate_fn=collate)
    rows, batches = rows_of(hooks, loader)
    assert [batch["x"][:, 0].tolist() for batch in batches] == [list(range(a, a + 8)) for a in (0, 8, 16)]
    for row, batch in zip(rows, stamps_of(rows), strict=True):
        assert batch.began <= batch.fetched <= batch.ready <= row.got
        assert batch.items == 8
        assert 0 < batch.median <= batch.longest <= batch.fetched - batch.began
        assert batch.collate == pytest.approx(batch.ready - batch.fetched)
    assert {batch.pid == os.getpid() for batch in stamps_of(rows)} == {not workers}
    assert [row.samples for row in rows] == [8, 8, 8]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_it_works_with_every_start_method(hooks: LoaderHooks, method: str) -> None:
    transform = Compose([Doubled(), Doubled()])
    loader = DataLoader(
        Numbers(transform=transform), 8, num_workers=1, collate_fn=collate, multiprocessing_context=method,
        persistent_workers=True,
    )  # fmt: skip
    rows, batches = rows_of(hooks, loader, epochs=2)
    assert batches[1]["x"][0].tolist() == [32.0] * 3
    stamps = stamps_of(rows)
    assert all(batch.items == 8 and batch.transforms[0][0] == "Doubled" for batch in stamps)
    facts = hooks.training()
    assert facts is not None
    assert facts.start_method == method
    assert len({batch.pid for batch in stamps}) == 1
    loader._iterator = None


def test_the_loader_keeps_what_it_was_given(hooks: LoaderHooks) -> None:
    dataset = Numbers()
    loader = DataLoader(dataset, batch_size=8, num_workers=1, collate_fn=collate)
    iterator = iter(loader)
    assert loader.dataset is dataset
    assert loader.collate_fn is collate
    assert len(iterator) == 3
    assert iterator._num_workers == 1
    next(iterator)
    assert loader.dataset is dataset


def test_order_and_random_numbers_are_as_without(hooks: LoaderHooks) -> None:
    def drawn() -> list[Any]:
        torch.manual_seed(7)
        loader = DataLoader(Numbers(), batch_size=4, shuffle=True, num_workers=0)
        epochs = [[x[:, 0].tolist() for x, _ in loader] for _ in range(2)]
        return [epochs, torch.rand(3).tolist()]

    stamped = drawn()
    hooks.remove()
    assert stamped == drawn()


def test_a_stream_is_timed_sample_by_sample(hooks: LoaderHooks) -> None:
    loader = DataLoader(Stream(), batch_size=5, num_workers=2, worker_init_fn=share)
    rows, batches = rows_of(hooks, loader)
    assert sorted(int(x) for batch in batches for x in batch[0][:, 0]) == list(range(24))
    assert sorted(batch.items for batch in stamps_of(rows)) == [2, 2, 5, 5, 5, 5]


def test_a_batch_cut_off_by_the_end_of_a_stream_does_not_reach_the_next_epoch(hooks: LoaderHooks) -> None:
    rows, _ = rows_of(hooks, DataLoader(Stream(), batch_size=10, drop_last=True), epochs=2)
    assert [batch.items for batch in stamps_of(rows)] == [10, 10, 10, 10]


def test_without_automatic_batching_there_is_a_whole_batch_to_fetch(hooks: LoaderHooks) -> None:
    rows, batches = rows_of(hooks, DataLoader(Numbers(3), batch_size=None))
    assert batches[2][0].tolist() == [2.0] * 3
    assert all(batch.items == 0 and batch.ready >= batch.fetched > batch.began for batch in stamps_of(rows))


def test_data_sets_that_fetch_whole_batches_do_so(hooks: LoaderHooks) -> None:
    rows, _ = rows_of(hooks, DataLoader(Whole(), batch_size=8))
    assert [batch.items for batch in stamps_of(rows)] == [0, 0, 0]


def test_samples_of_a_subset_are_timed_one_by_one(hooks: LoaderHooks) -> None:
    rows, _ = rows_of(hooks, DataLoader(Subset(Numbers(), range(16)), batch_size=8))
    assert [batch.items for batch in stamps_of(rows)] == [8, 8]
    rows, _ = rows_of(hooks, DataLoader(Subset(Whole(), range(16)), batch_size=8))
    assert [batch.items for batch in stamps_of(rows)] == [0, 0]


def test_a_slow_sample_stands_out(hooks: LoaderHooks) -> None:
    rows, _ = rows_of(hooks, DataLoader(Straggling(), batch_size=8))
    first = stamps_of(rows)[0]
    assert first.longest >= 0.2
    assert first.slow >= first.longest
    assert first.longest > 8 * first.median


def test_sleeping_is_no_work_of_the_processor(hooks: LoaderHooks) -> None:
    rows, _ = rows_of(hooks, DataLoader(Straggling(), batch_size=8))
    first = stamps_of(rows)[0]
    assert first.fetch_cpu + first.fetch_queue < (first.fetched - first.began) / 2


def test_what_the_users_code_raises_reaches_the_user(hooks: LoaderHooks) -> None:
    class Broken(Numbers):
        def __getitem__(self, index: int) -> Any:
            raise KeyError("missing.jpg")

    for workers in (0, 1):
        with pytest.raises(KeyError, match=r"missing\.jpg"):
            next(iter(DataLoader(Broken(), num_workers=workers)))


def test_a_loader_for_every_epoch_is_one_loader(hooks: LoaderHooks) -> None:
    dataset = Numbers()
    for _ in range(3):
        rows_of(hooks, DataLoader(dataset, batch_size=8))
    assert len(hooks.known) == 1


def test_the_site_of_the_loader_is_a_line_of_the_user(hooks: LoaderHooks) -> None:
    rows_of(hooks, DataLoader(Numbers(), batch_size=8))
    facts = hooks.training()
    assert facts is not None
    assert facts.site is not None
    assert facts.site.file.endswith("test_stamps.py")


SETTINGS: list[tuple[LoaderSetting, dict[str, Any], dict[str, Any]]] = [
    (LoaderSetting(workers=2), {}, {"num_workers": 2, "prefetch_factor": 2, "persistent_workers": False}),
    (LoaderSetting(workers=2, prefetch=4, persistent=True), {}, {"prefetch_factor": 4, "persistent_workers": True}),
    (
        LoaderSetting(workers=0),
        {"num_workers": 2, "persistent_workers": True, "prefetch_factor": 3},
        {"num_workers": 0},
    ),
    (LoaderSetting(workers=0), {"num_workers": 1, "multiprocessing_context": "fork"}, {"num_workers": 0}),
    (LoaderSetting(prefetch=4, persistent=True), {}, {"num_workers": 0, "prefetch_factor": None}),
    (LoaderSetting(prefetch=4), {"num_workers": 1}, {"num_workers": 1, "prefetch_factor": 4}),
    (LoaderSetting(batch_size=3), {}, {"batch_size": 3}),
    (LoaderSetting(in_order=False), {"num_workers": 1}, {"in_order": False}),
    (LoaderSetting(), {"num_workers": 1, "prefetch_factor": 5}, {"num_workers": 1, "prefetch_factor": 5}),
]


@pytest.mark.parametrize(("setting", "given", "expected"), SETTINGS)
def test_settings_take_the_place_of_arguments(
    setting: LoaderSetting, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    for _ in hooked(setting):
        loader: DataLoader[Any] = DataLoader(Numbers(), 8, True, **given)
        assert {name: getattr(loader, name) for name in expected} == expected
        assert isinstance(loader.sampler, RandomSampler)


def test_a_batch_sampler_keeps_its_batches() -> None:
    for _ in hooked(LoaderSetting(batch_size=2)):
        batches = DataLoader(Numbers(), batch_sampler=[[0, 1, 2], [3, 4, 5]])
        assert [len(y) for _, y in batches] == [3, 3]


def test_a_carrier_survives_pickling_and_pinning(monkeypatch: pytest.MonkeyPatch) -> None:
    row = RECORDER.ready()
    carried = pickle.loads(pickle.dumps(Stamped({"x": torch.ones(2)}, row)))
    assert opened(carried)[0]["x"].tolist() == [1.0, 1.0]
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor * 2)
    from torch.utils.data._utils.pin_memory import pin_memory

    moved = pin_memory(Stamped([torch.ones(2), "name"], row))  # type: ignore[no-untyped-call]
    batch, stamps = opened(moved)
    assert batch[0].tolist() == [2.0, 2.0]
    assert batch[1] == "name"
    assert stamps == row


def test_what_carries_no_stamps_is_left_alone() -> None:
    batch = (torch.ones(2), torch.zeros(2))
    assert opened(batch) == (batch, None)


def test_a_stamped_data_set_is_taken_for_what_it_wraps() -> None:
    inner = Numbers()
    stamped: Any = StampedData(inner)
    assert isinstance(stamped, Numbers)
    assert stamped.classes == ["even", "odd"]
    stamped.samples = 4
    assert len(stamped) == inner.samples == 4
    again = pickle.loads(pickle.dumps(stamped))
    assert type(again) is StampedData
    assert again.samples == 4
    copied: Any = pickle.loads(pickle.dumps(StampedCollate(collate)))
    assert copied.__name__ == "collate"


def test_the_cost_of_a_sample_is_its_own() -> None:
    recorder = Recorder()
    recorder.begin()
    recorder.items = [0.001] * 63 + [0.5]
    recorder.fetched()
    row = BatchRow(*recorder.ready(augment=0.0))
    assert (row.items, row.longest, row.slow, row.median) == (64, 0.5, 0.5, 0.001)


def test_the_median_is_that_of_recent_samples() -> None:
    recorder = Recorder()
    for _ in range(3):
        recorder.begin()
        recorder.items = [0.001, 0.002, 0.003]
        recorder.fetched()
        row = BatchRow(*recorder.ready())
    assert row.median == 0.002
    assert row.slow == 0.0


@pytest.mark.parametrize("compose", ["torchvision.transforms", "torchvision.transforms.v2", "tests.profiling.loaders"])
def test_transforms_of_a_composition_are_timed_by_name(hooks: LoaderHooks, compose: str) -> None:
    module = pytest.importorskip(compose)
    transform = module.Compose([Doubled(), module.Compose([nn.Flatten(0)]), lambda x: x + 1])
    rows, batches = rows_of(hooks, DataLoader(Subset(Numbers(transform=transform), range(8)), batch_size=8))
    assert batches[0][0][3].tolist() == [7.0] * 3
    batch = stamps_of(rows)[0]
    assert [name for name, _ in batch.transforms] == ["Doubled", "Flatten", "lambda"]
    assert 0 < sum(seconds for _, seconds in batch.transforms) < batch.fetched - batch.began
    facts = hooks.training()
    assert facts is not None
    assert facts.transforms == ("Doubled", "Flatten", "lambda")


def test_a_transform_by_itself_is_timed_as_a_whole() -> None:
    dataset = Numbers(transform=loaders.Doubled())
    assert time_transforms(dataset) == ("Doubled",)
    assert isinstance(dataset.transform, Doubled)
    assert dataset[1][0].tolist() == [2.0] * 3


def test_transforms_are_wrapped_once() -> None:
    dataset = Numbers(transform=Compose([Doubled()]))
    assert time_transforms(dataset) == time_transforms(Subset(dataset, [0])) == ("Doubled",)
    only = dataset.transform.transforms[0]
    assert type(only) is Timed
    assert type(pickle.loads(pickle.dumps(only))) is Timed
    assert type(only._dlcheck_inner) is Doubled


def test_data_without_transforms_stays_as_it_is() -> None:
    assert time_transforms(TensorDataset(torch.ones(3))) == ()
    assert time_transforms([1, 2, 3]) == ()


def test_names_are_those_a_person_knows() -> None:
    def halve(x: float) -> float:
        return x / 2

    transforms = pytest.importorskip("torchvision.transforms")
    assert [name_of(one) for one in (halve, lambda x: x, Doubled(), transforms.Lambda(halve))] == [
        "halve", "lambda", "Doubled", "halve",
    ]  # fmt: skip
    assert name_of(transforms.Lambda(lambda x: x)) == "Lambda"


def test_waiting_for_a_core_only_grows() -> None:
    queue = RunQueue()
    first = queue.waited()
    until = time.perf_counter() + 0.02
    while time.perf_counter() < until:
        pass
    assert queue.waited() >= first >= 0.0


def test_a_forked_process_reads_its_own_waiting() -> None:
    queue = RunQueue()
    queue.waited()
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        os.write(send, f"{queue.waited()} {Path(f'/proc/self/fd/{queue.file}').readlink()}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    waited, file = os.read(receive, 200).decode().split()
    assert float(waited) >= 0.0
    assert file == f"/proc/{child}/task/{child}/schedstat"


def test_where_nobody_counts_the_wait_is_zero() -> None:
    assert RunQueue("/nonexistent/schedstat").waited() == 0.0
