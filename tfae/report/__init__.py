"""HTML pages of a run and of a comparison, each a single file without external requests."""
