"""The cured recipe keeps the user's text, and loads to what was proved."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.recipe import Recipe
from dlcheck.recipe.load import parse_recipe
from dlcheck.recipe.patch import patched, value_at
from dlcheck.recipe.shipped import shipped_recipes
from dlcheck.report.treated import Change
from dlcheck.treatment.written import ANEW, WIDTH, cured_text, unified_diff

WHY = "C404 learning-rate-too-high: the loss rose from the first step"
PLAIN = """# mine
[data]
name = "digits"   # ten classes

[model]
name = "mlp"

# what moves the weights
[optimizer]
name = "sgd"
lr = 30.0         # bold

[train]
epochs = 3
"""
VALUES: dict[str, st.SearchStrategy[object]] = {
    "optimizer.lr": st.floats(1e-6, 10),
    "optimizer.weight_decay": st.floats(0, 0.1),
    "train.epochs": st.integers(1, 500),
    "train.batch_size": st.integers(1, 512),
    "train.clip_norm": st.floats(0.1, 10),
    "train.patience": st.integers(1, 50),
    "regularize.l2": st.floats(0, 0.1),
    "data.shuffle": st.booleans(),
    "data.normalize": st.sampled_from(["none", "standard", "minmax"]),
    "schedule.name": st.sampled_from(["cosine", "constant"]),
    "schedule.warmup": st.integers(0, 3),
    "init.name": st.sampled_from(["he", "xavier"]),
    "optimizer.name": st.sampled_from(["adam", "adamw", "rmsprop"]),
}


def changed(text: str, values: dict[str, object]) -> tuple[str, Recipe]:
    recipe = parse_recipe(text, "mine").recipe
    wanted = patched(recipe, values)
    changes = [Change(path, value_at(recipe, path), value, WHY) for path, value in values.items()]  # type: ignore[arg-type]
    return cured_text(text, changes, wanted), wanted


def loads_to(text: str, wanted: Recipe) -> bool:
    return parse_recipe(text, "cured").recipe.model_dump() == wanted.model_dump()


def test_a_changed_key_has_its_reason_above_and_everything_else_stays() -> None:
    text, _ = changed(PLAIN, {"optimizer.lr": 0.05})
    told = f"# dlcheck treat: was 30.0; {WHY}\nlr = 0.05         # bold\n"
    assert text == PLAIN.replace("lr = 30.0         # bold\n", told)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.05, "lr = 0.05         # bold\n"), (0.00123, "lr = 0.00123      # bold\n"), (1, "lr = 1.0          # bold\n")],
)
def test_a_comment_beside_a_value_stays_in_its_column(value: float, expected: str) -> None:
    text, _ = changed(PLAIN, {"optimizer.lr": float(value)})
    assert expected in text


def test_a_comment_beside_a_longer_value_moves_on() -> None:
    text, _ = changed(PLAIN.replace("30.0         #", "30.0  #"), {"optimizer.lr": 0.0012345678})
    assert "lr = 0.0012345678  # bold\n" in text


def test_a_new_key_stands_at_the_end_of_its_section_and_a_new_section_at_the_end() -> None:
    text, _ = changed(PLAIN, {"model.dropout": 0.2, "regularize.l2": 0.01})
    assert f'name = "mlp"\n# dlcheck treat: was 0.0; {WHY}\ndropout = 0.2\n\n# what moves the weights\n' in text
    assert text.endswith(f"epochs = 3\n\n[regularize]\n# dlcheck treat: was 0.0; {WHY}\nl2 = 0.01\n")


def test_a_key_of_no_section_stands_above_all_sections() -> None:
    why = "where your own code lies"
    recipe = parse_recipe(PLAIN, "mine").recipe
    wanted = patched(recipe, {"folder": "/home/me"})
    text = cured_text(PLAIN, [Change("folder", None, "/home/me", why)], wanted)
    assert text.startswith(f'# mine\n# dlcheck treat: was not set; {why}\nfolder = "/home/me"\n\n[data]\n')
    assert loads_to(text, wanted)


def test_another_component_drops_what_it_does_not_have() -> None:
    text, wanted = changed(PLAIN.replace("lr = 30.0", "momentum = 0.9\nlr = 30.0"), {"optimizer.name": "adam"})
    assert "momentum" not in text
    assert loads_to(text, wanted)


def test_a_key_may_be_taken_out() -> None:
    recipe = parse_recipe(PLAIN.replace("epochs = 3", "epochs = 3\npatience = 1"), "mine").recipe
    text = cured_text(
        PLAIN.replace("epochs = 3", "epochs = 3\npatience = 1"),
        [Change("train.patience", 1, None, WHY)],
        patched(recipe, {"train.patience": None}),
    )
    assert f"# dlcheck treat: train.patience was 1; {WHY}\n[train]\nepochs = 3\n" in text
    assert "\npatience" not in text


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        (
            'optimizer = {name="sgd", lr=3.0} # one line\ndata.name="digits"\nmodel={name="mlp"}\n',
            {"optimizer.lr": 0.1},
            f'# dlcheck treat: optimizer.lr was 3.0; {WHY}\noptimizer = {{name="sgd", lr=0.1}} # one line\n',
        ),
        (
            'data.name="digits"\nmodel.name="mlp"\nmodel.hidden=[1,\n  2]  # few\n',
            {"model.hidden": [64, 32]},
            f"# dlcheck treat: was [1, 2]; {WHY}\nmodel.hidden=[64, 32]  # few\n",
        ),
        (
            PLAIN.replace('name = "sgd"', 'name = "adam"\nbetas = [0.1, 0.999]'),
            {"optimizer.betas.0": 0.9},
            f"# dlcheck treat: optimizer.betas.0 was 0.1; {WHY}\nbetas = [0.9, 0.999]\n",
        ),
        (
            PLAIN.replace('name = "sgd"', 'name = "adam"'),
            {"optimizer.betas.0": 0.5},
            "betas = [0.5, 0.999]\n",
        ),
        (PLAIN.replace("\n", "\r\n"), {"optimizer.lr": 0.5}, f"was 30.0; {WHY}\r\nlr = 0.5          # bold\r\n"),
        (PLAIN.replace("lr =", "  lr ="), {"optimizer.lr": 0.5}, f"  # dlcheck treat: was 30.0; {WHY}\n  lr = 0.5"),
        (
            f'title = """\nlr = 3\n[optimizer]\nlr = 2"""\n{PLAIN}',
            {"optimizer.lr": 0.5},
            f'# dlcheck treat: optimizer.lr was 30.0; {WHY}\ntitle = """\nlr = 3\n',
        ),
    ],
)
def test_every_layout_is_kept(text: str, values: dict[str, object], expected: str) -> None:
    made, wanted = changed(text, values)
    assert expected in made
    assert not made.startswith(ANEW)
    assert loads_to(made, wanted)


def test_a_long_reason_is_cut_and_its_line_breaks_are_spaces() -> None:
    recipe = parse_recipe(PLAIN, "mine").recipe
    change = Change("optimizer.lr", 30.0, 0.1, "why\nand " * 60)
    text = cured_text(PLAIN, [change], patched(recipe, {"optimizer.lr": 0.1}))
    line = next(line for line in text.splitlines() if "dlcheck treat" in line)
    assert len(line) <= WIDTH
    assert line.endswith("…")
    assert "why and why" in line


def test_a_text_that_cannot_be_brought_there_is_written_anew_and_says_so() -> None:
    wanted = patched(parse_recipe(PLAIN, "mine").recipe, {"optimizer.lr": 0.1, "train.epochs": 9})
    text = cured_text(PLAIN, [Change("optimizer.lr", 30.0, 0.1, WHY)], wanted)  # no change tells of the epochs
    assert text.startswith(ANEW)
    assert f"# dlcheck treat: was 30.0; {WHY}\nlr = 0.1\n" in text
    assert loads_to(text, wanted)


def test_a_value_given_over_the_file_has_what_the_file_said() -> None:
    wanted = patched(parse_recipe(PLAIN, "mine").recipe, {"optimizer.lr": 0.1})
    changes = [Change("optimizer.lr", None, 5.0, "as given by --set"), Change("optimizer.lr", 5.0, 0.1, WHY)]
    text = cured_text(PLAIN, changes, wanted)
    assert text.count("dlcheck treat") == 1
    assert "was 30.0" in text


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(shipped_recipes())), st.sets(st.sampled_from(sorted(VALUES)), min_size=1), st.data())
def test_whatever_changes_the_file_loads_to_it_with_its_comments(
    name: str, paths: set[str], data: st.DataObject
) -> None:
    text = shipped_recipes()[name].read_text(encoding="utf-8")
    values = {path: data.draw(VALUES[path]) for path in sorted(paths)}
    recipe = parse_recipe(text, name).recipe
    try:
        wanted = patched(recipe, values)
    except DlcheckError:  # this recipe does not take them
        reject()
    made = cured_text(text, [Change(path, value_at(recipe, path), new, WHY) for path, new in values.items()], wanted)  # type: ignore[arg-type]
    assert loads_to(made, wanted)
    assert not made.startswith(ANEW)
    assert made.count("# dlcheck treat: ") == len(values)
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert all(line in made.splitlines() for line in comments)


def test_nothing_changed_has_no_diff() -> None:
    assert unified_diff(PLAIN, PLAIN, "a", "b") == ""


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
@pytest.mark.parametrize(("before", "after"), [("a\nb\n", "a\nc\n"), ("a", "a\n"), ("a\r\nb", "a\r\nc"), ("", "x\n")])
def test_patch_takes_the_diff(before: str, after: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(before.encode())
    diff = unified_diff(before, after, "mine.toml", "cured.toml").encode()
    subprocess.run(["patch", "--binary", str(file)], input=diff, check=True, capture_output=True)
    assert file.read_bytes() == after.encode()
