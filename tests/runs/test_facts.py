"""Facts with parts survive JSON, and what does not fit is no fact."""

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcheck.runs import Run
from dlcheck.runs.facts import Fact, LoaderSetting, fact
from dlcheck.runs.strict_json import dumps, loads
from tests.runs.fact_values import KINDS, RECORDS

FEW = settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
"""Enough for each of three dozen kinds."""


def name(kind: type[Fact]) -> str:
    return kind.NAME


def through_json(known: dict[str, Any]) -> Run:
    content = loads(dumps(known))
    assert isinstance(content, dict)
    return Run(facts=content)


def same(left: object, right: object) -> bool:
    """Return whether two values are equal; NaN is equal to NaN, of numbers 1 and 1.0."""
    if isinstance(left, float) and isinstance(right, float) and left != left:
        return right != right
    if dataclasses.is_dataclass(left) and dataclasses.is_dataclass(right):
        names = [field.name for field in dataclasses.fields(left)]
        return type(left) is type(right) and all(same(getattr(left, name), getattr(right, name)) for name in names)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


@pytest.mark.parametrize("kind", KINDS, ids=name)
@FEW
@given(data=st.data())
def test_a_fact_survives_json_and_fields_of_a_later_version_are_left_out(kind: type[Fact], data: st.DataObject) -> None:
    put = data.draw(RECORDS[kind.NAME])
    content = put.as_dict()[kind.NAME]
    assert same(fact(through_json({kind.NAME: content}), kind), put)
    assert same(fact(through_json({kind.NAME: {**content, "of_a_later_version": [1, {"a": None}]}}), kind), put)
    required = [item.name for item in dataclasses.fields(kind) if item.default is dataclasses.MISSING]
    wrong = data.draw(st.sampled_from(required))
    # Of a record whose every field may be missing, unknown fields are those of a later version.
    content[wrong] = "not this" if isinstance(getattr(put, wrong), LoaderSetting) else {"not": "this"}
    assert fact(through_json({kind.NAME: content}), kind) is None


@pytest.mark.parametrize("content", [None, 3, "text", [], [1.0], {"no_field_of_it": 1}], ids=str)
def test_what_has_not_the_parts_is_no_fact(content: object) -> None:
    for kind in KINDS:
        assert fact(Run(facts={kind.NAME: content}), kind) is None, kind


def test_a_run_without_the_fact_has_none() -> None:
    assert all(fact(Run(), kind) is None for kind in KINDS)


def test_every_kind_has_a_name_of_its_own() -> None:
    assert len({kind.NAME for kind in KINDS}) == len(KINDS) >= 30


def test_a_number_too_large_for_a_float_is_infinite() -> None:
    run = Run(facts={"large": 10**400, "small": -(10**400), "flag": True, "word": "1"})
    told = [run.number(name) for name in ("large", "small", "flag", "word", "absent")]
    assert told == [math.inf, -math.inf, None, None, None]
