"""numpy arrays -> PNG files."""
