"""What a training is bound by, from recorded profiles: no clock, so a busy machine changes nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.findings import Severity
from dlcheck.rules import diagnose, verdict
from dlcheck.rules.rule import Unchecked
from dlcheck.rules.speed.amounts import amount
from dlcheck.rules.speed.bound import bound
from dlcheck.rules.speed.limits import LIMITS
from dlcheck.rules.speed.settings import setting_arguments, setting_patch, setting_words, swept_remedies
from dlcheck.runs.facts import (
    Ceilings,
    ComputeTrial,
    ComputeTrials,
    CpuUse,
    Fact,
    LoaderSetting,
    LoaderTimes,
    MemoryGrowth,
    Rate,
    SharedMemory,
    Site,
    StepTimes,
    TransformTime,
)
from tests.rules.examples_speed import (
    CALM,
    COMPUTING,
    DECODING,
    HEALTHY_CPU,
    ITEM,
    LARGE,
    MIB,
    NO_WORKERS,
    PRECISE,
    SLOW,
    SLOW_ADAM,
    SMALL,
    SWEPT,
    WHOLE,
    loader,
    rate,
    times,
)
from tests.rules.fact_runs import fact_run
from tests.rules.judging import severities, told

CAUSES = {
    "compute": "compute",
    "input": "decode",
    "startup": "startup",
    "cpu": "oversubscribed",
    "launch": "launch",
    "sync": "Tensor.item",
    "copy": "unpinned",
    "gap": "outside-step",
}


@pytest.mark.parametrize("kind", WHOLE)
def test_every_situation_is_told_from_the_others(kind: str) -> None:
    found = told(*WHOLE[kind])
    assert found.kind == kind
    assert found.cause == CAUSES.get(kind, found.cause)
    assert 0 <= found.share <= 1
    assert found.confidence == (0.6 if kind == "inconclusive" else 0.95)
    assert "\n" not in found.words


@pytest.mark.parametrize("kind", WHOLE)
def test_rules_and_bound_agree(kind: str) -> None:
    outcome = diagnose(fact_run(*WHOLE[kind]), select=["P"])
    assert outcome.crashed == ()
    expected = {"compute": "healthy", "inconclusive": "unknown"}.get(kind, "sick")
    assert verdict(outcome) == expected
    grave = [item.code for item in outcome.findings if item.primary and item.severity >= Severity.WARNING]
    first = {"input": "P501", "copy": "P502", "launch": "P503", "sync": "P504", "startup": "P505", "cpu": "P506"}
    if expected == "sick":
        assert grave[0] == (first | {"gap": "P513"})[kind]
    else:
        assert grave == []


def test_a_healthy_profile_has_no_finding_but_the_good_one() -> None:
    assert severities(fact_run(*HEALTHY_CPU)) == {"P511": Severity.INFO}


def test_without_times_nothing_is_told() -> None:
    with pytest.raises(Unchecked):
        bound(fact_run(CALM))
    broken = replace(times(COMPUTING), parts=times(COMPUTING).parts[1:])
    with pytest.raises(Unchecked):
        bound(fact_run(broken))


@given(st.floats(0.2, 50.0))
def test_how_fast_the_machine_is_changes_no_verdict(factor: float) -> None:
    for kind in ("compute", "input", "gap"):
        facts = [_scaled(one, factor) for one in WHOLE[kind] if isinstance(one, StepTimes | LoaderTimes | CpuUse)]
        assert told(*facts).kind == kind


def _scaled(known: Fact, factor: float) -> Fact:
    if isinstance(known, StepTimes):
        parts = tuple(replace(part, median_s=part.median_s * factor) for part in known.parts)
        first = None if known.epoch_start_s is None else known.epoch_start_s * factor
        return replace(known, period_s=known.period_s * factor, parts=parts, epoch_start_s=first)
    if isinstance(known, LoaderTimes):
        fetch, collate = (known.fetch_s or 0.0) * factor, (known.collate_s or 0.0) * factor
        named = tuple(replace(item, seconds=item.seconds * factor) for item in known.transforms)
        return replace(
            known, fetch_s=fetch, collate_s=collate, stuck_s=(known.stuck_s or 0.0) * factor, transforms=named
        )
    return known


@given(st.floats(0.0, 0.9), st.sampled_from(["wait", "outside", "inside", "optimizer"]))
def test_a_part_is_blamed_only_from_its_threshold_on(share: float, part: str) -> None:
    rest = {name: value for name, value in COMPUTING.items() if name not in ("wait", "take", "inside", part)}
    step = times({**rest, part: sum(rest.values()) * share / (1 - share)})
    found = told(step, loader(fetch_s=2.0, late_share=1.0), CALM)
    limit = LIMITS["optimizer_share" if part == "optimizer" else "share"].value
    kind = {"wait": "input", "optimizer": "compute"}.get(part, "gap")
    if share >= limit + 0.001:
        assert (found.kind, found.cause) == (kind, CAUSE_OF[part])
        assert found.share == pytest.approx(share, abs=0.01)
    elif share < limit - 0.001:
        assert (found.kind, found.cause) == ("compute", "compute")


CAUSE_OF = {"wait": "decode", "outside": "outside-step", "inside": "inside-step", "optimizer": "optimizer"}


def test_a_tiny_model_behind_any_loader_is_no_finding() -> None:
    step = times({"wait": 0.6, "take": 0.7, "forward": 0.2, "backward": 0.3, "optimizer": 0.1})
    main = loader(kind="main", workers=0, fetch_s=0.0011, collate_s=0.0002)
    assert told(step, main).kind == "compute"
    assert severities(fact_run(step, main, CALM)) == {}


WAITING = times(DECODING)


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({}, "decode"),
        ({"fetch_cpu_share": 0.1}, "fetch-io"),
        ({"transforms": (TransformTime("Sharpen", 0.12), TransformTime("Flip", 0.01))}, "transform:Sharpen"),
        ({"transforms": (TransformTime("Sharpen", 0.05), TransformTime("Flip", 0.01))}, "decode"),
        ({"collate_s": 0.3}, "collate"),
        ({"augment_s": 0.3, "collate_s": 0.1}, "augment"),
        ({"slow_share": 0.8, "fetch_s": 0.001}, "straggler"),
        ({"fetch_s": 0.004, "collate_s": 0.001, "stuck_s": 0.05}, "transport"),
        # A finished batch is stuck behind a worker that is at work on the next one.
        ({"fetch_s": 0.004, "collate_s": 0.17, "stuck_s": 0.05}, "collate"),
        ({"kind": "main", "workers": 0, "fetch_s": 0.06}, "decode"),
        ({"kind": "main", "workers": 0, "fetch_s": None, "collate_s": None}, "not-overlapped"),
        ({"kind": "opaque", "workers": 0, "fetch_s": None, "collate_s": None}, "loader"),
    ],
)
def test_what_takes_the_time_of_loading_is_named(changed: dict[str, object], cause: str) -> None:
    made = replace(SLOW, transforms=())
    found = told(WAITING, replace(made, **changed), CALM)  # type: ignore[arg-type]
    assert (found.kind, found.cause) == ("input", cause)
    (finding,) = diagnose(fact_run(WAITING, replace(made, **changed), CALM), select=["P501"]).findings  # type: ignore[arg-type]
    assert finding.evidence["cause"] == cause
    if changed.get("workers") == 0 and cause == "decode":
        assert finding.remedies[0].patch == {"data.workers": 2}


def test_waiting_that_ready_batches_would_not_shorten_is_jitter() -> None:
    same = Ceilings(rate(340.0, 0.01), rate(350.0, 0.01))
    assert told(WAITING, SLOW, CALM, same).kind != "input"
    assert severities(fact_run(WAITING, SLOW, CALM, same)) == {"P501": Severity.INFO}


def test_one_signal_alone_is_information() -> None:
    opaque = loader(kind="opaque", workers=0, fetch_s=None, collate_s=None, late_share=None)
    assert severities(fact_run(WAITING, opaque))["P501"] == Severity.INFO
    wide = Ceilings(rate(340.0, 0.4), rate(900.0, 0.4))
    assert severities(fact_run(WAITING, opaque, wide))["P501"] == Severity.INFO
    sure = Ceilings(rate(340.0, 0.02), rate(900.0, 0.05))
    assert severities(fact_run(WAITING, opaque, sure))["P501"] == Severity.WARNING


def test_between_note_and_threshold_it_is_told_but_not_blamed() -> None:
    step = times({"wait": 9.0, "forward": 30.0, "backward": 61.0})
    late = loader(fetch_s=0.4, late_share=1.0)
    assert told(step, late, CALM).kind == "compute"
    assert severities(fact_run(step, late, CALM))["P501"] == Severity.INFO


def test_the_gain_is_the_ceilings_where_it_was_measured() -> None:
    gain = told(*WHOLE["input"]).gain
    assert gain is not None
    assert gain.measured
    assert gain.value == pytest.approx(94.0 / 33.0)
    assert gain.low < gain.value < gain.high
    guessed = told(WAITING, SLOW, CALM).gain
    assert guessed is not None
    assert not guessed.measured
    assert guessed.value == pytest.approx(94.0 / 33.0)


@pytest.mark.parametrize(
    ("alone", "late", "slow", "kind"),
    [(3.0, 0.0, 0.0, "compute"), (1.1, 0.0, 0.0, "input"), (3.0, 0.9, 0.0, "input"), (3.0, 0.0, 0.7, "input")],
)
def test_a_loader_that_is_fast_enough_is_not_blamed_for_handing_over(
    alone: float, late: float, slow: float, kind: str
) -> None:
    step = times({"wait": 15.0, "take": 10.0, "forward": 30.0, "backward": 45.0})
    now, ideal = Rate(320.0, 315.0, 325.0), Rate(400.0, 395.0, 405.0)
    ceilings = Ceilings(now, ideal, loader=Rate(alone * 400.0, alone * 390.0, alone * 410.0))
    run = fact_run(step, loader(fetch_s=0.05, late_share=late, slow_share=slow), ceilings, CALM)
    assert bound(run).kind == kind
    found = [item for item in diagnose(run, select=["P501"]).findings if item.severity >= Severity.WARNING]
    assert bool(found) is (kind == "input")


# Single rules.


def test_a_slow_optimizer_is_a_warning_beyond_memory_traffic() -> None:
    assert severities(fact_run(*SLOW_ADAM))["P514"] == Severity.WARNING
    assert told(*SLOW_ADAM).cause == "optimizer"
    large = replace(SMALL, parameters=400 * MIB)
    run = fact_run(*SLOW_ADAM, large)
    assert bound(run).cause == "compute"
    assert "P514" not in severities(run)
    newton = times({**COMPUTING, "optimizer": 90.0}, optimizer="LBFGS")
    assert "P514" not in severities(fact_run(newton))


def test_a_gap_is_a_warning_where_a_line_was_seen() -> None:
    parts = {**COMPUTING, "inside": 40.0}
    assert severities(fact_run(times(parts)))["P513"] == Severity.INFO
    seen = fact_run(times(parts, gap_site=Site("train.py", 3)))
    (finding,) = diagnose(seen, select=["P513"]).findings
    assert (finding.severity, finding.where.file, finding.where.line) == (Severity.WARNING, "train.py", 3)
    assert bound(seen).cause == "inside-step"


def test_beginnings_of_epochs_beyond_their_first_batch_count() -> None:
    slow_batches = times(
        {"wait": 60.0, "forward": 30.0}, steps_per_epoch=4, epoch_starts=9, epoch_start_s=0.17, startup_share=0.3
    )
    assert told(slow_batches, SLOW).kind == "input"
    once = replace(slow_batches, epoch_starts=1, epoch_start_s=2.0, startup_share=0.8)
    assert severities(fact_run(once, SLOW))["P505"] == Severity.INFO
    kept = loader(persistent=True)
    (finding,) = diagnose(fact_run(once, kept), select=["P505"]).findings
    assert "persistent_workers" not in " ".join(remedy.text for remedy in finding.remedies)


def test_memory_that_does_not_fit_is_an_error_on_a_gpu_only() -> None:
    lost = replace(LARGE, total=40_000 * MIB)
    assert severities(fact_run(lost)) == {"P509": Severity.ERROR}
    assert severities(fact_run(replace(lost, device="cpu"))) == {"P509": Severity.INFO}
    assert severities(fact_run(replace(SMALL, capacity=100 * MIB))) == {}
    (finding,) = diagnose(fact_run(LARGE), select=["P509"]).findings
    assert finding.remedies[0].patch == {"train.batch_size": 1900}
    outcome = diagnose(fact_run(replace(SMALL, capacity=None)), select=["P509"])
    assert [item.code for item in outcome.not_checked] == ["P509"]


def test_growth_is_judged_by_when_the_memory_is_full() -> None:
    slow = MemoryGrowth("host", 20_000.0, 100, 10**9, 10**12, certain=True)
    assert severities(fact_run(slow)) == {"P510": Severity.INFO}
    assert severities(fact_run(replace(slow, certain=False))) == {}
    assert severities(fact_run(replace(slow, bytes_per_step=500.0))) == {}
    (finding,) = diagnose(fact_run(replace(slow, bytes_per_step=1e6)), select=["P510"]).findings
    assert finding.severity == Severity.WARNING
    assert "fills it in 999,000 steps" in finding.summary


def test_shared_memory_is_an_error_once_a_worker_died() -> None:
    short = SharedMemory(90 * MIB, 64 * MIB, 18 * MIB)
    assert severities(fact_run(short)) == {"P515": Severity.WARNING}
    assert severities(fact_run(replace(short, crashed=True))) == {"P515": Severity.ERROR}


def test_precision_is_advised_only_at_the_same_loss_and_warned_of_only_on_a_gpu() -> None:
    def judged(trial: ComputeTrial, device: str) -> dict[str, Severity]:
        return severities(fact_run(ComputeTrials(device, (trial,))))

    fast = PRECISE.trials[0]
    assert judged(fast, "cuda:0") == {"P507": Severity.WARNING}
    assert judged(fast, "cpu") == {"P507": Severity.INFO}
    assert judged(replace(fast, same_loss=False), "cuda:0") == {}
    assert judged(replace(fast, low=0.98), "cuda:0") == {}
    assert judged(replace(fast, name="compile"), "cuda:0") == {}


def test_workers_are_harmful_where_fewer_are_faster_for_sure() -> None:
    run = fact_run(times({"wait": 1.0, "take": 2.0, "forward": 1.0, "backward": 0.6}), NO_WORKERS)
    assert (bound(run).kind, bound(run).cause) == ("cpu", "workers-harmful")
    assert severities(run)["P512"] == Severity.WARNING
    assert "P512" not in severities(fact_run(replace(NO_WORKERS, gain_low=1.01)))
    assert "P512" not in severities(fact_run(SWEPT))


def test_a_setting_is_told_by_what_differs_and_patched_where_a_recipe_has_a_key() -> None:
    before = LoaderSetting(workers=2, prefetch=2, pin_memory=False, persistent=False)
    after = replace(before, workers=4, pin_memory=True, persistent=True)
    assert setting_words(after, before) == "workers 4, pin_memory on, persistent on"
    assert setting_words(before, before) == "as it is"
    assert setting_patch(after, before) == {"data.workers": 4, "data.pin_memory": True}
    assert setting_patch(LoaderSetting(workers=0, prefetch=4), before) == {"data.workers": 0}
    (remedy,) = swept_remedies(fact_run(SWEPT))
    assert remedy.patch == {"data.workers": 6}
    assert "2.57 times as fast (95 % interval 2.41 to 2.74)" in remedy.text
    assert swept_remedies(fact_run(replace(SWEPT, gain_low=0.99))) == ()
    (in_words,) = swept_remedies(fact_run(SWEPT, recipe=False))
    assert in_words.text.startswith("give the DataLoader num_workers=6, persistent_workers=True: measured")
    assert in_words.patch == {}
    assert setting_arguments(LoaderSetting(workers=0, prefetch=4, persistent=False), before) == "num_workers=0"


def test_amounts_are_told_in_three_digits() -> None:
    assert [amount(value) for value in (0, 1023, 1536, 389 * MIB, 16 * 1024 * MIB)] == [
        "0 bytes",
        "1023 bytes",
        "1.5 KiB",
        "389 MiB",
        "16 GiB",
    ]


def test_the_place_of_a_finding_is_the_users_own_line() -> None:
    (finding,) = diagnose(fact_run(*WHOLE["input"]), select=["P501"]).findings
    assert (finding.where.file, finding.where.line) == (ITEM.file, ITEM.line)
