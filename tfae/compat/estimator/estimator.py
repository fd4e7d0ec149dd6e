"""TF1's `Estimator`: trains, evaluates and applies the graph of a `model_fn`."""

import contextlib
import copy
import inspect
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf import message

from tfae.compat.estimator import export
from tfae.compat.estimator.specs import (
    EstimatorSpec,
    EvalSpec,
    ModeKeys,
    RunConfig,
    TrainSpec,
    WarmStartSettings,
)

_LOSS = 'loss'  # the summary and the metric that every model has


class Estimator:
    """A model whose checkpoints and summaries lie in a folder.

    Each call builds its own graph, and loads the newest checkpoint of the folder.
    """

    def __init__(
        self,
        model_fn: Callable[..., EstimatorSpec],
        model_dir: str | None = None,
        config: RunConfig | None = None,
        params: Any = None,
        warm_start_from: Any = None,
    ):
        """Sets the model and its folder.

        Args:
          model_fn: function of `features`, and of `labels`, `mode`, `params` and `config` if it has
            arguments of these names, that builds the graph.
          model_dir: the folder. None: that of `config`, else a temporary one.
          config: session and checkpoints.
          params: hyperparameters for `model_fn` and input functions.
          warm_start_from: checkpoint with initial values, or `WarmStartSettings`.
        Raises: ValueError if `model_dir` and `config` name two folders.
        """
        config = config or RunConfig()
        if model_dir and config.model_dir and model_dir != config.model_dir:
            raise ValueError(
                f'model_dir is {model_dir}, that of config is {config.model_dir}; they must match'
            )
        model_dir = model_dir or config.model_dir
        if not model_dir:
            model_dir = tempfile.mkdtemp()
            tf.logging.warning('Using temporary folder as model directory: %s', model_dir)
        self.model_dir = os.fspath(model_dir)
        self.config = config.replace(model_dir=self.model_dir)
        session = config.session_config
        self._session_config = (
            tf.ConfigProto(allow_soft_placement=True) if session is None else session
        )
        self._model_fn = model_fn
        self._params = copy.deepcopy({} if params is None else params)
        if isinstance(warm_start_from, str | os.PathLike):
            warm_start_from = WarmStartSettings(os.fspath(warm_start_from))
        self._warm_start: WarmStartSettings | None = warm_start_from

    @property
    def params(self) -> Any:
        """A copy of the hyperparameters."""
        return copy.deepcopy(self._params)

    @property
    def model_fn(self) -> Callable[..., EstimatorSpec]:
        """The function of features, labels, mode and config that builds the graph."""

        def public(features: Any, labels: Any, mode: str, config: Any) -> EstimatorSpec:
            return self._spec(features, labels, mode)

        return public

    def eval_dir(self, name: str | None = None) -> str:
        """Returns the folder of the summaries of evaluations."""
        return f'{self.model_dir}/eval_{name}' if name else f'{self.model_dir}/eval'

    def latest_checkpoint(self) -> str | None:
        """Returns the newest checkpoint, or None."""
        return tf.train.latest_checkpoint(self.model_dir)

    def get_variable_names(self) -> list[str]:
        """Returns the names of the variables in the newest checkpoint.

        Raises: ValueError if there is none.
        """
        return [name for name, _ in tf.train.list_variables(self._trained())]

    def get_variable_value(self, name: str) -> np.ndarray:
        """Returns the value of a variable in the newest checkpoint.

        Raises: ValueError if there is none.
        """
        return tf.train.load_variable(self._trained(), name.removesuffix(':0'))

    def _trained(self, checkpoint_path: str | None = None) -> str:
        path = checkpoint_path or self.latest_checkpoint()
        if not path:
            raise ValueError(f'Could not find trained model in model_dir: {self.model_dir}.')
        return path

    def train(
        self,
        input_fn: Callable[..., Any],
        hooks: Sequence[Any] | None = None,
        steps: int | None = None,
        max_steps: int | None = None,
        saving_listeners: Sequence[Any] | None = None,
    ) -> 'Estimator':
        """Trains until the input ends, for `steps`, or until step `max_steps`.

        Args:
          input_fn: function that returns features and labels, or a `tf.data.Dataset` of them.
          hooks: session hooks.
          steps: number of steps of this call.
          max_steps: step at which the training has ended.
          saving_listeners: `tf.train.CheckpointSaverListener`s.
        Returns: itself.
        Raises: ValueError if there are both limits, or one is not positive.
        """
        for name, limit in (('steps', steps), ('max_steps', max_steps)):
            if limit is not None and limit <= 0:
                raise ValueError(f'Must specify {name} > 0, given: {limit}')
        if steps is not None and max_steps is not None:
            raise ValueError('Can not provide both steps and max_steps.')
        checkpoint = self.latest_checkpoint()
        if max_steps is not None and checkpoint:
            step = tf.train.load_variable(checkpoint, tf.GraphKeys.GLOBAL_STEP)
            if step >= max_steps:
                tf.logging.info('Skipping training since max_steps has already saved.')
                return self
        with self._graph():
            step = tf.train.get_or_create_global_step()
            spec = self._spec(*self._input(input_fn, ModeKeys.TRAIN), ModeKeys.TRAIN)
            if self._warm_start and not checkpoint:
                tf.train.warm_start(*self._warm_start)
            if all(t.op.name != _LOSS for t in tf.get_collection(tf.GraphKeys.SUMMARIES)):
                tf.summary.scalar(_LOSS, spec.loss)
            scaffold = self._scaffold(spec)
            every = [*(hooks or []), tf.train.NanTensorHook(spec.loss)]
            if steps is not None or max_steps is not None:
                every.append(tf.train.StopAtStepHook(steps, max_steps))
            if self.config.log_step_count_steps:
                shown = {_LOSS: spec.loss, 'step': step}
                every_n = self.config.log_step_count_steps
                every.append(tf.train.LoggingTensorHook(shown, every_n_iter=every_n))
            of_chief = list(spec.training_chief_hooks or [])
            every += spec.training_hooks or []
            savers = [h for h in every + of_chief if isinstance(h, tf.train.CheckpointSaverHook)]
            intervals = self.config.save_checkpoints_secs, self.config.save_checkpoints_steps
            if not savers and any(intervals):
                savers = [
                    tf.train.CheckpointSaverHook(self.model_dir, *intervals, scaffold=scaffold)
                ]
                of_chief = savers + of_chief
            if saving_listeners and not savers:
                raise ValueError(
                    'listeners of checkpoints need checkpoints: give RunConfig '
                    'save_checkpoints_steps or save_checkpoints_secs'
                )
            if saving_listeners:
                savers[0]._listeners.extend(saving_listeners)
            loss = None
            with tf.train.MonitoredTrainingSession(
                checkpoint_dir=self.model_dir,
                scaffold=scaffold,
                hooks=every,
                chief_only_hooks=of_chief,
                save_checkpoint_secs=0,
                save_checkpoint_steps=0,
                save_summaries_steps=self.config.save_summary_steps,
                config=self._session_config,
                log_step_count_steps=self.config.log_step_count_steps,
            ) as session:
                while not session.should_stop():
                    _, loss = session.run([spec.train_op, spec.loss])
        if loss is None:
            tf.logging.warning('Training with estimator made no steps. Perhaps input is empty.')
        else:
            tf.logging.info('Loss for final step: %s.', loss)
        return self

    def evaluate(
        self,
        input_fn: Callable[..., Any],
        steps: int | None = None,
        hooks: Sequence[Any] | None = None,
        checkpoint_path: str | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """Evaluates a checkpoint, and writes a summary to `eval_dir(name)`.

        Args:
          input_fn: see `train`.
          steps: number of batches; None: until the input ends.
          hooks: session hooks.
          checkpoint_path: the checkpoint; None: the newest, or initial values without one.
          name: name of the evaluation.
        Returns: metric -> value, with `loss` and `global_step`.
        """
        if steps is not None and steps <= 0:
            raise ValueError(f'Must specify steps > 0, given: {steps}')
        checkpoint = checkpoint_path or self.latest_checkpoint()
        if not checkpoint:
            tf.logging.info(
                'Could not find trained model in model_dir: %s, evaluating its initial values.',
                self.model_dir,
            )
        with self._graph():
            step = tf.train.get_or_create_global_step()
            spec = self._spec(*self._input(input_fn, ModeKeys.EVAL), ModeKeys.EVAL)
            metrics = dict(spec.eval_metric_ops or {})
            metrics.setdefault(_LOSS, tf.metrics.mean(spec.loss))
            pairs = {key: _value_and_update(metric) for key, metric in metrics.items()}
            values = {key: value for key, (value, _) in pairs.items()}
            last = tf.train.FinalOpsHook({**values, tf.GraphKeys.GLOBAL_STEP: step})
            every = [*(hooks or []), *(spec.evaluation_hooks or []), last]
            if steps is not None:
                every.append(_StopAfter(steps))
            update = tf.group(*(update for _, update in pairs.values()))
            with self._session(spec, checkpoint, every) as session:
                while not session.should_stop():
                    session.run(update)
            results = dict(sorted(last.final_ops_values.items()))
        shown = ', '.join(f'{key} = {value}' for key, value in results.items())
        tf.logging.info('Saving dict for global step %s: %s', results['global_step'], shown)
        self._write(results, self.eval_dir(name))
        return results

    def predict(
        self,
        input_fn: Callable[..., Any],
        predict_keys: Sequence[str] | None = None,
        hooks: Sequence[Any] | None = None,
        checkpoint_path: str | None = None,
        yield_single_examples: bool = True,
    ) -> Iterator[Any]:
        """Yields the predictions of each example.

        Args:
          input_fn: see `train`; labels are dropped.
          predict_keys: names of predictions; None: all.
          hooks: session hooks.
          checkpoint_path: the checkpoint; None: the newest, or initial values without one.
          yield_single_examples: whether to yield examples instead of batches.
        Raises: ValueError if there are no predictions of these names.
        """
        checkpoint = checkpoint_path or self.latest_checkpoint()
        with self._graph():
            tf.train.get_or_create_global_step()
            features, _ = self._input(input_fn, ModeKeys.PREDICT)
            spec = self._spec(features, None, ModeKeys.PREDICT)
            wanted = spec.predictions
            if predict_keys:
                found = wanted if isinstance(wanted, dict) else {}
                wanted = {key: found[key] for key in predict_keys if key in found}
                if not wanted:
                    raise ValueError(f'Expected to run at least one output from {list(found)}.')
            every = [*(hooks or []), *(spec.prediction_hooks or [])]
            with self._session(spec, checkpoint, every) as session:
                while not session.should_stop():
                    batch = session.run(wanted)
                    if not yield_single_examples:
                        yield batch
                    elif isinstance(batch, dict):
                        for row in zip(*batch.values(), strict=True):
                            yield dict(zip(batch, row, strict=True))
                    else:
                        yield from batch

    def export_saved_model(
        self,
        export_dir_base: str,
        serving_input_receiver_fn: Callable[[], Any],
        assets_extra: Mapping[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
        experimental_mode: str = ModeKeys.PREDICT,
    ) -> bytes:
        """Writes a SavedModel to a new folder, whose name is the time.

        Args:
          export_dir_base: folder of the exports.
          serving_input_receiver_fn: function that returns a `ServingInputReceiver`.
          assets_extra: path below `assets.extra` -> file that is copied there.
          as_text: whether the graph is written as text.
          checkpoint_path: the checkpoint; None: the newest.
          experimental_mode: `infer`; no other mode is exported.
        Returns: the folder, as bytes, as TF1 does.
        Raises: ValueError if there is no checkpoint, the model has no export outputs, or the mode
          is another one.
        """
        if experimental_mode != ModeKeys.PREDICT:
            raise ValueError(f'experimental_mode is {experimental_mode!r}; it must be infer')
        checkpoint = self._trained(checkpoint_path)
        with self._graph():
            receiver = serving_input_receiver_fn()
            spec = self._spec(receiver.features, None, ModeKeys.PREDICT)
            if not spec.export_outputs:
                raise ValueError('export_outputs must be defined to export a SavedModel.')
            stamp = int(time.time())
            while tf.gfile.Exists(folder := f'{os.fspath(export_dir_base)}/{stamp}'):
                stamp += 1
            saver = spec.scaffold.saver if spec.scaffold else None
            with tf.Session(config=self._session_config) as session:
                (saver or tf.train.Saver(sharded=True)).restore(session, checkpoint)
                export.save(session, folder, receiver, spec.export_outputs, assets_extra, as_text)
        return folder.encode()

    def export_savedmodel(
        self,
        export_dir_base: str,
        serving_input_receiver_fn: Callable[[], Any],
        assets_extra: Mapping[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
        strip_default_attrs: bool = False,
    ) -> bytes:
        """Calls `export_saved_model`: default attributes are left out in any case."""
        del strip_default_attrs
        return self.export_saved_model(
            export_dir_base, serving_input_receiver_fn, assets_extra, as_text, checkpoint_path
        )

    @contextlib.contextmanager
    def _graph(self) -> Iterator[None]:
        with tf.Graph().as_default() as graph, graph.device(self.config.device_fn):
            tf.set_random_seed(self.config.tf_random_seed)
            yield

    def _input(self, input_fn: Callable[..., Any], mode: str) -> tuple[Any, Any]:
        """Returns the features and the labels, which may be None."""
        result = self._called(input_fn, mode=mode)
        if isinstance(result, tf.data.Dataset):
            iterator = tf.data.make_initializable_iterator(result)
            tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
            result = iterator.get_next()
        if isinstance(result, list | tuple):
            if len(result) != 2:
                raise ValueError('input_fn should return (features, labels) as a len 2 tuple.')
            return result[0], result[1]
        return result, None

    def _spec(self, features: Any, labels: Any, mode: str) -> EstimatorSpec:
        known = _arguments(self._model_fn)
        if 'features' not in known:
            raise ValueError('model_fn must include features argument.')
        if labels is not None and 'labels' not in known:
            raise ValueError('model_fn does not take labels, but input_fn returns labels.')
        return self._called(self._model_fn, features=features, labels=labels, mode=mode)

    def _called(self, function: Callable[..., Any], **given: Any) -> Any:
        """Calls a function with those arguments that it has."""
        given |= {'params': self.params, 'config': self.config}
        return function(**{name: given[name] for name in _arguments(function) & given.keys()})

    def _scaffold(self, spec: EstimatorSpec) -> Any:
        scaffold = spec.scaffold or tf.train.Scaffold()
        if not scaffold.saver and not tf.get_collection(tf.GraphKeys.SAVERS):
            saver = tf.train.Saver(
                sharded=True,
                max_to_keep=self.config.keep_checkpoint_max,
                keep_checkpoint_every_n_hours=self.config.keep_checkpoint_every_n_hours,
                defer_build=True,
                save_relative_paths=True,
            )
            tf.add_to_collection(tf.GraphKeys.SAVERS, saver)
        return scaffold

    def _session(self, spec: EstimatorSpec, checkpoint: str | None, hooks: list[Any]) -> Any:
        creator = tf.train.ChiefSessionCreator(
            spec.scaffold or tf.train.Scaffold(),
            config=self._session_config,
            checkpoint_filename_with_path=checkpoint,
        )
        return tf.train.MonitoredSession(creator, hooks)

    def _write(self, results: Mapping[str, Any], folder: str) -> None:
        """Writes the results of an evaluation as a summary: numbers, arrays and summaries."""
        summary = tf.Summary()
        for key, value in results.items():
            if isinstance(value, bytes):
                summary.value.extend(_parts(key, value))
            elif np.ndim(value):
                tensor = tf.make_tensor_proto(value)
                summary.value.add(tag=key, node_name=key, tensor=tensor)
            elif key != tf.GraphKeys.GLOBAL_STEP:
                summary.value.add(tag=key, simple_value=float(value))
        writer = tf.summary.FileWriterCache.get(folder)
        writer.add_summary(summary, results[tf.GraphKeys.GLOBAL_STEP])
        writer.flush()


def _parts(key: str, serialized: bytes) -> list[Any]:
    """Returns the values of a serialized summary, with tags of their own; [] for other data."""
    try:
        parts = list(tf.Summary.FromString(serialized).value)
    except message.DecodeError:
        return []
    for i, part in enumerate(parts):
        part.tag = f'{key}/{i}'
    return parts


def train_and_evaluate(
    estimator: Estimator, train_spec: TrainSpec, eval_spec: EvalSpec
) -> tuple[dict[str, Any] | None, list[Any] | None]:
    """Trains, and evaluates checkpoints when they are saved.

    Returns: the results of the last evaluation, and what its exporters returned. Both are None if
      nothing was left to train.
    """
    exporters = eval_spec.exporters or ()
    exporters = exporters if isinstance(exporters, list | tuple) else [exporters]
    evaluation = _Evaluation(estimator, eval_spec, exporters, train_spec.max_steps)
    estimator.train(
        train_spec.input_fn,
        hooks=list(train_spec.hooks or ()),
        max_steps=train_spec.max_steps,
        saving_listeners=[evaluation],
    )
    return evaluation.results, evaluation.exports


class _Evaluation(tf.train.CheckpointSaverListener):
    """Evaluates a checkpoint when it is saved, unless the last evaluation was just before."""

    def __init__(self, estimator, spec, exporters, max_steps):
        self._estimator, self._spec, self._exporters = estimator, spec, exporters
        self._max_steps = max_steps
        self._timer = tf.train.SecondOrStepTimer(every_secs=spec.throttle_secs)
        self._is_first = True
        self.results = self.exports = None

    def after_save(self, session, global_step_value):
        """Evaluates, except the checkpoint of the beginning."""
        if self._is_first:
            self._is_first = False
        elif self._timer.should_trigger_for_step(global_step_value):
            self._evaluate(global_step_value)

    def end(self, session, global_step_value):
        """Evaluates the last checkpoint if it was not."""
        if global_step_value != self._timer.last_triggered_step():
            self._evaluate(global_step_value)

    def _evaluate(self, step):
        self._timer.update_last_triggered_step(step)
        path = self._estimator.latest_checkpoint()
        self.results = self._estimator.evaluate(
            self._spec.input_fn,
            self._spec.steps,
            list(self._spec.hooks or ()),
            checkpoint_path=path,
            name=self._spec.name,
        )
        reached = self.results[tf.GraphKeys.GLOBAL_STEP]
        self.exports = [
            exporter.export(
                self._estimator,
                f'{self._estimator.model_dir}/export/{exporter.name}',
                path,
                self.results,
                self._max_steps is not None and reached >= self._max_steps,
            )
            for exporter in self._exporters
        ]


class _StopAfter(tf.train.SessionRunHook):
    """Stops after a number of batches."""

    def __init__(self, steps):
        self._left = steps

    def after_run(self, run_context, run_values):
        """Counts a batch."""
        self._left -= 1
        if self._left <= 0:
            run_context.request_stop()


def _value_and_update(metric: Any) -> tuple[tf.Tensor, Any]:
    if isinstance(metric, tuple):
        return metric
    return metric.result(), tf.group(*metric.updates)


def _arguments(function: Callable[..., Any]) -> set[str]:
    """Returns the names of the arguments, without those that `functools.partial` sets."""
    return inspect.signature(function).parameters.keys() - getattr(function, 'keywords', {}).keys()
