"""Signatures of a run or a published network, and the formats to export them in.

    encode        images -> code, and log_variance where the code has a distribution
    decode        code -> images
    reconstruct   images -> reconstruction
    classify      images -> probabilities, class_logits
    score         images -> score
    sample        count, seed -> code, images

The model determines which of them exist. Each signature of images has a variant for files, such as
encode_bytes: image_bytes, JPEG or PNG, are read as the run read its training set. All formats use
stock ops: a SavedModel, one frozen GraphDef, or an ONNX file for each signature except those of
files.
"""

import importlib
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.analysis import anomaly, table_anomaly
from tfae.core import errors, names, package
from tfae.export import anomaly_score, encoded_images
from tfae.export import graph_def as export
from tfae.models.base.family import Decoder
from tfae.pretrained.classifier import Reference
from tfae.runs.saved_run import Run
from tfae.training.experiment import Experiment

VERSION = 1  # of signatures.json
FROZEN = 'frozen_graph.pb'

_SCALING = (
    'apply the EXIF orientation; of 16 bits keep the upper 8; composite over white; cut out the '
    'central crop, height x width, if any; gray is (19595 R + 38470 G + 7471 B + 2^15) >> 16; '
    'scale to height x width, bilinear and antialiased, rounded to bytes after the columns and '
    'after the rows; divide by 255. A JPEG is decoded at the smallest of 1/8, 1/4 and 1/2 that is '
    'at least height x width'
)
_OPSET = 17  # of ONNX
_MAX_BYTES = 2**31 - 2**20  # of weights in a protocol buffer, with room for the nodes
_ORDER = ('encode', 'decode', 'reconstruct', 'classify', 'regress', 'score', 'sample')
_FILE_SUFFIX = '_bytes'  # of the signatures of files

# Signature -> the outputs of a family that it returns, the first one required; its meaning.
_OF_IMAGES = {
    'encode': ((names.CODE, names.LOG_VARIANCE), 'the code of each image'),
    'reconstruct': ((names.RECONSTRUCTION,), 'decoded image of the code of each image'),
    'classify': (
        (names.PROBABILITIES, names.CLASS_LOGITS),
        'class probabilities; probabilities = softmax(class_logits)',
    ),
    'regress': ((names.PREDICTION,), 'the quantity of each image'),
    'score': (
        (names.SCORE,),
        'logit of the discriminator: the higher, the more likely the image is real',
    ),
}


class Signature(NamedTuple):
    """One function of images, codes or numbers."""

    meaning: str
    inputs: Mapping[str, tf.Tensor]
    outputs: Mapping[str, tf.Tensor]
    more: Mapping[str, Any] = {}  # further entries of signatures.json


class Served(NamedTuple):
    """A graph with signatures; the session holds the values of its variables."""

    graph: tf.Graph
    session: Any
    signatures: dict[str, Signature]
    about: dict[str, Any]  # of the model, for signatures.json


def of_run(run: Run, detector: anomaly.Detector | table_anomaly.Detector | None = None) -> Served:
    """Returns the signatures of a run; extends its graph where a signature needs it.

    Args:
      run: open.
      detector: fitted by `tfae anomaly` to this checkpoint; adds `score` to autoencoders.
    """
    inference, experiment = run.built.inference, run.experiment
    images, outputs = {names.IMAGES: inference.images}, inference.outputs._asdict()
    found = {
        name: Signature(meaning, images, {k: outputs[k] for k in wanted if k in outputs})
        for name, (wanted, meaning) in _OF_IMAGES.items()
        if wanted[0] in outputs
    }
    if names.LOG_VARIANCE in outputs and 'encode' in found:
        meaning = 'mean and log-variance of the distribution of the code of each image'
        found['encode'] = found['encode']._replace(meaning=meaning)
    if inference.code is not None:
        code, made = {names.CODE: inference.code}, {names.IMAGES: inference.decoded}
        found['decode'] = Signature('decoded image of each code', code, made)
    with run.graph.as_default(), tf.name_scope(f'{names.INFERENCE}/'):
        if inference.samples is not None:
            found['sample'] = _sample(run)
        if detector is not None:
            found['score'] = _anomaly_score(run, detector)
        found |= _of_files(run, found)
    signature = experiment.signature
    about = {
        'model': experiment.model,
        'dataset': experiment.data.dataset,
        'step': run.step,
        'classes': signature.classes,
        'class_names': list(signature.class_names),
        **_values_of(experiment),
    }
    return Served(run.graph, run.session, _in_order(found), about)


def of_network(network: Reference, class_names: Sequence[str]) -> Served:
    """Returns the signature of a published network, `classify`."""
    outputs = {
        names.PROBABILITIES: network.outputs.probabilities,
        names.CLASS_LOGITS: network.outputs.class_logits,
    }
    signature = Signature(_OF_IMAGES['classify'][1], {names.IMAGES: network.images}, outputs)
    about = {
        'model': network.name,
        'classes': network.outputs.class_logits.shape.as_list()[1],
        'class_names': list(class_names),
        'pixels': _pixels(
            network.image_shape,
            'scale the shorter side to 256, take the central crop, divide bytes by 255; the graph '
            'does the rest',
        ),
    }
    return Served(network.graph, network.session, {'classify': signature}, about)


def graph_def(served: Served) -> tf.GraphDef:
    """Returns the subgraph of all signatures, in stock ops."""
    tensors = [t for s in served.signatures.values() for t in _tensors(s)]
    return export.portable(export.extracted(served.graph, tensors))


def variable_graph(served: Served) -> tuple[tf.Graph, dict[str, np.ndarray]]:
    """Returns a new graph of the signatures, and the values of its variables by name."""
    definition = graph_def(served)
    values = _values(served, definition)
    return export.with_variables(definition, values), values


def _values(served: Served, definition: tf.GraphDef) -> dict[str, np.ndarray]:
    """Returns the value of each variable in `definition`, by name."""
    held = {v.op.name: v for v in served.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)}
    return served.session.run({name: held[name] for name in export.variables(definition)})


def write_saved_model(folder: pathlib.Path, session: Any, served: Served) -> None:
    """Writes a SavedModel.

    Args:
      folder: that does not exist.
      session: of a graph that has the tensors of `served`, by name.
      served: the signatures.
    """
    builder = tf.saved_model.Builder(str(folder))

    def info(tensors: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        return {key: session.graph.get_tensor_by_name(t.name) for key, t in tensors.items()}

    signatures = {
        name: tf.saved_model.predict_signature_def(info(s.inputs), info(s.outputs))
        for name, s in served.signatures.items()
    }
    builder.add_meta_graph_and_variables(
        session, [tf.saved_model.tag_constants.SERVING], signatures
    )
    builder.save()


def frozen(served: Served) -> tf.GraphDef:
    """Returns the subgraph of all signatures, with constants instead of variables.

    Raises: InputError if it exceeds the size of a protocol buffer.
    """
    definition = graph_def(served)
    found = _values(served, definition)
    if (size := sum(value.nbytes for value in found.values())) > _MAX_BYTES:
        raise errors.InputError(
            f'the weights take {size:,} bytes, one file may hold {_MAX_BYTES:,}; '
            f'--format=saved_model has no such limit'
        )
    return export.frozen(definition, found)


def onnx(served: Served) -> dict[str, bytes]:
    """Returns signature -> serialized ONNX model, with the keys as names of inputs and outputs.

    Raises: InputError if tf2onnx is missing, or a signature has no valid ONNX model.
    """
    try:
        converter = importlib.import_module('tf2onnx')
        checker = importlib.import_module('onnx.checker')
    except ImportError as error:
        raise errors.InputError(
            f'--format=onnx needs tf2onnx and onnx: {error}; '
            f'{package.install("onnx")} installs both'
        ) from None
    made = {}
    for name, signature in served.signatures.items():
        one = served._replace(signatures={name: signature})
        tensors = {**signature.inputs, **signature.outputs}
        model, _ = converter.convert.from_graph_def(
            frozen(one),
            name=name,
            input_names=[t.name for t in signature.inputs.values()],
            output_names=[t.name for t in signature.outputs.values()],
            opset=_OPSET,
            tensors_to_rename={t.name: key for key, t in tensors.items()},
        )
        try:
            checker.check_model(model)
        except checker.ValidationError as error:
            reason = str(error).splitlines()[0]
            raise errors.InputError(f'signature {name} has no valid ONNX model: {reason}') from None
        made[name] = model.SerializeToString()
    return made


def for_onnx(served: Served) -> tuple[Served, dict[str, str]]:
    """Returns the signatures that ONNX supports, and the reasons against the others."""
    reasons = {
        names.SEED: 'ONNX has no seeded random numbers',
        names.IMAGE_BYTES: 'ONNX cannot decode image files',
    }
    lost = {
        name: reason
        for name, signature in served.signatures.items()
        for key, reason in reasons.items()
        if key in signature.inputs
    }
    kept = {name: s for name, s in served.signatures.items() if name not in lost}
    return served._replace(signatures=kept), lost


def description(served: Served, kind: str, onnx_names: bool = False) -> dict[str, Any]:
    """Returns the content of signatures.json; a dimension of any size is null."""

    def listed(tensors: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        return {
            key: {
                'dtype': tensor.dtype.name,
                'shape': tensor.shape.as_list(),
                'tensor': key if onnx_names else tensor.name,
            }
            for key, tensor in tensors.items()
        }

    versions = {'tfae': package.VERSION, 'tensorflow': tf.__version__}
    signatures = {
        name: {
            'meaning': signature.meaning,
            'inputs': listed(signature.inputs),
            'outputs': listed(signature.outputs),
            **signature.more,
        }
        for name, signature in served.signatures.items()
    }
    return {'version': VERSION, 'format': kind, 'made_by': versions, **served.about} | {
        'signatures': signatures
    }


def _sample(run: Run) -> Signature:
    inference = run.built.inference
    model = run.built.model
    assert isinstance(model, Decoder)  # only these have a prior
    decoded = model.decode(inference.samples)
    if run.built.normalization:
        decoded = run.built.normalization.denormalize(decoded)
    made = tf.identity(decoded, names.SAMPLES_DECODED)
    return Signature(
        'codes sampled from the prior and their images, determined by the seed of two integers',
        {names.COUNT: inference.count, names.SEED: inference.seed},
        {names.CODE: inference.samples, names.IMAGES: made},
    )


def _anomaly_score(run: Run, detector: anomaly.Detector | table_anomaly.Detector) -> Signature:
    inference = run.built.inference
    outputs = inference.outputs
    made = outputs.reconstruction
    if run.built.normalization:
        made = run.built.normalization.normalize(made)
    given, more = {names.IMAGES: inference.images}, {'threshold': float(detector.threshold)}
    if isinstance(detector, table_anomaly.Detector):
        seen = inference.inputs, made, inference.present
        columns = anomaly_score.contributions(detector, *seen)
        columns = tf.identity(columns, names.CONTRIBUTIONS)
        score = tf.reduce_sum(columns, 1, name=names.SCORE)
        meaning = 'anomaly score in nats and the contributions of the columns, whose sum it is; a '
        meaning += 'row above the threshold is anomalous'
        made = {names.SCORE: score, names.CONTRIBUTIONS: columns}
        return Signature(meaning, given, made, more)
    found = anomaly_score.score(detector, inference.inputs, outputs.code, made)
    meaning = 'anomaly score in nats; an image above the threshold is anomalous'
    return Signature(meaning, given, {names.SCORE: tf.identity(found, names.SCORE)}, more)


def _of_files(run: Run, found: Mapping[str, Signature]) -> dict[str, Signature]:
    """Returns variants of the signatures of images for files; none unless they are gray or RGB."""
    if not data.is_image(run.experiment.signature.image_shape):
        return {}
    form = run.experiment.form()
    of_images = {k: s for k, s in found.items() if set(s.inputs) == {names.IMAGES}}
    if form.channels not in (1, 3) or not of_images:
        return {}
    outputs = [tensor for s in of_images.values() for tensor in s.outputs.values()]
    contents, made = encoded_images.on_bytes(run.built.inference.images, outputs, form)
    known = dict(zip((tensor.name for tensor in outputs), made, strict=True))
    return {
        f'{name}{_FILE_SUFFIX}': s._replace(
            meaning=f'{name} of JPEG or PNG files, read as those of the training set',
            inputs={names.IMAGE_BYTES: contents},
            outputs={key: known[tensor.name] for key, tensor in s.outputs.items()},
        )
        for name, s in of_images.items()
    }


def _tensors(signature: Signature) -> Iterable[tf.Tensor]:
    return [*signature.inputs.values(), *signature.outputs.values()]


def _pixels(shape: Sequence[int], preprocessing: str) -> dict[str, Any]:
    height, width, channels = shape
    order = {1: 'gray', 3: 'RGB'}.get(channels, f'{channels} channels')
    return {
        'layout': 'NHWC',
        'height': height,
        'width': width,
        'channels': order,
        'range': [0.0, 1.0],
        'preprocessing': preprocessing,
    }


def _values_of(experiment: Experiment) -> dict[str, Any]:
    """Describes the examples that the signatures take."""
    signature = experiment.signature
    shape = signature.image_shape
    if data.is_image(shape):
        return {'pixels': _pixels(shape, _SCALING) | {'crop': experiment.form().crop}}
    about: dict[str, Any] = {'normalize': experiment.data.normalize}
    if experiment.data.missing != 'refuse':
        about['missing'] = 'NaN is a missing value, which the model sees as 0'
    if signature.dtype == 'uint8':
        about['preprocessing'] = 'divide bytes by 255; the graph normalizes the result'
    if data.tabular(shape):
        columns = signature.columns or map(str, range(shape[0]))
        return {'columns': list(columns)} | about
    about |= {'examples': f'{data.noun(shape)}s', 'shape': list(shape)}
    about['axes'] = list(data.axes(shape))
    if signature.columns:
        about['channels'] = list(signature.columns)
    return about


def _in_order(found: dict[str, Signature]) -> dict[str, Signature]:
    order = [name + kind for name in _ORDER for kind in ('', _FILE_SUFFIX)]
    return {name: found[name] for name in order if name in found}
