"""Captions of digits: every word can be read off the image, tokens are shifted and padded."""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

from dlcheck.components.data import LoadedData, load_data
from dlcheck.components.data.digit_captions import IGNORED, NUMBERS, VOCABULARY, describe, measure_looks
from dlcheck.recipe.recipe import Recipe


def load() -> LoadedData:
    recipe = Recipe.model_validate({"data": {"name": "digit_captions"}, "model": {"name": "captioner"}})
    return load_data(recipe, folder=Path(), device=torch.device("cpu"))


def test_tokens_out_are_tokens_in_one_later_and_padding_is_ignored() -> None:
    data = load()
    images, into, out = (torch.cat(parts) for parts in zip(*data.train.epoch(0), strict=True))
    start, stop, pad = (VOCABULARY.index(word) for word in ("<start>", "<stop>", "<pad>"))
    assert images.shape[1:] == (1, 8, 8)
    assert bool((into[:, 0] == start).all())
    lengths = set()
    for tokens, targets in zip(into, out, strict=True):
        length = int((targets != IGNORED).sum())
        assert targets[length - 1] == stop
        assert torch.equal(tokens[1:length], targets[: length - 1])
        assert bool((tokens[length:] == pad).all())
        lengths.add(length)
    assert len(lengths) > 2


def test_info_describes_the_words() -> None:
    info = load().info
    assert info.task == "caption"
    assert info.vocabulary == VOCABULARY
    assert info.outputs == len(VOCABULARY) == len(info.class_counts)
    assert info.class_counts[VOCABULARY.index("<stop>")] == info.sizes["train"]


def test_measures_follow_the_pixels() -> None:
    wide, narrow, diagonal = (np.zeros((8, 8)) for _ in range(3))
    wide[3:5, :] = 16
    narrow[:, 3:5] = 8
    diagonal[np.arange(8), np.arange(8)] = 16
    looks = measure_looks(np.stack([wide, narrow, diagonal]))
    assert looks.width[0] > 3 > 1 > looks.width[1]
    assert looks.ink[0] == 2 * looks.ink[1]
    assert np.allclose(looks.slant, [0, 0, 1], atol=1e-6)


def test_each_word_stands_for_a_third_of_the_images_and_its_measure() -> None:
    bunch = load_digits()
    captions = describe(bunch.images, bunch.target)
    looks = measure_looks(bunch.images)
    for measure, small, large in (
        (looks.width, "narrow", "wide"),
        (looks.ink, "light", "dark"),
        (looks.slant, "upright", "slanted"),
    ):
        low = np.array([small in caption.split() for caption in captions])
        high = np.array([large in caption.split() for caption in captions])
        assert measure[low].max() < measure[~low & ~high].min()
        assert measure[high].min() > measure[~low & ~high].max()
        assert abs(low.mean() - 1 / 3) < 0.02
    assert all(caption.split()[-1] == NUMBERS[digit] for caption, digit in zip(captions, bunch.target, strict=True))
