"""CONTRIBUTING.md's example of a family: put where it says, it passes the laws and its test."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """A copy of the project with the family and its test in it."""
    tree = tmp_path_factory.mktemp('contributing')
    text = (ROOT / 'CONTRIBUTING.md').read_text()
    family, test = re.findall(r'```python\n(.*?)```', text, re.S)
    for name in ('tfae', 'tests'):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('pyproject.toml', 'setup.py', 'README.md'):
        shutil.copy(ROOT / name, tree)
    for name in ('models/linear', 'models/linear_test'):
        assert f'tfae/{name}.py' in text or f'tests/{name}.py' in text
    (tree / 'tfae' / 'models' / 'linear.py').write_text(family)
    (tree / 'tests' / 'models' / 'linear_test.py').write_text(test)
    face = tree / 'tfae' / 'models' / '__init__.py'
    text = face.read_text().replace('gan, siamese', 'gan, linear, siamese')
    face.write_text(text.replace("    'siamese': s", "    'linear': linear,\n    'siamese': s"))
    return tree


def run(tree, *words):
    environment = {**os.environ, 'PYTHONPATH': str(tree)}
    return subprocess.run(
        [sys.executable, '-m', *words], cwd=tree, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    'words',
    [
        ('tests/contract/family_test.py', '-k', 'linear'),
        ('tests/models/linear_test.py',),
        ('tests/repository/architecture_test.py',),
    ],
)
def test_the_example_passes_the_laws_its_test_and_the_rules(tree, words):
    options = ('-q', '-p', 'no:cacheprovider', '-p', 'no:xdist')
    done = run(tree, 'pytest', *options, *words)
    assert done.returncode == 0, done.stdout
    assert re.search(r'[1-9]\d* passed', done.stdout)


def test_the_program_trains_the_example(tree):
    done = run(tree, 'tfae', 'train', '--model=linear', '--code_size=4', '--epochs=1', '--logdir=a')
    assert done.returncode == 0, done.stderr
    done = run(tree, 'tfae', 'evaluate', '--logdir=a')
    assert re.search(r'^mse +0\.\d+$', done.stdout, re.M), done
