"""Batch normalization: the layer class, and TF1's function.

    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

In training, mean and variance are those of the batch over every axis but `axis`, and update the
moving averages; at inference they are the moving averages. Batch renormalization corrects the
training output by r = stddev / renorm_stddev and d = (mean - renorm_mean) / renorm_stddev, so that
it matches normalization by moving averages:

    y = gamma * (r * (x - mean) / stddev + d) + beta

Sources: Ioffe and Szegedy, https://arxiv.org/abs/1502.03167; Ioffe, Batch renormalization,
https://arxiv.org/abs/1702.03275.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.layers import arguments
from tfae.layers.configured import ONES, ZEROS, Configured, branch, function, require
from tfae.layers.input_spec import InputSpec

# (rank, axis) that TensorFlow's fused operation supports.
_FUSED_FORMATS = {(4, 1): 'NCHW', (4, 3): 'NHWC', (5, 1): 'NCDHW', (5, 4): 'NDHWC'}
_HALF = ('float16', 'bfloat16')


class Statistics(NamedTuple):
    """Mean and variance used by one call of a layer."""

    mean: tf.Tensor  # [C], of the batch in training, else the moving one
    variance: tf.Tensor  # [C]
    slope: tf.Tensor  # d outputs / d inputs with mean and variance held constant, broadcastable


_recordings: list[list[Statistics]] = []


@contextlib.contextmanager
def recorded_statistics() -> Iterator[list[Statistics]]:
    """Records the statistics of each batch normalization built in the block, in order.

    The tensors can be passed to `tf.gradients` as `stop_gradients`. Layers in the block are not
    fused, because the fused operation does not expose its moments.

    Yields: the list of `Statistics`, filled as layers are built.
    """
    found: list[Statistics] = []
    _recordings.append(found)
    try:
        yield found
    finally:
        _recordings.pop()


class BatchNormalization(Configured):
    """Batch normalization: `gamma * (inputs - mean) / sqrt(variance + epsilon) + beta`.

    The moving averages are updated only if `UPDATE_OPS` run with the training step:

        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            train = optimizer.minimize(loss)

    Variables, of shape [C]: `<name>/gamma` if `scale`, `<name>/beta` if `center`,
    `<name>/moving_mean` and `<name>/moving_variance`, and with `renorm` `<name>/moving_stddev`,
    `<name>/renorm_mean` and `<name>/renorm_stddev`. All are float32 for 16-bit inputs.

    Args:
      axis: the axis that is normalized separately, of known size C, or a list of axes: then the
        variables have the inputs' rank, with size 1 on every other axis.
      momentum: decay of the moving averages, in [0, 1].
      epsilon: added to the variance; the fused operation uses at least 1.001e-5.
      center, scale: whether to add beta, whether to multiply by gamma.
      beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer:
        zeros, ones, zeros, ones by default.
      beta_regularizer, gamma_regularizer: functions of the variable that return a scalar loss.
      beta_constraint, gamma_constraint: functions that an optimizer applies after its update.
      trainable: whether gamma and beta are added to `TRAINABLE_VARIABLES`, and updates to
        `UPDATE_OPS`.
      name: variable scope; by default `batch_normalization`, with a number if that is taken.
      renorm: whether to renormalize, https://arxiv.org/abs/1702.03275.
      renorm_clipping: limits 'rmax', 'rmin' of r and 'dmax' of d; those left out do not apply.
      renorm_momentum: decay of the averages that renormalization uses.
      fused: None or True uses TensorFlow's fused operation where possible: rank 4 or 5, axis 1 or
        the last, no `renorm`, `adjustment` or `virtual_batch_size`, not float64. Its moving
        variance follows the unbiased variance, N / (N - 1) times the biased one. False never uses
        it.
      virtual_batch_size: number of examples whose moments are computed together (ghost batches),
        a divisor of the batch size; None is the whole batch. In a batch of n such groups, group i
        holds the examples i, i + n, i + 2n, ..., as in TF1. The variables then have the inputs'
        rank + 1, and the moving averages follow the mean of the groups' moments.
      adjustment: function of the inputs' dynamic shape that returns a scale and an offset, applied
        in training to the normalized values before gamma and beta.
      training: (function and call) Python bool or boolean scalar tensor: true normalizes by the
        batch's moments.
      reuse: (function only) as in `tf.compat.v1.variable_scope`.

    The inputs are a float tensor of known rank; the output has their shape and type.

    Raises: ValueError if there is no such axis, it is given twice, its size is unknown,
      `virtual_batch_size` is not positive or comes with axis 0 or `adjustment`, `renorm_clipping`
      has another key, or `get_variable` raises.

    Source: Ioffe and Szegedy, https://arxiv.org/abs/1502.03167.
    """

    supports_masking = True

    def __init__(
        self,
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
        renorm=False,
        renorm_clipping=None,
        renorm_momentum=0.99,
        fused=None,
        trainable=True,
        virtual_batch_size=None,
        adjustment=None,
        name=None,
        **kwargs,
    ):
        super().__init__(**arguments.named(locals()))
        if virtual_batch_size is not None:
            who = f'{self.name}: virtual_batch_size'
            self.virtual_batch_size = arguments.integer(who, virtual_batch_size)
            if adjustment is not None:
                raise ValueError(f'{who} is {virtual_batch_size}; adjustment must then be None.')
        self.axis = [axis] if isinstance(axis, int) else list(axis)
        self.renorm_clipping = dict(renorm_clipping or {})
        for key in self.renorm_clipping:
            errors.one_of(f'{self.name}: renorm_clipping', key, ('rmax', 'rmin', 'dmax'))

    def _create(self, shape):
        rank = shape.rank
        if rank is None or not all(-rank <= axis < rank for axis in self.axis):
            given = 'of undefined rank' if rank is None else shape
            raise ValueError(f'{self.name}: input is {given}; it must have axis {self.axis}.')
        self.axis = [axis % rank for axis in self.axis]
        if len(set(self.axis)) < len(self.axis):
            raise ValueError(f'{self.name}: axis is {self.axis}; it must name each axis once.')
        sizes = {axis: require(self.name, shape, axis) for axis in self.axis}
        self.input_spec = InputSpec(ndim=rank, axes=sizes)
        # With several axes, variables keep the input's rank, so that they broadcast.
        broad = [sizes.get(i, 1) for i in range(rank)]
        of_variables = broad if len(sizes) > 1 else list(sizes.values())
        self._axes = self.axis
        if self.virtual_batch_size is not None:  # normalized as [examples, groups, ...]
            if 0 in self.axis:
                raise ValueError(
                    f'{self.name}: axis is {self.axis}; with virtual_batch_size it must not be 0.'
                )
            self._axes = [axis + 1 for axis in self.axis]
            of_variables = [1, *broad]
        wanted = self.fused is None or self.fused
        special = self.renorm or self.adjustment is not None or self.virtual_batch_size is not None
        if wanted and not special and len(self.axis) == 1 and self.dtype in ('float32', *_HALF):
            self._format = _FUSED_FORMATS.get((rank, self.axis[0]))
        else:
            self._format = None
        self.fused = self._format is not None
        self._create_variables(of_variables)

    def _create_variables(self, shape):
        options = {'shape': shape, 'dtype': 'float32' if self.dtype in _HALF else self.dtype}
        self.gamma = self.weight(names.GAMMA, **options) if self.scale else None
        self.beta = self.weight(names.BETA, **options) if self.center else None
        options |= {
            'trainable': False,
            'synchronization': tf.VariableSynchronization.ON_READ,
            'aggregation': tf.VariableAggregation.MEAN,
        }
        partitioner = self._scope.partitioner
        self._scope.set_partitioner(None)  # moving averages are updated as a whole
        try:
            self.moving_mean = self.weight(names.MOVING_MEAN, **options)
            self.moving_variance = self.weight(names.MOVING_VARIANCE, **options)
            if self.renorm:
                mean = {**options, 'initializer': self.moving_mean_initializer}
                stddev = {**options, 'initializer': self._stddev_initializer}
                self.moving_stddev = self.weight(names.MOVING_STDDEV, **stddev)
                self.renorm_mean = self.weight(names.RENORM_MEAN, **mean)
                self.renorm_stddev = self.weight(names.RENORM_STDDEV, **stddev)
        finally:
            self._scope.set_partitioner(partitioner)

    def _stddev_initializer(self, *args, **kwargs):
        variance = arguments.initializer(self.name, self.moving_variance_initializer)
        return tf.sqrt(variance(*args, **kwargs))

    def call(self, inputs, training=False):
        """Returns the normalized `inputs`, of the same shape and type."""
        inputs = tf.cast(inputs, self.dtype)
        training = arguments.training(training)
        if self.fused and not _recordings:
            return self._fused(inputs, training)
        # A variance easily overflows 16-bit floats.
        x = tf.cast(inputs, self.moving_mean.dtype.base_dtype)
        if self.virtual_batch_size is not None:
            if (x.shape.as_list()[0] or 0) % self.virtual_batch_size:
                raise ValueError(
                    f'{self.name}: input is {x.shape}; virtual_batch_size '
                    f'{self.virtual_batch_size} must divide the batch size.'
                )
            sizes = tf.concat([[self.virtual_batch_size, -1], tf.shape(x)[1:]], 0)
            outputs = tf.reshape(self._unfused(tf.reshape(x, sizes), training), tf.shape(x))
        else:
            outputs = self._unfused(x, training)
        outputs = tf.cast(outputs, inputs.dtype)
        outputs.set_shape(inputs.shape)
        return outputs

    def _fused(self, inputs, training):
        shape = self.moving_mean.shape
        gamma = self.gamma if self.scale else tf.ones(shape, self.moving_mean.dtype)
        beta = self.beta if self.center else tf.zeros(shape, self.moving_mean.dtype)

        def normalize(**moments):
            return tf.nn.fused_batch_norm(
                inputs,
                gamma,
                beta,
                epsilon=self.epsilon,
                data_format=self._format,
                is_training=not moments,
                **moments,
            )

        outputs, mean, variance = branch(
            training,
            normalize,
            lambda: normalize(mean=self.moving_mean, variance=self.moving_variance),
        )
        if training is not False:
            momentum = branch(training, lambda: self.momentum, lambda: 1.0)
            self.add_update(_moving_average(self.moving_mean, mean, momentum))
            self.add_update(_moving_average(self.moving_variance, variance, momentum))
        return outputs

    def _unfused(self, x, training):
        if training is False:
            mean, variance = self.moving_mean, self.moving_variance
            scale, offset = self._broadcast(self.gamma, x), self._broadcast(self.beta, x)
        else:
            mean, variance, scale, offset = self._moments(x, training)
        if _recordings:
            mean, variance = tf.convert_to_tensor(mean), tf.convert_to_tensor(variance)
            slope = tf.math.rsqrt(self._broadcast(variance, x) + self.epsilon)
            slope = slope if scale is None else slope * scale
            _recordings[-1].append(Statistics(mean, variance, slope))
        mean, variance = self._broadcast(mean, x), self._broadcast(variance, x)
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, self.epsilon)

    def _moments(self, x, training):
        """Returns mean, variance, scale and offset of a batch; updates the moving averages."""
        # Scale and offset: gamma and beta after the adjustment, if any.
        scale, offset = self._broadcast(self.gamma, x), self._broadcast(self.beta, x)
        if self.adjustment is not None:
            by, to = self.adjustment(tf.shape(x))
            by = branch(training, lambda: by, lambda: tf.ones_like(by))
            to = branch(training, lambda: to, lambda: tf.zeros_like(to))
            scale, offset = _then(by, to, scale, offset)

        # Moments: of the batch in training, else the moving averages.
        groups = [] if self.virtual_batch_size is None else [1]
        axes = [axis for axis in range(x.shape.rank) if axis not in self._axes + groups]
        keepdims = self.moving_mean.shape.rank > 1
        batch_mean, batch_variance = tf.nn.moments(x, axes, keepdims=keepdims)
        mean = branch(training, lambda: batch_mean, lambda: tf.identity(self.moving_mean))
        variance = branch(
            training, lambda: batch_variance, lambda: tf.identity(self.moving_variance)
        )

        # Update the moving averages; at inference they move towards themselves and stay.
        new_mean, new_variance = mean, variance
        if groups:
            new_mean = tf.reduce_mean(mean, 1, keepdims=True)
            new_variance = tf.reduce_mean(variance, 1, keepdims=True)
        if self.renorm:
            r, d, new_mean, new_variance = self._renormalize(new_mean, new_variance, training)
            r, d = self._broadcast(r, x), self._broadcast(d, x)
            scale, offset = _then(r, d, scale, offset)
        self.add_update(_moving_average(self.moving_mean, new_mean, self.momentum))
        self.add_update(self._move_variance(new_variance, training))
        return mean, variance, scale, offset

    def _renormalize(self, mean, variance, training):
        """Returns r and d from the moving averages before their update, and the moments after."""
        # Corrections r and d of the source, before the averages are updated.
        stddev = tf.sqrt(variance + self.epsilon)
        floor = tf.sqrt(tf.cast(self.epsilon, stddev.dtype))
        past = tf.maximum(self.renorm_stddev, floor)
        r, d = stddev / past, (mean - self.renorm_mean) / past
        with tf.control_dependencies([r, d]):
            mean, stddev = tf.identity(mean), tf.identity(stddev)

        # Clip them; at inference they are 1 and 0.
        clip = self.renorm_clipping
        r = tf.maximum(r, clip['rmin']) if clip.get('rmin') is not None else r
        r = tf.minimum(r, clip['rmax']) if clip.get('rmax') is not None else r
        d = tf.clip_by_value(d, -clip['dmax'], clip['dmax']) if clip.get('dmax') is not None else d
        r = branch(training, lambda: r, lambda: tf.ones_like(r))
        d = branch(training, lambda: d, lambda: tf.zeros_like(d))

        # Update the averages that r and d compare with.
        momentum = branch(training, lambda: self.renorm_momentum, lambda: 1.0)
        moves = [
            _moving_average(self.renorm_mean, mean, momentum),
            _moving_average(self.renorm_stddev, stddev, momentum),
        ]
        with tf.control_dependencies(moves):
            mean, variance = tf.identity(mean), tf.identity(variance)
        return tf.stop_gradient(r), tf.stop_gradient(d), mean, variance

    def _move_variance(self, variance, training):
        if not self.renorm:
            return _moving_average(self.moving_variance, variance, self.momentum)
        # Renormalization averages the standard deviation, from which inference's variance follows.
        momentum = branch(training, lambda: self.momentum, lambda: 1.0)
        stddev = tf.sqrt(variance + self.epsilon)
        with tf.control_dependencies([_moving_average(self.moving_stddev, stddev, momentum)]):
            moved = tf.nn.relu(tf.square(self.moving_stddev.read_value()) - self.epsilon)
        value = branch(training, lambda: moved, self.moving_variance.read_value)
        return _new_value(self.moving_variance, value)

    def _broadcast(self, v, x):
        """Reshapes `v` [C] to broadcast with `x`; None is returned unchanged."""
        rank = x.shape.rank
        if v is None or len(v.shape) == rank or self._axes == [rank - 1]:
            return v
        return tf.reshape(v, [-1 if axis in self._axes else 1 for axis in range(rank)])

    def compute_output_shape(self, input_shape):
        """Returns the static shape of the outputs, which is that of the inputs."""
        return tf.TensorShape(input_shape)


batch_normalization = function(
    BatchNormalization,
    'training',
    'trainable',
    'name',
    'reuse',
    'renorm',
    'renorm_clipping',
    'renorm_momentum',
    'fused',
    'virtual_batch_size',
    'adjustment',
)


def _moving_average(variable: Any, value: Any, momentum: Any) -> Any:
    """Returns the op `variable = momentum * variable + (1 - momentum) * value`."""
    with tf.name_scope(names.MOVING_AVERAGE) as scope:
        decay = tf.cast(1.0 - momentum, variable.dtype.base_dtype)
        step = (variable - tf.cast(value, variable.dtype.base_dtype)) * decay
        # TF1 named the update after its scope.
        return variable.assign_sub(step, name=scope, read_value=False)


def _new_value(variable: Any, value: Any) -> Any:
    """Returns the op `variable = value`."""
    with tf.name_scope(names.NEW_VALUE) as scope:
        return variable.assign(value, name=scope, read_value=False)


def _then(scale, offset, then_scale, then_offset):
    """Returns scale and offset of the composition of two affine maps; None is the identity."""
    if then_scale is not None:
        scale, offset = scale * then_scale, offset * then_scale
    return scale, offset if then_offset is None else offset + then_offset
