"""For how many steps the function of a ``LambdaLR`` was made, found by evaluating it."""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
import math
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

Factor = Callable[[int], Any]
MOST_STEPS = 10_000
"""Steps at which a function is evaluated, at most."""
DOWN = 0.01
"""Share of the highest rate below which a schedule is at its end."""
MIDWAY = 0.2
"""Share of the highest rate that is left halfway down. Cosines, lines and parabolas that end keep more; exponentials,
which have no end but that of the numbers of the machine, less."""
_BUILTINS = {"abs", "bool", "float", "int", "len", "max", "min", "pow", "round", "sum"}
_MODULES = {"math", "numpy"}


def pure(function: object) -> Factor | None:
    """Return ``function`` if calling it once more changes nothing: arithmetic on its argument and on numbers.

    Anything that stores outside of its own variables, or calls what is not known to be arithmetic, is left alone.
    """
    if isinstance(function, functools.partial):
        numbers = all(_number(one) for one in (*function.args, *function.keywords.values()))
        return function if numbers and pure(function.func) is not None else None
    return function if isinstance(function, FunctionType) and _pure(function, ()) else None


def _pure(function: FunctionType, above: tuple[FunctionType, ...]) -> bool:
    if function in above or len(above) > 4:
        return False
    code = function.__code__
    changes = ("STORE_", "DELETE_", "IMPORT_", "YIELD_", "MAKE_FUNCTION", "SEND", "PRINT_")
    orders = {one.opname for one in dis.get_instructions(code)} - {"STORE_FAST"}
    if code.co_cellvars or any(one.startswith(changes) for one in orders):
        return False
    known = inspect.getclosurevars(function)
    values = {**known.globals, **known.nonlocals}
    owners = [*values.values(), math]
    return (
        set(known.builtins) <= _BUILTINS
        and all(_harmless(one, (*above, function)) for one in values.values())
        and all(any(_attribute(owner, name) for owner in owners) for name in known.unbound)
        and not set(known.unbound) & set(vars(builtins))
    )


def _harmless(value: object, above: tuple[FunctionType, ...]) -> bool:
    if isinstance(value, FunctionType):
        return _pure(value, above)
    if isinstance(value, ModuleType):
        return value.__name__ in _MODULES
    if isinstance(value, list | tuple):
        return all(_number(one) for one in value)
    return _number(value) or value is None or _of_arithmetic(value) or _settings(value)


def _of_arithmetic(value: object) -> bool:
    return any(value is one for one in vars(math).values()) or (isinstance(value, type) and value in (int, float))


def _settings(value: object) -> bool:
    """Return whether this only holds values, as the result of an argument parser does."""
    return type(value).__name__ in ("Namespace", "SimpleNamespace")


def _attribute(owner: object, name: str) -> bool:
    if isinstance(owner, ModuleType):
        return owner.__name__ in _MODULES and hasattr(owner, name)
    return _settings(owner) and _number(vars(owner).get(name))


def _number(value: object) -> bool:
    return isinstance(value, int | float)


def horizon(factor: Factor, steps: int) -> int | None:
    """Return the step at which a rate is down for the first time, if the function plainly ends there.

    Args:
        factor: Gives the rate's factor at a step, and changes nothing.
        steps: Steps of the training; twice as many are looked at.
    """
    values = _values(factor, min(2 * steps, MOST_STEPS))
    if len(values) < 3:
        return None
    top = max(range(len(values)), key=values.__getitem__)
    low = min(range(top, len(values)), key=values.__getitem__)
    ends = low < len(values) - 1 and values[top] > 0
    if not ends or values[low] > DOWN * values[top] or values[(top + low) // 2] < MIDWAY * values[top]:
        return None
    return low


def _values(factor: Factor, most: int) -> list[float]:
    """Return the factors from step 0, up to the first that is none."""
    values: list[float] = []
    try:
        for step in range(most + 1):
            value = float(factor(step))
            if not math.isfinite(value):
                break
            values.append(value)
    except Exception:  # the function knows no more steps
        pass
    return values
