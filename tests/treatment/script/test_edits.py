"""Edits of scripts: at the right place, nothing else changed, none where the place is not certain."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.findings import Finding, Remedy, Severity, Value, Where
from dlcheck.treatment.script.graphs import item
from dlcheck.treatment.script.probabilities import no_squash
from dlcheck.treatment.script.settings import learning_rate, shuffling
from dlcheck.treatment.script.source import Edit, Source
from dlcheck.treatment.script.suggest import EXACT, SUGGESTED
from dlcheck.treatment.script.usage import eval_mode, train_mode, zero_grad


def source(text: str) -> Source:
    return Source(Path("train.py"), text)


def finding(code: str, line: int, text: str = "do", **evidence: Value) -> Finding:
    return Finding(
        code,
        "name",
        Severity.ERROR,
        0.97,
        "summary",
        evidence,
        Where(file="train.py", line=line),
        remedies=(Remedy(text),),
    )


def mended(text: str, edits: list[Edit] | None) -> str | None:
    after = source(text).edited(edits) if edits else None
    return None if after is None else after.text


LOOPS = {
    "plain": (
        "for x, y in data:\n    loss.backward()\n    opt.step()\n",
        3,
        "    opt.zero_grad()\n    loss.backward()\n",
    ),
    "another name": ("for x in data:\n    self.adam.step()  # go\n", 2, "  # go\n    self.adam.zero_grad()\n"),
    "a scaler": (
        "for x in data:\n\tscaler.step(opt)\n\tscaler.update()\n",
        2,
        "\tscaler.step(opt)\n\topt.zero_grad()\n\tscaler.update()\n",
    ),
    "windows": ("for x in data:\r\n    opt.step()\r\n", 2, "    opt.step()\r\n    opt.zero_grad()\r\n"),
    "no end of line": ("for x in data:\n    opt.step()", 2, "    opt.step()\n    opt.zero_grad()"),
    "not ASCII": ('for x in data:\n    print("ä ö 漢字"); x = 1\n    opt.step()\n', 3, "    opt.zero_grad()\n"),
    "a condition": (
        "for x in data:\n    if i % 4 == 0:\n        opt.step()\n",
        3,
        "        opt.step()\n        opt.zero_grad()\n",
    ),
    "a closure": ("for x in data:\n    opt.step(\n    )\n", 2, "    )\n    opt.zero_grad()\n"),
}


@pytest.mark.parametrize("name", LOOPS)
def test_gradients_are_cleared_after_the_step(name: str) -> None:
    text, line, expected = LOOPS[name]
    result = mended(text, zero_grad(source(text), finding("G306", line, backwards_per_step=1.0)))
    assert result is not None
    assert expected in result
    assert result.replace("opt.zero_grad()", "").replace("self.adam.zero_grad()", "").split() == text.split()


@pytest.mark.parametrize(
    ("text", "line", "passes"),
    [
        ("for x in data:\n    opt.step()\n", 2, 4.0),  # gradients are added up on purpose
        ("for x in data:\n    opt.step()\n", 1, 1.0),  # no step in that line
        ("for x in data: opt.step()\n", 1, 1.0),  # no line of its own
        ("for x in data:\n    a = 1; opt.step()\n", 2, 1.0),
        ("for x in data:\n    step(opt)\n", 2, 1.0),
        ("for x in data:\n    opt.step(closure)\n", 2, 1.0),
        ("for x in data:\n    [o.step() for o in optimizers]\n", 2, 1.0),
    ],
)
def test_no_edit_of_a_loop_where_it_is_not_certain(text: str, line: int, passes: float) -> None:
    assert mended(text, zero_grad(source(text), finding("G306", line, backwards_per_step=passes))) is None


FORWARD = "class Net(nn.Module):\n    def forward(self, x):\n        {}\n\nloss = loss_fn(model(x), y)\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = F.softmax(x, 1)\n        return x", "x = x\n        return x"),
        ("return F.softmax(self.b(x), dim=1)", "return self.b(x)"),
        ("return torch.softmax(x, 1)", "return x"),
        (
            "w = F.softmax(q @ k, -1)\n        return F.softmax(w @ v, -1)",
            "w = F.softmax(q @ k, -1)\n        return (w @ v)",
        ),
        ("return nn.functional.softmax(x + self.bias, dim=-1)  # p", "return (x + self.bias)  # p"),
        ("return self.b(x).softmax(dim=1)", "return self.b(x)"),
        ("return self.softmax(self.b(x))", "return self.b(x)"),
        ("return softmax(self.b(x), dim=1)", "return self.b(x)"),
    ],
)
def test_a_softmax_in_forward_is_taken_away(before: str, after: str) -> None:
    text = FORWARD.format(before)
    result = mended(text, no_squash(source(text), finding("M206", 5, made_by="softmax")))
    assert result == FORWARD.format(after)


def test_a_softmax_at_the_end_of_a_sequential_is_taken_away() -> None:
    text = "model = nn.Sequential(\n    nn.Linear(4, 3),  # ö\n    nn.Softmax(dim=1),\n)\nloss = f(model(x), y)\n"
    result = mended(text, no_squash(source(text), finding("M206", 5, made_by="softmax")))
    assert result is not None
    assert "Softmax" not in result
    assert "nn.Linear(4, 3)" in result


def test_a_softmax_in_the_loss_itself_is_taken_away_alone() -> None:
    text = FORWARD.format("return F.softmax(x, 1)").replace("model(x)", "F.softmax(model(x), 1)")
    result = mended(text, no_squash(source(text), finding("M206", 5, made_by="softmax")))
    assert result == text.replace("F.softmax(model(x), 1)", "model(x)")


@pytest.mark.parametrize(
    ("body", "maker"),
    [
        ("return F.softmax(F.softmax(x, 1), 1)", "softmax"),  # which of them?
        ("return x", "softmax"),
        ("w = F.softmax(q @ k, -1)\n        return self.act(w @ v)", "softmax"),  # attention
        ("x = F.softmax(x, 1)\n        x = self.last(x)\n        return x", "softmax"),
        ("return F.softmax(x, 1)", "custom"),
        ("return F.softmax(x, 1)", "None"),
    ],
)
def test_no_edit_of_a_model_where_it_is_not_certain(body: str, maker: str) -> None:
    text = FORWARD.format(body)
    assert mended(text, no_squash(source(text), finding("M206", 6, made_by=maker))) is None


EVALUATE = """def evaluate(model, loader):
    right = 0
    with torch.no_grad():
        for x, y in loader:
            right += (model(x).argmax(1) == y).sum()
    return right
"""


def test_evaluation_gets_its_mode_and_gives_it_back() -> None:
    result = mended(EVALUATE, eval_mode(source(EVALUATE), finding("M212", 5)))
    assert result is not None
    assert "    model.eval()\n    with torch.no_grad():" in result
    assert "== y).sum()\n    model.train()\n    return right" in result


def test_evaluation_that_returns_from_within_is_left_alone() -> None:
    text = EVALUATE.replace("            right +=", "            return model(x)\n            right +=")
    assert eval_mode(source(text), finding("M212", 6)) is None


FULL_BATCH = """for epoch in range(9):
    loss = f(model(x), y)
    loss.backward()
    opt.step()
    with torch.no_grad():
        right = (model(v).argmax(1) == w).sum()
model.eval()
"""


def test_only_the_evaluation_of_a_full_batch_script_changes_its_mode() -> None:
    result = mended(FULL_BATCH, eval_mode(source(FULL_BATCH), finding("M212", 6)))
    assert result is not None
    assert "    model.eval()\n    with torch.no_grad():" in result
    assert ".sum()\n    model.train()\n" in result
    bare = FULL_BATCH.replace("    with torch.no_grad():\n        right", "    right")
    assert eval_mode(source(bare), finding("M212", 5)) is None


def test_a_file_with_line_ends_of_its_own_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "old.py"
    path.write_bytes(b"x = 1\ropt.step()\r")
    assert Source.read(path) is None
    path.write_bytes(b"x = 1\r\nopt.step()\r\n")
    assert Source.read(path) is not None


def test_two_models_in_a_line_are_left_alone() -> None:
    text = "for x in loader:\n    y = net(x) - model(x)\nnet.eval()\nmodel.eval()\n"
    assert eval_mode(source(text), finding("M212", 2)) is None


def test_training_gets_its_mode_before_the_loop_over_batches() -> None:
    text = "for epoch in range(3):\n    for x, y in data:\n        loss = f(model(x), y)\nmodel.eval()\n"
    result = mended(text, train_mode(source(text), finding("M213", 3)))
    assert result == text.replace("    for x, y", "    model.train()\n    for x, y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("opt = torch.optim.SGD(m.parameters(), lr=3.0)\n", "opt = torch.optim.SGD(m.parameters(), lr=0.3)\n"),
        ("opt = Adam(p, lr=1, eps=1e-8)\n", "opt = Adam(p, lr=0.1, eps=1e-8)\n"),
        ("opt = SGD(p, lr=args.lr)\n", None),
        ("a = SGD(p, lr=1.0)\nb = SGD(q, lr=1.0)\n", None),
        ("opt = SGD(p)\n", None),
        ("opt = Adam(p)\n", "opt = Adam(p, lr=0.0001)\n"),
        ("opt = SGD(p, 2.0)\n", "opt = SGD(p, 0.2)\n"),
        ("LR = 0.5\nopt = SGD(p, lr=LR)\n", "LR = 0.05\nopt = SGD(p, lr=LR)\n"),
        ("LR = 0.5\nLR = f(LR)\nopt = SGD(p, lr=LR)\n", None),
        (
            "a.add_argument('--lr', default=3.0)\nopt = SGD(p, lr=args.lr)\n",
            "a.add_argument('--lr', default=0.3)\nopt = SGD(p, lr=args.lr)\n",
        ),
        ("class C:\n    lr: float = 3.0\nc = C(lr=1.0)\nopt = SGD(p, lr=c.lr)\n", None),
        (
            "class C:\n    lr: float = 3.0\nopt = SGD(p, lr=c.lr)\n",
            "class C:\n    lr: float = 0.3\nopt = SGD(p, lr=c.lr)\n",
        ),
        ("LR = 1.0\nfor LR in rates:\n    opt = SGD(p, lr=LR)\n", None),
        ("def fit(lr):\n    opt = SGD(p, lr=lr)\nfit(lr=3.0)\n", None),
        ("opt = SGD(p, lr=3.0)\ns = OneCycleLR(opt, max_lr=3.0)\n", None),
        ("opt = SGD(p, lr=3.0)\ngroup['lr'] = 3.0\n", None),
    ],
)
def test_the_rate_of_the_only_optimizer(text: str, expected: str | None) -> None:
    remedy = "lower the learning rate to 0.1 times its value"
    assert mended(text, learning_rate(source(text), finding("C404", 1, remedy))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train = DataLoader(data, batch_size=4)\n", "train = DataLoader(data, batch_size=4, shuffle=True)\n"),
        ("train = DataLoader(data, 4, shuffle=False)\n", "train = DataLoader(data, 4, shuffle=True)\n"),
        ("train = DataLoader(data, sampler=own)\n", None),
        ("train = DataLoader(data, 4, flag)\n", None),
        ("train = DataLoader(**options)\n", None),
        ("train = DataLoader(data, shuffle=wanted)\n", None),
    ],
)
def test_shuffling(text: str, expected: str | None) -> None:
    assert mended(text, shuffling(source(text), finding("D109", 1))) == expected


def test_a_sum_of_losses_becomes_one_of_numbers() -> None:
    text = "for x in data:\n    total += loss\n"
    assert mended(text, item(source(text), finding("G311", 2))) == text.replace("loss\n", "loss.item()\n")


NAMES = st.sampled_from(["opt", "self.optimizer", "größe", "o_1"])
FILLER = st.lists(
    st.sampled_from(["x = 1", "print('ä')", "# note ✓", "", "if x: pass", "s = '''a\n  b'''"]), max_size=4
)


@given(name=NAMES, before=FILLER, after=FILLER, indent=st.sampled_from(["    ", "\t", "  "]), end=st.booleans())
def test_an_edit_adds_one_line_and_still_is_python(
    name: str, before: list[str], after: list[str], indent: str, end: bool
) -> None:
    body = [line.replace("\n", f"\n{indent}") for line in [*before, f"{name}.step()", *after]]
    text = "for x in data:\n" + "\n".join(f"{indent}{line}" for line in body) + ("\n" if end else "")
    line = text.split("\n").index(f"{indent}{name}.step()") + 1
    result = mended(text, zero_grad(source(text), finding("G306", line, backwards_per_step=1.0)))
    assert result is not None
    ast.parse(result)
    lines = result.split("\n")
    lines.remove(f"{indent}{name}.zero_grad()")
    assert "\n".join(lines) == text


@given(text=st.text(alphabet="ab =()\n\t#'\"öF.softmax,1", max_size=60), line=st.integers(1, 8))
def test_any_python_at_all_never_fails(text: str, line: int) -> None:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for make in {one for makes in (*EXACT.values(), *SUGGESTED.values()) for one in makes}:
        known = finding("X", line, made_by="softmax", backwards_per_step=1.0)
        if line <= len(text.split("\n")):
            edits = make(source(text), known)
            assert edits is None or source(text).edited(edits) is None or ast.parse(str(mended(text, edits)))
