"""A program for TensorFlow 1 fails today, and runs after one added line."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

PROGRAM = (pathlib.Path(__file__).parents[1] / 'support' / 'tf1_program.py').read_text()
IMPORT = 'import tensorflow as tf\n'
# What a program says that was moved to today's TensorFlow as its guide tells.
MOVED = 'import tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()\n'


def run(text, folder):
    path = folder / 'program.py'
    path.write_text(text)
    environment = {'PYTHONPATH': str(pathlib.Path(__file__).parents[2]), 'CUDA_VISIBLE_DEVICES': ''}
    return subprocess.run(
        [sys.executable, str(path), str(folder)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_program_fails_without_the_line(tmp_path):
    done = run(PROGRAM.replace(IMPORT, MOVED), tmp_path)
    assert done.returncode != 0
    assert 'is not available with Keras 3' in done.stderr


@pytest.mark.parametrize(
    ('line', 'imported'),
    [
        ('import tfae.compat; tfae.compat.install()', MOVED.splitlines(keepends=True)[0]),
        ('import tfae.compat; tfae.compat.install(as_tensorflow=True)', IMPORT),
    ],
    ids=['compat.v1', 'as it was'],
)
def test_the_program_runs_after_the_line(line, imported, tmp_path):
    done = run(f'{line}\n' + PROGRAM.replace(IMPORT, imported), tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told['trained'] > 0.9
    assert told['restored'] == told['trained']
    assert told['reused']
    assert told['variables'] == [
        'net/conv1/kernel',
        'net/conv1/bias',
        'net/batch_normalization/gamma',
        'net/batch_normalization/beta',
        'net/conv2/kernel',
        'net/conv2/bias',
        'net/dense/kernel',
        'net/dense/bias',
        'net/dense_1/kernel',
        'net/dense_1/bias',
    ]


def test_every_way_to_the_old_layers_leads_here(tmp_path):
    """However and whenever a program imports them; TF2's behavior stays where it is asked to."""
    done = run(
        '\n'.join(
            [
                'import tensorflow, tensorflow.compat.v1 as before',
                'earlier = tensorflow.compat.v1',
                'import tfae.compat',
                'from tfae import layers',
                'tfae.compat.install(v1_behavior=False)',
                'tfae.compat.install(v1_behavior=False)',
                'import tensorflow.compat.v1 as after',
                'from tensorflow.compat import v1',
                'from tensorflow.compat.v1 import layers as named',
                'from tensorflow.compat.v1.layers import dense',
                'ways = [before.layers, earlier.layers, after.layers, v1.layers, named]',
                'assert all(way.dense is layers.dense for way in ways)',
                'assert dense is layers.dense',
                'assert tensorflow.executing_eagerly()',
                'with tensorflow.Graph().as_default():',
                '    assert dense(before.ones([2, 3]), 4).shape == (2, 4)',
            ]
        ),
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
