r"""Runs the tests under several versions of TensorFlow and Python, each in a fresh environment.

    python tools/release/matrix.py [--tensorflow=2.16,2.21] [--python=python3.11] [--every] \
        [--tests=tests] [--output=runs/matrix]

Every TensorFlow is tested under the Python that runs this, the oldest and the newest under all
others; --every tests all pairs. An environment has a copy of the committed files and the op
compiled against its TensorFlow; it is removed after its tests. --tests selects the tests, by
default a subset that builds, trains, resumes, exports and inspects every family. Prints a table row
by row and writes it as Markdown; exits with 1 if a test fails. Interpreters that do not run here
are omitted with a message. Needs a package index.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from absl import app, flags

ROOT = pathlib.Path(__file__).parents[2]
_TENSORFLOW = flags.DEFINE_list(
    'tensorflow',
    ['2.16', '2.17', '2.18', '2.19', '2.20', '2.21'],
    'Versions of TensorFlow, the oldest first.',
)
_PYTHON = flags.DEFINE_list(
    'python', ['python3.10', 'python3.11', 'python3.12', 'python3.13'], 'Python interpreters.'
)
_EVERY = flags.DEFINE_boolean('every', False, 'Test every TensorFlow under every Python.')
_TESTS = flags.DEFINE_list(
    'tests',
    [
        'tests/ops/subpixel_test.py',
        'tests/ops/op_library_test.py',
        'tests/layers',
        'tests/contract/family_test.py',
        'tests/runs/resume_test.py',
        'tests/export/graph_def_test.py',
        'tests/commands/families_test.py',
    ],
    'Test files and folders.',
)
_OUTPUT = flags.DEFINE_string('output', 'runs/matrix', 'Folder for the table and the logs.')

_VERSIONS = """
import platform, tensorflow, numpy
from tfae.ops import op_library
versions = platform.python_version(), tensorflow.__version__, numpy.__version__
print(*versions, 'yes' if op_library.load()[0] else 'no')
"""


def main(_):
    """Prints the table and writes it; returns 1 if a test failed."""
    output = ROOT / _OUTPUT.value
    output.mkdir(parents=True, exist_ok=True)
    commit = ('git', 'rev-parse', '--short', 'HEAD')
    print(f'commit {subprocess.check_output(commit, cwd=ROOT, text=True)}')
    pythons = [python for python in _PYTHON.value if runs(python)]
    for python in set(_PYTHON.value) - set(pythons):
        print(f'{python} does not run here: omitted')
    lines = [
        '| Python | TensorFlow | numpy | compiled op | passed | failed | skipped |',
        '| --- | --- | --- | --- | --- | --- | --- |',
    ]
    print(*lines, sep='\n', flush=True)
    failed = False
    for python, version in pairs(pythons, _TENSORFLOW.value, _EVERY.value):
        cells, well = tried(python, version, output / f'{python}_{version}.log')
        failed |= not well
        lines.append(f'| {" | ".join(cells)} |')
        print(lines[-1], flush=True)
        (output / 'matrix.md').write_text('\n'.join(lines) + '\n')
    return int(failed)


def runs(python: str) -> bool:
    """Returns whether an interpreter exists and starts."""
    # pyenv's names exist even for versions that are not selected.
    return (
        bool(shutil.which(python))
        and not subprocess.run((python, '--version'), capture_output=True).returncode
    )


def pairs(pythons: list[str], versions: list[str], every: bool) -> list[tuple[str, str]]:
    """Returns the pairs (interpreter, TensorFlow) to test, the oldest TensorFlow first."""
    own = 'python' + '.'.join(map(str, sys.version_info[:2]))
    ends = (versions[0], versions[-1])
    return [
        (python, version)
        for version in versions
        for python in pythons
        if every or version in ends or python == own or own not in pythons
    ]


def tried(python, version, log):
    """Tests in one environment; returns its row and whether every test passed."""
    with tempfile.TemporaryDirectory() as folder, log.open('w+') as file:

        def run(*words, **more):
            return subprocess.run(words, cwd=tree, text=True, stderr=file, **more)

        tree = pathlib.Path(folder, 'tfae')
        subprocess.run(['git', 'clone', '-q', str(ROOT), str(tree)], check=True)
        run(python, '-m', 'venv', '.venv', check=True)
        inside = str(tree / '.venv' / 'bin' / 'python')
        wanted = f'tensorflow=={version}.*'
        install = (inside, '-m', 'pip', 'install', '-q', wanted, '-e', '.[test]')
        if run(*install, stdout=file).returncode:
            file.seek(0)
            none = 'No matching distribution found for tensorflow==' in file.read()
            return [
                python,
                version,
                '',
                '',
                'no such wheel' if none else 'not installed',
                '',
                '',
            ], none
        run(inside, 'ops/build.py', stdout=file)
        seen = run(inside, '-c', _VERSIONS, stdout=subprocess.PIPE).stdout
        found = seen.split(maxsplit=3) or [python, version, '', 'cannot be imported']
        argv = (inside, '-m', 'pytest', '-q', '-n', 'auto', '--dist', 'loadfile', *_TESTS.value)
        done = run(*argv, stdout=subprocess.PIPE)
        file.write(done.stdout)
    last = done.stdout.splitlines()[-1] if done.stdout else ''
    counts = [re.search(rf'(\d+) {word}', last) for word in ('passed', 'failed', 'skipped')]
    return [*map(str.strip, found), *(c[1] if c else '0' for c in counts)], done.returncode == 0


if __name__ == '__main__':
    sys.exit(app.run(main))
