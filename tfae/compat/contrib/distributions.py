"""TF1's `tf.contrib.distributions`: the part that `tf.distributions` does not provide."""

from typing import Any

import tensorflow.compat.v1 as tf

__all__ = ['MultivariateNormalDiag']


class MultivariateNormalDiag(tf.distributions.Distribution):
    """Normal distribution of vectors `[..., D]` with a diagonal covariance."""

    def __init__(
        self,
        loc: Any = None,
        scale_diag: Any = None,
        scale_identity_multiplier: Any = None,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = 'MultivariateNormalDiag',
    ):
        """Sets the mean, and the standard deviation as the absolute value of a sum.

        Args:
          loc: means `[..., D]`; zeros if None.
          scale_diag: first term `[..., D]` of the sum.
          scale_identity_multiplier: second term `[...]`, the same for each dimension; without both
            terms, the sum is one.
          validate_args: as in `tf.distributions.Normal`.
          allow_nan_stats: likewise.
          name: name scope.

        Raises:
          ValueError: if neither `loc` nor `scale_diag` determines D.
        """
        parameters = dict(locals())
        if loc is None and scale_diag is None:
            raise ValueError(
                f'{name}: loc or scale_diag must be given, for the number of dimensions.'
            )
        with tf.name_scope(name):
            dtype = tf.convert_to_tensor(scale_diag if loc is None else loc).dtype
            scales = [] if scale_diag is None else [tf.convert_to_tensor(scale_diag, dtype)]
            if scale_identity_multiplier is not None:
                of_all = tf.convert_to_tensor(scale_identity_multiplier, dtype)
                scales.append(of_all[..., None])
            scale = tf.abs(sum(scales)) if scales else tf.ones([], dtype)
            mean = tf.zeros([], dtype) if loc is None else loc
            self._normal = tf.distributions.Normal(mean, scale, validate_args, allow_nan_stats)
        super().__init__(
            dtype=self._normal.dtype,
            reparameterization_type=tf.distributions.FULLY_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=allow_nan_stats,
            parameters=parameters,
            graph_parents=[self._normal.loc, self._normal.scale],
            name=name,
        )

    @property
    def loc(self) -> tf.Tensor:
        """Means."""
        return self._normal.loc

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self._normal.batch_shape_tensor()[:-1]

    def _batch_shape(self) -> tf.TensorShape:
        return self._normal.batch_shape[:-1]

    def _event_shape_tensor(self) -> tf.Tensor:
        return self._normal.batch_shape_tensor()[-1:]

    def _event_shape(self) -> tf.TensorShape:
        return self._normal.batch_shape[-1:]

    def _sample_n(self, n: Any, seed: int | None = None) -> tf.Tensor:
        return self._normal.sample(n, seed)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self._normal.log_prob(x), -1)

    def _entropy(self) -> tf.Tensor:
        return tf.reduce_sum(self._normal.entropy(), -1)

    def _mean(self) -> tf.Tensor:
        return self._normal.mean()

    def _mode(self) -> tf.Tensor:
        return self._normal.mode()

    def _stddev(self) -> tf.Tensor:
        return self._normal.stddev()

    def _variance(self) -> tf.Tensor:
        return self._normal.variance()

    def _covariance(self) -> tf.Tensor:
        return tf.linalg.diag(self._normal.variance())


@tf.distributions.RegisterKL(MultivariateNormalDiag, MultivariateNormalDiag)
def _kl(a: MultivariateNormalDiag, b: MultivariateNormalDiag, name: str | None = None) -> tf.Tensor:
    with tf.name_scope(name):
        return tf.reduce_sum(tf.distributions.kl_divergence(a._normal, b._normal), -1)
