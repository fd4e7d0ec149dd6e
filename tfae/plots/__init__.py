"""Plots: numpy arrays to PNG and GIF files, graphs to SVG."""
