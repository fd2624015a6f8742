"""Images from folders and from torchvision's data sets, in memory and read on demand."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlcheck.components.batches import Batch, Batches
from dlcheck.components.data import LoadedData, LoaderBatches, TensorBatches, load_data
from dlcheck.errors import DlcheckError
from dlcheck.recipe.recipe import Recipe

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

SHADES = {"dark": 40, "light": 210}


def load(name: str, root: Path, augment: dict[str, Any] | None = None, source: str = "", **keys: Any) -> LoadedData:
    data = {"name": name, "root": str(root), **keys}
    recipe = Recipe.model_validate({"data": data, "model": {"name": "cnn"}, "augment": augment or {}, "source": source})
    return load_data(recipe, folder=Path(), device=torch.device("cpu"))


def gather(batches: Batches | None) -> Batch:
    assert batches is not None
    return tuple(torch.cat(parts) for parts in zip(*batches.epoch(0), strict=True))


def paint(folder: Path, count: int, classes: tuple[str, ...] = ("dark", "light")) -> None:
    """Write photos of many sizes; those of a class have its shade."""
    generator = np.random.default_rng(count)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            height, width = generator.integers(20, 60, 2)
            noise = generator.integers(-20, 20, (height, width, 3))
            pixels = (SHADES.get(name, 120) + noise).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.{'jpg' if i % 2 else 'png'}")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of two classes without splits."""
    paint(tmp_path, 20)
    return tmp_path


class TestFolder:
    @pytest.mark.parametrize("in_memory", [True, False])
    def test_photos_of_any_size_become_squares_with_their_class(self, photos: Path, in_memory: bool) -> None:
        data = load("image_folder", photos, image_size=16, in_memory=in_memory, normalize="none", workers=0)
        assert isinstance(data.train, TensorBatches if in_memory else LoaderBatches)
        x, y = gather(data.train)
        assert data.info.input_shape == tuple(x.shape[1:]) == (3, 16, 16)
        assert data.info.class_names == ("dark", "light")
        assert data.info.sizes == {"train": 24, "val": 8, "test": 8}
        assert torch.equal((x.mean((1, 2, 3)) > 0.5).long(), y)

    def test_memory_and_disk_give_the_same_pixels(self, photos: Path) -> None:
        here = load("image_folder", photos, image_size=16)
        there = load("image_folder", photos, image_size=16, in_memory=False, workers=2)
        assert isinstance(here.train, TensorBatches)
        pairs = zip(gather(here.val), gather(there.val), strict=True)
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)

    def test_too_large_for_the_limit_is_read_on_demand(self, photos: Path) -> None:
        data = load("image_folder", photos, image_size=16, memory_limit_gib=1e-5)
        assert isinstance(data.train, LoaderBatches)

    def test_the_centre_is_kept_and_not_stretched(self, tmp_path: Path) -> None:
        paint(tmp_path, 5)
        wide = np.zeros((30, 90, 3), dtype=np.uint8)
        wide[:, 30:60] = 255  # a white square in the middle of three
        for name in SHADES:
            for i in range(5):
                Image.fromarray(wide).save(tmp_path / name / f"{i}.png")
                (tmp_path / name / f"{i}.jpg").unlink(missing_ok=True)
        x, _ = gather(load("image_folder", tmp_path, image_size=16, resize=16, normalize="none").train)
        assert x[..., 2:-2].min() == 1

    def test_grey(self, photos: Path) -> None:
        assert load("image_folder", photos, image_size=8, channels=1).info.input_shape == (1, 8, 8)

    @pytest.mark.parametrize("alias", ["val", "valid", "validation"])
    def test_folders_of_splits_are_used(self, tmp_path: Path, alias: str) -> None:
        paint(tmp_path / "train", 6)
        paint(tmp_path / alias, 4)
        assert load("image_folder", tmp_path, image_size=8).info.sizes == {"train": 12, "val": 8}
        for name in SHADES:
            (tmp_path / "test" / name).mkdir(parents=True)
            (tmp_path / alias / name / "0.png").rename(tmp_path / "test" / name / "0.png")
        assert load("image_folder", tmp_path, image_size=8).info.sizes == {"train": 12, "val": 6, "test": 2}

    def test_a_test_set_can_be_drawn_beside_given_validation(self, tmp_path: Path) -> None:
        paint(tmp_path / "train", 10)
        paint(tmp_path / "val", 4)
        data = load("image_folder", tmp_path, image_size=8, split={"test": 0.2})
        assert data.info.sizes == {"train": 16, "val": 8, "test": 4}

    @pytest.mark.parametrize("in_memory", [True, False])
    def test_folds_pool_training_and_validation(self, tmp_path: Path, in_memory: bool) -> None:
        paint(tmp_path / "train", 6)
        paint(tmp_path / "val", 3)
        paint(tmp_path / "test", 2)
        data = load("image_folder", tmp_path, image_size=8, in_memory=in_memory, split={"folds": 3})
        assert data.info.sizes == {"train": 12, "val": 6, "test": 4}

    def test_random_crops_while_reading_are_for_training_only(self, photos: Path) -> None:
        settings: dict[str, Any] = {"image_size": 16, "in_memory": False, "workers": 0}
        plain = load("image_folder", photos, **settings)
        cropped = load("image_folder", photos, {"crop": 0.3}, **settings)
        first, second = (torch.cat([x for x, _ in cropped.train.epoch(epoch)]) for epoch in (0, 0))
        assert torch.equal(first, second)
        assert not torch.allclose(first, gather(plain.train)[0], atol=0.05)
        for name in ("val", "test", "train_eval"):
            assert torch.equal(gather(getattr(plain, name))[0], gather(getattr(cropped, name))[0])

    @pytest.mark.parametrize("in_memory", [True, False])
    @pytest.mark.parametrize("content", [b"", b"not an image", None])
    def test_a_damaged_file_is_named(self, photos: Path, in_memory: bool, content: bytes | None) -> None:
        file = photos / "dark" / "1.jpg"
        file.write_bytes(file.read_bytes()[:200] if content is None else content)

        def read() -> None:
            data = load("image_folder", photos, image_size=8, in_memory=in_memory, workers=2, normalize="none")
            for batches in (data.train, data.val, data.test):
                gather(batches)

        with pytest.raises(DlcheckError, match=r"dark/1\.jpg: cannot be read as an image") as caught:
            read()
        assert "\n" not in str(caught.value)

    def test_structure_that_is_wrong_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DlcheckError, match=r"no such folder; get the data from URL, and point data\.root to it"):
            load("image_folder", tmp_path / "none", source="URL")
        with pytest.raises(DlcheckError, match="no sub-folders"):
            load("image_folder", tmp_path)
        paint(tmp_path / "train", 2)
        paint(tmp_path / "val", 2, ("dark", "odd"))
        with pytest.raises(DlcheckError, match="class 'light' has a folder in train, but none in val"):
            load("image_folder", tmp_path)
        (tmp_path / "train" / "empty").mkdir()
        with pytest.raises(DlcheckError, match="empty: this class has no images"):
            load("image_folder", tmp_path)

    def test_one_class_and_regression_are_refused(self, tmp_path: Path) -> None:
        paint(tmp_path, 3, ("dark",))
        with pytest.raises(DlcheckError, match=r"1 class\(es\)"):
            load("image_folder", tmp_path, image_size=8)
        with pytest.raises(DlcheckError, match=r"data\.task"):
            load("image_folder", tmp_path, image_size=8, task="regression")


def write_idx(folder: Path, *, compressed: bool) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Write a small Fashion-MNIST and return its training images and labels."""
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    generator = np.random.default_rng(0)
    first: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None
    for part, count in (("train", 200), ("t10k", 50)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = generator.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        first = first or (images, labels)
        contents = {
            f"{part}-images-idx3-ubyte": struct.pack(">HBBIII", 0, 8, 3, count, 28, 28) + images.tobytes(),
            f"{part}-labels-idx1-ubyte": struct.pack(">HBBI", 0, 8, 1, count) + labels.tobytes(),
        }
        for name, content in contents.items():
            target = raw / (name + ".gz" if compressed else name)
            target.write_bytes(gzip.compress(content) if compressed else content)
    assert first is not None
    return first


class TestTorchvision:
    @pytest.mark.parametrize("compressed", [True, False])
    def test_idx_files_are_read_as_they_are(self, tmp_path: Path, compressed: bool) -> None:
        images, _ = write_idx(tmp_path, compressed=compressed)
        before = sorted(tmp_path.rglob("*"))
        data = load("torchvision", tmp_path, normalize="none")
        x, y = (torch.cat((a, b)) for a, b in zip(gather(data.train), gather(data.val), strict=True))
        assert data.info.sizes == {"train": 160, "val": 40, "test": 50}
        assert data.info.class_names[0] == "T-shirt/top"
        assert data.info.input_shape == (1, 28, 28)
        known = {image.tobytes(): i % 10 for i, image in enumerate(images)}
        for image, label in zip((x * 255).round().to(torch.uint8)[:, 0].numpy(), y, strict=True):
            assert known[image.tobytes()] == label
        assert sorted(tmp_path.rglob("*")) == before

    def test_resized(self, tmp_path: Path) -> None:
        write_idx(tmp_path, compressed=False)
        assert load("torchvision", tmp_path, image_size=14).info.input_shape == (1, 14, 14)

    def test_missing_says_where_and_how(self, tmp_path: Path) -> None:
        with pytest.raises(DlcheckError, match=r"FashionMNIST is not there; get it from URL .*data\.download=true"):
            load("torchvision", tmp_path, source="URL")
        with pytest.raises(DlcheckError, match=r"CIFAR10 is not there"):
            load("torchvision", tmp_path, dataset="CIFAR10")

    @pytest.mark.parametrize(
        "content",
        [b"", b"abc", gzip.compress(b"\x00\x00\x0d\x01\x00\x00\x00\x01")],
        ids=["empty", "no gzip", "another kind"],  # gzip writes the time of day
    )
    def test_damaged_idx_files_are_named(self, tmp_path: Path, content: bytes) -> None:
        write_idx(tmp_path, compressed=True)
        (tmp_path / "FashionMNIST" / "raw" / "train-labels-idx1-ubyte.gz").write_bytes(content)
        with pytest.raises(DlcheckError, match=r"train-labels-idx1-ubyte\.gz"):
            load("torchvision", tmp_path)

    def test_unknown_and_unsuited_names(self, tmp_path: Path) -> None:
        with pytest.raises(DlcheckError, match="did you mean 'CIFAR10'"):
            load("torchvision", tmp_path, dataset="CIFAR_10")
        with pytest.raises(DlcheckError, match="neither train nor split"):
            load("torchvision", tmp_path, dataset="FakeData")

    def test_colour_images_by_split_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Data sets like SVHN take ``split``, those like CIFAR-10 keep channels last."""
        import torchvision.datasets  # type: ignore[import-untyped, unused-ignore]

        class Coloured:
            def __init__(self, root: str, split: str = "train", download: bool = False) -> None:
                count = {"train": 100, "test": 20}[split]
                self.data = np.random.default_rng(0).integers(0, 256, (count, 8, 10, 3)).astype(np.uint8)
                self.labels = np.arange(count) % 4

            def __len__(self) -> int:
                return len(self.labels)

        monkeypatch.setattr(torchvision.datasets, "SVHN", Coloured)
        data = load("torchvision", tmp_path, dataset="SVHN")
        assert data.info.input_shape == (3, 8, 10)
        assert data.info.outputs == 4
        assert data.info.sizes == {"train": 80, "val": 20, "test": 20}

    @pytest.mark.parametrize("in_memory", ["auto", True])
    def test_images_without_an_array_are_read_on_demand(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: bool | str
    ) -> None:
        import torchvision.datasets  # type: ignore[import-untyped, unused-ignore]

        class Photos:
            def __init__(self, root: str, split: str = "train", download: bool = False) -> None:
                self._labels = [i % 2 for i in range(60 if split == "train" else 10)]

            def __len__(self) -> int:
                return len(self._labels)

            def __getitem__(self, index: int) -> tuple[Image.Image, int]:
                return Image.new("RGB", (20 + index, 30), (255 * (index % 2),) * 3), index % 2

        monkeypatch.setattr(torchvision.datasets, "Food101", Photos)
        keys: dict[str, Any] = {"dataset": "Food101", "normalize": "none", "in_memory": in_memory}
        data = load("torchvision", tmp_path, image_size=12, **keys)
        assert isinstance(data.train, TensorBatches if in_memory is True else LoaderBatches)
        x, y = gather(data.train)
        assert torch.equal(x[:, 0, 0, 0], y.float())
        with pytest.raises(DlcheckError, match="different shapes"):
            load("torchvision", tmp_path, **keys)


def test_real_photos(shared_data: Path, tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(shared_data / "cats-vs-dogs-photos.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    data = load("image_folder", tmp_path, image_size=48)
    assert data.info.sizes == {"train": 300, "val": 100}
    assert data.info.class_names == ("cat", "dog")


def test_real_fashion_mnist(shared_data: Path) -> None:
    data = load("torchvision", shared_data / "fashion-mnist")
    assert data.info.sizes == {"train": 54_000, "val": 6_000, "test": 10_000}
    assert data.info.class_counts == (5400,) * 10
    assert data.sample[0].std().item() == pytest.approx(1, abs=0.1)
