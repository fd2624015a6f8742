"""Losses: what training makes small, and the values that a network without knowledge would reach."""

from dlcheck.components.losses.build import LOSSES, build_loss, outputs_needed
from dlcheck.components.losses.loss import Loss
from dlcheck.components.losses.reference import expected_first_loss, trivial_loss

__all__ = ["LOSSES", "Loss", "build_loss", "expected_first_loss", "outputs_needed", "trivial_loss"]
