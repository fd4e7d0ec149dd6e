"""Makes a repository of an installed TensorFlow: its headers, its library, its flags."""

_ASK = """
import json, tensorflow as tf
print(json.dumps({
    "version": tf.__version__,
    "include": tf.sysconfig.get_include(),
    "lib": tf.sysconfig.get_lib(),
    "library": tf.sysconfig.get_link_flags()[1][3:],
    "copts": [f for f in tf.sysconfig.get_compile_flags() if not f.startswith("-I")],
}))
"""

_BUILD = """
cc_library(
    name = "framework",
    srcs = ["{library}"],
    hdrs = glob(["include/**"]),
    # As -isystem: warnings in TensorFlow's headers are not ours.
    includes = ["include"],
    visibility = ["//visibility:public"],
)
"""

def _installed_tensorflow(context):
    python = context.os.environ.get("TFAE_PYTHON") or context.which("python3")
    answer = context.execute([python, "-c", _ASK], environment = {"TF_CPP_MIN_LOG_LEVEL": "3"})
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
