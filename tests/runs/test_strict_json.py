import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.runs.strict_json import dumps, loads

KEYS = st.text(max_size=5).filter(lambda key: not key.endswith("_state"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def refuse(word: str) -> None:
    raise AssertionError(word)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_always_strict_json_that_comes_back_equal(value: dict[str, object]) -> None:
    text = dumps(value)
    json.loads(text, parse_constant=refuse)
    assert repr(loads(text)) == repr(value)


def test_states_stand_beside_the_value() -> None:
    text = dumps({"loss": math.nan, "best": [1.0, math.inf, -math.inf], "none": None})
    assert json.loads(text) == {
        "loss": None,
        "loss_state": "nan",
        "best": [1.0, None, None],
        "best_state": [None, "inf", "-inf"],
        "none": None,
    }


def test_numbers_of_numpy_and_unknown_things_are_spelled() -> None:
    text = dumps({"a": np.float32(0.5), "b": np.int64(3), "c": {1: math}, "d": (1, np.float64("nan"))})
    read = json.loads(text)
    assert (read["a"], read["b"], read["d"], read["d_state"]) == (0.5, 3, [1, None], [None, "nan"])
    assert "math" in read["c"]["1"]
