"""The graph side of a run: configuration, phases, training steps and summaries."""
