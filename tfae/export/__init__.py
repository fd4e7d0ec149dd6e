"""Exports runs and published networks for other programs."""
