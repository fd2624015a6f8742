"""A sick and a healthy run for every rule of the family M2."""

from dlcheck.runs import Run

SICK: dict[str, Run] = {}
HEALTHY: dict[str, Run] = {}
