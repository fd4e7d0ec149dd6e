"""The session side of a run, and the folder that holds it."""
