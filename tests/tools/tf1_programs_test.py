"""tools/experiments/tf1_programs.py: programs are shortened, run, and judged by what they train."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

TOOL = pathlib.Path(__file__).parents[2] / 'tools' / 'experiments' / 'tf1_programs.py'
TRAINS = """
import tensorflow as tf
w = tf.Variable(1.0)
step = tf.train.GradientDescentOptimizer(0.1).minimize(w * w)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(n_epochs):
        sess.run(w)
        sess.run(step)
"""


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('tf1_programs', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ('text', 'short'),
    [
        ('training_epochs = 25\n', 'training_epochs = 1\n'),
        ("flags.DEFINE_integer('epoch', 25, 'x')", "flags.DEFINE_integer('epoch', 1, 'x')"),
        ("'--epochs', type=int, default=20", "'--epochs', type=int, default=1"),
        ('num_steps = 10000', 'num_steps = 1000'),
        ('n_steps = 28  # of a row', 'n_steps = 28  # of a row'),
        ('for i in range(20000):', 'for i in range(1000):'),
        ('for i in range(1, 20001):', 'for i in range(1, 1000):'),
        ('for i in range(1000):', 'for i in range(1000):'),
        ('epoch_rate = 0.5', 'epoch_rate = 0.5'),
        ('if epoch == 10:', 'if epoch == 10:'),
        ('updates_per_epoch = 500', 'updates_per_epoch = 500'),
    ],
)
def test_a_program_is_shortened(tool, text, short):
    assert tool.shortened(text) == short


@pytest.mark.slow
def test_programs_that_train_are_found_and_judged(tool, tmp_path):
    repository = tmp_path / 'owner+name'
    repository.mkdir()
    (repository / 'trains.py').write_text(TRAINS.replace('n_epochs', '7'))
    (repository / 'idles.py').write_text(TRAINS.replace('(step)', '(w)').replace('n_epochs', '7'))
    (repository / 'library.py').write_text('import tensorflow as tf\n')
    assert [path for path, _ in tool.programs(tmp_path)] == [
        'owner+name/idles.py', 'owner+name/trains.py',
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != 'TFAE_DATA_DIR'}
    command = [sys.executable, str(TOOL), str(tmp_path), '--modes=run']
    out = subprocess.check_output(command, text=True, env=environment, timeout=240)
    assert out.splitlines() == [
        '| program | run |',
        '| --- | --- |',
        '| owner+name/idles.py | no: 0 runs, exit 0: |',
        '| owner+name/trains.py | yes: 7 runs |',
        '',
        '2 programs; trained: run 1 (50%)',
    ]
