"""Every optimizer by name, and the groups that parameters fall into."""

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from dlcheck.components.optimizers import OPTIMIZERS, build_optimizer
from dlcheck.errors import DlcheckError
from dlcheck.recipe import dump_recipe
from dlcheck.recipe.optimizer import Optimizer, OptimizerSection
from dlcheck.recipe.override import component_models
from dlcheck.recipe.recipe import Recipe

NAMES = sorted(set(component_models("optimizer")) - {"custom"})


def section(name: str, **keys: Any) -> OptimizerSection:
    found: OptimizerSection = TypeAdapter(Optimizer).validate_python({"name": name, **keys})
    return found


def build(name: str, model: nn.Module, **keys: Any) -> torch.optim.Optimizer:
    return build_optimizer(section(name, **keys), model, folder=Path())


def small_model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def groups_of(optimizer: torch.optim.Optimizer) -> dict[str, tuple[float, float, int]]:
    return {g["name"]: (g["lr"], g["weight_decay"], len(g["params"])) for g in optimizer.param_groups}


def test_every_section_has_a_builder() -> None:
    assert OPTIMIZERS.sections() == set(component_models("optimizer").values())


class Bowl(nn.Module):
    """A convex quadratic with curvatures from 1 to 10."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
        self.curvature = torch.tensor([1.0, 3.0, 10.0])

    def forward(self) -> Tensor:
        return (self.curvature * self.x**2).sum() / 2


def descend(bowl: Bowl, optimizer: torch.optim.Optimizer, steps: int) -> None:
    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = bowl()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    for _ in range(steps):
        optimizer.step(closure)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_descends_a_bowl(name: str) -> None:
    bowl = Bowl()
    start = bowl().item()
    descend(bowl, build(name, bowl, lr=1.0 if name == "lbfgs" else 0.05), 150)
    assert bowl().item() < start / 2


@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_continues_exactly_from_its_state(name: str, tmp_path: Path) -> None:
    bowl = Bowl()
    optimizer = build(name, bowl, lr=0.05)
    descend(bowl, optimizer, 5)
    torch.save({"model": bowl.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "saved.pt")
    descend(bowl, optimizer, 5)

    saved = torch.load(tmp_path / "saved.pt", weights_only=True)
    resumed = Bowl()
    resumed.load_state_dict(saved["model"])
    again = build(name, resumed, lr=0.05)
    again.load_state_dict(saved["optimizer"])
    descend(resumed, again, 5)
    assert torch.equal(bowl.x, resumed.x)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"lbfgs"}))
def test_weight_decay_shrinks_weights_without_gradient(name: str) -> None:
    bowl = Bowl()
    optimizer = build(name, bowl, lr=0.01, weight_decay=0.5)
    before = bowl.x.abs().sum().item()
    for _ in range(3):
        bowl.x.grad = torch.zeros(3)
        optimizer.step()
    assert bowl.x.abs().sum().item() < before


@pytest.mark.parametrize("name", ["angulargrad", "adainject", "adam"])
def test_ours_leave_the_gradient_as_it_was(name: str) -> None:
    bowl = Bowl()
    optimizer = build(name, bowl, weight_decay=0.5, **({"bias_correction": False} if name == "adam" else {}))
    bowl.x.grad = torch.ones(3)
    optimizer.step()
    assert torch.equal(bowl.x.grad, torch.ones(3))


def test_cpu_parameters_get_the_fused_kernel_with_equal_results() -> None:
    fused, plain = Bowl(), Bowl()
    optimizer = build("adam", fused, lr=0.05)
    assert optimizer.defaults["fused"]
    descend(fused, optimizer, 20)
    descend(plain, torch.optim.Adam(plain.parameters(), lr=0.05, foreach=False), 20)
    torch.testing.assert_close(fused.x, plain.x)


@pytest.mark.parametrize("name", ["momentum", "adam", "adagrad"])
def test_memory_layout_changes_no_update(name: str) -> None:
    """The fused kernels mix up entries when a parameter and its gradient lie differently in memory."""
    updated = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        model = nn.Conv2d(3, 4, 2)
        gradient = torch.randn(4, 3, 2, 2)
        model.to(memory_format=layout)
        optimizer = build(name, model, lr=0.1)
        for _ in range(3):
            model.weight.grad = gradient.clone()
            optimizer.step()
        updated.append(model.weight.detach().contiguous())
    torch.testing.assert_close(updated[0], updated[1])


def test_all_parameters_share_one_group_when_nothing_tells_them_apart() -> None:
    optimizer = build("adam", small_model(), lr=0.1, weight_decay=0.2)
    assert groups_of(optimizer) == {"model": (0.1, 0.2, 6)}


def test_the_first_matching_pattern_holds() -> None:
    groups = [{"match": "3.bias", "lr_factor": 10.0}, {"match": "3.*", "lr_factor": 0.5, "weight_decay": 0.1}]
    optimizer = build("adam", small_model(), lr=1.0, groups=groups)
    assert groups_of(optimizer) == {
        "model": (1.0, 0.0, 4),
        "3.* (lr × 0.5)": (0.5, 0.1, 1),
        "3.bias (lr × 10)": (10.0, 0.0, 1),
    }


def test_norms_and_biases_can_be_spared_from_decay() -> None:
    groups = [{"match": "3.*", "weight_decay": 0.7}]
    model = small_model()
    optimizer = build("adamw", model, lr=1.0, weight_decay=0.2, decay_norm_bias=False, groups=groups)
    found = groups_of(optimizer)
    assert found["model"] == (1.0, 0.2, 1)
    assert found["3.*"] == (1.0, 0.7, 1)
    spared = next(g for g in optimizer.param_groups if g["weight_decay"] == 0)
    batch_norm = model[1]
    assert {id(p) for p in spared["params"]} == {
        id(p) for p in (model[0].bias, batch_norm.weight, batch_norm.bias, model[3].bias)
    }


def test_factors_by_parameter_multiply_those_of_groups() -> None:
    optimizer = build_optimizer(
        section("sgd", lr=1.0, groups=[{"match": "3.*", "lr_factor": 10.0}]),
        small_model(),
        folder=Path(),
        lr_factors={"0.weight": 0.1, "3.weight": 0.1},
    )
    rates = {name: (lr, count) for name, (lr, _, count) in groups_of(optimizer).items()}
    assert rates == {"model (lr × 0.1)": (0.1, 1), "model, 3.*": (1.0, 4), "3.* (lr × 10)": (10.0, 1)}


def test_frozen_parameters_stay_out_and_shared_ones_count_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    model[0].requires_grad_(False)
    model[2].weight = model[1].weight
    optimizer = build("sgd", model, groups=[{"match": "0.*", "lr_factor": 0.1}])
    assert [len(group["params"]) for group in optimizer.param_groups] == [3]


def test_a_model_without_trainable_parameters_is_refused() -> None:
    with pytest.raises(DlcheckError, match="no trainable parameter"):
        build("adam", small_model().requires_grad_(False))


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("adam", {"groups": [{"match": "3.wieght"}]}, r"3\.wieght.*did you mean '3\.weight'"),
        ("adam", {"groups": [{"match": "head.*"}]}, r"fits no parameter; the model has: 0\.\*, 1\.\*, 3\.\*"),
        ("nadam", {"bias_correction": False}, 'name = "adam" only, not "nadam"'),
        ("nesterov", {"momentum": 0.0}, "nesterov needs momentum"),
        ("lbfgs", {"groups": [{"match": "3.*", "lr_factor": 0.1}]}, r"lbfgs .*'model', '3\.\*"),
        ("lbfgs", {"weight_decay": 0.1}, "regularize.l2"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(name: str, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DlcheckError, match=message) as raised:
        build(name, small_model(), **keys)
    assert "\n" not in str(raised.value)


def test_lbfgs_searches_along_the_line() -> None:
    optimizer = build("lbfgs", small_model(), history=7, max_iterations=3)
    group = optimizer.param_groups[0]
    assert (group["line_search_fn"], group["history_size"], group["max_iter"]) == ("strong_wolfe", 7, 3)


@pytest.mark.parametrize("name", ["diffgrad", "adabelief"])
def test_a_missing_extra_names_the_install_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(DlcheckError, match=r"pip install 'dlcheck\[optimizers\]'"):
        build(name, small_model())


OWN = """
import torch

class Own(torch.optim.SGD):
    def __init__(self, params, lr, weight_decay=0.25, boost=1.0):
        super().__init__(params, lr=lr * boost, weight_decay=weight_decay)

def not_one(params, lr):
    return "no optimizer"
"""


@pytest.fixture
def own_code(tmp_path: Path) -> Path:
    (tmp_path / "own_optimizer.py").write_text(OWN)
    return tmp_path


def test_custom_optimizer_keeps_its_own_decay_unless_told(own_code: Path) -> None:
    own: dict[str, Any] = {"target": "own_optimizer.py:Own", "boost": 3.0, "lr": 0.5}
    built = build_optimizer(section("custom", **own), small_model(), folder=own_code)
    assert (built.defaults["lr"], built.param_groups[0]["weight_decay"]) == (1.5, 0.25)
    built = build_optimizer(section("custom", weight_decay=0.0, **own), small_model(), folder=own_code)
    assert built.param_groups[0]["weight_decay"] == 0.0


def test_custom_optimizer_is_the_same_after_its_recipe_was_written() -> None:
    raw = {"data": {"name": "digits"}, "model": {"name": "cnn"}, "optimizer": {"target": "a:B", "boost": 2}}
    text = dump_recipe(Recipe.model_validate(copy.deepcopy(raw)))
    assert "weight_decay" not in text
    assert "boost = 2" in text


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("own_optimizer.py:not_one", "expected a torch.optim.Optimizer, got str"),
        ("own_optimizer.py:Onw", "did you mean 'Own'"),
    ],
)
def test_custom_targets_that_are_no_optimizer_are_refused(own_code: Path, target: str, message: str) -> None:
    with pytest.raises(DlcheckError, match=message):
        build_optimizer(section("custom", target=target), small_model(), folder=own_code)
