"""A first recipe from a look at the user's data."""

from dlcheck.checks.starter.look import Wish, look, look_at_set

__all__ = ["Wish", "look", "look_at_set"]
