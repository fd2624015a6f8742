"""Loading as a whole: shapes, statistics, targets, limits, and which augmentation runs where."""

from pathlib import Path
from typing import get_args

import pytest
import torch

from dlcheck.components.batches import Batch, Batches
from dlcheck.components.data import DATA, LoadedData, LoaderBatches, TensorBatches, load_data
from dlcheck.components.data.scale import fit_scale
from dlcheck.errors import DlcheckError
from dlcheck.recipe import parse_recipe
from dlcheck.recipe.recipe import Recipe

CPU = torch.device("cpu")


def load(data: str, rest: str = "", fold: int | None = None) -> LoadedData:
    recipe = parse_recipe(f'[data]\n{data}\n{rest}\n[model]\nname = "mlp"', "test").recipe
    return load_data(recipe, folder=Path(), device=CPU, fold=fold)


def gather(batches: Batches | None) -> Batch:
    assert batches is not None
    return tuple(torch.cat(parts) for parts in zip(*batches.epoch(0), strict=True))


def test_every_kind_of_data_has_a_loader() -> None:
    union = get_args(Recipe.model_fields["data"].annotation)
    sections = set(get_args(union[0]) if len(union) == 1 else union)
    assert sections <= DATA.sections()


@pytest.mark.parametrize(
    ("name", "shape", "outputs", "samples"),
    [
        ("digits", (1, 8, 8), 10, 1797),
        ("iris", (4,), 3, 150),
        ("wine", (13,), 3, 178),
        ("breast_cancer", (30,), 2, 569),
        ("moons", (2,), 2, 1000),
        ("circles", (2,), 2, 1000),
        ("blobs", (10,), 3, 1000),
    ],
)
def test_classification_data(name: str, shape: tuple[int, ...], outputs: int, samples: int) -> None:
    data = load(f'name = "{name}"')
    x, y = gather(data.train)
    assert data.info.task == "classification"
    assert data.info.input_shape == shape == tuple(x.shape[1:])
    assert data.info.outputs == outputs == len(data.info.class_names)
    assert sum(data.info.sizes.values()) == samples
    assert data.info.class_counts == tuple(torch.bincount(y).tolist())
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)


@pytest.mark.parametrize("name", ["diabetes", "linear"])
def test_regression_targets_are_standardised_by_the_training_split(name: str) -> None:
    data = load(f'name = "{name}"')
    _, y = gather(data.train)
    assert y.shape[1] == data.info.outputs == 1
    assert y.mean().item() == pytest.approx(0, abs=1e-5)
    assert y.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert data.info.target_mean is not None
    assert data.info.target_std is not None
    if name == "diabetes":
        _, test = gather(data.test)
        original = test * data.info.target_std + data.info.target_mean
        assert torch.allclose(original, original.round(), atol=1e-3)  # the data set's targets are whole numbers


def test_linear_data_is_linear() -> None:
    x, y = gather(load('name = "linear"\nnoise = 0.0').train)
    with_bias = torch.cat((x, torch.ones(len(x), 1)), dim=1)
    solution = torch.linalg.lstsq(with_bias, y).solution
    assert (with_bias @ solution - y).abs().max() < 1e-4


def test_inputs_are_standardised_by_the_training_split_only() -> None:
    data = load('name = "wine"')
    train, _ = gather(data.train)
    val, _ = gather(data.val)
    assert torch.allclose(train.mean(0), torch.zeros(13), atol=1e-5)
    assert torch.allclose(train.std(0, correction=0), torch.ones(13), atol=1e-5)
    assert val.mean(0).abs().max() > 0.02


def test_minmax_and_none() -> None:
    scaled, _ = gather(load('name = "wine"\nnormalize = "minmax"').train)
    raw, _ = gather(load('name = "digits"\nnormalize = "none"').train)
    assert torch.allclose(scaled.amin(0), torch.zeros(13))
    assert torch.allclose(scaled.amax(0), torch.ones(13))
    assert (raw.min().item(), raw.max().item()) == (0, 16)


class TestScale:
    def test_constant_columns_do_not_divide_by_zero(self) -> None:
        x = torch.stack((torch.full((50,), 1e6), torch.arange(50.0)), dim=1)
        for scale in (fit_scale(x, "standardize"), fit_scale(x, "minmax")):
            scaled = scale(x)
            assert torch.equal(scaled[:, 0], torch.zeros(50))
            assert bool(torch.isfinite(scaled).all())

    def test_bytes_and_floats_have_the_same_statistics(self) -> None:
        images = torch.randint(0, 200, (1300, 3, 4, 5), dtype=torch.uint8)
        of_bytes, of_floats = fit_scale(images, "standardize"), fit_scale(images / 255, "standardize")
        for name in ("shift", "divisor", "low", "high", "mean"):
            assert torch.allclose(getattr(of_bytes, name), getattr(of_floats, name), atol=1e-6)
        assert of_bytes.shift.shape == (3, 1, 1)

    def test_chunks_merge_to_the_whole(self) -> None:
        x = torch.randn(1301, 4) * torch.tensor([1.0, 10.0, 0.1, 1.0]) + 1000
        scale = fit_scale(x, "standardize")
        assert torch.allclose(scale.divisor, x.double().std(0, correction=0).float(), rtol=1e-5)

    def test_series_are_scaled_by_feature(self) -> None:
        x = torch.randn(20, 30, 2) * torch.tensor([1.0, 50.0])
        assert torch.allclose(fit_scale(x, "standardize")(x).std((0, 1), correction=0), torch.ones(2), atol=1e-4)


@pytest.mark.parametrize("in_memory", ["true", "false"])
def test_reconstruction_targets_are_the_normalised_inputs(in_memory: str) -> None:
    data = load(f'name = "digits"\ntask = "reconstruction"\nworkers = 0\nin_memory = {in_memory}')
    x, target = gather(data.train)
    assert torch.equal(x, target)
    assert data.info.outputs == 64
    assert x.std(correction=0).item() == pytest.approx(1, abs=1e-4)


def test_noise_leaves_the_reconstruction_target_clean() -> None:
    data = load('name = "digits"\ntask = "reconstruction"\nin_memory = false\nworkers = 0', "[augment]\nnoise = 0.1")
    clean, _ = gather(load('name = "digits"\ntask = "reconstruction"').train)
    x, target = gather(data.train)
    assert torch.allclose(target, clean, atol=1e-5)
    assert (x - target).abs().mean() > 0.01


def test_in_memory_and_loaded_batches_agree() -> None:
    here, there = load('name = "digits"'), load('name = "digits"\nin_memory = false\nworkers = 0')
    assert isinstance(here.train, TensorBatches)
    assert isinstance(there.train, LoaderBatches)
    for name in ("train", "val", "test", "train_eval"):
        pairs = zip(gather(getattr(here, name)), gather(getattr(there, name)), strict=True)
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)


def test_train_eval_is_a_fixed_part_of_training_as_large_as_validation() -> None:
    data = load('name = "digits"')
    assert data.train_eval.samples == data.info.sizes["val"] == 359
    first, second = (torch.cat([x for x, _ in data.train_eval.epoch(epoch)]) for epoch in (0, 1))
    assert torch.equal(first, second)
    known = {tuple(x.flatten().tolist()) for x in gather(data.train)[0]}
    assert all(tuple(x.flatten().tolist()) in known for x in first)
    assert load('name = "diabetes"').train_eval.samples == 256
    assert load('name = "iris"').train_eval.samples == 90


def test_limit_takes_training_samples_by_class_and_nothing_else() -> None:
    whole, some, share = (load(f'name = "digits"{limit}') for limit in ("", "\nlimit = 100", "\nlimit = 0.1"))
    assert some.info.sizes == {**whole.info.sizes, "train": 100}
    assert share.info.sizes["train"] == 108
    assert max(some.info.class_counts) - min(some.info.class_counts) <= 1
    assert load('name = "iris"\nlimit = 5000').info.sizes["train"] == 90


def test_train_seed_reorders_but_does_not_resplit() -> None:
    first, other = load('name = "iris"'), load('name = "iris"', "[train]\nseed = 9")
    assert torch.equal(gather(first.test)[0], gather(other.test)[0])
    assert not torch.equal(gather(first.train)[0], gather(other.train)[0])
    assert torch.equal(gather(first.train)[0].sort(0).values, gather(other.train)[0].sort(0).values)


def test_shuffle_off_and_full_batch() -> None:
    data = load('name = "iris"\nshuffle = false', '[train]\nbatch_size = "full"')
    assert len(data.train) == 1
    _, y = next(iter(data.train.epoch(0)))
    assert torch.equal(y, y.sort().values)


def test_folds() -> None:
    splits = [load('name = "iris"', "[data.split]\nfolds = 5", fold=fold) for fold in range(5)]
    assert len({tuple(gather(data.test)[1].tolist()) for data in splits}) == 1
    assert sum(data.info.sizes["val"] for data in splits) == 120
    with pytest.raises(DlcheckError, match=r"data\.split\.folds"):
        load('name = "iris"', fold=1)


def test_sample_is_a_small_fixed_batch() -> None:
    data, again = load('name = "digits"'), load('name = "digits"')
    assert 32 <= len(data.sample[0]) <= 64
    assert torch.equal(data.sample[0], again.sample[0])
    assert len(set(data.sample[1].tolist())) > 5


def test_augmentation_runs_on_batches_in_memory_and_on_samples_otherwise() -> None:
    on = "[augment]\nbrightness = 0.5"
    batch = load('name = "digits"', on)
    sample = load('name = "digits"\nin_memory = false\nworkers = 0', on)
    forced = load('name = "digits"', '[augment]\nbrightness = 0.5\nwhere = "sample"')
    assert batch.augment is not None
    assert batch.info.batch_augment
    for data in (sample, forced):
        assert data.augment is None
        assert not data.info.batch_augment
        assert isinstance(data.train, LoaderBatches)
        first, second = (torch.cat([x for x, _ in data.train.epoch(epoch)]) for epoch in (0, 0))
        assert torch.equal(first, second)
        assert not torch.equal(first.sort(0).values, gather(load('name = "digits"').train)[0].sort(0).values)


def test_evaluation_is_never_augmented() -> None:
    plain = load('name = "digits"')
    changed = load('name = "digits"\nin_memory = false\nworkers = 0', "[augment]\nrotate = 90.0\nnoise = 0.3")
    for name in ("val", "test", "train_eval"):
        assert torch.allclose(gather(getattr(plain, name))[0], gather(getattr(changed, name))[0], atol=1e-5)
    assert torch.allclose(plain.sample[0], changed.sample[0], atol=1e-5)


def test_off_costs_nothing() -> None:
    data = load('name = "digits"')
    assert data.augment is None
    assert data.eval_crops is None
    assert load('name = "digits"', "[augment]\neval_crops = 10").eval_crops is not None


@pytest.mark.parametrize(
    ("data", "rest", "message"),
    [
        ('name = "iris"', "[augment]\nrotate = 5.0", r"augment\.rotate: samples of shape \(4,\) are no images"),
        ('name = "iris"', "[augment]\neval_crops = 10", r"augment\.eval_crops"),
        ('name = "digits"\ntask = "reconstruction"', "[augment]\nrotate = 5.0", "moves the input"),
        ('name = "digits"', "[augment]\npad_crop = 9", r"augment\.pad_crop = 9: larger than the image"),
        ('name = "diabetes"\ntask = "classification"', "", r"data\.task"),
        ('name = "linear"\ntask = "classification"', "", r"data\.task"),
        ('name = "iris"', '[data.split]\nmethod = "given"', "one piece"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(data: str, rest: str, message: str) -> None:
    with pytest.raises(DlcheckError, match=message) as caught:
        load(data, rest)
    assert "\n" not in str(caught.value)
