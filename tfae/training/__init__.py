"""The graph side of a run: what is computed, and when."""
