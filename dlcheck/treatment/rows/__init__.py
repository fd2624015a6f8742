"""Faults of data that no key can cure: the samples that a finding is about, as CSV, and what is left to the reader."""

from dlcheck.treatment.rows.yours import is_yours, yours

__all__ = ["is_yours", "yours"]
