"""Variables that are larger than the memory of a machine."""

import re

import pytest
import tensorflow.compat.v1 as tf
import tfae_program

from tfae.core import errors
from tfae.training import memory


def test_variables_are_summed_and_refused_with_the_figure():
    with tf.Graph().as_default(), memory.bounded('--model=it', 1000):
        tf.get_variable('a', [10, 10])  # 400 bytes
        with tf.variable_scope('in', reuse=tf.AUTO_REUSE):
            for _ in range(5):  # one and the same
                tf.get_variable('b', [25], tf.float64)
        tf.get_variable('c', [], tf.int64, tf.zeros_initializer())
        tf.get_variable('d', initializer=tf.zeros([2]))
        with pytest.raises(errors.UsageError) as caught:
            tf.get_variable('e', [99])
    assert str(caught.value) == (
        '--model=it: its variables take 0.0 GB or more, 0.0 GB of it e of shape [99]; this '
        'machine has 0.0 GB'
    )


def test_a_bound_changes_no_name_and_ends_with_its_block():
    with tf.Graph().as_default():
        with memory.bounded('it', 1000), tf.variable_scope('scope'):
            variable = tf.get_variable('a', [2])
            tensor = tf.identity(variable, 'b')
        assert (variable.op.name, tensor.op.name) == ('scope/a', 'scope/b')
        assert tf.get_variable('c', [1000]).shape == [1000]


def test_very_many_variables_are_refused(monkeypatch):
    monkeypatch.setattr(memory, '_MAX_VARIABLES', 3)
    with tf.Graph().as_default(), memory.bounded('it'):
        for i in range(3):
            tf.get_variable(f'a{i}', [1])
        with pytest.raises(errors.UsageError, match='^it: it has more than 3 variables; use f'):
            tf.get_variable('b', [1])


@pytest.mark.skipif(memory.of_machine() > 77e9, reason='the first variable would fit')
@pytest.mark.parametrize(
    'words, figure',
    [
        (('--units=2147483647,2147483647',), r'549\.8 GB'),
        (('--model=convolutional', '--filters=2147483647'), r'77\.3 GB'),
        (('--model=variational', '--code_size=2147483647'), r'[\d,]+\.\d GB'),
        (('--synthetic_shape=256x256x3', '--synthetic_examples=4', '--dataset=synthetic',
          '--batch_size=1', '--units=196608'), r'154\.6 GB'),
    ],
)  # fmt: skip
def test_a_network_larger_than_the_machine_is_refused_before_it_takes_anything(
    tmp_path, words, figure
):
    done = tfae_program.run('train', *words, '--logdir=run', cwd=tmp_path)
    text = done.refusal(2)
    assert re.search(f'its variables take {figure} or more', text)
    assert not (tmp_path / 'run').exists()
