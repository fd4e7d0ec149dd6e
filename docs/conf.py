"""The documentation site: Sphinx, built by `make docs` into build/docs, warnings as errors."""

import contextlib
import io
import os
import pathlib
import re
import sys

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from numpy.typing import ArrayLike  # noqa: E402
from sphinx.util.typing import stringify_annotation  # noqa: E402

from tfae import __main__ as program  # noqa: E402
from tfae.core import package  # noqa: E402

project = 'tfae'
author = copyright = 'the tfae authors'
version = release = package.VERSION
extensions = ['sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'myst_nb', 'sphinx_copybutton']
exclude_patterns = ['README.md']

html_theme = 'furo'
html_title = f'tfae {release}'
html_static_path: list[str] = []
pygments_style = 'default'
# An indented block is a command line.
highlight_language = 'none'
copybutton_exclude = '.linenos, .gp'

myst_enable_extensions = ['colon_fence', 'dollarmath']
myst_heading_anchors = 3
nb_execution_mode = 'off'  # the tests execute the notebooks and compare

autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
default_role = 'code'

_HEADS = 'Args|Returns|Raises|Yields'


def adapted(app, what, name, obj, options, lines):
    """Converts a docstring of tfae to the format of napoleon.

    `Raises: X if ...` on one line becomes a section, and an indented block a literal block; `|x|`
    and `*args` in plain text are escaped.
    """
    del app, what, name, obj, options
    parts = re.split(r'(?<=\n\n)((?:    .*\n*)+)', '\n'.join(lines))
    parts[1::2] = ['::\n\n' + block for block in parts[1::2]]
    parts[::2] = [_sections(_plain(text)) for text in parts[::2]]
    lines[:] = ''.join(parts).splitlines()


def _sections(text):
    return re.sub(
        rf'^({_HEADS}): (.+(?:\n  .+)*)',
        lambda found: _section(found[1], ' '.join(found[2].split())),
        text,
        flags=re.M,
    )


def _section(head, text):
    items = re.split(r'; (?=[A-Z]\w+ )', text) if head == 'Raises' else [text]
    if head == 'Raises':
        items = [re.sub(r'^(\w+),? ', r'\1: ', item) for item in items]
    return '\n'.join([f'\n{head}:', *(f'    {item}' for item in items)])


def _plain(text):
    parts = text.split('`')
    parts[::2] = [re.sub(r'([|*])', r'\\\1', part) for part in parts[::2]]
    return '`'.join(parts)


def write_commands(app):
    """Writes a page for each command with the output of its `--help`."""
    folder = HERE / 'reference' / 'commands'
    folder.mkdir(exist_ok=True)
    for name, line in program._summaries().items():
        page = f'# tfae {name}\n\n{line}\n\n```text\n{_help([name, "--help"])}\n```\n'
        path = folder / f'{name}.md'
        if not path.is_file() or path.read_text() != page:
            path.write_text(page)


def _help(argv):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        program.run(argv)
    return printed.getvalue().strip()


def shortened(app, what, name, obj, options, signature, annotation):
    """Shows numpy's `ArrayLike` by its name instead of the union that it stands for."""
    del app, what, name, obj, options
    if signature:
        signature = signature.replace(stringify_annotation(ArrayLike, 'smart'), 'ArrayLike')
        signature = signature.replace(stringify_annotation(ArrayLike), 'ArrayLike')
    return signature, annotation


def setup(app):
    """Connects the three functions to the build."""
    app.connect('autodoc-process-docstring', adapted, priority=400)
    app.connect('autodoc-process-signature', shortened)
    app.connect('builder-inited', write_commands)
