"""Every command line and every Python block of README and docs runs.

The lines of a page run from top to bottom in a new folder, after those of the page that it depends
on. Recipes run in a short form: one epoch of 200 examples. Commands that do not run here are listed
in `ELSEWHERE` with the reason; any other line fails.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tfae_program
from PIL import Image

ROOT = tfae_program.ROOT
AFTER = {'docs/guide/look.md': 'docs/guide/train.md', 'docs/guide/export.md': 'docs/guide/train.md'}
FILES = 'docs/guide/data.md'  # its Python blocks write the arrays and tables of all pages
SHORT = {r'tfae train --recipe=': ' --epochs=1 --labeled_examples=200'}
ELSEWHERE = {
    r'pip (un)?install ': 'tests/repository/packaging_test.py installs',
    r'make (install|demo|test|docs)$': '.ci/run, or by hand before a release',
    r'make (bench|recipes|faults|fuzz|matrix|mutants)$': 'by hand: takes hours',
    r'(TFAE_DATA_DIR=\S+ )?python (tools|tests/campaigns)/': 'by hand: takes hours',
    r'tfae study --dataset=mnist ': 'by hand: takes minutes; docs/guide/train.md has a short one',
    r'\.\.\. ': 'the rest of such a line, with other values',
    r'bazel ': 'make bazel-test',
    r'tfae tensorboard ': 'tests/commands/tensorboard_test.py: serves until it is stopped',
    r'tensorflow_model_server |curl ': 'needs that server',
    r'tfae port script.py$': 'tests/commands/port_test.py: exits with 1',
    r'tfae fetch ': 'tests/commands/fetch_test.py: needs a network',
    r'tfae export .*--format=onnx': 'tests/commands/export_test.py, where tf2onnx is installed',
    r'tfae \w+ --model=vgg16 ': 'tests/pretrained/: needs a file of weights',
    r'tfae train .*(--cluster=|--towers=)|TF_CONFIG=': 'tests/distributed/: needs more machines',
    r'.*runs/recipes': 'by hand, after make recipes; docs/guide/look.md has the same commands',
    r'python -c "from tfae import testing': 'tests/repository/extend_test.py',
}

# Python blocks that other tests run.
TESTED = {
    'docs/guide/export.md': 'tests/commands/export_test.py',
    ('docs/guide/extend.md', 1): 'tests/repository/extend_test.py, as the next two',
    ('docs/guide/extend.md', 2): '',
    ('docs/guide/extend.md', 3): '',
}
# Arrays that the blocks use.
ARRAYS = """
import numpy as np
from sklearn.datasets import load_digits
digits = load_digits()
images, labels = digits.images[..., None].astype(np.float32) / 16, digits.target
"""


def pages():
    found = [ROOT / 'README.md', *sorted(ROOT.glob('docs/**/*.md'))]
    return [str(path.relative_to(ROOT)) for path in found if path.parent.name != 'commands']


def text(page):
    return (ROOT / page).read_text()


def lines(page):
    """Returns the command lines of a page: indented lines, continued ones joined, no comments."""
    plain = re.sub(r'```.*?```', '', text(page), flags=re.S)
    found = re.findall(r'^    (\S(?:.*\\\n)*.*)', plain, re.M)
    joined = (re.sub(r'\s*\\\n\s*', ' ', line) for line in found)
    return [re.sub(r'\s{2,}#.*', '', line).strip() for line in joined]


def here(page):
    """Returns the lines of a page that run here, in their short form."""
    kept = [line for line in lines(page) if not any(re.match(form, line) for form in ELSEWHERE)]
    return [
        line + ''.join(more for form, more in SHORT.items() if re.match(form, line))
        for line in kept
    ]


def blocks(page):
    return re.findall(r'```python\n(.*?)```', text(page), re.S)


def photos(folder):
    random, table = np.random.RandomState(0), []
    for kind in ('cats', 'dogs'):
        (folder / 'photos' / kind).mkdir(parents=True)
        for i in range(60):
            pixels = random.randint(0, 256, [40, 48, 3], np.uint8)
            Image.fromarray(pixels).save(folder / 'photos' / kind / f'{i}.png')
            table.append(f'{kind}/{i}.png,{10 * (i % 4)}-{10 * (i % 4) + 9},{"FM"[i % 2]}')
    (folder / 'photos.csv').write_text('\n'.join(['file,age,gender', *table]) + '\n')


def case(page, *values):
    """Parameters of a test; the pages of the guide take minutes."""
    marks = [pytest.mark.slow] if page.startswith('docs/guide/') else []
    return pytest.param(page, *values, marks=marks)


@pytest.mark.parametrize('page', [case(page) for page in pages() if here(page)])
def test_the_commands_of_a_page_run(page, tmp_path, monkeypatch):
    photos(tmp_path)
    shutil.copy(ROOT / 'tests' / 'support' / 'tf1_program.py', tmp_path / 'script.py')
    monkeypatch.chdir(tmp_path)
    for block in blocks(FILES):
        exec(block, {})
    data = {name: os.environ[name] for name in ['TFAE_DATA_DIR'] if name in os.environ}
    for line in [*(here(AFTER[page]) if page in AFTER else []), *here(page)]:
        if '_mnist' in line and not data:
            continue
        words = shlex.split(line)
        assert words[0] == 'tfae', line
        done = tfae_program.run(*words[1:], cwd=tmp_path, **data)
        assert done.code == 0, f'{line}\n{done.out[-500:]}{done.err}'


def test_a_table_of_short_forms_and_exceptions_has_no_idle_row():
    every = [line for page in pages() for line in lines(page)]
    for form in [*SHORT, *ELSEWHERE]:
        assert any(re.match(form, line) for line in every), form


def programs():
    return [
        (page, i)
        for page in pages()
        for i in range(len(blocks(page)))
        if (page, i) not in TESTED and page not in TESTED
    ]


@pytest.mark.parametrize('page, i', [case(*program) for program in programs()])
def test_a_python_block_runs(page, i, tmp_path):
    program = blocks(page)[i]
    if '_mnist' in program and 'TFAE_DATA_DIR' not in os.environ:
        pytest.skip('TFAE_DATA_DIR names no MNIST')
    done = subprocess.run(
        [sys.executable, '-c', ARRAYS + program],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'CUDA_VISIBLE_DEVICES': ''},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
