"""Prescribe, apply, train again, and keep what is measurably better."""
