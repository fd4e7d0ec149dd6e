"""Penalties and the k-sparse constraint, applied to the layers of a stack.

B batch, Z code.
"""

from collections.abc import Sequence

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.losses import regularizers
from tfae.losses.regularizers import Penalty
from tfae.models.base.encoder_decoder import Dense, Stack
from tfae.models.base.objective import drawing_seed, trainable
from tfae.ops import activations


class Penalized:
    """What a configuration asks of the codes and kernels of a stack."""

    def __init__(self, config: regularizers.Config, stack: Stack):
        """Touches no graph.

        Raises: UsageError for a penalty that cannot be read or that the code cannot have.
        """
        self._stack = stack
        self._penalties = [regularizers.parse(text) for text in config.penalty]
        kinds = [penalty.kind for penalty in self._penalties]
        if len(set(kinds)) < len(kinds):
            raise errors.UsageError(f'--penalty names a kind twice: {",".join(config.penalty)}')
        self._k = config.k_sparse
        if self._k > stack.sizes[-1]:
            raise errors.UsageError(
                f'--k_sparse is {self._k}; the code has only {stack.sizes[-1]} values'
            )

    def constrained(self, indices: Sequence[int], code: tf.Tensor) -> tf.Tensor:
        """The code `[B, Z]` of these layers as the constraint leaves it."""
        for penalty in self._penalties:
            if penalty.decay:
                self._moving(indices[-1], penalty)
        whole = indices[-1] == self._stack.all[-1]
        return regularizers.k_sparse(code, self._k) if self._k and whole else code

    def terms(
        self, indices: Sequence[int], code: tf.Tensor, x: tf.Tensor, seed: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """Kind -> penalty, weighed, of the code `[B, Z]` that these layers make of `x`."""
        return {
            penalty.kind: penalty.weight * self._value(penalty, indices, code, x, seed)
            for penalty in self._penalties
        }

    def _value(
        self,
        penalty: Penalty,
        indices: Sequence[int],
        code: tf.Tensor,
        x: tf.Tensor,
        seed: tf.Tensor | None,
    ) -> tf.Tensor:
        if penalty.kind == 'l1':
            return tf.reduce_mean(regularizers.l1(code))
        if penalty.kind == 'kl_sparsity':
            mean = self._mean(penalty, indices[-1], code, seed is not None)
            return regularizers.kl_sparsity(mean, penalty.target)
        if penalty.kind == 'orthogonality':
            return tf.add_n([regularizers.orthogonality(k) for k in self._kernels(indices)])
        layer = self._stack.specifications[indices[-1] - 1]
        if len(indices) == 1 and isinstance(layer, Dense) and not self._k:
            slope = activations.slope(layer.activation, code)
            (kernel,) = self._kernels(indices)
            return tf.reduce_mean(regularizers.contractive_dense(slope, kernel))
        return tf.reduce_mean(regularizers.contractive(code, x, drawing_seed(seed)))

    def _kernels(self, indices: Sequence[int]) -> list[tf.Variable]:
        scopes = [f'{self._stack.encoder}/{names.layer(i)}' for i in indices]
        return [v for v in trainable(*scopes) if v.op.name.endswith(f'/{names.KERNEL}')]

    def _mean(self, penalty: Penalty, i: int, code: tf.Tensor, training: bool) -> tf.Tensor:
        """Mean activations `[Z]`: of the batch, or moving ones with the batch's gradient."""
        if self._stack.activation(i) != 'sigmoid':
            raise errors.UsageError(
                f'--penalty=kl_sparsity needs activations in [0, 1]; that of layer {i} is '
                f'{self._stack.activation(i)}, it must be sigmoid'
            )
        mean = tf.reduce_mean(code, 0)
        if not penalty.decay:
            return mean
        moving = self._moving(i, penalty)
        moved = penalty.decay * moving.read_value() + (1 - penalty.decay) * mean
        if training:
            update = moving.assign(tf.stop_gradient(moved)).op
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        return mean + tf.stop_gradient(moved - mean)

    def _moving(self, i: int, penalty: Penalty) -> tf.Variable:
        """The moving mean `[Z]` of layer `i`, which starts at the target."""
        scope = f'{self._stack.encoder}/{names.layer(i)}'
        with tf.variable_scope(scope, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            return tf.get_variable(
                names.MEAN_ACTIVATION,
                [self._stack.sizes[i]],
                initializer=tf.constant_initializer(penalty.target),
                trainable=False,
                use_resource=True,
            )
