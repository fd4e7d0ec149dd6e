"""Module extension for MODULE.bazel: the repository of the installed TensorFlow."""

load(":tensorflow.bzl", "installed_tensorflow")

def _tensorflow(_context):
    installed_tensorflow(name = "tensorflow")

tensorflow = module_extension(implementation = _tensorflow)
