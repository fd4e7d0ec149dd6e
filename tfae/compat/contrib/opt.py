"""TF1's `tf.contrib.opt`: decoupled weight decay, and SciPy's optimizers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.optimize
import tensorflow.compat.v1 as tf

__all__ = [
    'AdamWOptimizer',
    'DecoupledWeightDecayExtension',
    'MomentumWOptimizer',
    'ScipyOptimizerInterface',
    'extend_with_decoupled_weight_decay',
]


class DecoupledWeightDecayExtension(tf.train.Optimizer):
    """Subtracts a share of each variable before its update. https://arxiv.org/abs/1711.05101.

    The first base of an optimizer. A sparse gradient reduces only the rows that it has. The share,
    `weight_decay`, is a number, a scalar, or a function that returns one.
    """

    def __init__(self, weight_decay: Any, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._weight_decay = weight_decay
        self._decayed: set | None = None

    def minimize(self, *args: Any, decay_var_list: Sequence | None = None, **kwargs: Any) -> Any:
        """Returns the operation of a step; only the variables of a list decay, if there is one."""
        self._decayed = {v.ref() for v in decay_var_list} if decay_var_list else None
        return super().minimize(*args, **kwargs)

    def apply_gradients(
        self,
        grads_and_vars: Any,
        global_step: Any = None,
        name: str | None = None,
        decay_var_list: Sequence | None = None,
    ) -> Any:
        """Returns the operation that decays the variables, then applies the gradients."""
        pairs = list(grads_and_vars)
        decayed = {v.ref() for v in decay_var_list} if decay_var_list else self._decayed
        with tf.control_dependencies([gradient for gradient, _ in pairs if gradient is not None]):
            decays = [
                self._decay(gradient, v)
                for gradient, v in pairs
                if gradient is not None and (decayed is None or v.ref() in decayed)
            ]
        with tf.control_dependencies(decays):
            return super().apply_gradients(pairs, global_step, name)

    def _decay(self, gradient: Any, variable: Any) -> Any:
        share = self._weight_decay() if callable(self._weight_decay) else self._weight_decay
        if isinstance(gradient, tf.IndexedSlices):
            rows, _ = tf.unique(gradient.indices)
            return tf.scatter_sub(variable, rows, share * tf.gather(variable, rows))
        return tf.assign_sub(variable, share * variable)


def extend_with_decoupled_weight_decay(base_optimizer: type) -> type:
    """Returns an optimizer with decoupled weight decay, which is its first argument."""
    return type(
        'OptimizerWithDecoupledWeightDecay', (DecoupledWeightDecayExtension, base_optimizer), {}
    )


class AdamWOptimizer(DecoupledWeightDecayExtension, tf.train.AdamOptimizer):
    """Adam with decoupled weight decay."""

    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: float = 1e-8,
        use_locking: bool = False,
        name: str = 'AdamW',
    ):
        super().__init__(weight_decay, learning_rate, beta1, beta2, epsilon, use_locking, name)


class MomentumWOptimizer(DecoupledWeightDecayExtension, tf.train.MomentumOptimizer):
    """Momentum with decoupled weight decay."""

    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = 'MomentumW',
        use_nesterov: bool = False,
    ):
        super().__init__(weight_decay, learning_rate, momentum, use_locking, name, use_nesterov)


class ScipyOptimizerInterface:
    """Minimizes a loss by `scipy.optimize.minimize`, by default with L-BFGS-B."""

    def __init__(
        self,
        loss: tf.Tensor,
        var_list: Sequence | None = None,
        equalities: Sequence[tf.Tensor] | None = None,
        inequalities: Sequence[tf.Tensor] | None = None,
        var_to_bounds: dict | None = None,
        **optimizer_kwargs: Any,
    ):
        """Builds the gradients.

        Args:
          loss: scalar.
          var_list: variables; the trainable ones if None.
          equalities: scalars to hold at 0.
          inequalities: scalars to hold at 0 or above.
          var_to_bounds: `(lower, upper)` by variable, each broadcast; takes `v` or `v.ref()`.
          **optimizer_kwargs: of `scipy.optimize.minimize`: `method`, `options`, `tol`, ...
        """
        self._loss = loss
        self._variables = list(var_list or tf.trainable_variables())
        self._options = {'method': 'L-BFGS-B', **optimizer_kwargs}
        kinds = [('eq', equalities), ('ineq', inequalities)]
        self._constraints = [(kind, value) for kind, values in kinds for value in values or []]
        if self._constraints and 'method' not in optimizer_kwargs:
            self._options['method'] = 'SLSQP'
        self._gradients = [
            self._flat_gradient(t) for t in (loss, *(c for _, c in self._constraints))
        ]
        self._bounds = var_to_bounds and self._flat_bounds(var_to_bounds)
        self._feeds = [tf.placeholder(v.dtype.base_dtype, v.shape) for v in self._variables]
        self._assign = [tf.assign(v, x) for v, x in zip(self._variables, self._feeds, strict=True)]

    def _flat_gradient(self, of: tf.Tensor) -> tf.Tensor:
        gradients = tf.gradients(of, self._variables, unconnected_gradients='zero')
        return tf.concat([tf.reshape(g, [-1]) for g in gradients], 0)

    def _flat_bounds(self, by_variable: dict) -> list:
        by_name = {getattr(k, 'deref', lambda k=k: k)().name: v for k, v in by_variable.items()}
        bounds: list = []
        for variable in self._variables:
            lower, upper = by_name.get(variable.name, (-np.inf, np.inf))
            shape = variable.shape.as_list()
            pair = (np.broadcast_to(limit, shape).ravel() for limit in (lower, upper))
            bounds += zip(*pair, strict=True)
        return bounds

    def _split(self, flat: np.ndarray) -> dict:
        sizes = np.cumsum([v.shape.num_elements() for v in self._variables])[:-1]
        parts = zip(self._feeds, np.split(flat, sizes), strict=True)
        return {feed: part.reshape(feed.shape.as_list()) for feed, part in parts}

    def minimize(
        self,
        session: Any = None,
        feed_dict: dict | None = None,
        fetches: Any = None,
        step_callback: Callable | None = None,
        loss_callback: Callable | None = None,
        **run_kwargs: Any,
    ) -> None:
        """Moves the variables to a minimum.

        Args:
          session: the default one if None.
          feed_dict: of each evaluation.
          fetches: tensors whose values `loss_callback` takes.
          step_callback: takes the flat variables after each step.
          loss_callback: takes the values of `fetches` at each evaluation.
          **run_kwargs: of `session.run`.
        """
        session = session or tf.get_default_session()

        def run(fetched: Any, flat: np.ndarray) -> Any:
            session.run(self._assign, self._split(flat))
            return session.run(fetched, feed_dict, **run_kwargs)

        def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
            wanted = [self._loss, self._gradients[0], fetches or []]
            value, gradient, fetched = run(wanted, flat)
            if loss_callback:
                loss_callback(*fetched)
            return float(value), np.asarray(gradient, np.float64)

        constraints = [
            {
                'type': kind,
                'fun': lambda flat, value=value: run(value, flat),
                'jac': lambda flat, g=gradient: np.asarray(run(g, flat), np.float64),
            }
            for (kind, value), gradient in zip(self._constraints, self._gradients[1:], strict=True)
        ]
        start = np.concatenate([x.ravel() for x in session.run(self._variables)])
        result = scipy.optimize.minimize(
            evaluate,
            start.astype(np.float64),
            jac=True,
            callback=step_callback,
            bounds=self._bounds,
            constraints=constraints,
            **self._options,
        )
        session.run(self._assign, self._split(result.x))
