"""Models that a recipe can name."""

import dlcheck.components.models.autoencoder
import dlcheck.components.models.captioner
import dlcheck.components.models.classic
import dlcheck.components.models.cnn
import dlcheck.components.models.custom
import dlcheck.components.models.mlp
import dlcheck.components.models.recurrent
import dlcheck.components.models.residual
import dlcheck.components.models.torchvision_models
import dlcheck.components.models.transformer  # noqa: F401 (each registers its builder)
from dlcheck.components.models.build import build_model
from dlcheck.components.models.registry import MODELS

__all__ = ["MODELS", "build_model"]
