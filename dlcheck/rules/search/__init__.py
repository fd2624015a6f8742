"""What a search over hyperparameters says of itself."""
