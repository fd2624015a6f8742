"""``[search]`` and ``[tune]``: what they accept, and how clearly they refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.recipe import dump_recipe, parse_recipe
from dlcheck.recipe.patch import patched, value_at

HEAD = '[data]\nname = "digits"\n[model]\nname = "mlp"\n[optimizer]\nname = "sgd"\n'
BOTH = '"optimizer.name" = { choice = ["sgd", "adamw"] }\n'


def refusal(search: str) -> str:
    with pytest.raises(DlcheckError) as caught:
        parse_recipe(f"{HEAD}[search]\n{search}", "my.toml")
    message = str(caught.value)
    assert "\n" not in message
    return message


def answer(text: str) -> str:
    try:
        return parse_recipe(text, "my.toml").name
    except DlcheckError as error:
        return str(error)


@pytest.mark.parametrize(
    "search",
    [
        '"optimizer.lr" = { log = [1e-5, 1.0] }',
        "optimizer.lr = { log = [1e-5, 1.0] }",
        "[search.optimizer.lr]\nlog = [1e-5, 1.0]",
        '"optimizer.momentum" = { near_one = [0.5, 0.99] }',
        '"optimizer.weight_decay" = { log = [1e-6, 1e-1], or_zero = true }',
        '"train.batch_size" = { pow2 = [16, 128] }',
        '"train.batch_size" = { int = [16, 128], log = true }',
        '"model.hidden" = { choice = [[64], [128, 64]] }',
        '"model.hidden.0" = { int = [8, 64] }',
        '"model.dropout" = { float = [0, 0.5] }',
        '"optimizer.lr" = { times = [0.01, 100] }',
        BOTH + '"optimizer.momentum" = { near_one = [0.5, 0.9], when = { "optimizer.name" = "sgd" } }',
        BOTH + '"optimizer.betas.0" = { near_one = [0.5, 0.9], when = { "optimizer.name" = ["adamw"] } }',
        BOTH
        + '"optimizer.lr" = [ { log = [1e-3, 1], when = { "optimizer.name" = "sgd" } },'
        + ' { log = [1e-5, 0.1], when = { "optimizer.name" = "adamw" } } ]',
        '"schedule.name" = { choice = ["cosine", "step"] }\n'
        + '"schedule.gamma" = { float = [0.1, 0.5], when = { "schedule.name" = "step" } }',
        '[tune]\nmetric = ["val_accuracy", "seconds"]\nbudget = "360 epochs"\nlimits = { parameters_max = 1e6 }',
    ],
)
def test_a_sound_search_loads_and_survives_being_written(search: str) -> None:
    text = HEAD + (search if search.startswith("[") else f"[search]\n{search}")
    recipe = parse_recipe(text, "my.toml").recipe
    assert parse_recipe(dump_recipe(recipe), "again").recipe == recipe


@pytest.mark.parametrize(
    ("search", "line", "told"),
    [
        ('"optimizer.lrr" = { log = [1e-5, 1.0] }', 8, "search.optimizer.lrr: sgd has no such key; did you mean 'lr'?"),
        ('"optimiser.lr" = { log = [1, 2] }', 8, "no such section 'optimiser'; did you mean 'optimizer'?"),
        ('"optimizer.lr" = { log = [1.0, 1e-5] }', 8, "empty range"),
        ('"optimizer.lr" = { log = [1.0, 1.0] }', 8, "empty range"),
        ('"optimizer.lr" = { log = [0.0, 1.0] }', 8, "no place on a logarithmic scale"),
        ('"optimizer.lr" = { log = ["a", 1.0] }', 8, "search.optimizer.lr.log: found ['a', 1.0]"),
        ('"optimizer.lr" = { logg = [0.1, 1.0] }', 8, "search.optimizer.lr.logg: unknown key; did you mean 'log'?"),
        ('"optimizer.lr" = { log = [0.1, 1.0], float = [0, 1] }', 8, "exactly one of"),
        ('"optimizer.lr" = { float = [-1, 1.0] }', 8, "-1.0 would not be valid there"),
        ('"model.dropout" = { float = [0, 1] }', 8, "should be less than 1"),
        ('"train.batch_size" = { log = [1, 10] }', 8, "should be a valid integer"),
        ('"train.batch_size" = { pow2 = [16, 130] }', 8, "powers of two"),
        ('"train.epochs" = { int = [1, 9] }', 8, "cannot be searched"),
        ('"data.split.val" = { float = [0.1, 0.3] }', 8, "different splits cannot be compared"),
        ('"optimizer" = { choice = ["sgd"] }', 8, "name a key of it, as optimizer.name"),
        ('"optimizer.name" = { choice = ["sgd", "adamww"] }', 8, "did you mean 'adamw'?"),
        ('"optimizer.name" = { choice = ["sgd", "sgd"] }', 8, "stands there twice"),
        (BOTH + '"optimizer.momentum" = { near_one = [0.5, 0.9] }', 9, 'say when = { "optimizer.name" = [...] }'),
        (
            '"optimizer.name" = { choice = ["sgd", "adamw"], when = { "schedule.name" = "cosine" } }\n'
            '"schedule.name" = { choice = ["cosine", "step"], when = { "optimizer.name" = "sgd" } }',
            8,
            "optimizer.name → schedule.name → optimizer.name",
        ),
        ('"optimizer.lr" = { log = [1, 2], when = { "optimizer.nam" = "sgd" } }', 8, "is not searched itself"),
        (BOTH + '"optimizer.lr" = { log = [1, 2], when = { "optimizer.name" = "adam" } }', 9, "did you mean 'adamw'?"),
        ('"optimizer.lr" = [{ log = [1, 2] }, { log = [3, 4] }]', 8, "two entries may hold at once"),
        ('"optimizer.weight_decay" = { times = [0.1, 10] }', 8, "0.0 is no number above 0"),
    ],
)
def test_an_unsound_search_is_refused_with_the_key_at_fault(search: str, line: int, told: str) -> None:
    message = refusal(search)
    assert told in message
    assert message.startswith(f"my.toml, line {line}: search.")


@pytest.mark.parametrize(
    ("tune", "told"),
    [
        ('budget = "soon"', 'expected a budget as "360 epochs"'),
        ("trials = 0", "greater than or equal to 1"),
        ('sampler = "tpee"', "'tpe'"),
        ("subset = 1.5", "less than 1"),
        ("trails = 10", "did you mean 'trials'?"),
    ],
)
def test_an_unsound_tune_table_is_refused(tune: str, told: str) -> None:
    with pytest.raises(DlcheckError, match=r"my\.toml, line 8: tune\.") as caught:
        parse_recipe(f"{HEAD}[tune]\n{tune}", "my.toml")
    assert told in str(caught.value)


@given(st.floats(1e-8, 1e8), st.floats(1e-8, 1e8), st.sampled_from(["log", "float", "times"]))
def test_exactly_the_increasing_ranges_are_accepted(low: float, high: float, kind: str) -> None:
    text = f'{HEAD}[search]\n"optimizer.lr" = {{ {kind} = [{low!r}, {high!r}] }}'
    if low < high:
        search = parse_recipe(text, "my.toml").recipe.search
        assert search is not None
        assert getattr(search["optimizer.lr"][0], kind) == [low, high]
    else:
        with pytest.raises(DlcheckError, match="empty range"):
            parse_recipe(text, "my.toml")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), min_size=1))
def test_any_path_is_accepted_or_refused_in_one_line(path: str) -> None:
    text = f'{HEAD}[search]\n"{path}" = {{ float = [0.1, 0.2] }}'
    assert "\n" not in answer(text)


def test_another_component_takes_its_own_defaults_for_keys_that_the_recipe_leaves_out() -> None:
    recipe = parse_recipe('[data]\nname = "digits"\n[model]\nname = "mlp"\n', "my.toml").recipe
    changed = patched(recipe, {"optimizer.name": "sgd", "model.hidden.1": 7})
    assert value_at(changed, "optimizer.lr") == 0.01
    assert value_at(changed, "model.hidden") == [128, 7]
    assert value_at(recipe, "optimizer.lr") == 0.001


def test_an_entry_that_a_list_does_not_have_is_refused() -> None:
    recipe = parse_recipe('[data]\nname = "digits"\n[model]\nname = "mlp"\n', "my.toml").recipe
    with pytest.raises(DlcheckError, match=r"model\.hidden has no entry 2"):
        patched(recipe, {"model.hidden.2": 7})
