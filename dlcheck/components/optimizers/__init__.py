"""Optimizers: parameter groups from a recipe, PyTorch's own methods, and a few from the literature."""

from dlcheck.components.optimizers.build import OPTIMIZERS, build_optimizer

__all__ = ["OPTIMIZERS", "build_optimizer"]
