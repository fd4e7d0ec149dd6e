"""What a run will be, as lines of text: configuration, phases, variables and memory.

Read off the static graph; nothing of it is run.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.core import config
from tfae.training.experiment import Experiment
from tfae.training.graph import Graph

# Operations whose output is their input, or no tensor of numbers.
_SAME_MEMORY = ('Identity', 'Reshape', 'ReadVariableOp', 'VarHandleOp', 'StopGradient', 'Const')


def lines(experiment: Experiment, built: Graph, loaded: data.DataSet) -> Iterator[str]:
    """Yields the lines of `tfae train --dry_run`.

    Args:
      experiment: the configuration.
      built: its graph.
      loaded: its data set.
    """
    batch = experiment.training.batch(len(loaded.train.images))
    yield 'configuration:'
    for name, value in experiment.hparams().items():
        yield f'  --{name}={config.text(value)}'
    yield 'phases:'
    for program in built.programs:
        phase = program.phase
        yield f'  {phase.name}: {phase.epochs} epochs, steps {phase.start:,} to {phase.stop:,}'
    yield 'variables:'
    rows = [
        (v.op.name, str(v.shape.as_list()), v.dtype.base_dtype.name) for v in built.model_variables
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield '  ' + '  '.join(map(str.ljust, row, widths)).rstrip()
    with built.graph.as_default():
        trained, stored = tf.trainable_variables(), tf.global_variables()
    kernels = _bytes(trained)
    activations = max(_activations(built.graph, program.phase.name) for program in built.programs)
    splits = (loaded.train, loaded.validation)
    examples = sum(s.images.nbytes for s in splits if isinstance(s.images, np.ndarray))
    yield f'parameters: {sum(map(_count, trained)):,}, {_size(kernels)}'
    yield f'checkpoint: {_size(_bytes(stored))}, with what the optimizer stores'
    yield (
        f'memory: about {_size(_bytes(stored) + kernels + 2 * activations + examples)}: variables '
        f'{_size(_bytes(stored))}, their gradients {_size(kernels)}, values of a batch of {batch} '
        f'{_size(activations)} and as much for their gradients, data set {_size(examples)}'
    )


def _count(variable: tf.Variable) -> int:
    return math.prod(variable.shape.as_list())


def _bytes(variables: Iterable[tf.Variable]) -> int:
    return sum(_count(v) * v.dtype.base_dtype.size for v in variables)


def _activations(graph: tf.Graph, phase: str) -> int:
    """Bytes of what the forward pass of a phase computes, for tensors of known shape."""
    operations = (o for o in graph.get_operations() if o.name.startswith(f'{phase}/'))
    made = [o.outputs[0] for o in operations if o.outputs and o.type not in _SAME_MEMORY]
    return sum(math.prod(t.shape) * t.dtype.size for t in made if t.shape.is_fully_defined())


def _size(count: int) -> str:
    """A number of bytes as a person reads it."""
    for unit, bytes_of in (('GB', 1e9), ('MB', 1e6), ('kB', 1e3)):
        if count >= bytes_of:
            return f'{count / bytes_of:,.1f} {unit}'
    return f'{count} bytes'
