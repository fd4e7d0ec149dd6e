"""Names of TF1 that are not there, and what to use instead."""

# The name below `tf`: what it was, and what to use instead.
GONE = {
    'contrib.lite': 'the converter for mobile devices; use tf.lite',
    'contrib.tpu': 'training on TPUs; use tf.compat.v1.tpu',
    'contrib.training.create_train_op': 'a training step; use tf.contrib.slim.learning',
}


def line(old: str) -> str:
    """Returns the message for an old name that nothing serves."""
    parts = old.split('.')
    prefixes = ('.'.join(parts[:n]) for n in range(len(parts), 0, -1))
    known = next((name for name in prefixes if name in GONE), None)
    if known:
        return f'tf.{old} is not available: tf.{known} was {GONE[known]}'
    return f'tf.{old} is not available in tfae.compat; docs/guide/tf1.md lists what is'
