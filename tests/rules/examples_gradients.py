"""A sick and a healthy run for every rule of the family G3."""

from dlcheck.runs import Run

SICK: dict[str, Run] = {}
HEALTHY: dict[str, Run] = {}
