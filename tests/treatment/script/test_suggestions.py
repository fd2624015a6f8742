"""Edits that are printed: each at its place, each left out where the place is not certain."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcheck.findings import Finding, Remedy, Severity, Value, Where
from dlcheck.treatment.script.clipping import between, clip, limit, scaler_order, unscale
from dlcheck.treatment.script.graphs import detach, item
from dlcheck.treatment.script.probabilities import logarithm, no_squash, with_logits
from dlcheck.treatment.script.schedule import after_optimizer, end_of_epoch, into_batches, never, out_of_batches
from dlcheck.treatment.script.settings import standardised
from dlcheck.treatment.script.source import Source
from dlcheck.treatment.script.suggest import Make
from dlcheck.treatment.script.usage import eval_mode, step, train_mode, zero_grad, zero_grad_after
from dlcheck.treatment.script.weights import initialise, made_model, module_list, optimizer_last, whole_model

HEAD = "import torch\nfrom torch import nn\n"


def edited(
    make: Make, text: str, line: int | str | None = None, remedy: str = "do", /, **evidence: Value
) -> str | None:
    """Return a text with the edit that is made for a finding, None where there is none."""
    source = Source(Path("train.py"), text)
    if isinstance(line, str):
        places = [number for number, one in enumerate(text.split("\n"), 1) if line in one]
        assert len(places) == 1, (line, places)
        line = places[0]
    where = Where(file="train.py", line=line)
    remedies = (Remedy(remedy),)
    edits = make(source, Finding("X", "x", Severity.ERROR, 0.97, "said", evidence, where, remedies=remedies))
    after = source.edited(edits) if edits else None
    return None if after is None else after.text


LOOP = f"""{HEAD}opt = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    for x, y in data:
        opt.zero_grad()
        loss = f(model(x), y)
        loss.backward()
        opt.step()
"""
AMP = LOOP.replace("loss.backward()", "scaler.scale(loss).backward()").replace(
    "opt.step()\n", "scaler.step(opt)\n        scaler.update()\n"
)
SCALED = AMP.replace("from torch import nn\n", "from torch import nn\nscaler = torch.amp.GradScaler()\n")
NORM = "clip the gradient to norm 2.5"


@pytest.mark.parametrize(
    ("text", "put"),
    [
        (LOOP, "        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=2.5)\n        opt.step()"),
        (
            AMP,
            "        scaler.unscale_(opt)\n        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=2.5)\n"
            "        scaler.step(opt)",
        ),
        (
            LOOP.replace("import torch\n", "").replace("opt = torch.optim.SGD", "opt = SGD"),
            "        nn.utils.clip_grad_norm_(model.parameters(), max_norm=2.5)\n        opt.step()",
        ),
        (
            HEAD + "def fit(opt):\n    for x in data:\n        f(net, x).backward()\n        opt.step()\n",
            '        torch.nn.utils.clip_grad_norm_([p for group in opt.param_groups for p in group["params"]], '
            "max_norm=2.5)\n        opt.step()",
        ),
    ],
)
def test_clipping_stands_between_backward_and_step(text: str, put: str) -> None:
    result = edited(clip, text, None, NORM)
    assert result is not None
    assert put in result


@pytest.mark.parametrize(
    "text",
    [
        LOOP.replace("loss.backward()", "loss.backward()\n        clip_grad_norm_(p, 1)"),
        LOOP + "opt.step()\n",  # two places
        LOOP.replace("import torch\nfrom torch import nn\n", ""),  # no name for it
        LOOP.replace("loss.backward()", "send(loss)"),
    ],
)
def test_no_clipping_where_it_is_not_certain(text: str) -> None:
    assert edited(clip, text, None, NORM) is None


CLIP = "        nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
WRONG_PLACE = "call clip_grad_norm_ between loss.backward() and optimizer.step()"


@pytest.mark.parametrize("line", ["        opt.step()\n", "        loss = f(model(x), y)\n"])
def test_clipping_moves_to_its_place(line: str) -> None:
    text = LOOP.replace(line, line + CLIP)
    right = LOOP.replace("        opt.step()\n", CLIP + "        opt.step()\n")
    assert edited(between, text, "clip_grad", WRONG_PLACE) == right
    assert edited(between, right, "clip_grad", WRONG_PLACE) is None


def test_clipping_waits_for_the_unscaling() -> None:
    text = AMP.replace("        scaler.step(opt)", CLIP + "        scaler.step(opt)")
    result = edited(unscale, text, "clip_grad", "call scaler.unscale_(optimizer) before clip_grad_norm_")
    assert result == text.replace(CLIP, "        scaler.unscale_(opt)\n" + CLIP)


def test_a_limit_is_raised_where_it_is_a_number() -> None:
    text = LOOP.replace("        opt.step()", CLIP + "        opt.step()")
    raised = "raise the limit to 12, which nine in ten norms stay below"
    assert edited(limit, text, "clip_grad", raised) == text.replace("1.0)", "12.0)")
    assert edited(limit, text.replace("1.0)", "args.clip)"), "clip_grad", raised) is None


def test_a_scaler_scales_what_it_steps_with() -> None:
    broken = SCALED.replace("scaler.scale(loss).backward()", "loss.backward()")
    assert edited(scaler_order, broken) == SCALED
    assert edited(scaler_order, broken.replace("GradScaler()", "GradScaler(enabled=amp)")) is None
    assert edited(scaler_order, SCALED) is None


def test_what_a_scaler_scaled_it_steps_with() -> None:
    broken = SCALED.replace("scaler.step(opt)\n        scaler.update()", "opt.step()")
    assert edited(scaler_order, broken) == SCALED


SCHEDULED = LOOP.replace("for epoch", "sched = torch.optim.lr_scheduler.StepLR(opt, 3)\nfor epoch")
AFTER = "call scheduler.step() after optimizer.step(), at the end of the epoch or step"
OUT = "move scheduler.step() out of the loop over batches, or count the schedule's lengths in batches"
INTO = "move scheduler.step() into the loop over batches, after optimizer.step()"


def test_a_schedule_is_stepped_after_the_optimizer() -> None:
    text = SCHEDULED.replace("        opt.step()\n", "        sched.step()\n        opt.step()\n")
    right = SCHEDULED.replace("        opt.step()\n", "        opt.step()\n        sched.step()\n")
    assert edited(after_optimizer, text, "sched.step()", AFTER) == right
    assert edited(after_optimizer, right, "sched.step()", AFTER) is None


def test_lines_that_move_keep_their_ends_and_columns() -> None:
    text = 'for x in d:\n    s = """é\n""" ; sched.step()\n    # é\n    sched.step(\n    )\n    opt.step()  # ö\n'
    text = text.replace(" ; sched.step()", "").replace("\n", "\r\n")
    right = text.replace("    sched.step(\r\n    )\r\n", "")[:-2] + "\r\n    sched.step(\r\n    )\r\n"
    assert edited(after_optimizer, text, "sched.step(", AFTER) == right


def test_a_schedule_is_stepped_at_the_end_of_the_epoch() -> None:
    text = SCHEDULED.replace("    for x, y", "    sched.step()\n    for x, y")
    assert edited(end_of_epoch, text, "sched.step()", AFTER) == SCHEDULED + "    sched.step()\n"
    assert edited(end_of_epoch, text + "    if done: continue\n", "sched.step()", AFTER) is None


def test_a_schedule_of_epochs_leaves_the_batches() -> None:
    text = SCHEDULED + "        sched.step()\n"
    assert edited(out_of_batches, text, "sched.step()", OUT) == SCHEDULED + "    sched.step()\n"
    single = text.replace("    for x, y in data:\n", "").replace("        ", "    ")
    assert edited(out_of_batches, single, "sched.step()", OUT) is None  # which loop is that of epochs?


def test_a_schedule_of_batches_goes_among_them() -> None:
    text = SCHEDULED + "    print(epoch)\n    sched.step()\n"
    assert edited(into_batches, text, "sched.step()", INTO) == SCHEDULED + "        sched.step()\n    print(epoch)\n"


@pytest.mark.parametrize(("horizon", "put"), [(3, "    sched.step()\n"), (30, "        sched.step()\n"), (7, None)])
def test_a_schedule_is_stepped_as_its_length_tells(horizon: int, put: str | None) -> None:
    remedy = "call scheduler.step() after each epoch (or after each optimizer step, if it is made for batches)"
    result = edited(never, SCHEDULED, "sched =", remedy, epochs=3, horizon=horizon, optimizer_steps=30)
    assert result == (None if put is None else SCHEDULED + put)


def test_a_step_is_made_where_there_is_none() -> None:
    assert edited(step, LOOP.replace("        opt.step()\n", "")) == LOOP
    assert edited(step, LOOP) is None


GAN = f"""{HEAD}opt_g = torch.optim.Adam(g.parameters())
opt_d = torch.optim.Adam(d.parameters())
for x in data:
    opt_g.zero_grad()
    loss_g(x).backward()
    opt_g.step()
    loss_d(x).backward()
    opt_d.step()
"""


def test_each_of_two_networks_clears_before_its_own_pass() -> None:
    result = edited(zero_grad, GAN, "opt_d.step()", backwards_per_step=2.0)
    assert result == GAN.replace("    loss_d", "    opt_d.zero_grad()\n    loss_d")
    apart = GAN.replace("    loss_d(x).backward()\n", "")
    assert edited(zero_grad, apart, "opt_d.step()", backwards_per_step=1.0) is None


def test_a_closure_clears_first() -> None:
    text = (
        "opt = LBFGS(p)\ndef closure():\n    loss = f()\n    loss.backward()\n    return loss\nfor i in range(3):\n"
        "    opt.step(closure)\n"
    )
    result = edited(zero_grad, text, "opt.step", backwards_per_step=1.0)
    assert result == text.replace("    loss = f()", "    opt.zero_grad()\n    loss = f()")


def test_added_gradients_are_cleared_behind_the_scalers_update() -> None:
    text = AMP.replace("        opt.zero_grad()\n", "")
    result = edited(zero_grad_after, text, "scaler.step", backwards_per_step=4.0)
    assert result == text + "        opt.zero_grad()\n"


BINARY = """class Net(nn.Module):
    def forward(self, x):
        return torch.sigmoid(self.f(x))
loss = crit(net(x), y)
"""
LOGITS: dict[str, Value] = {"loss": "binary_cross_entropy_with_logits", "made_by": "sigmoid"}


def test_a_sigmoid_stays_where_its_answers_are_read() -> None:
    assert edited(no_squash, BINARY, "crit(", **LOGITS) == BINARY.replace("torch.sigmoid(self.f(x))", "self.f(x)")
    assert edited(no_squash, BINARY + "right = net(v) > 0.5\n", "crit(", **LOGITS) is None
    own = BINARY + "right = torch.sigmoid(net(v)) > 0.5\n"  # taken a second time: only the first is wrong
    assert edited(no_squash, own, "crit(", **LOGITS) is not None


def test_the_loss_is_given_the_name_of_the_raw_outputs() -> None:
    text = "out = net(x)\nprobs = torch.sigmoid(out)\nloss = crit(probs, y)\n"
    assert edited(no_squash, text, "crit(", **LOGITS) == text.replace("crit(probs", "crit(out")
    late = text.replace("loss =", "out = out + 1\nloss =")
    assert edited(no_squash, late, "crit(", **LOGITS) is None


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("p = F.softmax(out, 1)\nloss = F.nll_loss(p, y)\n", "p = F.log_softmax(out, 1)\nloss = F.nll_loss(p, y)\n"),
        ("loss = crit(out.softmax(1), y)\n", "loss = crit(out.log_softmax(1), y)\n"),
        (
            "m = nn.Sequential(nn.Linear(2, 3), nn.Softmax(dim=1))\nloss = crit(m(x), y)\n",
            "m = nn.Sequential(nn.Linear(2, 3), nn.LogSoftmax(dim=1))\nloss = crit(m(x), y)\n",
        ),
    ],
)
def test_a_loss_of_logarithms_is_given_logarithms(text: str, right: str) -> None:
    given: dict[str, Value] = {"loss": "nll_loss", "made_by": "softmax"}
    assert edited(logarithm, text, "loss =", **given) == right
    assert edited(no_squash, text, "loss =", **given) is None


def test_raw_outputs_get_the_loss_for_them() -> None:
    text = "crit = nn.BCELoss()\nloss = crit(net(x), y)\n"
    raw: dict[str, Value] = {"loss": "binary_cross_entropy", "input": "raw"}
    assert edited(with_logits, text, "loss =", **raw) == text.replace("BCELoss", "BCEWithLogitsLoss")
    assert edited(with_logits, text.replace("nn.", ""), "loss =", **raw) is None


KEPT = "total = 0.0\nlosses = []\nfor x, y in data:\n    loss = f(model(x), y)\n    loss.backward()\n    {}\n"


@pytest.mark.parametrize(
    ("line", "rest", "right"),
    [
        ("total += loss", "print(total)\n", "total += loss.item()"),
        ("total += loss * len(x)", "print(total / 9)\n", "total += loss.item() * len(x)"),
        ("total += loss", "print(total.cpu())\n", "total += loss.detach()"),
        ("losses.append(loss)", "print(sum(losses))\n", "losses.append(loss.item())"),
        ("losses.append(loss)", "print(torch.stack(losses))\n", "losses.append(loss.detach())"),
        ("total += loss", "total.backward()\n", None),
        ("losses.append(loss)", "mean = sum(losses) / 9\nwhole = mean + 1\nscaler.scale(whole).backward()\n", None),
        ("total += loss.item()", "print(total)\n", None),
        ("total += loss; best = min(total, loss); losses.append(loss)", "", None),
    ],
)
def test_only_numbers_are_kept(line: str, rest: str, right: str | None) -> None:
    text = KEPT.format(line) + rest
    result = edited(item, text, "loss = f(", "add up numbers: total += loss.item()")
    assert result == (None if right is None else KEPT.format(right) + rest)


def test_a_sum_that_its_function_hands_to_a_backward_pass_is_left_alone() -> None:
    inner = "def fit(data):\n    total = 0\n    for x in data:\n        loss = f(x)\n        total += loss\n"
    inner += "    return total\n"
    remedy = "add up numbers: total += loss.item()"
    assert edited(item, inner + "whole = fit(data)\nwhole.backward()\n", "loss = f(", remedy) is None
    told = inner + "loss = fit(data)\nprint(loss)\n"  # of the same name, and not sent back
    assert "total += loss.detach()" in str(edited(item, told, "loss = f(", remedy))


def test_a_state_is_detached_before_it_is_handed_on() -> None:
    text = "net = nn.GRU(1, 2)\nfor x in data:\n    out, h = net(x, h)\n    f(out).backward()\n"
    remedy = "detach what is handed on from step to step: hidden = hidden.detach()"
    assert edited(detach, text, "backward", remedy) == text.replace("    out, h", "    h = h.detach()\n    out, h")
    pair = edited(detach, text.replace("GRU", "LSTM"), "backward", remedy)
    assert pair is not None
    assert "    h = tuple(one.detach() for one in h)\n" in pair
    assert edited(detach, text + "nn.LSTM(1, 2)\n", "backward", remedy) is None


def test_weights_are_drawn_anew_before_the_optimizer_is_made() -> None:
    text = HEAD + "model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())\nopt = torch.optim.SGD(model.parameters(), 0.1)\n"
    result = edited(initialise, text)
    assert result is not None
    assert "kaiming_uniform_(weight" in result
    assert "model.apply(initialise)\nopt =" in result
    assert "xavier_uniform_(weight)" in str(edited(initialise, text.replace("ReLU", "Tanh")))
    assert edited(initialise, text + "nn.Tanh()\n") is None  # which of them?
    assert edited(initialise, text + "model.load_state_dict(known)\n") is None


def test_the_optimizer_gets_the_whole_model() -> None:
    text = "model = Net()\nopt = Adam(model.head.parameters(), lr=0.1)\n"
    assert edited(whole_model, text, "opt =", outside=3) == text.replace("model.head.", "model.")
    assert edited(whole_model, text, "opt =", outside=0) is None
    assert edited(whole_model, text + "model.head = nn.Linear(2, 2)\n", "opt =", outside=3) is None


def test_the_optimizer_gets_the_model_that_there_is() -> None:
    text = "model = Net(3).to(device)\nopt = Adam(Net(3).parameters())\n"
    assert edited(made_model, text, "opt =") == text.replace("Adam(Net(3)", "Adam(model")
    assert edited(made_model, text.replace("Adam(Net(3)", "Adam(Net(4)"), "opt =") is None


def test_the_optimizer_is_made_after_the_new_layer() -> None:
    text = "model = Net()\nopt = Adam(\n    model.parameters()\n)\nmodel.head = nn.Linear(2, 2)\nprint(1)\n"
    right = "model = Net()\nmodel.head = nn.Linear(2, 2)\nopt = Adam(\n    model.parameters()\n)\nprint(1)\n"
    assert edited(optimizer_last, text, 2, outside=2, stale=2) == right
    assert edited(optimizer_last, text.replace("model.head", "use(opt)\nmodel.head"), 2, outside=2, stale=2) is None


def test_a_list_of_layers_is_registered() -> None:
    text = (
        HEAD
        + "class Net(nn.Module):\n    def __init__(self):\n        self.layers = [nn.Linear(2, 2) for _ in range(3)]\n"
    )
    right = text.replace(
        "[nn.Linear(2, 2) for _ in range(3)]", "torch.nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])"
    )
    assert edited(module_list, text, None, outside=4) == right
    assert edited(module_list, text, None, outside=0) is None
    block = text.replace("nn.Linear(2, 2) for", "Block(2) for")
    assert edited(module_list, block, None, outside=4) is None
    assert edited(module_list, f"{block}class Block(nn.Module):\n    pass\n", None, outside=4) is not None


def test_columns_are_standardised_behind_the_split() -> None:
    text = "a, b, c, d = train_test_split(x, y)\nuse(a)\n"
    result = edited(standardised, text)
    assert result is not None
    names: dict[str, object] = {}
    import numpy as np

    x = np.array([[1.0, 5.0], [3.0, 5.0]])
    known = {"train_test_split": lambda *_: (x, x, 0, 0), "use": lambda a: names.update(a=a), "x": x, "y": 0}
    exec(result, known)
    assert np.array_equal(np.asarray(names["a"]), [[-1.0, 0.0], [1.0, 0.0]])
    assert edited(standardised, "x = StandardScaler().fit(x)\n" + text) is None


EPOCHS = """def train(model):
    for epoch in range(3):
        evaluate(model)
        for x, y in data:
            loss(model(x), y).backward()
"""


def test_training_mode_is_set_before_the_batches() -> None:
    assert edited(train_mode, EPOCHS) == EPOCHS.replace("        for x", "        model.train()\n        for x")
    within = EPOCHS.replace("            loss", "            model.eval()\n            loss")
    result = edited(train_mode, within)
    assert result == within.replace("            model.eval()", "            model.train()\n            model.eval()")


def test_a_part_with_a_mode_of_its_own_keeps_it() -> None:
    assert edited(train_mode, EPOCHS.replace("        evaluate", "        model.body.eval()\n        evaluate")) is None


def test_evaluation_leaves_training_mode_to_the_training() -> None:
    text = EPOCHS.replace("        for x", "        model.train()\n        for x") + (
        "def evaluate(model):\n    with torch.no_grad():\n        return model(v).mean()\n"
    )
    result = edited(eval_mode, text, "model(v)")
    assert result == text.replace("    with torch", "    model.eval()\n    with torch")
    assert edited(eval_mode, text.replace("        model.train()\n", ""), "model(v)") is None
