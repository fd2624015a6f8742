"""Learning curves: scalars alone are enough."""
