"""Recipes load, refuse in one telling line, and survive being written down."""

import contextlib
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.recipe import dump_recipe, load_recipe, parse_recipe, shipped_recipes
from dlcheck.recipe.location import find_line
from dlcheck.recipe.override import component_models, parse_override
from dlcheck.recipe.resolve import resolve

MINIMAL = '[data]\nname = "digits"\n\n[model]\nname = "cnn"\n'


def refusal(text: str = MINIMAL, *overrides: str) -> str:
    with pytest.raises(DlcheckError) as caught:
        parse_recipe(text, "my.toml", overrides=overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_shipped_recipes_are_valid_and_say_what_to_expect(name: str) -> None:
    recipe = load_recipe(name).recipe
    assert recipe.title
    assert recipe.expect


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_every_key_of_a_shipped_recipe_has_a_comment(name: str) -> None:
    lines = ["", *shipped_recipes()[name].read_text(encoding="utf-8").splitlines()]
    bare = [
        line
        for above, line in pairwise(lines)
        if re.match(r"[a-z0-9_]+ = ", line) and "#" not in line and not above.startswith("#")
    ]
    assert not bare


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_written_recipe_loads_to_the_same(name: str) -> None:
    loaded = load_recipe(name)
    resolved = resolve(loaded)
    again = parse_recipe(dump_recipe(resolved, "a comment"), "again").recipe
    assert again == resolved


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("optimizer.lrr=1", "optimizer.lrr: unknown key; did you mean 'lr'?"),
        ("optimiser.lr=1", "optimiser: unknown key; did you mean 'optimizer'?"),
        ("data.split.vall=0.1", "data.split.vall: unknown key; did you mean 'val'?"),
        ("model.name=resnett", "no such component 'resnett'; did you mean 'resnet'?"),
        ("optimizer.lr=fast", "optimizer.lr: found 'fast'; should be a valid number"),
        ("optimizer.lr=-1", "optimizer.lr: found -1; should be greater than 0"),
        ("train.batch_size=0", "should be 'full', or should be greater than or equal to 1"),
        ("train.epochs=true", "train.epochs: found True; should be a valid integer"),
        ("rules.ignore=['nonsense']", "rules.ignore.0"),
        ("optimizer.switch.epoch=2", "optimizer.switch.to: this key is required"),
        ("title.x=1", "title"),
    ],
)
def test_a_wrong_override_names_key_finding_and_remedy(override: str, expected: str) -> None:
    assert expected in refusal(MINIMAL, override)


def test_a_wrong_key_in_a_file_names_file_and_line() -> None:
    assert refusal(MINIMAL + "\n[optimizer]\nname = 'adam'\nlearning_rate = 1\n").startswith(
        "my.toml, line 9: optimizer.learning_rate: unknown key"
    )


def test_a_wrong_override_is_not_blamed_on_the_file() -> None:
    assert refusal(MINIMAL, "model.name=nonsense").startswith("--set: model.name")


def test_broken_toml_names_the_line() -> None:
    assert "line 1" in refusal("[data\n")


def test_a_missing_section_is_named() -> None:
    assert refusal('[data]\nname = "digits"\n') == "my.toml: model: this key is required"


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(DlcheckError, match="did you mean 'digits'"):
        load_recipe("digit")


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(DlcheckError, match="is a folder"):
        load_recipe(tmp_path)


def test_overrides_change_values_and_sections() -> None:
    recipe = parse_recipe(MINIMAL, "x", overrides=["optimizer.lr=0.1", "train.batch_size=full"]).recipe
    assert (recipe.optimizer.lr, recipe.train.batch_size) == (0.1, "full")


def test_another_component_drops_keys_it_does_not_have() -> None:
    text = MINIMAL + "channels = [8]\ndropout = 0.3\n"
    loaded = parse_recipe(text, "x", overrides=["model.name=mlp", "model.hidden=[7]"])
    assert loaded.dropped == ("model.channels",)
    assert (loaded.recipe.model.name, loaded.recipe.model.dropout) == ("mlp", 0.3)  # type: ignore[union-attr]


def test_another_component_refuses_a_key_set_by_hand_that_it_does_not_have() -> None:
    assert "model.channels: unknown key" in refusal(MINIMAL, "model.name=mlp", "model.channels=[3]")


def test_a_target_needs_no_name_and_passes_further_keys_on() -> None:
    recipe = parse_recipe('[data]\nname="digits"\n[model]\ntarget="m:Net"\nwidth=3\n', "x").recipe
    assert recipe.model.name == "custom"
    assert recipe.model.arguments == {"width": 3}


def test_paths_become_absolute_and_own_code_keeps_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[data]\nname="csv"\npath="t.csv"\n[model]\ntarget="m:Net"\n', encoding="utf-8")
    resolved = resolve(load_recipe(file))
    assert Path(resolved.data.path).is_absolute()  # type: ignore[union-attr, arg-type]
    assert Path(resolved.folder) == tmp_path.resolve()


def test_every_component_of_the_schema_has_a_name_and_a_docstring() -> None:
    for section in ("data", "model", "init", "loss", "optimizer", "schedule"):
        models = component_models(section)
        assert len(models) >= 3
        assert all(model.__doc__ for model in models.values())


def test_line_numbers_follow_tables_and_dotted_keys() -> None:
    text = "a = 1\n[b]\nc.d = 2\n[b.e]\nf = 3\n[[g]]\nh = 4\n"
    assert [find_line(text, tuple(p.split("."))) for p in ("a", "b.c.d", "b.e.f", "b.e.x", "g.h")] == [1, 3, 5, 4, 7]
    assert find_line(text, ("z",)) is None


@given(st.text(max_size=200))
def test_any_text_is_a_recipe_or_a_refusal(text: str) -> None:
    with pytest.raises(DlcheckError):
        parse_recipe(text, "x")


@given(st.text(max_size=40))
def test_any_override_is_read_or_refused(text: str) -> None:
    try:
        path, _ = parse_override(text)
    except DlcheckError:
        return
    assert all(path)


@given(key=st.sampled_from(["optimizer.lr", "train.epochs", "model.channels", "data.split.val"]), value=st.text())
def test_any_value_is_taken_or_refused(key: str, value: str) -> None:
    with contextlib.suppress(DlcheckError):
        parse_recipe(MINIMAL, "x", overrides=[f"{key}={value}"])
