"""The learning-rate finder: a range test, short runs under the training's own schedule, and how sure they are."""
