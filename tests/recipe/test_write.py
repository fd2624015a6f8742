"""Values go into a recipe's text, and nothing else changes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.recipe import parse_recipe, shipped_recipes
from dlcheck.recipe.patch import value_at
from dlcheck.recipe.write import Value, with_values, writable, write_values

SHIPPED = sorted(shipped_recipes())
ANY_VALUE = st.one_of(
    st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False), st.text()
)


def test_several_values_of_different_kinds_keep_every_comment() -> None:
    before = "# mine\n[data]\nworkers = 0   # none yet\nroot = 'x'\n\n[train]\nprecision = \"fp32\" # exact\n"
    after = with_values(before, {"data.workers": 2, "data.in_memory": True, "train.precision": "bf16"})
    assert after == (
        "# mine\n[data]\nworkers = 2   # none yet\nroot = 'x'\nin_memory = true\n\n"
        '[train]\nprecision = "bf16" # exact\n'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("data.split.val = 0.1 # v\n", "data.split.val = 0.3 # v\n"),
        ("[data.split]\nval = 0.1\n", "[data.split]\nval = 0.3\n"),
        ("[data]\nsplit = { val = 0.1, seed = 3 }\n", "[data]\nsplit = { val = 0.3, seed = 3 }\n"),
        ("[data]\r\nsplit.val = 0.1\r\n", "[data]\r\nsplit.val = 0.3\r\n"),
    ],
    ids=["dotted", "table", "inline", "windows"],
)
def test_a_key_of_an_inner_section_is_found_however_it_is_written(before: str, after: str) -> None:
    assert with_values(before, {"data.split.val": 0.3}) == after


@settings(max_examples=40)
@given(st.sampled_from(SHIPPED), st.dictionaries(st.sampled_from(["train.x", "data.split.y", "z.a.b"]), ANY_VALUE))
def test_any_value_reads_back_with_its_type_and_the_rest_as_it_was(name: str, values: dict[str, Value]) -> None:
    text = shipped_recipes()[name].read_text(encoding="utf-8")
    read = tomllib.loads(with_values(text, values))
    for path, value in values.items():
        *sections, key = path.split(".")
        section = read
        for part in sections:
            section = section[part]
        found = section.pop(key)
        assert (type(found), found) == (type(value), value)
    read.pop("z", None)
    read["data"] = {key: item for key, item in read["data"].items() if item != {}}
    assert {key: item for key, item in read.items() if item != {}} == tomllib.loads(text)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_takes_the_settings_of_a_profile_and_keeps_its_comments(name: str) -> None:
    text = shipped_recipes()[name].read_text(encoding="utf-8")
    values: dict[str, Value] = {"data.workers": 3, "train.precision": "bf16", "train.threads": 1}
    changed = with_values(text, values)
    recipe = parse_recipe(changed, "changed.toml").recipe
    assert {path: value_at(recipe, path) for path in values} == values
    kept = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in changed.splitlines() if "#" in line] == kept


@pytest.mark.parametrize("text", ["[data\n", "data = 3\n", "[data]\nsplit = 3\n"])
def test_what_is_no_recipe_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(DlcheckError, match="--write") as caught:
        with_values(text, {"data.split.val": 0.1})
    assert "\n" not in str(caught.value)


def test_a_file_keeps_its_permissions_and_one_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[data]\nworkers = 0\n")
    path.chmod(0o640)
    write_values(writable(path), {"data.workers": 2}, expected="[data]\nworkers = 0\n")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("[data]\nworkers = 2\n", 0o640)
    with pytest.raises(DlcheckError, match="has changed since"):
        write_values(path, {"data.workers": 4}, expected="[data]\nworkers = 0\n")
    assert path.read_text() == "[data]\nworkers = 2\n"


def test_what_is_no_file_of_the_users_is_refused_with_what_to_do() -> None:
    with pytest.raises(DlcheckError, match="digits is no recipe file of yours; copy one"):
        writable("digits")
    with pytest.raises(DlcheckError, match="ships with dlcheck"):
        writable(shipped_recipes()["digits"])
