"""Looking for a rate: what is found, and that nothing is left changed."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import dlcheck
from dlcheck.errors import DlcheckError
from dlcheck.training.callbacks import Callback
from dlcheck.training.device import seed_everything
from dlcheck.training.ledger import StepRow
from dlcheck.training.trainer import Trainer
from dlcheck.tuning.rate.find import find_rate
from dlcheck.tuning.rate.fingerprint import fingerprint
from dlcheck.tuning.rate.of_objects import objects_subject, patient_of
from dlcheck.tuning.rate.of_recipe import recipe_subject
from dlcheck.tuning.rate.short_run import short_run
from tests.tuning.rate.conftest import Net, Tiny, loader

FEW = 60


def test_a_recipe_gets_a_rate_with_an_interval(tiny: Tiny) -> None:
    found = find_rate(recipe_subject(tiny(), "cpu"), steps=FEW)
    assert found.suggestion is not None
    assert found.interval is not None
    assert 1e-4 < found.interval[0] <= found.suggestion <= found.interval[1] < 0.3
    assert found.largest_stable is not None
    assert found.largest_stable > found.suggestion
    assert found.steps <= FEW
    assert found.total_steps == 100
    assert set(found.rules) == {"minimum", "valley", "steep", "slide", "edge", "short runs"}


def test_the_suggested_rate_trains_better_than_one_far_from_it(tiny: Tiny) -> None:
    found = find_rate(recipe_subject(tiny(), "cpu"), steps=150)

    def reached(rate: float) -> float:
        parts = recipe_subject(tiny(f"optimizer.lr={rate}"), "cpu").patient.parts
        assert parts is not None
        trainer = Trainer(parts)
        trainer.fit()
        return trainer.state.history[-1]["val_loss"]

    assert found.suggestion is not None
    good = reached(found.suggestion)
    assert good < 0.8 * reached(found.suggestion / 50)
    assert good < 0.8 * reached(found.suggestion * 50)


def test_all_of_a_recipe_is_put_back(tiny: Tiny) -> None:
    model = '{name = "cnn", channels = [4, 8], hidden = [16], norm = "batch", dropout = 0.2}'
    subject = recipe_subject(tiny(f"model={model}", "augment.translate=0.1", "regularize.mixup=0.2"), "cpu")
    random.seed(3), np.random.seed(4), torch.manual_seed(5)
    before = fingerprint(subject.patient)
    find_rate(subject, steps=FEW)
    assert fingerprint(subject.patient) == before


@pytest.mark.parametrize("seed", [5, None])
def test_own_objects_go_on_as_if_nothing_had_been(seed: int | None) -> None:
    def trained(look: bool) -> tuple[list[float], list[torch.Tensor]]:
        torch.manual_seed(0)
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        batches, loss = loader(seed=seed), nn.CrossEntropyLoss()
        losses: list[float] = []
        for epoch in range(2):
            if look and epoch == 1:
                model.eval()  # a mode that is not that of training
                dlcheck.lr_find(model, optimizer, batches, loss, schedule="cosine", steps=FEW)
                assert not model.training
            model.train()
            for x, y in batches:
                optimizer.zero_grad()
                value = loss(model(x), y)
                value.backward()
                optimizer.step()
                losses.append(float(value.detach()))
        return losses, [*model.parameters(), *model.buffers()]

    plain, looked = trained(False), trained(True)
    assert plain[0] == looked[0]
    assert all(torch.equal(a, b) for a, b in zip(plain[1], looked[1], strict=True))


def test_what_cannot_be_put_back_is_told() -> None:
    class Meddling(nn.CrossEntropyLoss):
        """Gives the loader another stream while it is at it."""

        def forward(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            batches.generator = torch.Generator().manual_seed(9)
            return super().forward(output, target)

    model, batches = Net(), loader()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with pytest.raises(DlcheckError, match="could not put back what looking for a rate had changed: data order"):
        dlcheck.lr_find(model, optimizer, batches, Meddling(), steps=FEW)


def test_a_fingerprint_sees_every_part() -> None:
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    batches = loader()
    patient = patient_of(model, optimizer, batches, nn.CrossEntropyLoss())

    def changed(by: object) -> set[str]:
        before = fingerprint(patient)
        assert callable(by)
        by()
        after = fingerprint(patient)
        return {part for part, digest in before.items() if after[part] != digest}

    def touch_buffer() -> None:
        model.body[1].running_mean.add_(1e-6)  # type: ignore[operator]

    def touch_weight() -> None:
        with torch.no_grad():
            model.head.bias[0] += 1e-6

    assert changed(lambda: None) == set()
    assert changed(touch_weight) == {"weights"}
    assert changed(touch_buffer) == {"buffers"}
    assert changed(lambda: model.body[3].eval()) == {"modes"}
    assert changed(lambda: optimizer.param_groups[0].update(lr=0.02)) == {"optimizer"}
    assert changed(random.random) == {"random streams"}
    assert changed(np.random.rand) == {"random streams"}
    assert changed(lambda: torch.rand(1)) == {"random streams"}
    order = batches.generator
    assert order is not None
    assert changed(lambda: order.manual_seed(1)) == {"data order"}
    assert changed(lambda: model.head.bias.requires_grad_(False)) == {"gradients"}


def test_runs_at_the_same_rate_are_the_same_run(tiny: Tiny) -> None:
    subject = recipe_subject(tiny("augment.rotate=10", "model.dropout=0.2"), "cpu")
    first, again = (short_run(subject, 0.01, np.ones(12)).losses for _ in range(2))
    assert first.tolist() == again.tolist()


def test_a_short_run_is_the_beginning_of_the_training(tiny: Tiny) -> None:
    loaded = tiny("train.accumulate=2", "train.clip_norm=0.5", "train.max_steps=9", "model.dropout=0.1")

    class Losses(Callback):
        def __init__(self) -> None:
            self.seen: list[float] = []

        def on_losses(self, trainer: Trainer, rows: list[StepRow]) -> None:
            self.seen += [row.loss for row in rows]

    heard = Losses()
    parts = recipe_subject(loaded, "cpu").patient.parts
    assert parts is not None
    seed_everything(loaded.recipe.train.seed)
    Trainer(parts, [heard]).fit()
    run = short_run(recipe_subject(loaded, "cpu"), loaded.recipe.optimizer.lr, np.ones(9))
    assert run.losses.tolist() == pytest.approx(heard.seen)


def test_the_schedule_decides_with_the_length(tiny: Tiny) -> None:
    shapes = {name: recipe_subject(tiny(f"schedule.name={name}"), "cpu").shape for name in ("constant", "cosine")}
    assert shapes["constant"].factors.tolist() == [1.0] * 100
    squeezed = shapes["cosine"].squeezed(20)[0]
    assert squeezed[0] > 0.99
    assert squeezed[-1] < 0.01
    assert (np.diff(squeezed) < 0).all()


def test_groups_keep_their_proportion(tiny: Tiny) -> None:
    loaded = tiny('optimizer.groups=[{match = "*bias", lr_factor = 0.1}]')
    rates = sorted({float(group["lr"]) for group in recipe_subject(loaded, "cpu").optimizer(0.5).param_groups})
    assert rates == pytest.approx([0.05, 0.5])
    model = Net()
    groups = [{"params": model.body.parameters(), "lr": 0.01}, {"params": model.head.parameters(), "lr": 0.1}]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    subject = objects_subject(patient_of(model, optimizer, loader(), nn.CrossEntropyLoss()))
    assert subject.rate == 0.01
    assert [group["lr"] for group in subject.optimizer(0.2).param_groups] == pytest.approx([0.2, 2.0])


def test_abstains_where_nothing_can_be_learned(tiny: Tiny) -> None:
    frozen = find_rate(recipe_subject(tiny("init={name = 'zeros'}", "model.hidden=[24, 24]"), "cpu"), steps=FEW)
    assert frozen.suggestion is None
    assert "never falls" in frozen.why
    assert frozen.short_steps == 2 * FEW // 3, "looked a second time, in longer runs, before it said never"
    assert FEW < frozen.steps <= 3 * FEW


def test_abstains_on_labels_that_mean_nothing(tiny: Tiny, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", x=draw.normal(size=(3000, 8)).astype("f4"), y=draw.integers(0, 4, 3000))
    text = f'[data]\nname = "arrays"\npath = "{tmp_path}/noise.npz"\n[model]\nname = "mlp"\nhidden = [16]\n'
    found = find_rate(recipe_subject(tiny(text=text), "cpu"))
    assert found.suggestion is None
    assert "never falls" in found.why


class Poisoned(Net):
    """Gives NaN from its first step on."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.head(self.body(x)) * float("nan")
        return answer


def test_a_loss_that_is_none_from_the_first_step() -> None:
    model = Poisoned()
    found = dlcheck.lr_find(model, torch.optim.SGD(model.parameters(), lr=0.1), loader(), nn.CrossEntropyLoss())
    assert found.suggestion is None
    assert found.steps == 1
    assert found.largest_stable is None
    assert "no finite number from the first step" in found.why


def test_one_batch_is_enough(tiny: Tiny) -> None:
    found = find_rate(recipe_subject(tiny("data.limit=20", "train.batch_size=20"), "cpu"), steps=FEW)
    assert found.batch_size == 20
    assert found.suggestion is not None


def test_batches_of_one_sample_do_not_disturb_normalisation() -> None:
    model = Net()
    batches = loader(samples=41, batch_size=20)
    found = dlcheck.lr_find(
        model, torch.optim.Adam(model.parameters(), lr=0.01), batches, nn.CrossEntropyLoss(), steps=FEW
    )
    assert found.suggestion is not None


def test_an_iterator_that_ends_is_read_once() -> None:
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    found = dlcheck.lr_find(model, optimizer, iter(list(loader())), nn.CrossEntropyLoss(), steps=FEW)
    assert found.suggestion is not None


def test_outputs_of_any_kind_will_do() -> None:
    class Wrapped(Net):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:  # type: ignore[override]
            return {"logits": self.head(self.body(x))}

    model = Wrapped()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    found = dlcheck.lr_find(
        model, optimizer, loader(), lambda out, y: nn.functional.cross_entropy(out["logits"], y), steps=FEW
    )
    assert found.suggestion is not None


def broken(*_: object) -> torch.Tensor:
    raise RuntimeError("two\nlines")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimizer": torch.optim.LBFGS(Net().parameters())}, "line search"),
        ({"optimizer": torch.optim.SGD(Net().parameters(), lr=0.0)}, "needs a rate"),
        ({"optimizer": 3}, "optimizer is int"),
        ({"loader": 3}, "loader is int"),
        ({"loader": []}, "no batches"),
        ({"loss": 3}, "loss is int"),
        ({"loss": broken}, "a training step raised RuntimeError: two lines"),
        ({"loss": nn.CrossEntropyLoss(reduction="none")}, "expected one number"),
        ({"schedule": "cosin"}, "did you mean 'cosine'?"),
        ({"schedule": {"name": "step", "every": 0}}, "schedule: "),
        ({"steps": 10}, "at least 60"),
        ({"loader": None}, "needs optimizer, loader and loss"),
    ],
)
def test_bad_objects_are_refused_in_one_line(change: dict[str, object], said: str) -> None:
    model = Net()
    given: dict[str, object] = {
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "loader": loader(),
        "loss": nn.CrossEntropyLoss(),
        **change,
    }
    state = copy.deepcopy(model.state_dict())
    with pytest.raises(DlcheckError) as refused:
        dlcheck.lr_find(model, **given)  # type: ignore[call-overload]
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_lbfgs_in_a_recipe_is_refused(tiny: Tiny) -> None:
    with pytest.raises(DlcheckError, match=r"lbfgs.*line search"):
        recipe_subject(tiny("optimizer.name=lbfgs"), "cpu")
