"""Runs other projects' tests of TF1's layers against `tfae.layers`, in graph mode.

    python tools/experiments/others_tests.py PATH ...              with the layers of tfae
    python tools/experiments/others_tests.py --original PATH ...   with those of the project

A PATH is a file of tests, or a folder of files `*_test.py`, in a clone of the project; the project
itself is installed. Prints the number of tests that passed and failed in each file, and the
reasons of the failures. Names that `tfae.layers` lacks are removed from the project.
"""

import argparse
import collections
import contextlib
import importlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

# Where other projects look for `tf.layers`.
MODULES = [
    'tf_keras.src.legacy_tf_layers.base',
    'tf_keras.src.legacy_tf_layers.convolutional',
    'tf_keras.src.legacy_tf_layers.core',
    'tf_keras.src.legacy_tf_layers.normalization',
    'tf_keras.src.legacy_tf_layers.pooling',
    'tf_keras.api._v1.keras.__internal__.legacy.layers',  # TensorFlow Probability
]
ORIGINAL = 'OTHERS_TESTS_ORIGINAL'


def pytest_configure(config):
    """Prepares the process of the tests, which loads this file as a plugin."""
    import tensorflow.compat.v1 as tf
    from absl import flags

    flags.FLAGS(sys.argv[:1])
    tf.disable_v2_behavior()
    if os.environ.get(ORIGINAL):
        return
    import tfae.compat
    from tfae import layers

    tfae.compat.install()
    ours = {name: getattr(layers, name) for name in layers.__all__} | vars(layers.experimental)
    for module in MODULES:
        with contextlib.suppress(ImportError):
            names = vars(importlib.import_module(module))
            for name, value in list(names.items()):  # aliases too, such as batch_norm
                if getattr(value, '__module__', '').startswith('tf_keras.src.legacy_tf_layers'):
                    del names[name]
                    if value.__name__ in ours:
                        names[name] = ours[value.__name__]


def copy(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Copies a file of tests; its imports are changed to those of the installed project.

    Raises: SystemExit if the folder has a file of this name.
    """

    def absolute(match: re.Match) -> str:
        above = len(match[1])  # one dot is the file's own package
        package = [path.parent.parent.name, path.parent.name][: 3 - above]
        return f'from {".".join(package)}.'

    text = re.sub(r'^from (\.+)', absolute, path.read_text(), flags=re.M)
    text = re.sub(r'^from tf_keras\b', 'from tf_keras.src', text, flags=re.M)
    if (folder / path.name).exists():
        raise SystemExit(f'{path}: another file is called {path.name}; run each of them alone')
    (folder / path.name).write_text(text)


def run(paths: list[pathlib.Path], original: bool) -> list[tuple[str, str]]:
    """Returns the file and the reason of each test; the reason is empty if it passed.

    Raises: SystemExit if pytest ended without a report.
    """
    own = pathlib.Path(__file__).resolve()
    path = os.pathsep.join([str(own.parents[2]), str(own.parent), os.environ.get('PYTHONPATH', '')])
    environment = {'PYTHONPATH': path, 'TF_USE_LEGACY_KERAS': '1', 'TF_CPP_MIN_LOG_LEVEL': '3'}
    environment |= {ORIGINAL: 'yes'} if original else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for given in paths:
            for file in sorted(given.glob('*_test.py')) if given.is_dir() else [given]:
                copy(file, folder)
        report = folder / 'report.xml'
        command = [sys.executable, '-m', 'pytest', '-q', '-p', own.stem, f'--junitxml={report}']
        command += ['-c', os.devnull, '--rootdir', scratch, '-p', 'no:cacheprovider']
        command += ['--import-mode=importlib', *map(str, sorted(folder.glob('*.py')))]
        done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.DEVNULL)
        if not report.exists():
            raise SystemExit(f'pytest wrote no report; its exit code is {done.returncode}')
        cases = list(xml.etree.ElementTree.parse(report).iter('testcase'))
    run_cases = [case for case in cases if case.find('skipped') is None]
    return [(file_of(case), reason(case)) for case in run_cases]


def file_of(case: xml.etree.ElementTree.Element) -> str:
    """Returns the name of the file, also of one that could not be loaded."""
    return (case.get('classname') or case.get('name', '')).split('.')[0]


def reason(case: xml.etree.ElementTree.Element) -> str:
    """Returns the first line of the error, without numbers; empty if the test passed."""
    problem = next((e for e in case if e.tag in ('failure', 'error')), None)
    if problem is None:
        return ''
    lines = (problem.get('message') or '').splitlines()
    return re.sub(r'\d+', 'N', lines[0] if lines else 'no message')[:150]


def main() -> None:
    """Runs the tests and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('paths', type=pathlib.Path, nargs='+')
    parser.add_argument('--original', action='store_true')
    given = parser.parse_args()
    results = run(given.paths, given.original)

    print('| file | passed | failed |\n| --- | --- | --- |')
    for file in [*sorted({name for name, _ in results}), 'all']:
        reasons = [why for name, why in results if file in (name, 'all')]
        print(f'| {file} | {reasons.count("")} | {len(reasons) - reasons.count("")} |')
    reasons = [why for _, why in results if why]
    print(
        *('', *(f'{n:4} {why}' for why, n in collections.Counter(reasons).most_common())), sep='\n'
    )


if __name__ == '__main__':
    main()
