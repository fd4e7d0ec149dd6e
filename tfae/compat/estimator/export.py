"""`tf.estimator.export` and the exporters: SavedModels of an `Estimator`."""

import dataclasses
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf


class TensorServingInputReceiver(NamedTuple):
    """The features of a serving graph, and the tensors that requests feed.

    Each alternative, tensors by name, has signatures of its own, whose names it begins.
    """

    features: Any
    receiver_tensors: Any
    receiver_tensors_alternatives: Any = None


class ServingInputReceiver(TensorServingInputReceiver):
    """A receiver that names a single tensor of features: `{'feature': tensor}`."""

    def __new__(cls, features, *others, **named):
        """Returns the receiver; arguments: its fields."""
        if not isinstance(features, Mapping):
            features = {'feature': features}
        return super().__new__(cls, features, *others, **named)


def build_raw_serving_input_receiver_fn(
    features: Mapping[str, tf.Tensor], default_batch_size: int | None = None
) -> Callable[[], ServingInputReceiver]:
    """Returns a function that makes a placeholder of each feature, with its type and shape."""

    def receiver() -> ServingInputReceiver:
        found = {
            name: tf.placeholder(t.dtype, [default_batch_size, *t.shape[1:]], name)
            for name, t in features.items()
        }
        return ServingInputReceiver(found, found)

    return receiver


def build_parsing_serving_input_receiver_fn(
    feature_spec: Mapping[str, Any], default_batch_size: int | None = None
) -> Callable[[], ServingInputReceiver]:
    """Returns a function that parses features from serialized `tf.train.Example`s."""

    def receiver() -> ServingInputReceiver:
        examples = tf.placeholder(tf.string, [default_batch_size], 'input_example_tensor')
        features = tf.io.parse_example(examples, feature_spec)
        return ServingInputReceiver(features, {'examples': examples})

    return receiver


@dataclasses.dataclass(frozen=True)
class PredictOutput:
    """Output tensors of a signature of method `predict`."""

    outputs: Any

    def signature(self, receiver: Mapping[str, tf.Tensor]) -> Any:
        """Returns the signature of these outputs and the received tensors."""
        outputs = self.outputs if isinstance(self.outputs, dict) else {'output': self.outputs}
        return tf.saved_model.predict_signature_def(dict(receiver), outputs)


@dataclasses.dataclass(frozen=True)
class ClassificationOutput:
    """Scores and names of classes of a signature of method `classify`."""

    scores: tf.Tensor | None = None
    classes: tf.Tensor | None = None

    def signature(self, receiver: Mapping[str, tf.Tensor]) -> Any:
        """Returns the signature of these outputs and the received examples."""
        return tf.saved_model.classification_signature_def(
            _examples(receiver), self.classes, self.scores
        )


@dataclasses.dataclass(frozen=True)
class RegressionOutput:
    """Values of a signature of method `regress`."""

    value: tf.Tensor

    def signature(self, receiver: Mapping[str, tf.Tensor]) -> Any:
        """Returns the signature of these outputs and the received examples."""
        return tf.saved_model.regression_signature_def(_examples(receiver), self.value)


def _examples(receiver: Mapping[str, tf.Tensor]) -> tf.Tensor:
    if [tensor.dtype for tensor in receiver.values()] != [tf.string]:
        raise ValueError(
            f'the inputs are {", ".join(receiver)}; there must be one, of serialized examples'
        )
    return next(iter(receiver.values()))


class Exporter:
    """Exports a model after an evaluation of `train_and_evaluate`."""

    def __init__(
        self,
        name: str,
        serving_input_receiver_fn: Callable[[], ServingInputReceiver],
        assets_extra: Mapping[str, str] | None = None,
        as_text: bool = False,
        exports_to_keep: int | None = 5,
    ):
        self.name = name
        self._arguments = (serving_input_receiver_fn, assets_extra, as_text)
        self._kept = exports_to_keep

    def export(
        self,
        estimator: Any,
        export_path: str,
        checkpoint_path: str,
        eval_result: Mapping[str, Any],
        is_the_final_export: bool,
    ) -> str | None:
        """Exports the model, and removes the oldest of more than `exports_to_keep` exports.

        Args:
          estimator: the `Estimator`.
          export_path: folder of the exports.
          checkpoint_path: the checkpoint.
          eval_result: what `evaluate` returned.
          is_the_final_export: whether the training has ended.
        Returns: the folder of the export, or None if there is none this time.
        """
        found = estimator.export_saved_model(
            export_path, *self._arguments, checkpoint_path=checkpoint_path
        )
        exports = sorted(p for p in pathlib.Path(export_path).iterdir() if p.name.isdecimal())
        for old in exports[: -self._kept] if self._kept else []:
            shutil.rmtree(old)
        return found


LatestExporter = Exporter


def _has_lower_loss(best_eval_result: Any, current_eval_result: Any) -> bool:
    return best_eval_result['loss'] > current_eval_result['loss']


class FinalExporter(Exporter):
    """Exports the model once, at the end, and removes nothing."""

    def __init__(
        self,
        name: str,
        serving_input_receiver_fn: Callable[[], ServingInputReceiver],
        assets_extra: Mapping[str, str] | None = None,
        as_text: bool = False,
    ):
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text, None)

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        """Exports the model if the training has ended; see `Exporter.export`."""
        if not is_the_final_export:
            return None
        return super().export(estimator, export_path, checkpoint_path, eval_result, True)


class BestExporter(Exporter):
    """Exports the model each time that its loss is the lowest so far.

    The lowest so far is that of earlier runs too: it is read from the summaries of evaluations that
    `event_file_pattern` matches below the folder of the model. None: that of this run.
    """

    def __init__(
        self,
        name: str = 'best_exporter',
        serving_input_receiver_fn: Any = None,
        event_file_pattern: str | None = 'eval/*.tfevents.*',
        compare_fn: Callable[..., bool] = _has_lower_loss,
        assets_extra: Mapping[str, str] | None = None,
        as_text: bool = False,
        exports_to_keep: int | None = 5,
    ):
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text, exports_to_keep)
        self._pattern, self._better = event_file_pattern, compare_fn
        self._model_dir: str | None = None
        self._best: Mapping[str, Any] | None = None

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        """Exports the model if it is the best; see `Exporter.export`."""
        if self._pattern and self._model_dir != estimator.model_dir:
            self._model_dir = estimator.model_dir
            step = eval_result[tf.GraphKeys.GLOBAL_STEP]
            self._best = self._best_before(f'{self._model_dir}/{self._pattern}', step)
        if self._best is not None and not self._is_better(self._best, eval_result):
            return None
        self._best = eval_result
        return super().export(
            estimator, export_path, checkpoint_path, eval_result, is_the_final_export
        )

    def _is_better(self, best: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
        return self._better(best_eval_result=best, current_eval_result=current)

    def _best_before(self, pattern: str, step: int) -> Mapping[str, Any] | None:
        """Returns the best evaluation in event files, without those of one step."""
        best = None
        for file in tf.gfile.Glob(pattern):
            for event in tf.train.summary_iterator(file):
                found = {
                    value.tag: value.simple_value
                    for value in event.summary.value
                    if value.HasField('simple_value')
                }
                # The evaluation that is compared was written just before.
                if found and event.step != step and (not best or self._is_better(best, found)):
                    best = found
        return best


def save(
    session: Any,
    folder: str,
    receiver: ServingInputReceiver,
    outputs: Mapping[str, Any],
    assets_extra: Mapping[str, str] | None,
    as_text: bool,
) -> None:
    """Writes the SavedModel of a session, with a signature for each output that fits the inputs.

    Args:
      session: the session with the serving graph and its variables.
      folder: folder of the SavedModel, which must not exist.
      receiver: the inputs.
      outputs: name of a signature -> output; a single one is the default too.
      assets_extra: path below `assets.extra` -> file that is copied there.
      as_text: whether the graph is written as text.
    Raises: ValueError if no output fits the inputs.
    """
    default = tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    if len(outputs) == 1:
        outputs = {default: next(iter(outputs.values())), **outputs}
    signatures, refused = {}, {}
    alternatives = receiver.receiver_tensors_alternatives or {}
    receivers = {
        '': receiver.receiver_tensors,
        **{f'{name}:': tensors for name, tensors in alternatives.items()},
    }
    for prefix, tensors in receivers.items():
        given = tensors if isinstance(tensors, dict) else {'input': tensors}
        for name, output in outputs.items():
            try:
                signatures[prefix + name] = output.signature(given)
            except ValueError as error:  # as raw features do not fit a classification
                refused[prefix + name] = error
    reasons = '; '.join(f'{name}: {error}' for name, error in refused.items())
    if not signatures:
        raise ValueError(f'The model has no output for this serving_input_receiver_fn: {reasons}')
    if refused:
        tf.logging.warning('Signatures that are left out of the SavedModel: %s', reasons)
    builder = tf.saved_model.Builder(folder)
    builder.add_meta_graph_and_variables(
        session,
        [tf.saved_model.tag_constants.SERVING],
        signatures,
        tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS),
        main_op=tf.group(tf.tables_initializer(), tf.local_variables_initializer()),
        strip_default_attrs=True,
    )
    builder.save(as_text)
    for name, file in (assets_extra or {}).items():
        target = f'{folder}/assets.extra/{name}'
        tf.gfile.MakeDirs(target.rpartition('/')[0])
        tf.gfile.Copy(file, target)
