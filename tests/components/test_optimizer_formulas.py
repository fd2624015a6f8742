"""Each optimizer step by step, in float64, against its paper's formula written out in NumPy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dlcheck.components.optimizers import build_optimizer
from dlcheck.recipe.optimizer import Adam, AdamVariant, OptimizerSection, Sgd

Array = NDArray[np.float64]
STEPS = 40
LR, BETA1, BETA2, EPS = 0.05, 0.8, 0.95, 1e-3


def gradient(theta: Array, t: int) -> Array:
    """A curved, turning, noisy landscape, so that consecutive gradients differ in size and sign."""
    noise: Array = np.random.default_rng(t).normal(size=theta.shape)
    return np.asarray(3 * np.sin(2 * theta) + theta + noise)


def follow(section: OptimizerSection, start: Array) -> list[Array]:
    model = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
    model.weight = torch.nn.Parameter(torch.tensor(start))
    optimizer = build_optimizer(section, model, folder=Path())
    path = []
    for t in range(STEPS):
        model.weight.grad = torch.tensor(gradient(model.weight.detach().numpy().copy(), t))
        optimizer.step()
        path.append(model.weight.detach().numpy().copy())
    return path


def adam(start: Array, *, corrected: bool = True) -> list[Array]:
    theta, m, v, path = start.copy(), np.zeros_like(start), np.zeros_like(start), []
    for t in range(STEPS):
        g = gradient(theta, t)
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g**2
        m_hat = m / (1 - BETA1 ** (t + 1)) if corrected else m
        v_hat = v / (1 - BETA2 ** (t + 1)) if corrected else v
        theta = theta - LR * m_hat / (np.sqrt(v_hat) + EPS)
        path.append(theta)
    return path


def uncorrected_adam(start: Array) -> list[Array]:
    return adam(start, corrected=False)


def angulargrad(start: Array) -> list[Array]:
    theta, m, v, path = start.copy(), np.zeros_like(start), np.zeros_like(start), []
    g_before, angle_before = np.zeros_like(start), np.full_like(start, np.pi / 2)
    for t in range(STEPS):
        g = gradient(theta, t)
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g**2
        angle = np.arctan(np.abs((g - g_before) / (1 + g * g_before)))
        phi = np.tanh(np.abs(np.cos(np.minimum(angle_before, angle)))) * 0.5 + 0.5
        m_hat, v_hat = m / (1 - BETA1 ** (t + 1)), v / (1 - BETA2 ** (t + 1))
        theta = theta - LR * phi * m_hat / (np.sqrt(v_hat) + EPS)
        g_before, angle_before = g, angle
        path.append(theta)
    return path


def adainject(start: Array) -> list[Array]:
    theta, s, v, path = start.copy(), np.zeros_like(start), np.zeros_like(start), [start.copy()]
    for t in range(STEPS):
        g = gradient(theta, t)
        injected = g if t == 0 else (g + (path[-2] - path[-1]) * g**2) / 2
        s = BETA1 * s + (1 - BETA1) * injected
        v = BETA2 * v + (1 - BETA2) * g**2
        s_hat, v_hat = s / (1 - BETA1 ** (t + 1)), v / (1 - BETA2 ** (t + 1))
        theta = theta - LR * s_hat / (np.sqrt(v_hat) + EPS)
        path.append(theta)
    return path[1:]


def adabelief(start: Array) -> list[Array]:
    theta, m, s, path = start.copy(), np.zeros_like(start), np.zeros_like(start), []
    for t in range(STEPS):
        g = gradient(theta, t)
        m = BETA1 * m + (1 - BETA1) * g
        s = BETA2 * s + (1 - BETA2) * (g - m) ** 2 + EPS
        m_hat, s_hat = m / (1 - BETA1 ** (t + 1)), s / (1 - BETA2 ** (t + 1))
        theta = theta - LR * m_hat / (np.sqrt(s_hat) + EPS)
        path.append(theta)
    return path


def diffgrad(start: Array, eps: float) -> list[Array]:
    theta, m, v, path = start.copy(), np.zeros_like(start), np.zeros_like(start), []
    g_before = np.zeros_like(start)
    for t in range(STEPS):
        g = gradient(theta, t)
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g**2
        friction = 1 / (1 + np.exp(-np.abs(g_before - g)))
        m_hat, v_hat = m / (1 - BETA1 ** (t + 1)), v / (1 - BETA2 ** (t + 1))
        theta = theta - LR * friction * m_hat / (np.sqrt(v_hat) + eps)
        g_before = g
        path.append(theta)
    return path


@pytest.fixture
def start() -> Array:
    return np.random.default_rng(0).normal(size=(5, 3))


@pytest.mark.parametrize(
    ("name", "paper"), [("angulargrad", angulargrad), ("adainject", adainject), ("adabelief", adabelief)]
)
def test_variant_follows_its_paper(name: str, paper: Callable[[Array], list[Array]], start: Array) -> None:
    section = AdamVariant.model_validate({"name": name, "lr": LR, "betas": [BETA1, BETA2], "eps": EPS})
    np.testing.assert_allclose(follow(section, start), paper(start), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["angulargrad", "adainject", "adabelief", "diffgrad"])
def test_weight_decay_of_variants_joins_the_gradient(name: str) -> None:
    paths = []
    for in_gradient, in_optimizer in ((0.7, 0.0), (0.0, 0.7)):
        model = torch.nn.Linear(2, 2, bias=False, dtype=torch.float64)
        torch.nn.init.constant_(model.weight, 2.0)
        section = AdamVariant.model_validate({"name": name, "lr": LR, "weight_decay": in_optimizer})
        optimizer = build_optimizer(section, model, folder=Path())
        for t in range(5):
            noise = torch.tensor(gradient(np.ones((2, 2)), t))
            model.weight.grad = noise + in_gradient * model.weight.detach()
            optimizer.step()
        paths.append(model.weight.detach())
    torch.testing.assert_close(paths[0], paths[1])


def test_diffgrad_follows_its_paper_where_eps_is_small(start: Array) -> None:
    section = AdamVariant(name="diffgrad", lr=LR, betas=[BETA1, BETA2], eps=1e-12)
    np.testing.assert_allclose(follow(section, start), diffgrad(start, 1e-12), rtol=1e-8)


@pytest.mark.parametrize(("corrected", "paper"), [(True, adam), (False, uncorrected_adam)])
def test_adam_with_and_without_bias_correction(
    corrected: bool, paper: Callable[[Array], list[Array]], start: Array
) -> None:
    section = Adam(name="adam", lr=LR, betas=[BETA1, BETA2], eps=EPS, bias_correction=corrected)
    np.testing.assert_allclose(follow(section, start), paper(start), rtol=1e-9, atol=1e-12)


def test_the_first_uncorrected_step_is_too_long_by_the_ratio_of_the_corrections(start: Array) -> None:
    betas = [0.9, 0.999]
    corrected = follow(Adam(name="adam", betas=betas, eps=1e-12), start)[0] - start
    uncorrected = follow(Adam(name="adam", betas=betas, eps=1e-12, bias_correction=False), start)[0] - start
    np.testing.assert_allclose(uncorrected / corrected, 0.1 / np.sqrt(0.001), rtol=1e-6)


def test_angulargrad_takes_longer_steps_along_a_straight_path() -> None:
    def last_step(gradients: tuple[float, float, float]) -> float:
        model = torch.nn.Linear(1, 1, bias=False)
        section = AdamVariant(name="angulargrad", lr=LR, betas=[0.0, 0.0])
        optimizer = build_optimizer(section, model, folder=Path())
        for g in gradients:
            before = model.weight.item()
            model.weight.grad = torch.full((1, 1), g)
            optimizer.step()
        return abs(model.weight.item() - before)

    straight, turning = last_step((1.0, 1.0, 1.0)), last_step((1.0, -0.99, 1.0))
    assert straight == pytest.approx(LR * (0.5 * np.tanh(1.0) + 0.5), rel=1e-4)
    assert turning == pytest.approx(LR * 0.5, rel=0.02)


def test_sgd_ignores_momentum_and_nesterov_looks_ahead(start: Array) -> None:
    def paper(momentum: float, nesterov: bool) -> list[Array]:
        theta, velocity, path = start.copy(), np.zeros_like(start), []
        for t in range(STEPS):
            g = gradient(theta, t)
            velocity = momentum * velocity + g
            theta = theta - LR * (g + momentum * velocity if nesterov else velocity)
            path.append(theta)
        return path

    cases: list[tuple[Sgd, list[Array]]] = [
        (Sgd(name="sgd", lr=LR, momentum=0.7), paper(0.0, False)),
        (Sgd(name="momentum", lr=LR, momentum=0.7), paper(0.7, False)),
        (Sgd(name="nesterov", lr=LR, momentum=0.7), paper(0.7, True)),
    ]
    for section, expected in cases:
        np.testing.assert_allclose(follow(section, start), expected, rtol=1e-9, atol=1e-12)
