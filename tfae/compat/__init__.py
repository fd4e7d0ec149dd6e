"""Runs TF1 programs that use `tf.layers`, unchanged after one added line.

For a program that says `import tensorflow.compat.v1 as tf`, before it builds anything:

    import tfae.compat; tfae.compat.install()

For one that says `import tensorflow as tf` and means TensorFlow 1, before that import:

    import tfae.compat; tfae.compat.install(as_tensorflow=True)
"""

import sys

import tensorflow.compat.v1 as tf

from tfae import layers


def install(v1_behavior: bool = True, as_tensorflow: bool = False) -> None:
    """Makes `tfae.layers` the `layers` of `tf.compat.v1`, and TensorFlow behave as TF1.

    Args:
      v1_behavior: whether to call `tf.compat.v1.disable_v2_behavior()`: graphs without
        `tf.Graph().as_default()`, placeholders, TF1's variables and control flow. A program that
        calls it itself loses nothing; a program that also uses TF2 says False.
      as_tensorflow: whether `import tensorflow` gives `tf.compat.v1` from now on in this process,
        for programs from before there was a `tensorflow.compat.v1`. Other packages that are
        imported later get it too, so it is for such a program's own process only.
    """
    # TensorFlow keeps several module objects for this one name, depending on how it is imported.
    for name in [n for n in sys.modules if n.startswith('tensorflow.') and n.endswith('compat.v1')]:
        sys.modules[name].layers = layers  # type: ignore[attr-defined]
        sys.modules[f'{name}.layers'] = layers
    if v1_behavior:
        tf.disable_v2_behavior()
    if as_tensorflow:
        sys.modules['tensorflow'] = tf
