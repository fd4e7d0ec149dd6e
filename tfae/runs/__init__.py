"""A run: the sessions that train and evaluate it, and the folder that stores it."""
