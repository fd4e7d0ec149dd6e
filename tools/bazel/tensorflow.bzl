"""Makes a repository of an installed TensorFlow: its headers, its library, its flags."""

_ASK = """
import json, runpy, sys, tensorflow as tf
print(json.dumps({
    "version": tf.__version__,
    "include": tf.sysconfig.get_include(),
    "lib": tf.sysconfig.get_lib(),
    "library": tf.sysconfig.get_link_flags()[1][3:],
    "copts": runpy.run_path(sys.argv[1])["FLAGS"]
        + [f for f in tf.sysconfig.get_compile_flags() if not f.startswith("-I")],
}))
"""

_BUILD = """
load("@rules_cc//cc:defs.bzl", "cc_library")

cc_library(
    name = "framework",
    srcs = ["{library}"],
    hdrs = glob(["include/**"]),
    # As -isystem, to silence warnings in TensorFlow's headers.
    includes = ["include"],
    visibility = ["//visibility:public"],
)
"""

def _python(context):
    """Returns $TFAE_PYTHON, else the Python of .venv, else python3."""
    named = context.os.environ.get("TFAE_PYTHON")
    if named:
        return named
    own = context.path(Label("//:BUILD")).dirname.get_child(".venv").get_child("bin").get_child("python")
    return own if own.exists else context.which("python3")

def _installed_tensorflow(context):
    python = _python(context)
    answer = context.execute(
        [python, "-c", _ASK, context.path(Label("//:ops/build.py"))],
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if answer.return_code:
        fail("{} finds no TensorFlow: {}".format(python, answer.stderr))
    found = json.decode(answer.stdout.strip().split("\n")[-1])
    context.symlink(found["include"], "include")
    context.symlink(found["lib"] + "/" + found["library"], found["library"])
    context.file("BUILD", _BUILD.format(library = found["library"]))
    context.file("flags.bzl", "VERSION = {}\nCOPTS = {}\nPYTHON = {}\n".format(
        repr(found["version"]),
        repr(found["copts"]),
        repr(str(python)),
    ))

installed_tensorflow = repository_rule(
    implementation = _installed_tensorflow,
    environ = ["TFAE_PYTHON"],
    local = True,
)
