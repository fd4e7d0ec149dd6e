"""Regularizers of codes and kernels, and the k-sparse constraint.

    l1              sum_j |h_j|
    kl_sparsity     sum_j t log(t / m_j) + (1 - t) log((1 - t) / (1 - m_j)), m_j the mean of unit j
                    over a batch, or its moving mean (Ng, CS294A lecture notes, 2011)
    contractive     |dh/dx|_F^2 (Rifai et al., ICML 2011), x the input of the encoder, noise
                    included; the statistics of batch normalization are constants
    orthogonality   |W'W - I|_F^2 (Brock et al., ICLR 2017, equation 3)
    k-sparse        keeps the k largest values of a code and sets the others to 0 (Makhzani and
                    Frey, ICLR 2014)

On the command line a regularizer is `kind:weight`, `kl_sparsity:target:weight[:decay]`, or a
user-defined function `package.module:function[:weight]` of a code `[B, Z]` that returns `[B]` or a
scalar.

B batch, D inputs, Z code.
"""

import dataclasses
import math
from collections.abc import Sequence

import tensorflow.compat.v1 as tf

from tfae.core import errors, plugins
from tfae.core.config import Part, number, option
from tfae.ops import own_functions, stateless_random

KINDS = ('l1', 'kl_sparsity', 'contractive', 'orthogonality')
_OTHER_TERMS = ('loss', 'reconstruction', 'weight_decay', 'mse')  # of the losses that have them
_MIN_MEAN = 1e-6  # of an activation, so that a dead unit has a finite divergence


@dataclasses.dataclass(frozen=True)
class Regularizer:
    """One kind and its parameters, or a user-defined function."""

    kind: str
    weight: float = 1.0
    target: float = 0.0  # mean activation, for kl_sparsity
    decay: float = 0.0  # decay of the moving mean, in [0, 1); 0 is the mean of the batch
    own: own_functions.Function | None = dataclasses.field(default=None, compare=False, repr=False)

    @classmethod
    def from_text(cls, text: str, who: str = '--regularizer') -> 'Regularizer':
        """Parses a regularizer: `'l1:0.01'` -> `Regularizer('l1', 0.01)`.

        Args:
          text: as on the command line.
          who: flag to name in errors.
        Returns: the regularizer.
        Raises: UsageError that names `who`, the text and the form that is required.
        """
        kind, *numbers = text.split(':')
        if kind not in KINDS:
            return cls._of_user(text, who)
        sparse = kind == 'kl_sparsity'
        try:
            values = [float(number) for number in numbers]
        except ValueError:
            values = []
        if len(values) not in ((2, 3) if sparse else (1,)):
            form = 'kl_sparsity:target:weight[:decay]' if sparse else f'{kind}:weight'
            raise errors.UsageError(f'{who} is {text!r}; it must be {form}')
        weight = _weight(who, text, values[1] if sparse else values[0])
        if not sparse:
            return cls(kind, weight)
        target, decay = values[0], values[2] if len(values) == 3 else 0.0
        if not (0 < target < 1 and 0 <= decay < 1):
            raise errors.UsageError(
                f'{who} is {text!r}; the target must lie in (0, 1), the decay in [0, 1)'
            )
        return cls(kind, weight, target, decay)

    @classmethod
    def _of_user(cls, text: str, who: str) -> 'Regularizer':
        """Parses `package.module:function` or `package.module:function:weight`."""
        kind, number = text, '1'
        if not plugins.names_function(text):
            kind, _, number = text.rpartition(':')
        if not plugins.names_function(kind):
            errors.one_of(who, text.partition(':')[0], [*KINDS, plugins.FUNCTION])
        own = plugins.choice(who, kind, (*KINDS, *_OTHER_TERMS))
        assert own, kind
        try:
            weight = float(number)
        except ValueError:
            raise errors.UsageError(
                f'{who} is {text!r}; it must be {plugins.FUNCTION}[:weight]'
            ) from None
        checked = own_functions.checked(who, text, own, own_functions.by_example_or_scalar)
        return cls(kind, _weight(who, text, weight), own=checked)

    def __str__(self) -> str:
        numbers = [self.target, self.weight] if self.kind == 'kl_sparsity' else [self.weight]
        return ':'.join([self.kind, *map(number, numbers + [self.decay] * bool(self.decay))])

    @property
    def name(self) -> str:
        """Name of its term of the loss: the kind, or the function's name."""
        return self.kind.rpartition(':')[2]


def _weight(who: str, text: str, weight: float) -> float:
    if not 0 <= weight < math.inf:
        raise errors.UsageError(f'{who} is {text!r}; the weight must lie in [0, inf)')
    return weight


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """Regularization of the code and of the kernels."""

    regularizer: tuple[Regularizer, ...] = option(
        (),
        'Adds regularizers to the loss: l1:weight, contractive:weight, orthogonality:weight, '
        'kl_sparsity:target:weight[:decay], where decay is that of a moving mean activation, or '
        'package.module:function[:weight], which takes a code [B, Z] and returns [B] or a scalar. '
        'They apply to the code, and in greedy pretraining to that of each layer.',
        formerly='penalty',
    )
    k_sparse: int = option(
        0,
        'k-sparse code: keeps the k largest values of each code and sets the others to 0; 0: '
        'all are kept.',
        within='[0, inf) values',
    )
    weight_decay: float = option(
        0.0,
        'L2 penalty: adds this weight times half the sum of the squared kernels to the loss.',
        within='[0, inf)',
    )


def l1(code: tf.Tensor) -> tf.Tensor:
    """Returns the sum of absolute values `[B]` of each code `[B, Z]`."""
    return tf.reduce_sum(tf.abs(code), 1)


def kl_sparsity(mean: tf.Tensor, target: float) -> tf.Tensor:
    """Returns KL(Bernoulli(target) | Bernoulli(mean)) in nats, summed over units.

    Args:
      mean: mean activations `[Z]` in [0, 1].
      target: target mean activation in (0, 1).
    Returns: scalar, zero exactly where every mean is the target.
    """
    mean = tf.clip_by_value(mean, _MIN_MEAN, 1 - _MIN_MEAN)
    on = target * (math.log(target) - tf.math.log(mean))
    off = (1 - target) * (math.log1p(-target) - tf.math.log1p(-mean))
    return tf.reduce_sum(on + off)


def contractive_dense(slope: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the squared Frobenius norm of the Jacobian of s(x W + b): sum_j s'_j^2 |W_j|^2.

    Source: Rifai et al., ICML 2011, equation 7.

    Args:
      slope: derivative s' of the activation at the code, `[B, Z]`.
      kernel: W `[D, Z]`.
    Returns: float tensor `[B]`.
    """
    return tf.linalg.matvec(tf.square(slope), tf.reduce_sum(tf.square(kernel), 0))


def contractive(
    code: tf.Tensor, x: tf.Tensor, seed: tf.Tensor, held: Sequence[tf.Tensor] = ()
) -> tf.Tensor:
    """Returns an unbiased estimate of the squared Frobenius norm of d(code)/dx per example.

    |J|_F^2 is the mean of |v'J|^2 over vectors v of independent random signs (Hutchinson, 1990).

    Args:
      code: `[B, Z]`, where each row depends on its row of `x` and on `held` alone.
      x: `[B, ...]`.
      seed: int tensor `[2]`, a function of (run seed, step).
      held: tensors that are constant in the derivative with respect to `x`, such as the moments of
        a batch. The result itself has a gradient with respect to them.
    Returns: float tensor `[B]`.
    """
    uniform = stateless_random.uniform(tf.shape(code), seed, dtype=code.dtype)
    signs = tf.where(uniform < 0.5, -tf.ones_like(code), tf.ones_like(code))
    (product,) = tf.gradients(tf.reduce_sum(code * signs), [x], stop_gradients=list(held))
    return tf.reduce_sum(tf.square(product), list(range(1, x.shape.rank)))


def orthogonality(kernel: tf.Tensor) -> tf.Tensor:
    """Returns |W'W - I|_F^2, or |WW' - I|_F^2 if D < Z: a scalar.

    Args:
      kernel: `[..., Z]`, flattened to W `[D, Z]`.
    """
    flat = tf.reshape(kernel, [-1, kernel.shape[-1]])
    wide = int(flat.shape[0]) < int(flat.shape[1])
    gram = tf.matmul(flat, flat, transpose_a=not wide, transpose_b=wide)
    return tf.reduce_sum(tf.square(gram - tf.eye(int(gram.shape[0]), dtype=kernel.dtype)))


def k_sparse(code: tf.Tensor, k: int) -> tf.Tensor:
    """Returns the code with all but the `k` largest values of each example set to 0.

    Args:
      code: `[B, Z]`.
      k: number of values to keep, in [1, Z].
    Returns: `[B, Z]`; values equal to the k-th largest are kept too.
    """
    threshold = tf.math.top_k(code, k, sorted=True).values[:, -1:]
    return tf.where(code >= threshold, code, tf.zeros_like(code))
