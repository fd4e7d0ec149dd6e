"""Runs and networks as files for other programs."""
