"""The values that `Estimator` takes and that a `model_fn` returns."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf


class ModeKeys:
    """The modes in which a `model_fn` builds its graph."""

    TRAIN = 'train'
    EVAL = 'eval'
    PREDICT = 'infer'


@dataclasses.dataclass(frozen=True)
class EstimatorSpec:
    """The graph of a `model_fn`.

    Args:
      mode: one of `ModeKeys`.
      predictions: tensor, or name -> tensor.
      loss: scalar tensor.
      train_op: operation of one training step.
      eval_metric_ops: name -> (value, update operation), as `tf.metrics` returns them, or a Keras
        metric.
      export_outputs: name -> output of `tf.estimator.export`.
      training_chief_hooks, training_hooks, evaluation_hooks, prediction_hooks: session hooks.
      scaffold: a `tf.train.Scaffold`.
    Raises: ValueError if `mode` needs a value that is missing, or the loss is not a scalar.
    """

    mode: str
    predictions: Any = None
    loss: Any = None
    train_op: Any = None
    eval_metric_ops: Mapping[str, Any] | None = None
    export_outputs: Mapping[str, Any] | None = None
    training_chief_hooks: Sequence[Any] | None = None
    training_hooks: Sequence[Any] | None = None
    scaffold: Any = None
    evaluation_hooks: Sequence[Any] | None = None
    prediction_hooks: Sequence[Any] | None = None

    def __post_init__(self):
        needed = {
            ModeKeys.TRAIN: ('loss', 'train_op'),
            ModeKeys.EVAL: ('loss',),
            ModeKeys.PREDICT: ('predictions',),
        }
        if self.mode not in needed:
            raise ValueError(f'mode is {self.mode!r}; it must be one of {", ".join(needed)}')
        for name in needed[self.mode]:
            if getattr(self, name) is None:
                raise ValueError(f'Missing {name}.')
        if self.loss is not None:
            loss = tf.convert_to_tensor(self.loss)
            if loss.shape.num_elements() not in (None, 1):
                raise ValueError(f'Loss must be scalar, given: {loss}')
            object.__setattr__(self, 'loss', loss if loss.shape.rank == 0 else tf.reshape(loss, []))

    def _replace(self, **changes: Any) -> 'EstimatorSpec':
        """Returns the specification with other values, as that of a named tuple."""
        return dataclasses.replace(self, **changes)


_NOT_GIVEN: Any = object()


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """The session and the checkpoints of an `Estimator`.

    Args:
      model_dir: folder of checkpoints and summaries.
      tf_random_seed: seed of the graph.
      save_summary_steps: steps between summaries.
      save_checkpoints_steps: steps between checkpoints.
      save_checkpoints_secs: seconds between checkpoints; 600 if neither is given. With None for
        what is given, no checkpoints are saved.
      session_config: a `tf.ConfigProto`.
      keep_checkpoint_max: number of checkpoints that are kept; 0: all.
      keep_checkpoint_every_n_hours: hours between checkpoints that are kept in any case.
      log_step_count_steps: steps between lines with the loss and the speed.
      train_distribute, eval_distribute, experimental_distribute: not used: there is one device.
      device_fn: function of an operation that returns its device.
      protocol, session_creation_timeout_secs, experimental_max_worker_delay_secs: not used.
    Raises: ValueError if checkpoints have two intervals.
    """

    model_dir: str | None = None
    tf_random_seed: int | None = None
    save_summary_steps: int | None = 100
    save_checkpoints_steps: Any = _NOT_GIVEN
    save_checkpoints_secs: Any = _NOT_GIVEN
    session_config: Any = None
    keep_checkpoint_max: int = 5
    keep_checkpoint_every_n_hours: float = 10000
    log_step_count_steps: int | None = 100
    train_distribute: Any = None
    device_fn: Callable[[Any], str] | None = None
    protocol: str | None = None
    eval_distribute: Any = None
    experimental_distribute: Any = None
    experimental_max_worker_delay_secs: float | None = None
    session_creation_timeout_secs: float = 7200

    master = evaluation_master = ''
    task_type = 'worker'
    task_id = global_id_in_cluster = num_ps_replicas = 0
    num_worker_replicas = 1
    is_chief = True
    service = None

    def __post_init__(self):
        if self.save_checkpoints_steps is self.save_checkpoints_secs is _NOT_GIVEN:
            object.__setattr__(self, 'save_checkpoints_secs', 600)
        for name in ('save_checkpoints_steps', 'save_checkpoints_secs'):
            if getattr(self, name) is _NOT_GIVEN:
                object.__setattr__(self, name, None)
        if self.save_checkpoints_steps and self.save_checkpoints_secs:
            raise ValueError(
                'RunConfig has both save_checkpoints_steps and save_checkpoints_secs; give one'
            )

    def replace(self, **changes: Any) -> 'RunConfig':
        """Returns the configuration with other values."""
        if {'save_checkpoints_steps', 'save_checkpoints_secs'} & changes.keys():
            changes = {'save_checkpoints_steps': None, 'save_checkpoints_secs': None} | changes
        return dataclasses.replace(self, **changes)


class TrainSpec(NamedTuple):
    """The training of `train_and_evaluate`."""

    input_fn: Callable[..., Any]
    max_steps: int | None = None
    hooks: Sequence[Any] = ()


class EvalSpec(NamedTuple):
    """The evaluation of `train_and_evaluate`, of each new checkpoint after `throttle_secs`."""

    input_fn: Callable[..., Any]
    steps: int | None = 100
    name: str | None = None
    hooks: Sequence[Any] = ()
    exporters: Any = ()
    start_delay_secs: float = 120
    throttle_secs: float = 600


class WarmStartSettings(NamedTuple):
    """A checkpoint whose variables are the initial values; see `tf.train.warm_start`."""

    ckpt_to_initialize_from: str
    vars_to_warm_start: Any = '.*'
    var_name_to_vocab_info: Any = None
    var_name_to_prev_var_name: Any = None
