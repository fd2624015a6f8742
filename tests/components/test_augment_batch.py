"""Augmentation of whole batches: what each key does to the pixels, within its bounds, and only to them."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from dlcheck.components.augment import BatchAugment, Images, augment_batches, ten_crops
from dlcheck.components.augment.geometry import affine_maps, displacement
from dlcheck.recipe.data import Augment

CPU = torch.device("cpu")
ALL: dict[str, Any] = {
    "flip_horizontal": True,
    "flip_vertical": True,
    "crop": 0.5,
    "pad_crop": 2,
    "translate": 0.1,
    "scale": 0.1,
    "rotate": 10.0,
    "shear": 5.0,
    "brightness": 0.2,
    "contrast": 0.2,
    "colour_cast": 0.1,
    "distort": 0.5,
    "noise": 0.05,
    "erase": 0.5,
}


def facts(shape: tuple[int, int, int] = (3, 16, 16), low: float = 0.0, high: float = 1.0) -> Images:
    def each(value: float) -> Tensor:
        return torch.full((shape[0], 1, 1), value)

    return Images(shape, each(low), each(high), each((low + high) / 2))


def augment(images: Images | None = None, **keys: Any) -> BatchAugment:
    found = augment_batches(Augment(**keys), images or facts())
    assert found is not None
    return found


def test_nothing_on_is_none() -> None:
    assert augment_batches(Augment(), facts()) is None


@pytest.mark.parametrize("keys", [{key: value} for key, value in ALL.items()] + [ALL], ids=[*ALL, "all"])
@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 8, 12)])
def test_each_key_changes_pixels_but_not_shape_type_or_the_given_batch(
    keys: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    x = torch.rand(32, *shape)
    before = x.clone()
    changed = augment(facts(shape), **keys)(x)
    assert torch.equal(x, before)
    assert (changed.shape, changed.dtype) == (x.shape, x.dtype)
    assert not torch.equal(changed, x)
    assert bool(torch.isfinite(changed).all())


@pytest.mark.parametrize("key", list(ALL))
def test_samples_of_a_batch_differ(key: str) -> None:
    x = torch.rand(1, 3, 16, 16).repeat(64, 1, 1, 1)
    assert len({tuple(image.flatten().tolist()) for image in augment(**{key: ALL[key]})(x)}) > 1


def test_the_global_seed_decides() -> None:
    x, change = torch.rand(8, 3, 16, 16), augment(**ALL)
    torch.manual_seed(5)
    first = change(x)
    assert not torch.equal(first, change(x))
    torch.manual_seed(5)
    assert torch.equal(first, change(x))


@pytest.mark.parametrize(("key", "axis"), [("flip_horizontal", -1), ("flip_vertical", -2)])
def test_half_of_the_images_are_mirrored(key: str, axis: int) -> None:
    x = torch.rand(2000, 1, 4, 4)
    changed = augment(facts((1, 4, 4)), **{key: True})(x)
    mirrored = (changed == x.flip(axis)).all(dim=(1, 2, 3))
    kept = (changed == x).all(dim=(1, 2, 3))
    assert bool((mirrored | kept).all())
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=0.05)


def angles_of(matrix: Tensor) -> Tensor:
    return torch.rad2deg(torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]))


def test_turns_stay_within_the_angle_and_are_rigid() -> None:
    matrix, shift = affine_maps(5000, (20, 30), Augment(rotate=25.0), CPU)
    angles = angles_of(matrix)
    assert angles.abs().max() <= 25.001
    assert angles.abs().max() > 24
    assert angles.mean().abs() < 1
    assert torch.allclose(matrix @ matrix.mT, torch.eye(2).expand(5000, 2, 2), atol=1e-5)
    assert bool((shift == 0).all())


def test_a_quarter_turn_of_pixels_is_a_quarter_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.ones(*shape))  # always the largest amount
    x = torch.rand(2, 3, 16, 16)
    turned = augment(rotate=90.0)(x)
    assert torch.allclose(turned, x.rot90(1, (2, 3)), atol=1e-4) or torch.allclose(
        turned, x.rot90(-1, (2, 3)), atol=1e-4
    )


def test_zoom_shift_and_shear_stay_within_bounds() -> None:
    zoom, _ = affine_maps(5000, (20, 30), Augment(scale=0.2), CPU)
    factor = 1 / zoom[:, 0, 0]
    assert 0.799 <= factor.min() < 0.82
    assert 1.18 < factor.max() <= 1.201
    _, shift = affine_maps(5000, (20, 30), Augment(translate=0.1), CPU)
    assert shift.abs().amax(0).tolist() == pytest.approx([3.0, 2.0], rel=0.01)
    slanted, _ = affine_maps(5000, (20, 30), Augment(shear=45.0), CPU)
    assert slanted[:, 0, 1].abs().max().item() == pytest.approx(math.tan(math.pi / 4), rel=0.01)
    assert torch.allclose(slanted[:, 1, 0], torch.zeros(5000), atol=1e-6)


def test_crops_keep_at_least_their_share_and_stay_inside() -> None:
    matrix, shift = affine_maps(5000, (20, 30), Augment(crop=0.3), CPU)
    kept = torch.stack((matrix[:, 0, 0], matrix[:, 1, 1]), dim=1)
    area = kept.prod(1)
    assert area.max() <= 1
    assert area.min() >= 0.3 * 0.999
    assert area.mean().item() == pytest.approx(0.65, abs=0.05)
    half = torch.tensor([15.0, 10.0])
    assert bool((shift.abs() + kept * half <= half + 1e-4).all())


def test_pad_crop_moves_by_whole_pixels_and_fills_with_the_lowest_value() -> None:
    x = torch.rand(200, 1, 8, 8) + 1
    changed = augment(facts((1, 8, 8), low=-2.0, high=2.0), pad_crop=2)(x)
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2), value=-2.0)
    places = set()
    for image, frame in zip(changed, padded, strict=True):
        found = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if torch.allclose(image, frame[:, top : top + 8, left : left + 8], atol=1e-4)
        ]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) == 25


def test_distortion_has_the_asked_for_size_and_is_smooth() -> None:
    field = displacement(200, (28, 28), 1.5, CPU)
    assert field.std().item() == pytest.approx(1.5, rel=0.01)
    steps = (field[..., 1:] - field[..., :-1]).std()
    assert steps < 0.4 * field.std()  # white noise: √2 times
    assert displacement(2, (5, 3), 1.0, CPU).shape == (2, 2, 5, 3)


def test_brightness_scales_from_the_lowest_value_within_bounds() -> None:
    x = torch.full((3000, 1, 2, 2), 0.5)
    change = augment(facts((1, 2, 2), low=-1.0, high=5.0), brightness=0.2)
    factor = (change(x)[:, 0, 0, 0] + 1) / 1.5
    assert 0.799 <= factor.min() < 0.81
    assert 1.19 < factor.max() <= 1.201
    assert factor.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(change(torch.full_like(x, -1.0)), torch.full_like(x, -1.0))


def test_contrast_keeps_the_mean_and_scales_the_spread() -> None:
    x = 0.5 + 0.1 * torch.randn(500, 3, 16, 16).clamp(-2, 2)
    changed = augment(contrast=0.5)(x)
    factor = changed.std((1, 2, 3)) / x.std((1, 2, 3))
    assert torch.allclose(changed.mean((2, 3)), x.mean((2, 3)), atol=1e-4)
    assert 0.49 < factor.min() < 0.55
    assert 1.45 < factor.max() < 1.51


def test_colour_cast_shifts_each_channel_by_itself() -> None:
    x = torch.full((2000, 3, 2, 2), 5.0)
    shift = augment(facts((3, 2, 2), low=0.0, high=10.0), colour_cast=0.1)(x)[:, :, 0, 0] - 5
    assert 0.95 < shift.abs().max() <= 1.0
    assert torch.corrcoef(shift.T)[0, 1].abs() < 0.1


def test_noise_is_a_share_of_the_value_range_and_values_stay_inside() -> None:
    images = facts((1, 16, 16), low=-10.0, high=10.0)
    changed = augment(images, noise=0.05)(torch.zeros(200, 1, 16, 16))
    assert changed.std().item() == pytest.approx(1.0, rel=0.02)
    wild = augment(images, noise=1.0, brightness=3.0)(torch.zeros(50, 1, 16, 16))
    assert wild.min() >= -10
    assert wild.max() <= 10


def test_erase_blanks_one_rectangle_with_its_probability() -> None:
    x = torch.ones(1000, 3, 16, 16)
    changed = augment(erase=0.3)(x)
    blank = changed[:, 0] == 0.5
    assert torch.equal(blank, changed[:, 2] == 0.5)
    hit = blank.flatten(1).any(1)
    assert hit.float().mean().item() == pytest.approx(0.3, abs=0.06)
    for mask in blank[hit]:
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert mask.sum() == rows * columns
    area = blank[hit].float().mean((1, 2))
    assert area.max() < 0.45


class TestTenCrops:
    def test_corners_centre_and_their_mirror_images(self) -> None:
        x = torch.arange(64.0).reshape(1, 1, 8, 8)
        crops = ten_crops(x)
        assert [crop.shape for crop in crops] == [x.shape] * 10
        corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
        for crop, (row, column) in zip(crops[:4], corners, strict=True):
            assert crop[0, 0, row, column] == x[0, 0, row, column]
        for plain, mirrored in zip(crops[:5], crops[5:], strict=True):
            assert torch.equal(plain.flip(-1), mirrored)

    def test_constant_images_stay(self) -> None:
        x = torch.full((2, 3, 224, 224), 0.7)
        assert all(torch.allclose(crop, x) for crop in ten_crops(x))
