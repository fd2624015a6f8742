"""Initialisations that a recipe can name."""

import dlcheck.components.initializers.custom
import dlcheck.components.initializers.laws
import dlcheck.components.initializers.lsuv
import dlcheck.components.initializers.rbm  # noqa: F401 (each registers its builder)
from dlcheck.components.initializers.initialize import initialize
from dlcheck.components.initializers.registry import INITIALIZERS

__all__ = ["INITIALIZERS", "initialize"]
