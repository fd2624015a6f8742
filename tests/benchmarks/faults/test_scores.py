"""The scores of the benchmark: doctors of known worth must get what they deserve."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.faults.record import Told, Trained
from tests.benchmarks.faults.score import OWN, TOGETHER, PeerScore, score, sound
from tests.benchmarks.faults.table import table
from tests.benchmarks.faults.worth import (
    BAD,
    CATALOGUE,
    CODES,
    GOOD,
    PROGRAMS,
    always,
    half,
    perfect,
    random_word,
    scored,
    silent,
    trained,
)


def test_soundness_asks_for_score_end_and_no_exception() -> None:
    plain = trained("plain", GOOD, silent)
    good = trained("warm-up", [0.88], silent)[0]
    assert sound(good, plain)
    for change in ({"score": 0.86}, {"score": math.nan}, {"gap": 0.51}, {"gap": math.nan}, {"error": "ValueError"}):
        assert not sound(replace(good, **change), plain)
    assert not sound(good, [])
    assert not sound(good, trained("plain", GOOD, silent, program="other/mlp/sgd"))
    assert not sound(good, [replace(one, best=0.99) for one in plain]), "the plain ones were better once"


@pytest.mark.parametrize("way", OWN)
def test_a_rule_that_always_fires_scores_badly(way: str) -> None:
    scores = scored(always)
    one = scores.doctor(way)
    assert one.alarms == Share(40, 40)
    assert one.codes == dict.fromkeys(CODES, 40)
    assert one.alarmed.rate == one.named.rate == 1.0
    assert one.first.rate <= 0.5
    assert one.located.of == 0
    last = one.reliability.bins[-1].right
    assert last.rate < 0.1
    assert last.of + one.reliability.neutral == 3 * 52 * (2 if way == TOGETHER else 1)


def test_many_primaries_are_lenient_hits_but_no_strict_ones() -> None:
    one = scored(lambda run: [replace(told, primary=True) for told in always(run)]).doctor("live")
    assert one.first.rate == 1.0
    assert one.strict.count == 0


def test_a_wrong_word_is_an_alarm_but_names_nothing() -> None:
    one = scored(random_word).doctor("live")
    assert one.alarmed == Share(8, 8)
    assert one.named.count == one.listed.count == one.first.count == one.strict.count == 0
    assert one.reliability.bins[-1].right == Share(0, 52)
    assert one.reliability.neutral == 0


@pytest.mark.parametrize("way", OWN)
def test_a_silent_rule_has_no_recall(way: str) -> None:
    one = scored(silent).doctor(way)
    assert one.alarms == Share(0, 40)
    assert one.named.of == {"log": 8, "live": 8, "check": 8, TOGETHER: 12}[way]
    assert one.named.count == one.alarmed.count == one.first.count == one.strict.count == 0
    assert one.steps is None


@pytest.mark.parametrize("way", OWN)
def test_a_perfect_rule_scores_perfectly(way: str) -> None:
    one = scored(perfect).doctor(way)
    assert one.alarms == Share(0, 40)
    for share in (one.named, one.listed, one.first, one.strict, one.located):
        assert share.rate == 1.0
    assert one.steps == (10.0, 10.0, 10.0)
    assert [kept.right.of for kept in one.reliability.bins[:-1]] == [0] * 5
    assert one.reliability.bins[-1].right.rate == 1.0
    assert one.reliability.bins[-1].stated == pytest.approx(0.97)


def test_peers_are_judged_by_alarms_only() -> None:
    (peer,) = scored(always).peers
    assert (peer.doctor, peer.alarms, peer.alarmed) == ("peer", Share(40, 40), Share(8, 8))
    assert type(peer) is PeerScore


def test_a_cause_counts_as_right_and_info_only_as_listed() -> None:
    def rule(run: Trained) -> list[Told]:
        return [Told("A009", "warning", primary=True)] if run.program == PROGRAMS[0] else [Told("A001", "info")]

    runs = [run for run in half(rule) if run.variant in ("plain", "rate-too-high")]
    one = score(runs, CATALOGUE).doctor("live")
    assert (one.named, one.first, one.listed) == (Share(1, 4), Share(1, 4), Share(4, 4))


def test_a_fault_that_does_not_hurt_counts_as_healthy_unless_it_is_exact() -> None:
    runs = [
        *trained("plain", GOOD, always),
        *trained("few-samples", GOOD, always),
        *trained("two-softmaxes", GOOD, always),
    ]
    scores = score(runs, CATALOGUE)
    assert (scores.plants, scores.hurting, scores.harmless, scores.healthy) == (1, 0, 1, 5)
    one = scores.doctor("check")
    assert one.harmless == Share(1, 1)
    assert one.alarms == Share(5, 5)
    assert one.named == Share(1, 1)
    assert one.alarmed == Share(0, 0)
    assert one.reliability.bins[-1].right == Share(1, 21), (
        "five healthy, one harmless and one exact, three findings each"
    )


def test_a_harmless_fault_whose_training_went_badly_is_neither() -> None:
    runs = [*trained("plain", GOOD, always), *trained("few-samples", [0.5, *GOOD[:4]], always)]
    scores = score(runs, CATALOGUE)
    assert (scores.plants, scores.harmless, scores.dropped) == (0, 0, 0)
    assert scores.unsound == 1
    assert scores.doctor("live").harmless.of == 0


def test_plants_with_too_few_seeds_are_left_out() -> None:
    scores = score([*trained("plain", GOOD, silent), *trained("few-samples", [0.1], silent)], CATALOGUE)
    assert (scores.plants, scores.harmless, scores.undecided) == (0, 0, 1)


def test_unsound_healthy_trainings_are_dropped_and_counted() -> None:
    runs = [*trained("plain", GOOD, always), *trained("warm-up", [0.3, 0.9], always)]
    scores = score(runs, CATALOGUE)
    assert (scores.healthy, scores.dropped) == (6, 1)
    assert scores.doctor("log").alarms.of == 6


def test_the_seed_with_findings_is_looked_at() -> None:
    runs = [*trained("plain", GOOD, perfect), *trained("few-samples", BAD["few-samples"], silent)]
    runs[5].doctors = {}
    runs[7].doctors = {"live": perfect(runs[7])}
    one = score(runs, CATALOGUE).doctor("live")
    assert one.named == Share(1, 1)
    assert one.steps == (12.0, 12.0, 12.0)


@pytest.mark.parametrize(
    ("layer", "located"),
    [
        ("net.0", Share(1, 1)),
        ("net.0.weight", Share(1, 1)),
        ("net.01", Share(0, 1)),
        ("net", Share(0, 1)),
        (None, Share(0, 0)),
    ],
)
def test_a_layer_is_right_if_it_is_the_planted_one_or_within(layer: str | None, located: Share) -> None:
    def rule(run: Trained) -> list[Told]:
        lead = Told("C003", "warning", 0.9, primary=True, layer=layer)
        return [Told("C003", "warning", 0.8, layer="net.0"), lead] if layer else [lead]

    runs = [*trained("plain", GOOD, silent), *trained("few-samples", BAD["few-samples"], rule)]
    assert score(runs, CATALOGUE).doctor("live").located == located


@given(st.lists(st.floats(0, 1), max_size=30))
def test_each_finding_is_in_the_bin_of_its_confidence(stated: list[float]) -> None:
    runs = trained("plain", [0.9], lambda run: [Told("A001", "warning", one) for one in stated])
    bins = score(runs, CATALOGUE).doctor("live").reliability.bins
    assert sum(one.right.of for one in bins) == len(stated)
    for one in bins:
        last = one.high == 1.0
        assert one.right.of == sum(one.low <= value < one.high or (last and value == 1.0) for value in stated)
        assert one.right.of == 0 or one.low - 1e-9 <= one.stated <= one.high + 1e-9


def test_what_a_primary_finding_explains_is_no_finding_of_its_own() -> None:
    def rule(run: Trained) -> list[Told]:
        lead = Told("B002", "warning", 0.97, primary=True)
        return [lead, Told("A001", "warning", 0.97)] if run.kind == "fault" else []

    runs = [*trained("plain", GOOD, silent), *trained("two-softmaxes", BAD["two-softmaxes"], rule)]
    one = score(runs, CATALOGUE).doctor("live")
    assert one.primary.bins[-1].right == Share(1, 1)
    assert one.reliability.bins[-1].right == Share(1, 2)


def test_every_fault_has_its_own_recall() -> None:
    faults = {
        fault.name: fault for fault in scored(lambda run: [] if run.variant == "few-samples" else perfect(run)).faults
    }
    assert faults["few-samples"].named == {
        "log": Share(0, 4),
        "live": Share(0, 4),
        "check": Share(0, 0),
        TOGETHER: Share(0, 4),
    }
    assert faults["two-softmaxes"].named[TOGETHER] == faults["two-softmaxes"].first == Share(4, 4)
    assert faults["two-softmaxes"].hurts == Share(0, 4)


def test_a_fault_without_facts_is_refused() -> None:
    with pytest.raises(ValueError, match="'few-samples' is not in the catalogue"):
        score(trained("few-samples", GOOD, silent), [])


def test_of_no_trainings_nothing_is_said() -> None:
    scores = score([], CATALOGUE)
    assert (scores.trainings, scores.doctors, scores.peers, scores.faults) == (0, (), (), ())
    assert "0 trainings" in table(scores)
