"""Runs TF1 programs on today's TensorFlow, with one line added.

For a program with `import tensorflow.compat.v1 as tf`, before it builds its graph:

    import tfae.compat; tfae.compat.install()

For a TensorFlow 1 program with `import tensorflow as tf`, before that import:

    import tfae.compat; tfae.compat.install(as_tensorflow=True)
"""

import importlib

import tensorflow.compat.v1 as tf

from tfae.compat import importer


def install(v1_behavior: bool = True, as_tensorflow: bool = False, removed: bool = False) -> None:
    """Installs `tf.layers`, `tf.nn.rnn_cell`, `tf.contrib`, ..., and switches to TF1 behavior.

    Args:
      v1_behavior: whether to call `tf.compat.v1.disable_v2_behavior()`: graphs without
        `tf.Graph().as_default()`, placeholders, TF1's variables and control flow, and whether
        `tf.keras` is Keras 2, by tf-keras. Calling it again is harmless; pass False in a program
        that also uses TF2.
      as_tensorflow: whether `import tensorflow` returns `tf.compat.v1` from now on in this process,
        for programs older than `tensorflow.compat.v1`. It affects every package imported later, so
        use it only in such a program's own process.
      removed: whether to supply names that other packages have removed since, such as `np.int` and
        `scipy.misc.imread`; prints which.
    """
    importer.install()
    if v1_behavior:
        tf.disable_v2_behavior()
        importer.install_keras()
    if as_tensorflow:
        importer.install_as_tensorflow(tf)
    if removed:
        importlib.import_module('tfae.compat.program').supply_removed()
