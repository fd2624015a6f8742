"""The log itself: what it lacks."""
