"""Runs another project's tests of TF1's layers against `tfae.layers`, in graph mode.

    python tools/experiments/others_tests.py FOLDER              with the layers of tfae
    python tools/experiments/others_tests.py FOLDER --original   with those of the project

FOLDER holds copies of the tests, `*_test.py`; the project itself is installed. Its modules keep
all that `tfae.layers` does not name. Prints the number of tests that passed and failed in each
file, and the reasons of the failures.
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
    from absl import flags

    import tfae.compat
    from tfae import layers

    flags.FLAGS(sys.argv[:1])
    if os.environ.get(ORIGINAL):
        import tensorflow.compat.v1 as tf

        tf.disable_v2_behavior()
        return
    tfae.compat.install()
    for name in MODULES:
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name)
            for public in set(layers.__all__) & set(vars(module)):
                setattr(module, public, getattr(layers, public))


def run(folder: pathlib.Path, original: bool) -> list[tuple[str, str]]:
    """Returns the file and the reason of each test; the reason is empty if it passed."""
    own = pathlib.Path(__file__).resolve()
    path = os.pathsep.join([str(own.parents[2]), str(own.parent), os.environ.get('PYTHONPATH', '')])
    environment = {'PYTHONPATH': path, 'TF_USE_LEGACY_KERAS': '1', 'TF_CPP_MIN_LOG_LEVEL': '3'}
    environment |= {ORIGINAL: 'yes'} if original else {}
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / 'report.xml'
        command = [sys.executable, '-m', 'pytest', '-q', '-p', own.stem, f'--junitxml={report}']
        command += ['-c', os.devnull, '--rootdir', str(folder), '-p', 'no:cacheprovider']
        command += ['--import-mode=importlib', *map(str, sorted(folder.glob('*_test.py')))]
        subprocess.run(command, env=os.environ | environment, stdout=subprocess.DEVNULL)
        cases = xml.etree.ElementTree.parse(report).iter('testcase')
        return [(case.get('classname', ''), reason(case)) for case in cases]


def reason(case: xml.etree.ElementTree.Element) -> str:
    """Returns the first line of the error, without numbers; empty if the test passed."""
    problem = next((e for e in case if e.tag in ('failure', 'error', 'skipped')), None)
    if problem is None:
        return ''
    first = (problem.get('message') or problem.tag).splitlines()[0]
    return f'{problem.tag}: ' + re.sub(r'\d+', 'N', first)[:150]


def main() -> None:
    """Runs the tests and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--original', action='store_true')
    given = parser.parse_args()
    results = run(given.folder, given.original)

    print('| file | passed | others |\n| --- | --- | --- |')
    files = sorted({name.split('.')[0] for name, _ in results})
    for file in files:
        reasons = [why for name, why in results if name.split('.')[0] == file]
        print(f'| {file} | {reasons.count("")} | {len(reasons) - reasons.count("")} |')
    reasons = [why for _, why in results]
    print(f'| all | {reasons.count("")} | {len(reasons) - reasons.count("")} |\n')
    for why, count in collections.Counter(filter(None, reasons)).most_common():
        print(f'{count:4} {why}')


if __name__ == '__main__':
    main()
