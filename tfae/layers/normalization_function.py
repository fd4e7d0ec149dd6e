"""Batch normalization: the function, TF1's signature."""

from tfae.layers.configured import ONES, ZEROS, apply
from tfae.layers.normalization import BatchNormalization


def batch_normalization(
    inputs,
    axis=-1,
    momentum=0.99,
    epsilon=1e-3,
    center=True,
    scale=True,
    beta_initializer=ZEROS,
    gamma_initializer=ONES,
    moving_mean_initializer=ZEROS,
    moving_variance_initializer=ONES,
    beta_regularizer=None,
    gamma_regularizer=None,
    beta_constraint=None,
    gamma_constraint=None,
    training=False,
    trainable=True,
    name=None,
    reuse=None,
    renorm=False,
    renorm_clipping=None,
    renorm_momentum=0.99,
    fused=None,
    virtual_batch_size=None,
    adjustment=None,
):
    """`gamma * (inputs - mean) / sqrt(variance + epsilon) + beta`.

    The moving averages move only where `UPDATE_OPS` run beside the training step:

        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            train = optimizer.minimize(loss)

    Variables, of shape [C]: `<name>/gamma` if `scale`, `<name>/beta` if `center`,
    `<name>/moving_mean` and `<name>/moving_variance`, and with `renorm` `<name>/moving_stddev`,
    `<name>/renorm_mean` and `<name>/renorm_stddev`. All are float32 for 16-bit inputs.

    Args:
      inputs: float tensor of known rank.
      axis: the axis that keeps its own moments, of known size C, or a list of such: then the
        variables have the inputs' rank, with 1 for every other axis.
      momentum: share of a moving average that stays at each update.
      epsilon: what is added to the variance; the fused form uses at least 1.001e-5.
      center, scale: whether there is a beta, a gamma.
      beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer:
        zeros, ones, zeros, ones.
      beta_regularizer, gamma_regularizer: functions of the variable that return a scalar loss.
      beta_constraint, gamma_constraint: functions that an optimizer applies after its update.
      training: Python bool or boolean scalar tensor: the batch's moments, or the moving ones.
      trainable: whether gamma and beta go to `TRAINABLE_VARIABLES`, and updates to `UPDATE_OPS`.
      name: the variable scope; by default `batch_normalization`, with a number where it is taken.
      reuse: as in `tf.compat.v1.variable_scope`.
      renorm: whether to renormalize, https://arxiv.org/abs/1702.03275.
      renorm_clipping: limits 'rmax', 'rmin' of r and 'dmax' of d, where they are wanted.
      renorm_momentum: `momentum` of the averages that renormalization uses.
      fused: None or True takes TensorFlow's fused operation where it can: rank 4 or 5, axis 1 or
        the last, no `renorm`, no `adjustment`, not float64. Its moving variance follows the
        unbiased variance, N / (N - 1) of the other form's. False never takes it.
      virtual_batch_size: not supported; it must be None.
      adjustment: function of the inputs' dynamic shape that returns a scale and an offset of the
        normalized values, before gamma and beta, while training.

    Returns: tensor of the inputs' shape and type.

    Raises: ValueError if there is no such axis, its size is not known, `virtual_batch_size` is
      given or `renorm_clipping` has another key, and where `get_variable` refuses.

    Source: Ioffe and Szegedy, https://arxiv.org/abs/1502.03167.
    """
    return apply(BatchNormalization, locals())
