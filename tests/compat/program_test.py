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


@pytest.mark.parametrize(
    'text, wanted',
    [
        ("get_ipython().run_line_magic('matplotlib', 'inline')\nx = xrange(3)", True),
        ("def setup():\n    get_ipython().magic('cd ..')\nsetup()", True),
        ('try:\n    get_ipython()\n    words = []\nexcept NameError:\n    words = None', False),
        (
            "try:\n    unicode\nexcept NameError:\n    unicode = str\nget_ipython().magic('ls')",
            True,
        ),
        ("notebook = 'IPKernelApp' in get_ipython().config", False),
        ('shell = get_ipython\nshell().magic("pwd")', False),
        ('def shell():\n    return get_ipython().__class__.__name__', False),
    ],
)
def test_only_what_magics_were_saved_as_gets_a_shell(text, wanted):
    # A program that asks whether it runs in a notebook must be told that it does not.
    found = program.undefined(compile(text, 'script', 'exec'))
    assert ('get_ipython' in found) == wanted
    assert ('xrange' in found) == ('xrange' in text)
