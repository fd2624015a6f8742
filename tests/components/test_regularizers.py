"""Each regulariser does what its name says, at the moments of a step."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcheck.components.info import DataInfo, Task
from dlcheck.components.optimizers import build_optimizer
from dlcheck.components.regularizers import StepHook, build_regularizers
from dlcheck.errors import DlcheckError
from dlcheck.recipe.optimizer import Regularize, Sgd


def info(task: Task = "classification", outputs: int = 3) -> DataInfo:
    return DataInfo(task=task, input_shape=(4,), outputs=outputs, sizes={"train": 100})


def model_with_norm() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 3))


def hooks_of(model: nn.Module, data: DataInfo | None = None, loss: str = "auto", **keys: Any) -> list[StepHook]:
    return build_regularizers(Regularize(**keys), model, data or info(), loss)


def only_hook(model: nn.Module, data: DataInfo | None = None, **keys: Any) -> StepHook:
    (hook,) = hooks_of(model, data, **keys)
    return hook


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def fill_gradients(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)


def test_nothing_asked_nothing_built() -> None:
    assert hooks_of(model_with_norm()) == []


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.0), (0.0, 0.2), (0.1, 0.2)])
@pytest.mark.parametrize("penalize_bias", [False, True])
def test_penalty_is_the_gradient_of_the_elastic_net(l1: float, l2: float, penalize_bias: bool) -> None:
    model = model_with_norm()
    fill_gradients(model)
    before = gradients(model)
    only_hook(model, l1=l1, l2=l2, penalize_bias=penalize_bias).after_backward()
    for name, parameter in model.named_parameters():
        free = parameter.detach().clone().requires_grad_()
        (l1 * free.abs().sum() + l2 / 2 * free.square().sum()).backward()  # type: ignore[no-untyped-call]
        assert free.grad is not None
        penalized = penalize_bias or name in ("0.weight", "2.weight")
        expected = before[name] + (free.grad if penalized else 0)
        torch.testing.assert_close(gradients(model)[name], expected)


def test_penalty_leaves_parameters_without_gradient_alone() -> None:
    model = model_with_norm()
    only_hook(model, l1=0.1).after_backward()
    assert gradients(model) == {}


def test_l2_is_the_weight_decay_of_sgd() -> None:
    penalized, decayed = model_with_norm(), model_with_norm()
    decayed.load_state_dict(penalized.state_dict())
    hook = only_hook(penalized, l2=0.3, penalize_bias=True)
    plain = build_optimizer(Sgd(name="sgd", lr=0.1), penalized, folder=Path())
    decay = build_optimizer(Sgd(name="sgd", lr=0.1, weight_decay=0.3), decayed, folder=Path())
    fill_gradients(penalized)
    for ours, theirs in zip(penalized.parameters(), decayed.parameters(), strict=True):
        assert ours.grad is not None
        theirs.grad = ours.grad.clone()
    hook.after_backward()
    plain.step()
    decay.step()
    for ours, theirs in zip(penalized.parameters(), decayed.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("layer", "axis"),
    [
        (nn.Linear(30, 4), 0),
        (nn.Conv2d(3, 4, 5), 0),
        (nn.Conv1d(6, 4, 5, groups=2), 0),
        (nn.ConvTranspose2d(8, 4, 3), 1),
    ],
)
def test_max_norm_bounds_the_weights_into_each_unit(layer: nn.Module, axis: int) -> None:
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    with torch.no_grad():
        bias.fill_(100.0)
        weight.normal_()
        weight.select(axis, 1).mul_(1e-3)
    before = weight.detach().clone()
    only_hook(layer, max_norm=0.5).after_step()
    for unit in range(4):
        now, then = weight.select(axis, unit), before.select(axis, unit)
        if unit == 1:
            assert torch.equal(now, then)  # short enough before
        else:
            assert now.norm().item() == pytest.approx(0.5, rel=1e-4)
            torch.testing.assert_close(now / now.norm(), then / then.norm())
    assert (bias == 100).all()


ROWS = ("1.weight_hh_l0", "1.weight_ih_l0", "2.in_proj_weight", "2.out_proj.weight")


def test_max_norm_knows_grouped_transposed_and_recurrent_layers() -> None:
    transposed = nn.ConvTranspose1d(4, 6, 3, groups=2)
    recurrent, attention = nn.LSTM(3, 4), nn.MultiheadAttention(4, 2)
    model = nn.ModuleList([transposed, recurrent, attention])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    only_hook(model, max_norm=0.1).after_step()
    units = transposed.weight.detach().reshape(2, 2, 3, 3).transpose(1, 2).reshape(6, 6)
    for rows in (units, *(model.get_parameter(name) for name in ROWS)):
        torch.testing.assert_close(rows.norm(dim=1), torch.full((len(rows),), 0.1))
    assert model.get_parameter("1.bias_hh_l0").abs().max() > 0.1


def test_max_norm_leaves_frozen_layers_alone_and_needs_some_layer() -> None:
    layer = nn.Linear(3, 3).requires_grad_(False)
    before = layer.weight.clone()
    only_hook(layer, max_norm=1e-3).after_step()
    assert torch.equal(layer.weight, before)
    with pytest.raises(DlcheckError, match=r"regularize\.max_norm"):
        hooks_of(nn.LayerNorm(3), max_norm=1.0)


def test_weight_noise_has_its_deviation_and_goes_without_a_trace() -> None:
    model = nn.Sequential(nn.Linear(200, 100), nn.LayerNorm(100))
    weight = model.get_parameter("0.weight")
    clean = copy.deepcopy(model.state_dict())
    hook = only_hook(model, weight_noise=0.3)
    hook.before_gradients()
    noise = weight.detach() - clean["0.weight"]
    assert noise.std().item() == pytest.approx(0.3, rel=0.03)
    assert abs(noise.mean().item()) < 0.01
    assert all(torch.equal(model.state_dict()[name], clean[name]) for name in clean if name != "0.weight")
    noisy = weight.detach().clone()
    hook.before_gradients()  # the second batch of a step
    assert torch.equal(weight, noisy)
    hook.after_backward()
    assert all(torch.equal(value, clean[name]) for name, value in model.state_dict().items())
    hook.before_gradients()
    assert not torch.equal(weight, noisy)


def test_the_penalty_is_taken_at_clean_weights() -> None:
    model = nn.Linear(50, 50, bias=False)
    clean = model.weight.detach().clone()
    hooks = hooks_of(model, weight_noise=1.0, l2=1.0)
    for hook in hooks:
        hook.before_gradients()
    model.weight.grad = torch.zeros_like(model.weight)
    for hook in hooks:
        hook.after_backward()
    assert torch.equal(model.weight.grad, clean)


def test_input_noise_spares_codes_targets_and_the_batch_itself() -> None:
    hook = only_hook(nn.Linear(4, 3), info("caption"), input_noise=0.5)
    image, words, target = torch.zeros(100, 100), torch.arange(100), torch.zeros(100)
    noisy, same_words, same_target = hook.before_forward((image, words, target))
    assert noisy.std().item() == pytest.approx(0.5, rel=0.05)
    assert torch.equal(same_words, words)
    assert torch.equal(same_target, target)
    assert (image == 0).all()


def test_input_noise_refuses_codes() -> None:
    with pytest.raises(DlcheckError, match=r"regularize\.input_noise"):
        hooks_of(nn.Linear(4, 3), info("language"), input_noise=0.5)
    hook = only_hook(nn.Linear(4, 3), input_noise=0.5)
    with pytest.raises(DlcheckError, match=r"regularize\.input_noise"):
        hook.before_forward((torch.arange(3), torch.arange(3)))


def test_mixup_mixes_inputs_and_classes_alike() -> None:
    hook = only_hook(nn.Linear(4, 3), mixup=1.0)
    codes = torch.arange(60) % 3
    inputs = torch.eye(3)[codes]
    for _ in range(20):
        mixed, target = hook.before_forward((inputs, codes))
        torch.testing.assert_close(mixed, target)  # what happens to an input happens to its class
        torch.testing.assert_close(target.sum(1), torch.ones(60))
        torch.testing.assert_close(target.sum(0), torch.full((3,), 20.0))  # each is drawn once as partner
    assert torch.equal(inputs, torch.eye(3)[codes])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_mixup_draws_its_share_from_a_beta_law(alpha: float) -> None:
    hook = only_hook(nn.Linear(1, 1), info("regression", outputs=1), mixup=alpha)
    shares = []
    for _ in range(2000):
        mixed, target = hook.before_forward((torch.tensor([[0.0], [1.0]]), torch.tensor([0.0, 1.0])))
        assert torch.equal(mixed[:, 0], target)
        shares.append(target[0].item())
    moved = torch.tensor([share for share in shares if share not in (0.0, 1.0)])
    assert moved.mean().item() == pytest.approx(0.5, abs=0.05)
    assert moved.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.15)


def test_mixup_mixes_images_that_are_their_own_target() -> None:
    hook = only_hook(nn.Linear(4, 3), info("reconstruction"), mixup=1.0)
    images = torch.randn(8, 1, 4, 4)
    mixed, target = hook.before_forward((images, images))
    assert torch.equal(mixed, target)
    assert not torch.equal(mixed, images)


@pytest.mark.parametrize(
    ("task", "loss"), [("language", "cross_entropy"), ("caption", "cross_entropy"), ("classification", "hinge")]
)
def test_mixup_refuses_what_cannot_be_mixed(task: Task, loss: str) -> None:
    with pytest.raises(DlcheckError, match=r"regularize\.mixup"):
        hooks_of(nn.Linear(4, 3), info(task), loss=loss, mixup=0.2)


def test_mixup_refuses_codes_as_inputs() -> None:
    hook = only_hook(nn.Linear(4, 3), mixup=0.2)
    with pytest.raises(DlcheckError, match=r"regularize\.mixup"):
        hook.before_forward((torch.arange(3), torch.arange(3)))


def test_dropconnect_drops_weights_and_keeps_the_mean() -> None:
    layer = nn.Linear(300, 200)
    plain = copy.deepcopy(layer)
    keys = list(layer.state_dict())
    only_hook(layer, dropconnect=0.25)
    seen = layer(torch.eye(300)) - layer.bias  # the transposed weight as used in this pass
    dropped = seen == 0
    assert dropped.float().mean().item() == pytest.approx(0.25, abs=0.01)
    torch.testing.assert_close(seen[~dropped], (layer.weight.T / 0.75)[~dropped], rtol=1e-4, atol=1e-5)
    assert not torch.equal(layer(torch.eye(300)) - layer.bias == 0, dropped)

    layer.eval()
    inputs = torch.randn(5, 300)
    assert torch.equal(layer(inputs), plain(inputs))
    assert list(layer.state_dict()) == keys
    plain.load_state_dict(layer.state_dict())


def test_dropconnect_gives_dropped_weights_no_gradient() -> None:
    layer = nn.Linear(50, 40, bias=False)
    only_hook(layer, dropconnect=0.5)
    seen = layer(torch.eye(50))
    seen.sum().backward()
    assert layer.weight.grad is not None
    assert torch.equal(layer.weight.grad == 0, seen.T == 0)


def test_dropconnect_stays_with_a_copied_model() -> None:
    layer = nn.Linear(3, 2)
    only_hook(layer, dropconnect=0.5)
    copied = copy.deepcopy(layer).eval()
    with torch.no_grad():
        copied.weight.fill_(1.0)
        copied.bias.zero_()
    assert copied(torch.ones(1, 3)).tolist() == [[3.0, 3.0]]


def test_dropconnect_needs_a_fully_connected_layer() -> None:
    with pytest.raises(DlcheckError, match=r"regularize\.dropconnect"):
        hooks_of(nn.Conv2d(1, 1, 3), dropconnect=0.5)


@pytest.mark.parametrize("keys", [{"input_noise": 0.1}, {"mixup": 0.5}, {"weight_noise": 0.1}, {"dropconnect": 0.5}])
def test_randomness_is_that_of_the_global_generator(keys: dict[str, Any]) -> None:
    def output(seed: int) -> Tensor:
        torch.manual_seed(0)
        model, batch = nn.Linear(4, 3), (torch.randn(16, 4), torch.arange(16) % 3)
        hook = only_hook(model, **keys)
        torch.manual_seed(seed)
        inputs, _ = hook.before_forward(batch)
        hook.before_gradients()
        result: Tensor = model(inputs)
        return result

    assert torch.equal(output(1), output(1))
    assert not torch.equal(output(1), output(2))
