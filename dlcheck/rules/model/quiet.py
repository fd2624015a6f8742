"""What dead and saturated units have in common: layers, and how sure their share of such units is."""

from collections.abc import Iterable

from dlcheck.rules.statistics import wilson_interval
from dlcheck.runs.facts import QuietLayer


def quiet_low(layer: QuietLayer) -> float:
    """Return the lower end of the 95 % interval of a layer's share of quiet units."""
    return wilson_interval(layer.quiet / layer.units, layer.units)[0] if layer.units > 0 else 0.0


def whole(layer: QuietLayer) -> bool:
    """Return whether every unit of a layer is quiet."""
    return layer.quiet >= layer.units > 0


def worst(layers: Iterable[QuietLayer]) -> QuietLayer:
    """Return the layer with the largest share of quiet units, the first of equals."""
    return max(layers, key=lambda layer: layer.quiet / layer.units)
