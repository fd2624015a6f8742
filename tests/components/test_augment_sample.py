"""Augmentation of single samples through torchvision: same amounts and bounds as for whole batches."""

from typing import Any

import pytest
import torch

from dlcheck.components.augment import Images, SampleAugment, augment_samples
from dlcheck.recipe.data import Augment


def facts(channels: int, side: int, low: float = 0.0, high: float = 1.0) -> Images:
    values = [torch.full((channels, 1, 1), value) for value in (low, high, (low + high) / 2)]
    return Images((channels, side, side), *values)


def augment(images: Images, **keys: Any) -> SampleAugment:
    found = augment_samples(Augment(**keys), images)
    assert found is not None
    return found


def test_nothing_on_is_none() -> None:
    assert augment_samples(Augment(), facts(3, 8)) is None


@pytest.mark.parametrize(
    "keys",
    [
        {"flip_horizontal": True, "flip_vertical": True},
        {"crop": 0.3},
        {"pad_crop": 2},
        {"translate": 0.2},
        {"scale": 0.3},
        {"rotate": 20.0},
        {"shear": 10.0},
        {"brightness": 0.3},
        {"contrast": 0.3},
        {"colour_cast": 0.2},
        {"distort": 1.0},
        {"noise": 0.1},
        {"erase": 1.0},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_each_key_changes_the_image_and_keeps_its_shape_and_range(keys: dict[str, Any]) -> None:
    image = torch.rand(3, 16, 16) * 16
    change = augment(facts(3, 16, 0.0, 16.0), **keys)
    changed = [change(image) for _ in range(8)]
    assert any(not torch.allclose(each, image, atol=1e-4) for each in changed)
    for each in changed:
        assert (each.shape, each.dtype) == (image.shape, torch.float32)
        assert each.min() >= -1e-4
        assert each.max() <= 16 + 1e-4


def test_bytes_come_back_between_0_and_1() -> None:
    image = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)
    changed = augment(facts(3, 8), brightness=1e-9)(image)
    assert torch.allclose(changed, image / 255, atol=1e-6)


def test_the_global_seed_decides() -> None:
    image, change = torch.rand(3, 16, 16), augment(facts(3, 16), rotate=30.0, noise=0.1, colour_cast=0.1)
    torch.manual_seed(3)
    first = change(image)
    torch.manual_seed(3)
    assert torch.equal(first, change(image))
    assert not torch.equal(first, change(image))


def test_brightness_stays_within_bounds() -> None:
    change = augment(facts(1, 2, 0.0, 16.0), brightness=0.2)
    values = torch.stack([change(torch.full((1, 2, 2), 8.0)) for _ in range(300)]) / 8
    assert 0.799 <= values.min() < 0.83
    assert 1.17 < values.max() <= 1.201


def test_noise_has_the_asked_for_share_of_the_range() -> None:
    change = augment(facts(1, 64, -10.0, 10.0), noise=0.05)
    assert change(torch.zeros(1, 64, 64)).std().item() == pytest.approx(1.0, rel=0.05)


def test_distortion_moves_pixels_by_the_asked_for_amount() -> None:
    ramp = torch.arange(28.0).repeat(28, 1)[None]  # each pixel's value is its place
    change = augment(facts(1, 28, 0.0, 27.0), distort=1.0)
    moved = torch.stack([change(ramp) - ramp for _ in range(60)])[..., 6:-6, 6:-6]
    assert moved.std().item() == pytest.approx(1.0, rel=0.25)


def test_erasing_blanks_with_the_mean() -> None:
    change = augment(facts(3, 16, 0.0, 4.0), erase=1.0)
    values = torch.unique(change(torch.full((3, 16, 16), 4.0))).tolist()
    assert values == pytest.approx([2.0, 4.0])
