import pytest
import torch
from torch import Tensor, nn

from dlcheck.components.decorrelation import DecorrelatedBatchNorm, inverse_root
from dlcheck.components.normalizations import group_count, keeps_bias, make_norm, weight_normalized
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Normalization


def image_batch() -> Tensor:
    return torch.randn(8, 16, 5, 5) * torch.linspace(0.5, 4, 16)[:, None, None] + 3


@pytest.mark.parametrize(
    ("name", "axes"),
    [("batch", (0, 2, 3)), ("instance", (2, 3)), ("layer", (1, 2, 3))],
)
def test_normalises_over_the_axes_of_its_name(name: Normalization, axes: tuple[int, ...]) -> None:
    y = make_norm(name, 16, 2)(image_batch())
    mean, variance = y.mean(dim=axes), y.var(dim=axes, correction=0)
    torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-4)
    torch.testing.assert_close(variance, torch.ones_like(variance), rtol=0, atol=1e-2)


def test_group_norm_has_groups_of_at_least_four_channels() -> None:
    assert [group_count(channels) for channels in (4, 6, 8, 12, 32, 64, 7)] == [1, 1, 2, 3, 8, 8, 1]
    y = make_norm("group", 16, 2)(image_batch()).unflatten(1, (4, 4))
    torch.testing.assert_close(y.mean(dim=(2, 3, 4)), torch.zeros(8, 4), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["none", "weight"])
def test_nothing_follows_the_layer(name: Normalization) -> None:
    x = image_batch()
    torch.testing.assert_close(make_norm(name, 16, 2)(x), x)


def test_instance_norm_of_vectors_is_refused() -> None:
    with pytest.raises(DlcheckError, match=r"model\.norm = \"instance\".*valid here"):
        make_norm("instance", 8, 1)


@pytest.mark.parametrize("name", ["batch", "instance", "decorrelated", "layer", "group"])
def test_bias_is_kept_exactly_where_it_has_an_effect(name: Normalization) -> None:
    x, bias = image_batch(), torch.linspace(-2, 2, 16)[:, None, None]
    norm = make_norm(name, 16, 2)
    unmoved = torch.allclose(norm(x), norm(x + bias), atol=1e-3)
    assert unmoved == (not keeps_bias(name))


def test_weight_norm_keeps_the_weight_and_splits_off_its_length() -> None:
    layer = nn.Linear(5, 3)
    before = layer.weight.detach().clone()
    weight_normalized(layer)
    torch.testing.assert_close(layer.weight, before)
    lengths = layer.get_parameter("parametrizations.weight.original0")
    torch.testing.assert_close(lengths.flatten(), before.norm(dim=1))


def correlated(*shape: int) -> Tensor:
    x = torch.randn(*shape)
    mixing = torch.randn(shape[1], shape[1]) + 2 * torch.eye(shape[1])
    return torch.einsum("ij,bj...->bi...", mixing, x) + 5


def group_covariance(y: Tensor, size: int) -> Tensor:
    flat = y.transpose(0, 1).flatten(1)
    grouped = flat.reshape(-1, size, flat.shape[1])
    return grouped @ grouped.mT / flat.shape[1]


@pytest.mark.parametrize("shape", [(512, 8), (64, 32, 5, 5), (128, 6, 9)])
def test_decorrelation_whitens_each_group_in_training(shape: tuple[int, ...]) -> None:
    norm = DecorrelatedBatchNorm(shape[1], eps=1e-5)
    y = norm(correlated(*shape))
    assert y.shape == shape
    covariance = group_covariance(y, norm.size)
    torch.testing.assert_close(covariance, torch.eye(norm.size).expand_as(covariance), rtol=0, atol=2e-2)


def test_decorrelation_is_zca_the_whitening_nearest_to_the_input() -> None:
    x = torch.randn(4096, 2) * torch.tensor([3.0, 0.5])
    y = DecorrelatedBatchNorm(2)(x)
    centred = x - x.mean(dim=0)
    torch.testing.assert_close(y, centred / centred.std(dim=0), rtol=0, atol=0.1)


def test_decorrelation_in_evaluation_uses_running_statistics_of_each_sample_alone() -> None:
    norm = DecorrelatedBatchNorm(8, eps=1e-5)
    x = correlated(2048, 8)
    for _ in range(100):
        norm(x)
    norm.eval()
    torch.testing.assert_close(norm(x[:1]), norm(x)[:1])
    torch.testing.assert_close(group_covariance(norm(x), 8)[0], torch.eye(8), rtol=0, atol=2e-2)


def test_decorrelation_has_scale_and_shift_per_channel() -> None:
    norm = DecorrelatedBatchNorm(4)
    with torch.no_grad():
        norm.weight.fill_(2.0)
        norm.bias.fill_(7.0)
    y = norm(torch.randn(1000, 4))
    torch.testing.assert_close(y.mean(dim=0), torch.full((4,), 7.0), rtol=0, atol=1e-3)
    torch.testing.assert_close(y.std(dim=0), torch.full((4,), 2.0), rtol=0, atol=2e-2)


def test_decorrelation_groups_have_at_most_sixteen_channels() -> None:
    assert [DecorrelatedBatchNorm(channels).size for channels in (8, 16, 24, 64, 17)] == [8, 16, 12, 16, 1]


def test_gradient_of_the_inverse_root_is_that_of_finite_differences() -> None:
    factors = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)

    def whitening(a: Tensor) -> Tensor:
        return inverse_root(a @ a.mT + torch.eye(4, dtype=torch.float64))

    assert torch.autograd.gradcheck(whitening, (factors,))


def test_gradient_stays_finite_when_eigenvalues_coincide() -> None:
    matrix = (2 * torch.eye(5)).requires_grad_()
    inverse_root(matrix)[0, 0].backward()  # type: ignore[no-untyped-call]
    assert matrix.grad is not None
    assert matrix.grad[0, 0].item() == pytest.approx(-0.5 * 2**-1.5)


def test_decorrelation_works_under_mixed_precision() -> None:
    norm = make_norm("decorrelated", 8, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = norm(correlated(512, 8).bfloat16())
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(group_covariance(y.float(), 8)[0], torch.eye(8), rtol=0, atol=0.15)
