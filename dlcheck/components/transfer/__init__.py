"""Transfer learning: trained weights, what of them learns on, and advice."""

from dlcheck.components.transfer.advice import Advice, transfer_advice
from dlcheck.components.transfer.freezing import apply_transfer, freeze_modes
from dlcheck.components.transfer.parts import Parts, model_parts
from dlcheck.components.transfer.weights import load_weights

__all__ = [
    "Advice",
    "Parts",
    "apply_transfer",
    "freeze_modes",
    "load_weights",
    "model_parts",
    "transfer_advice",
]
