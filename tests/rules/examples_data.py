"""A sick and a healthy run for every rule of the family D1."""

from dlcheck.runs import Run

SICK: dict[str, Run] = {}
HEALTHY: dict[str, Run] = {}
