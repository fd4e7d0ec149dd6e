"""The Python 3 source of notebooks: what is no Python is left out, and nothing else."""

import json
import pathlib

import pytest

from tfae.compat import program

CELLS = {
    '%time x = 2\ny = 3  # is it?\n!ls\nx?': ({'x': 2, 'y': 3}, ['!ls', 'x?']),
    'x = 7 \\\n % 4\n%matplotlib inline': ({'x': 3}, ['%matplotlib inline']),
    '%pylab\nx = ("a%i"\n% 4)\ny = """\n!x\n% y\n"""': (
        {'x': 'a4', 'y': '\n!x\n% y\n'},
        ['%pylab'],
    ),
    'exec "x = 1"\ny = "%s" \\\n% (2 <> 3)\n??len': ({'x': 1, 'y': 'True'}, ['??len']),
    'for x in [1]:\n    %time y = x\n  \nfiles = !ls': ({'x': 1, 'y': 1}, ['files = !ls']),
}


@pytest.mark.parametrize('cell', CELLS)
def test_only_lines_that_are_no_python_are_left_out(cell):
    values, left_out = CELLS[cell]
    notebook = {'cells': [{'cell_type': 'code', 'source': cell}]}
    skipped, found = [], {}
    content = json.dumps(notebook).encode()
    exec(program.source(content, pathlib.Path('n.ipynb'), skipped).text, found)
    assert {name: found[name] for name in values} == values
    assert skipped == left_out
