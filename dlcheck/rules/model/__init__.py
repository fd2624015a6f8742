"""Rules for model: initialisation, layers, loss and modes."""
