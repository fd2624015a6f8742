"""Random changes to training images, and crops to average over at evaluation."""

from dlcheck.components.augment.batch import BatchAugment, augment_batches
from dlcheck.components.augment.check import augments, check_augment
from dlcheck.components.augment.crop import ten_crops
from dlcheck.components.augment.images import Images
from dlcheck.components.augment.sample import SampleAugment, augment_samples

__all__ = [
    "BatchAugment",
    "Images",
    "SampleAugment",
    "augment_batches",
    "augment_samples",
    "augments",
    "check_augment",
    "ten_crops",
]
