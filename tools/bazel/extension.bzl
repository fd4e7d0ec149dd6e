"""What MODULE.bazel calls: the repository of the installed TensorFlow as a module extension."""

load(":tensorflow.bzl", "installed_tensorflow")

def _tensorflow(_context):
    installed_tensorflow(name = "tensorflow")

tensorflow = module_extension(implementation = _tensorflow)
