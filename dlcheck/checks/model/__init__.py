"""Exams of the model, its initialisation and its loss."""
