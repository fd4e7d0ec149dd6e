"""Write one HTML page that shows a run: its curves, measures, images, flags and variables.

The page stands alone: style, script and images lie in it, and it asks for nothing else. Curves
can be read and enlarged. What other commands have not written yet is left out, and the page says
which command would add it.
"""

import dataclasses
import pathlib

import tensorflow.compat.v1 as tf

from tfae.commands.shared import command_flags
from tfae.core import errors, names
from tfae.core.atomic_files import write_text
from tfae.core.config import option
from tfae.report import run_page
from tfae.runs.directory import Folder
from tfae.runs.saved_run import Run

_OUTPUTS = (names.CODE, names.RECONSTRUCTION, names.PROBABILITIES)


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Look):
    """Where the page goes."""

    output: str = option('', 'HTML to write; empty: report.html in the run.')


def main(argv: list[str]) -> int:
    """Runs `tfae report`; returns the exit code 0.

    Raises: UsageError or InputError as `_flags.Look` does, save that a run without a checkpoint is
      shown without its variables.
    """
    flags = command_flags.read('report', __doc__, Config, argv)
    if flags.output and not flags.output.endswith('.html'):
        raise errors.UsageError(f'--output is {flags.output!r}; it must end in .html')
    graph, trouble = None, ''
    try:
        with flags.open() as run:
            graph = _graph(run)
    except errors.InputError as error:
        trouble = str(error)
    folder = Folder(flags.logdir)
    page = run_page.page(folder, graph, trouble)
    path = pathlib.Path(flags.output or folder.place('report.html'))
    write_text(path, page)
    print(f'{path}: {len(page.encode()) / 1e6:.1f} MB')
    return 0


def _graph(run: Run) -> run_page.Graph:
    """What the page tells of the graph, the trained variables first."""
    outputs = run.built.inference.outputs
    first = tf.GraphKeys.TRAINABLE_VARIABLES
    found = {
        key: [_variable(v) for v in run.graph.get_collection(key) if hasattr(v, 'read_value')]
        for key in sorted(run.graph.get_all_collection_keys(), key=lambda key: (key != first, key))
    }
    return run_page.Graph(
        run.step,
        run.checkpoint,
        {name for name in _OUTPUTS if hasattr(outputs, name)},
        {key: variables for key, variables in found.items() if variables},
    )


def _variable(variable: tf.Variable) -> run_page.Variable:
    dtype, shape = variable.dtype.base_dtype.name, variable.shape
    if not shape.is_fully_defined():  # a variable of a phase may be as large as its data
        return run_page.Variable(variable.op.name, 'as the data', dtype, 0)
    words = ' × '.join(map(str, shape.as_list())) or 'scalar'
    return run_page.Variable(variable.op.name, words, dtype, shape.num_elements())
