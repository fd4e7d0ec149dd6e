"""Overview of a run as lines of text: configuration, phases, variables and memory.

Computed from the static graph, without running it.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.ops import dependencies
from tfae.training import graph
from tfae.training.experiment import Experiment
from tfae.training.phases import Program

# Operations whose output shares memory with their input, or is not a tensor of numbers.
_SAME_MEMORY = ('Identity', 'Reshape', 'ReadVariableOp', 'VarHandleOp', 'StopGradient', 'Const')


def lines(experiment: Experiment, built: graph.Graph, loaded: data.DataSet) -> Iterator[str]:
    """Yields the lines of `tfae train --dry_run`.

    Args:
      experiment: the configuration.
      built: its graph.
      loaded: its data set.
    """
    # Configuration and phases.
    batch = experiment.training.batch(len(loaded.train.images))
    yield 'configuration:'
    yield from (f'  {flag}' for flag in experiment.flags())
    yield 'phases:'
    for program in built.programs:
        phase = program.phase
        yield f'  {phase.name}: {phase.epochs} epochs, steps {phase.start:,} to {phase.stop:,}'

    # Variables.
    yield 'variables:'
    rows = [
        (v.op.name, str(v.shape.as_list()), v.dtype.base_dtype.name) for v in built.model_variables
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield '  ' + '  '.join(map(str.ljust, row, widths)).rstrip()

    # Sizes.
    with built.graph.as_default():
        trained, stored = tf.trainable_variables(), tf.global_variables()
    kernels = _bytes(trained)
    parts = experiment.training.accumulation_steps
    activations = max(map(_activations, built.programs)) // parts
    splits = (loaded.train, loaded.validation)
    examples = sum(s.images.nbytes for s in splits if isinstance(s.images, np.ndarray))
    yield f'parameters: {graph.parameters(built.graph):,}, {_size(kernels)}'
    yield f'checkpoint: {_size(_bytes(stored))}, with the variables of the optimizer'
    yield (
        f'memory: about {_size(_bytes(stored) + kernels + 2 * activations + examples)}: variables '
        f'{_size(_bytes(stored))}, their gradients {_size(kernels)}, activations of a batch '
        f'of {batch // parts} {_size(activations)} and as much for their gradients, data set '
        f'{_size(examples)}'
    )


def _count(variable: tf.Variable) -> int:
    return math.prod(variable.shape.as_list())


def _bytes(variables: Iterable[tf.Variable]) -> int:
    return sum(_count(v) * v.dtype.base_dtype.size for v in variables)


def _activations(program: Program) -> int:
    """Returns bytes of the tensors of known shape from which a step computes its losses."""
    operations = dependencies.ancestors(program.scalars[name].op for name in program.means)
    made = [o.outputs[0] for o in operations if o.outputs and o.type not in _SAME_MEMORY]
    return sum(math.prod(t.shape) * t.dtype.size for t in made if t.shape.is_fully_defined())


def _size(count: int) -> str:
    """Formats a number of bytes."""
    for unit, bytes_of in (('GB', 1e9), ('MB', 1e6), ('kB', 1e3)):
        if count >= bytes_of:
            return f'{count / bytes_of:,.1f} {unit}'
    return f'{count} bytes'
