"""Pages that show a run, or runs side by side: one HTML file each, which asks for nothing else."""
