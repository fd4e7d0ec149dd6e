"""Every scope name, variable name and collection key of tfae; no other file spells one.

Names are an interface: `tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, 'encoder/layer_1')`
must keep returning what a reader expects, and a TF1 checkpoint restores by name. A name changes
only together with a migration of old checkpoints.
"""

# Variables, as TF1's tf.layers named them.
KERNEL = 'kernel'
BIAS = 'bias'
DEPTHWISE_KERNEL = 'depthwise_kernel'
POINTWISE_KERNEL = 'pointwise_kernel'
GAMMA = 'gamma'
BETA = 'beta'
MOVING_MEAN = 'moving_mean'
MOVING_VARIANCE = 'moving_variance'

# Scopes of a model.
ENCODER = 'encoder'
DECODER = 'decoder'


def layer(i: int) -> str:
    """Scope of layer `i` of a stack, counted from 1 at the input side."""
    return f'layer_{i}'
