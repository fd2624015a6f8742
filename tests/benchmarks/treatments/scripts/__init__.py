"""How often the edits that are suggested for scripts are right."""
