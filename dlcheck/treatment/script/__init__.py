"""Scripts: the prescription in words, with the edit it suggests; where the fault is exact, a mended copy is run."""
