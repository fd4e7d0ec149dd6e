"""A local web page that decodes codes interactively."""
