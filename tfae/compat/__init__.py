"""Runs TF1 programs that use `tf.layers`, with one line added.

For a program with `import tensorflow.compat.v1 as tf`, before it builds its graph:

    import tfae.compat; tfae.compat.install()

For a TensorFlow 1 program with `import tensorflow as tf`, before that import:

    import tfae.compat; tfae.compat.install(as_tensorflow=True)
"""

import sys

import tensorflow.compat.v1 as tf

from tfae import layers


def install(v1_behavior: bool = True, as_tensorflow: bool = False) -> None:
    """Installs `tfae.layers` as `tf.compat.v1.layers`, and switches TensorFlow to TF1 behavior.

    Args:
      v1_behavior: whether to call `tf.compat.v1.disable_v2_behavior()`: graphs without
        `tf.Graph().as_default()`, placeholders, TF1's variables and control flow. Calling it again
        is harmless; pass False in a program that also uses TF2.
      as_tensorflow: whether `import tensorflow` returns `tf.compat.v1` from now on in this process,
        for programs older than `tensorflow.compat.v1`. It affects every package imported later, so
        use it only in such a program's own process.
    """
    # TensorFlow has several module objects of this name, depending on how it is imported.
    for name in [n for n in sys.modules if n.startswith('tensorflow.') and n.endswith('compat.v1')]:
        sys.modules[name].layers = layers  # type: ignore[attr-defined]
        sys.modules[f'{name}.layers'] = layers
    if v1_behavior:
        tf.disable_v2_behavior()
    if as_tensorflow:
        sys.modules['tensorflow'] = tf
