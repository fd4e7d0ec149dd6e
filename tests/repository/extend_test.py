"""docs/guide/extend.md: its examples work from any folder and in the tree. And the layers."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / 'docs' / 'guide' / 'extend.md').read_text()
_, FAMILY, FAMILY_TEST, DATA_SET = re.findall(r'```python\n(.*?)```', TEXT, re.S)


def run(folder, *words, path=ROOT):
    environment = {**os.environ, 'PYTHONPATH': str(path), 'CUDA_VISIBLE_DEVICES': ''}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_program_trains_the_examples_from_a_folder_of_ones_own(tmp_path):
    (tmp_path / 'linear.py').write_text(FAMILY)
    (tmp_path / 'stripes.py').write_text(DATA_SET)
    words = ('--model=linear', '--dataset=stripes', '--code_size=4', '--epochs=1', '--logdir=a')
    run(tmp_path, '-m', 'tfae', 'train', *words)
    out = run(tmp_path, '-m', 'tfae', 'evaluate', '--logdir=a')
    assert re.search(r'^mse +0\.\d+$', out, re.M), out


def test_the_examples_keep_the_laws(tmp_path):
    (tmp_path / 'linear.py').write_text(FAMILY)
    (tmp_path / 'stripes.py').write_text(DATA_SET)
    (command,) = re.findall(r'python -c "(.*?)"', TEXT)
    assert "testing.check_dataset('stripes')" in TEXT
    run(tmp_path, '-c', f"{command}; testing.check_dataset('stripes')")


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """Returns a copy of the project with the family and its test."""
    tree = tmp_path_factory.mktemp('contributing')
    for name in ('tfae', 'tests'):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('pyproject.toml', 'setup.py', 'README.md', 'CONTRIBUTING.md'):
        shutil.copy(ROOT / name, tree)
    assert '`tfae/models/linear.py`' in TEXT
    assert '`tests/models/linear_test.py`' in TEXT
    (tree / 'tfae' / 'models' / 'linear.py').write_text(FAMILY)
    (tree / 'tests' / 'models' / 'linear_test.py').write_text(FAMILY_TEST)
    face = tree / 'tfae' / 'models' / '__init__.py'
    text = face.read_text().replace('    gan,\n', '    gan,\n    linear,\n', 1)
    face.write_text(text.replace("    'siamese': s", "    'linear': linear,\n    'siamese': s"))
    return tree


@pytest.mark.slow
def test_in_the_tree_the_family_passes_the_laws_its_test_and_the_rules(tree):
    files = ('contract/family', 'models/linear', 'repository/architecture')
    chosen = 'linear or architecture_test'
    options = ('-q', '-p', 'no:cacheprovider', '-p', 'no:xdist', '-k', chosen)
    out = run(tree, '-m', 'pytest', *options, *(f'tests/{f}_test.py' for f in files), path=tree)
    assert re.search(r'[1-9]\d* passed', out)


def test_the_image_of_the_floors_is_that_of_the_rules():
    rules = (ROOT / 'tests' / 'repository' / 'architecture_test.py').read_text()
    floors = re.search(r'FLOORS = """\n(.*?)"""', rules, re.S)[1].split('\n')
    image = re.search(r'    ┌.*?┘\n', (ROOT / 'CONTRIBUTING.md').read_text(), re.S)[0]
    places = [
        [
            image.index(f'{name}/') if f'{name}/' in image else image.index(f'{name}.py')
            for name in floor.split()
        ]
        for floor in floors
        if floor.strip()
    ]
    assert all(max(upper) < min(lower) for upper, lower in zip(places, places[1:], strict=False))
