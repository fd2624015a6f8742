"""Exams of the data: each measures samples as arrays and makes one fact for the rules."""

from dlcheck.checks.data.exams import EXAMS

__all__ = ["EXAMS"]
