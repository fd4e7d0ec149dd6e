"""Graphs that are built twice: with the layers of tfae, and with those of TF1.

`observe` builds a case and reports everything that the two must agree in. Run as a program with
TF_USE_LEGACY_KERAS=1, this file writes the old layers' reports, and the checkpoints that ours
restore, into a folder. It writes our reports of the channels_first cases too: run with
TF_ENABLE_ONEDNN_OPTS=0, they tell what happens where the CPU kernels know channels_last only.
"""

import dataclasses
import functools
import inspect
import itertools
import json
import pathlib
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import layers as our_layers

FIRST, LAST = 'channels_first', 'channels_last'


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    # layers, inputs, a boolean placeholder, a data format -> outputs by their names
    build: Callable[[Any, tf.Tensor, tf.Tensor, str], dict[str, tf.Tensor]]
    shape: tuple[int, ...] = (3, 9, 8, 3)  # of the inputs, channels last
    data_format: str = LAST
    training: bool = True  # what the placeholder is fed


def square(v):
    return 0.1 * tf.reduce_sum(tf.square(v))


def grid(**options) -> Iterator[dict]:
    for values in itertools.product(*options.values()):
        yield dict(zip(options, values, strict=True))


def words(options: dict) -> str:
    """Formats the options, equal in every process."""

    def word(v):
        return v if isinstance(v, (bool, int, str, list, tuple)) else type(v).__name__

    return ' '.join(f'{k}={word(v)}' for k, v in options.items())


PADDINGS = ('valid', 'SAME')
CALLS = {
    'conv2d': [
        *grid(filters=[4], kernel_size=[1, [3, 2]], strides=[1, 2, (2, 1)], padding=PADDINGS),
        *grid(filters=[4], kernel_size=[5], strides=[3], padding=PADDINGS),
        *grid(filters=[4], kernel_size=[3], dilation_rate=[2, (1, 2)], padding=PADDINGS),
    ],
    'conv2d_transpose': [
        *grid(filters=[4], kernel_size=[1, [3, 2]], strides=[1, 2, (2, 3)], padding=PADDINGS),
        *grid(filters=[4], kernel_size=[5], strides=[1, 3], padding=PADDINGS),
    ],
    'separable_conv2d': [
        *grid(
            filters=[4],
            kernel_size=[[3, 2], 4],
            strides=[1, 2],
            padding=PADDINGS,
        ),
        *grid(filters=[4], kernel_size=[3], depth_multiplier=[2], padding=PADDINGS),
        *grid(filters=[4], kernel_size=[3], dilation_rate=[2], padding=PADDINGS),
    ],
    'max_pooling2d': [*grid(pool_size=[2, [3, 2]], strides=[1, 2, (2, 3)], padding=PADDINGS)],
    'average_pooling2d': [*grid(pool_size=[2, [3, 2]], strides=[1, 2, (2, 3)], padding=PADDINGS)],
    'conv1d': [
        *grid(filters=[4], kernel_size=[[3]], strides=[1, 2], padding=(*PADDINGS, 'causal')),
        *grid(filters=[4], kernel_size=[1], strides=[2]),
        *grid(filters=[4], kernel_size=[3], dilation_rate=[2], padding=['causal']),
    ],
    'separable_conv1d': [
        *grid(filters=[4], kernel_size=[3], strides=[2], padding=(*PADDINGS, 'causal')),
        *grid(filters=[4], kernel_size=[3], depth_multiplier=[2], dilation_rate=[2]),
    ],
    'max_pooling1d': [*grid(pool_size=[2, [3]], strides=[1, 2], padding=PADDINGS)],
    'average_pooling1d': [*grid(pool_size=[2, [3]], strides=[1, 2], padding=PADDINGS)],
    'conv3d': [
        # Strides are equal: TensorFlow 2.21's kernel without oneDNN, which runs the old layers,
        # computes wrong values for `same` and unequal strides.
        *grid(filters=[4], kernel_size=[[3, 2, 1]], strides=[1, 2], padding=PADDINGS),
        *grid(filters=[4], kernel_size=[2], dilation_rate=[(1, 2, 2)]),
    ],
    'conv3d_transpose': [
        *grid(filters=[4], kernel_size=[1, [3, 2, 1]], strides=[2], padding=PADDINGS),
    ],
    'max_pooling3d': [*grid(pool_size=[2, [3, 2, 1]], strides=[1, (2, 1, 2)], padding=PADDINGS)],
    'average_pooling3d': [*grid(pool_size=[2, (3, 2, 1)], strides=[2], padding=PADDINGS)],
}
FIRST_TOO = ('max_pooling3d',)  # and all in 2-D
SHAPES = {1: (3, 9, 3), 2: (3, 9, 8, 3), 3: (2, 5, 4, 6, 3)}
CONVOLUTION_OPTIONS = [
    {'activation': tf.nn.relu},
    {'use_bias': False},
    {'bias_regularizer': square, 'activity_regularizer': square},
    {'trainable': False, 'name': 'frozen'},
    {'bias_initializer': tf.constant_initializer(3.0)},
]


def images() -> Iterator[Case]:
    """Cases of spatial layers: all data formats, paddings and strides; also unknown sizes."""

    def sheet(function, data_format):
        shape = SHAPES[int(re.search(r'(\d)d', function).group(1))]
        calls = list(CALLS[function])
        sizes = [None] * (len(shape) - 2)
        if 'pooling' in function:
            free = [*grid(pool_size=[3], strides=[2], padding=PADDINGS)]
        else:
            options = CONVOLUTION_OPTIONS if '2d' in function else [{'use_bias': False}]
            calls += [{'filters': 4, 'kernel_size': 3} | o for o in options]
            free = [*grid(filters=[4], kernel_size=[3], strides=[2], padding=PADDINGS)]

        def build(layers, x, phase, data_format):
            free_shape = (None, 3, *sizes) if data_format == FIRST else (None, *sizes, 3)
            unknown = tf.placeholder_with_default(x, free_shape)
            layer = functools.partial(getattr(layers, function), data_format=data_format)
            return {f'{i} {words(o)}': layer(x, **o) for i, o in enumerate(calls)} | {
                f'unknown {words(o)}': layer(unknown, **o) for o in free
            }

        return Case(f'{function}, {data_format}', build, shape, data_format)

    for function, data_format in itertools.product(CALLS, (LAST, FIRST)):
        if data_format == LAST or '2d' in function or function in FIRST_TOO:
            yield sheet(function, data_format)


def dense() -> Iterator[Case]:
    def build(layers, x, phase, data_format):
        flat = tf.reshape(x, [-1, 7])
        unknown = tf.placeholder_with_default(x, (None, None, None, 7))
        outputs = {
            'rank 2': layers.dense(flat, 6),
            'rank 3': layers.dense(x[:, 0], 6),
            'rank 4': layers.dense(x, 6),
            'unknown': layers.dense(unknown, 6),
            'float64': layers.dense(tf.cast(flat, tf.float64), 6),
        }
        for options in (
            {'activation': tf.nn.relu},
            {'activation': 'tanh'},
            {'kernel_initializer': 'he_normal'},
            {'bias_initializer': None},
            {'use_bias': False},
            {'name': 'truc'},
            {'name': 'a/b'},
            {'trainable': False},
            {'kernel_regularizer': square, 'bias_regularizer': square},
            {'kernel_regularizer': square, 'activity_regularizer': square, 'name': 'regular'},
            {'kernel_regularizer': lambda v: None},
        ):
            outputs |= {words(options): layers.dense(flat, 6, **options)}
        return outputs

    yield Case('dense', build, (3, 2, 4, 7))


def plain() -> Iterator[Case]:
    """Cases of layers without variables."""

    def flatten(layers, x, phase, data_format):
        def of(inputs, shape=None):
            inputs = inputs if shape is None else tf.placeholder_with_default(inputs, shape)
            return {
                f'{inputs.shape.as_list()} {f}': layers.flatten(inputs, data_format=f)
                for f in (LAST, FIRST)
            }

        outputs = of(x) | of(x[:, 0]) | of(x[:, 0, 0]) | of(x[:, 0, 0, 0])
        outputs |= of(x, (None, None, 8, 3)) | of(x, (3, None, None, None))
        return outputs | {'name': layers.flatten(x, name='flat')}

    yield Case('flatten', flatten)

    def dropout(layers, x, phase, data_format):
        return {
            'inference': layers.dropout(x),
            'training': layers.dropout(x, seed=3, training=True),
            'rate': layers.dropout(x, rate=0.2, seed=3, training=True),
            'rate 0': layers.dropout(x, rate=0, training=True),
            'tensor': layers.dropout(x, training=phase, seed=3),
            'noise shape': layers.dropout(x, 0.3, [None, 1, 1, 3], seed=3, training=True),
            'name': layers.dropout(x, seed=3, name='drop'),
            'the name again': layers.dropout(x, seed=3, name='drop'),
        }

    for training in (True, False):
        yield Case(f'dropout, {training}', dropout, training=training)


def batch_normalization() -> Iterator[Case]:
    calls = {
        'rank 4': {},
        'not fused': {'fused': False},
        'fused': {'fused': True, 'momentum': 0.9, 'epsilon': 1e-2},
        'axis 1': {'axis': 1},
        'axis 1, not fused': {'axis': 1, 'fused': False},
        'axis 2': {'axis': 2},
        'axes': {'axis': [1, 3]},
        'no center': {'center': False},
        'no scale': {'scale': False, 'fused': False},
        'neither': {'scale': False, 'center': False},
        'frozen': {'trainable': False},
        'renorm': {'renorm': True},
        'renorm, clipped': {
            'axis': 1,
            'renorm': True,
            'renorm_clipping': {'rmin': 0.5, 'rmax': 1.5, 'dmax': 0.3},
        },
        'tiny epsilon': {'epsilon': 1e-7},
        'adjustment': {
            'adjustment': lambda shape: (tf.fill(shape[-1:], 1.1), tf.fill(shape[-1:], -0.2))
        },
        'regularized': {'gamma_regularizer': square, 'beta_regularizer': square, 'name': 'bn'},
        'virtual batches': {'virtual_batch_size': 2},
        'virtual batches, axes': {'virtual_batch_size': 3, 'axis': [1, 3]},
        'virtual batches, renorm': {'virtual_batch_size': 2, 'axis': 1, 'renorm': True},
    }

    tensor_calls = ('rank 4', 'not fused', 'axes', 'frozen', 'renorm, clipped', 'adjustment')
    tensor_calls += ('virtual batches', 'virtual batches, axes')

    def sheet(name, training, fed):
        def build(layers, x, phase, data_format):
            def layer(inputs, **options):
                value = phase if training is None else training
                return layers.batch_normalization(inputs, training=value, **options)

            some = calls if training is not None else {k: calls[k] for k in tensor_calls}
            return {k: layer(x, **o) for k, o in some.items()} | {
                'rank 2': layer(tf.reshape(x, [-1, 3])),
                'rank 3': layer(tf.reshape(x, [-1, 8, 3])),
                'rank 5': layer(tf.reshape(x, [-1, 3, 3, 8, 3])),
                'unknown': layer(tf.placeholder_with_default(x, (None, None, None, 3))),
                'float64': layer(tf.cast(x, tf.float64)),
                'float16': tf.identity(layer(tf.cast(tf.reshape(x, [-1, 3]), tf.float16))),
            }

        return Case(f'batch_normalization, {name}', build, (6, 9, 8, 3), training=fed)

    yield sheet('training', True, True)
    yield sheet('inference', False, False)
    yield sheet('tensor that is true', None, True)
    yield sheet('tensor that is false', None, False)


def scopes() -> Iterator[Case]:
    """Cases of names, reuse, and inherited settings of variable scopes."""

    def case(build):
        def with_four(layers, x, phase, data_format):
            return {'output': build(layers, x)}

        return Case(f'scopes, {build.__name__}', with_four, (5, 7))

    def numbered(layers, x):
        x = layers.dense(layers.dense(x, 4), 3)
        with tf.variable_scope('outer'):
            x = layers.dense(layers.dense(x, 4), 3, name='named')
        with tf.variable_scope('outer'):
            x = layers.dense(x, 4, name='later')
        with tf.variable_scope(None, default_name='outer'):
            return layers.dense(layers.dropout(layers.dropout(x)), 2)

    def reused(layers, x):
        y = layers.dense(x, 7, name='a', kernel_regularizer=square)
        y = layers.dense(y, 7, name='a', kernel_regularizer=square, reuse=True)
        with tf.variable_scope('s'):
            y = layers.dense(y, 7)
        with tf.variable_scope('s', reuse=True):
            return layers.dense(y, 7)

    def auto_reused(layers, x):
        for _ in range(3):
            x = layers.dense(
                x, 7, name='a', kernel_regularizer=square, reuse=tf.AUTO_REUSE, activation='relu'
            )
        with tf.variable_scope('s', reuse=tf.AUTO_REUSE):
            return layers.dense(layers.dense(x, 7), 7)

    def reused_without_name(layers, x):
        return layers.dense(layers.dense(x, 7), 7, reuse=True)

    def instance_called_twice(layers, x):
        layer = layers.Dense(7, kernel_regularizer=square, activity_regularizer=square)
        return layers.Dense(2, name='top')(layer.apply(layer(x)))

    def scope_object_as_name(layers, x):
        with tf.variable_scope('held') as scope:
            pass
        return layers.dense(x, 7, name=scope)

    def handed_down(layers, x):
        def custom(getter, name, *args, **kwargs):
            variable = getter(name, *args, **kwargs)
            return 2.0 * variable if name.endswith('bias') else variable

        with tf.variable_scope(
            'scope',
            initializer=tf.constant_initializer(0.5),
            regularizer=square,
            custom_getter=custom,
        ):
            return layers.dense(x, 4, kernel_regularizer=square)

    def partitioned(layers, x):
        with tf.variable_scope('scope', partitioner=tf.fixed_size_partitioner(2)):
            x = layers.dense(x, 4, kernel_regularizer=square)
            x = layers.batch_normalization(x, training=True, renorm=True)
            x = layers.conv2d(tf.reshape(x, [-1, 2, 2, 1]), 2, 2)
            return layers.batch_normalization(x, training=True)

    def templated(layers, x):
        template = tf.make_template('t', lambda v: layers.dense(layers.dense(v, 7), 7))
        return template(template(x))

    def updates_of_an_instance_called_twice(layers, x):
        layer = layers.BatchNormalization()
        return layer(layer(x, training=True), training=True)

    def keras_style(layers, x):
        style = layers.experimental.keras_style_scope
        with style():
            last = layers.Dense(3)  # numbered now, built last
            regular = layers.Dense(7, activity_regularizer=square)
            x = regular(regular(x))
            with tf.name_scope('model'):
                x = layers.Dense(7, name='named')(layers.dense(x, 7))
            with tf.variable_scope('scope', initializer=tf.ones_initializer(), regularizer=square):
                x = layers.Dense(7, name='named', trainable=False)(x)
                x = layers.Dense(7, name='named')(x)
            with tf.variable_scope('scope', reuse=True):
                x = layers.Dense(7)(x)
            x = layers.BatchNormalization()(x, training=True)
        return layers.dense(last(x), 2)

    def network(layers, x):
        x = tf.reshape(tf.tile(x, [1, 7]), [-1, 7, 7, 1])
        x = layers.conv2d(x, 4, 3, padding='SAME', activation=tf.nn.relu, name='truc')
        x = layers.max_pooling2d(layers.batch_normalization(x, training=True), 2, 2)
        x = layers.conv2d_transpose(layers.separable_conv2d(x, 5, 2), 3, 3, 2, 'same')
        x = layers.flatten(layers.average_pooling2d(x, [2, 2], 1))
        return layers.dense(layers.dropout(layers.dense(x, 9, tf.nn.elu), 0.5), 4)

    yield from map(
        case,
        (
            numbered,
            reused,
            auto_reused,
            reused_without_name,
            instance_called_twice,
            scope_object_as_name,
            handed_down,
            partitioned,
            templated,
            updates_of_an_instance_called_twice,
            keras_style,
            network,
        ),
    )


def initial() -> Iterator[Case]:
    """Cases of large variables, whose initial values are compared as samples."""

    def build(layers, x, phase, data_format):
        y = layers.conv2d(x, 64, 5)
        y = layers.separable_conv2d(y, 128, 5, depth_multiplier=4)
        y = layers.conv2d_transpose(y, 64, 3)
        y = layers.batch_normalization(y, renorm=True)
        y = layers.dense(y, 512)
        y = layers.dense(y, 256, kernel_initializer=tf.random_normal_initializer(1.0, 0.1, seed=5))
        return {'output': layers.dense(y, 128, kernel_initializer='lecun_normal')}

    yield Case('initial values', build, (1, 12, 12, 32))


CASES = {
    case.name: case
    for case in itertools.chain(
        images(), dense(), plain(), batch_normalization(), scopes(), initial()
    )
}


def nchw(array):
    return np.moveaxis(array, -1, 1)


def observe(case: Case, layers: Any, folder: pathlib.Path, write: bool) -> tuple[dict, dict]:
    """Names and shapes (a JSON value) and numbers (arrays) of a case, built with `layers`.

    The variables' values come from the checkpoint in `folder`; with `write` that is made first.
    """
    checkpoint = str(folder / f'{zlib.crc32(case.name.encode()):08x}')
    runs = not write or case.data_format == LAST
    graph = Built(case, layers, case.data_format, runs)
    if runs:
        return graph.names, (graph.make(checkpoint) if write else {}) | graph.run(checkpoint)
    # TF1's channels_first ran on GPUs only; its expected result is that of channels_last.
    last = Built(case, layers, LAST)
    numbers = last.make(checkpoint) | last.run(checkpoint)
    return graph.names, {
        k: nchw(v) if k.startswith(('output', 'gradient of the inputs')) and v.ndim > 2 else v
        for k, v in numbers.items()
    }


class Built:
    """A case's graph with all fetches, so that a session adds nothing to it."""

    def __init__(self, case: Case, layers: Any, data_format: str, runs: bool = True) -> None:
        self.case, self.data_format = case, data_format
        with tf.Graph().as_default() as self.graph:
            tf.set_random_seed(7)
            _, *sizes, channels = case.shape
            shape = (channels, *sizes) if data_format == FIRST else (*sizes, channels)
            self.x = tf.placeholder(tf.float32, (None, *shape), 'x')
            self.phase = tf.placeholder(tf.bool, [], 'phase')
            outputs = case.build(layers, self.x, self.phase, data_format)
            self.names = _names(outputs)
            if not runs:
                return
            self.fetch = _fetch(self.x, outputs)
            self.updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
            self.variables = {v.op.name: v for v in tf.global_variables()}
            self.initialize = tf.global_variables_initializer()
            self.saver = tf.train.Saver() if self.variables else None

    def make(self, checkpoint: str) -> dict[str, np.ndarray]:
        """Writes a checkpoint with distinct values of all variables; returns the initial values."""
        if not self.saver:
            return {}
        with tf.Session(graph=self.graph) as session:
            session.run(self.initialize)
            initial = session.run(self.variables)
            feed = {
                # An initializer's second input is the value that it assigns.
                variable.initializer.inputs[1]: _telling(name, initial[name])
                for name, variable in self.variables.items()
            }
            session.run(self.initialize, feed)
            self.saver.save(session, checkpoint, write_meta_graph=False)
        return {f'initial {name}': value for name, value in initial.items()}

    def run(self, checkpoint: str) -> dict[str, np.ndarray]:
        """Returns outputs, losses, gradients, and the variables after the update ops."""
        case = self.case
        value = np.random.RandomState(0).normal(0.3, 1.0, case.shape).astype(np.float32)
        feed = {
            self.x: nchw(value) if self.data_format == FIRST else value,
            self.phase: case.training,
        }
        with tf.Session(graph=self.graph) as session:
            if self.saver:
                self.saver.restore(session, checkpoint)
            numbers = session.run(self.fetch, feed)
            session.run(self.updates, feed)
            updated = session.run(self.variables)
        return numbers | {f'updated {name}': value for name, value in updated.items()}


def _telling(name, initial):
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if 'variance' in name or 'stddev' in name:
        return random.uniform(0.5, 1.5, initial.shape).astype(initial.dtype)
    return random.normal(0, 0.5, initial.shape).astype(initial.dtype)


def _fetch(x, outputs):
    over = [x, *tf.trainable_variables()]
    # The gradient of the outputs' squares, times 0.005, in the fastest form.
    gradients = tf.gradients(list(outputs.values()), over, [0.01 * y for y in outputs.values()])
    words = ['the inputs', *(v.op.name for v in over[1:])]
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    return (
        {f'output {name}': y for name, y in outputs.items()}
        | {f'gradient of {w}': g for w, g in zip(words, gradients, strict=True) if g is not None}
        | {f'loss {loss.name}': loss for loss in losses}
    )


def _names(outputs):
    graph = tf.get_default_graph()
    collections = {
        key: [e.name.removesuffix(':0') for e in graph.get_collection(key) if hasattr(e, 'name')]
        for key in sorted(k for k in graph.get_all_collection_keys() if isinstance(k, str))
        if key not in ('cond_context', 'while_context')
    }
    return {
        'collections': {key: names for key, names in collections.items() if names},
        'variables': {
            v.op.name: [v.shape.as_list(), v.dtype.base_dtype.name] for v in tf.global_variables()
        },
        'outputs': {name: y.name for name, y in outputs.items()},
        'shapes': {name: y.shape.as_list() for name, y in outputs.items()},
    }


def signatures(layers: Any) -> dict[str, list[list[str]]]:
    """Returns the arguments of all functions and classes, in order, with their defaults."""
    found = {}
    for name in dir(layers):
        value = getattr(layers, name)
        if callable(value) and not name.startswith('_'):
            found[name] = [
                [p.name, words({'default': _one(p.default)})]
                for p in inspect.signature(value).parameters.values()
                if p.kind == p.POSITIONAL_OR_KEYWORD
            ]
    return found


def configs(layers: Any) -> dict[str, dict[str, Any]]:
    """Returns what `get_config` says of some layers; of an initializer, its class and numbers."""
    orthogonal = tf.orthogonal_initializer(gain=2.0, seed=3)
    with tf.Graph().as_default():
        made = [
            layers.Dense(3, 'relu', name='top', dtype=tf.float64),
            layers.Conv1D(4, 3, 2, 'SAME', kernel_initializer=orthogonal),
            layers.Conv3DTranspose(4, (1, 2, 3), 2, activation=tf.nn.tanh, use_bias=False),
            layers.SeparableConv2D(4, 3, depth_multiplier=2, trainable=False),
            layers.AveragePooling3D(2, (1, 2, 2), data_format='channels_first'),
            layers.BatchNormalization([1, 2], 0.9, 1e-5, scale=False),
            layers.Dropout(0.3, seed=4),
            layers.Flatten(),
        ]

    def plain(value):
        named = isinstance(value, dict) and 'class_name' in value
        return [value['class_name'], value['config']] if named else value

    return {
        layer.name: {key: plain(value) for key, value in layer.get_config().items()}
        for layer in made
    }


def _one(default: Any) -> Any:
    """One number stands for equal ones: strides of 1 for (1, 1)."""
    return default[0] if isinstance(default, tuple) and len({*default}) == 1 else default


def write_reports(layers: Any, folder: pathlib.Path, side: str, wanted: Callable[[Case], bool]):
    """Writes `<side>.json` and `<side>.npz` for the selected cases, errors included."""
    reports, arrays = {'signatures': signatures(layers), 'configs': configs(layers)}, {}
    for case in filter(wanted, CASES.values()):
        try:
            reports[case.name], numbers = observe(case, layers, folder, write=side == 'legacy')
        except Exception as error:  # noqa: BLE001
            reports[case.name] = {'error': f'{type(error).__name__}: {error}'}
            continue
        arrays |= {f'{case.name}|{key}': value for key, value in numbers.items()}
    (folder / f'{side}.json').write_text(json.dumps(reports))
    np.savez(folder / f'{side}.npz', **arrays)


if __name__ == '__main__':
    tf.disable_v2_behavior()
    folder = pathlib.Path(sys.argv[1])
    write_reports(tf.layers, folder, 'legacy', lambda case: True)
    write_reports(our_layers, folder, 'ours', lambda case: case.data_format == FIRST)
