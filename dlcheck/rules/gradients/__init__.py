"""Rules for gradients and updates: the loop and its numbers."""
