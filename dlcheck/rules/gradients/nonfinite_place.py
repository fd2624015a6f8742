"""Where a number stopped being one, in words and as evidence; for the rules on it."""

import math

from dlcheck.findings import Value, Where
from dlcheck.rules.site import finite, site_where
from dlcheck.runs.facts import NonFinite


def module_name(found: NonFinite) -> str:
    """Return the module with its type; ``the model`` for the outermost."""
    kind = f" ({found.module_type})" if found.module_type else ""
    return f"{found.module or 'the model'}{kind}"


def described(found: NonFinite) -> str:
    """Return operation, module, pass and rows as far as they are known, to be put behind a sentence."""
    words = f": {found.operation}" if found.operation else ""
    if found.module:
        words += f"{' in' if words else ': in'} {module_name(found)}"
    if found.backward:
        words += f"{', ' if words else ': '}in the backward pass"
    if found.rows:
        words += f", for {_rows(found.rows)} of the batch"
    return words


def where(found: NonFinite) -> Where:
    """Return the step, the layer and the line."""
    return site_where(found.site, layer=found.module or None, step=found.step)


def evidence(found: NonFinite) -> dict[str, Value]:
    """Return the numbers of the step; those that are not finite have no place in a report."""
    numbers: dict[str, Value] = {
        "step": found.step,
        "loss": finite(found.loss),
        "largest_weight": finite(found.largest_weight),
        "gradient_norm_before": finite(found.gradient_norm_before),
        "reproduced": found.reproduced,
    }
    words: dict[str, Value] = {"operation": found.operation, "module": found.module}
    lists: dict[str, Value] = {
        "rows": tuple(float(row) for row in found.rows),
        "values": tuple(value for value in found.values if math.isfinite(value)),
    }
    return numbers | {name: value for name, value in (words | lists).items() if value}


def _rows(rows: tuple[int, ...]) -> str:
    shown = ", ".join(str(row) for row in rows[:5])
    more = ", …" if len(rows) > 5 else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more}"
