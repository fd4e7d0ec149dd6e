"""Errors, configuration, names, files and signals, which every folder uses."""
