"""Write an HTML page about a run: curves, measures, images, flags and variables.

The page is one file without external resources. Curves can be read off and zoomed. Where the
result of another command is missing, the page names the command that adds it.
"""

import dataclasses
import pathlib

import tensorflow.compat.v1 as tf

from tfae.commands.shared import command_flags, families
from tfae.core import errors, names
from tfae.core.atomic_files import write_text
from tfae.core.config import option
from tfae.report import run_page
from tfae.runs.directory import Folder
from tfae.runs.saved_run import Run

_PARTS = (names.CODE, names.RECONSTRUCTION, names.DECODER)


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Look):
    """The output file."""

    output: str = option('', 'Output HTML (default: report.html in the run).')


def main(argv: list[str]) -> int:
    """Runs `tfae report`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.Look` does; a run without a checkpoint has
      a page without variables.
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
    """Returns the variables by collection, the trainable ones first."""
    has = {name for name in _PARTS if families.has(run, name)}
    if run.experiment.signature.labeled:
        has.add(names.LABELS)
    first = tf.GraphKeys.TRAINABLE_VARIABLES
    found = {
        key: [_variable(v) for v in run.graph.get_collection(key) if hasattr(v, 'read_value')]
        for key in sorted(run.graph.get_all_collection_keys(), key=lambda key: (key != first, key))
    }
    return run_page.Graph(
        run.step,
        run.checkpoint,
        has,
        {key: variables for key, variables in found.items() if variables},
    )


def _variable(variable: tf.Variable) -> run_page.Variable:
    dtype, shape = variable.dtype.base_dtype.name, variable.shape
    if not shape.is_fully_defined():  # a variable of a phase may be as large as its data
        return run_page.Variable(variable.op.name, 'as the data', dtype, 0)
    words = ' × '.join(map(str, shape.as_list())) or 'scalar'
    return run_page.Variable(variable.op.name, words, dtype, shape.num_elements())
