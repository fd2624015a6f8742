"""Hyperparameter search and the learning-rate range test. The only place of Optuna; imports nothing heavy itself."""
