"""Others that treat the same recipes, at the same cost."""
