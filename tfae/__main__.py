"""The program `tfae`: runs a command, and turns errors into one line and an exit code."""

import ast
import functools
import importlib
import importlib.metadata
import logging
import os
import pathlib
import sys
import warnings
from typing import Any

from tfae import commands
from tfae.core import errors, package, stderr, terminal

_MAX_ERROR = 4000  # characters of an error
# The names under which builds of TensorFlow are installed.
_TENSORFLOWS = ('tensorflow', 'tensorflow-cpu', 'tensorflow-gpu', 'tf-nightly', 'tensorflow-rocm')
_COMMANDS = pathlib.Path(__file__).parent / 'commands'


def main() -> None:
    """Runs the command line; exits with 2 for a usage error, 1 for any other failure."""
    warnings.formatwarning = _format_warning
    terminal.take_streams()
    code: Any = 0
    try:
        try:
            code = run(sys.argv[1:])
        except SystemExit as end:  # of --help
            code = end.code
        sys.stdout.flush()
    except terminal.ReaderGone:
        code = terminal.READER_GONE
    except OSError as error:  # stdout is a file on a full disk
        code = _fail(error, 1)
    sys.exit(code)


def run(argv: list[str]) -> int:
    """Runs `tfae` with the arguments `argv`; returns the exit code."""
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    summaries = _summaries()
    if not argv or argv[0] in ('-h', '--help', 'help'):
        print(_help(summaries))
        return 0 if argv else 2
    if argv[0] == '--version':
        print(f'tfae {package.VERSION} ({package.NAME}), {_tensorflow()}')
        return 0
    try:
        errors.one_of('tfae: command', argv[0], summaries)
        # Imported here, since commands import TensorFlow, which `tfae --help` does not need.
        with stderr.native_messages_dropped():
            module = importlib.import_module(f'{commands.__name__}.{argv[0].replace("-", "_")}')
            if sessions := sys.modules.get('tfae.runs.sessions'):
                sessions.open_first()
        logging.getLogger('tensorflow').setLevel(logging.ERROR)
        return module.main(argv[1:])
    except errors.UsageError as error:
        return _fail(error, 2)
    except terminal.ReaderGone:
        raise
    except (errors.InputError, OSError) as error:
        return _fail(error, 1)
    except MemoryError as error:
        return _fail(MemoryError(f'out of memory: {error}'.rstrip(': ')), 1)
    except KeyboardInterrupt:
        return 130


@functools.wraps(warnings.formatwarning)  # for commands that bring Python's back
def _format_warning(message: Warning | str, *_: Any, **__: Any) -> str:
    return f'tfae: warning: {message}\n'


def _fail(error: Exception, code: int) -> int:
    text = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f'{error.filename}: {error.strerror}'
    text = ' '.join(text.split())
    if len(text) > _MAX_ERROR:  # a file or a flag may hold a text of any length
        text = f'{text[: _MAX_ERROR // 2]} ... {text[-_MAX_ERROR // 2 :]}'
    print(f'tfae: error: {text}', file=sys.stderr)
    return code


def _tensorflow() -> str:
    """Returns the name and version of the installed TensorFlow, without importing it."""
    for name in _TENSORFLOWS:
        try:
            return f'TensorFlow {importlib.metadata.version(name)}'
        except importlib.metadata.PackageNotFoundError:
            pass
    return 'TensorFlow not found'


def _summaries() -> dict[str, str]:
    """Returns command -> its line of help, read without importing the command."""
    files = sorted(path for path in _COMMANDS.glob('*.py') if not path.stem.startswith('_'))
    docs = {
        path.stem.replace('_', '-'): ast.get_docstring(ast.parse(path.read_text())) or ''
        for path in files
    }
    return {name: doc.splitlines()[0] for name, doc in docs.items()}


def _help(summaries: dict[str, str]) -> str:
    width = max(map(len, summaries))
    lines = []
    for group, members in commands.GROUPS.items():
        lines += [f'{group}:', *(f'  {name:{width}}  {summaries[name]}' for name in members), '']
    return '\n'.join(
        [
            'tfae: autoencoders and representation learning as static TensorFlow graphs',
            '',
            'usage: tfae COMMAND [--flag=value ...]',
            '',
            *lines,
            'tfae COMMAND --help lists the flags of a command.',
            'tfae --version prints the versions of tfae and of TensorFlow.',
        ]
    )


if __name__ == '__main__':
    main()
