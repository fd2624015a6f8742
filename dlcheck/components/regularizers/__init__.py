"""Regularisers: what acts around an optimizer step to keep a network from learning its samples by heart."""

from dlcheck.components.regularizers.average import WeightAverage, build_average
from dlcheck.components.regularizers.build import build_regularizers
from dlcheck.components.regularizers.hook import StepHook

__all__ = ["StepHook", "WeightAverage", "build_average", "build_regularizers"]
