import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.core import errors

KNOWN = ['digits', 'mnist', 'fashion_mnist']


def test_both_errors_are_value_errors_and_neither_is_the_other():
    assert issubclass(errors.UsageError, ValueError)
    assert issubclass(errors.InputError, ValueError)
    assert not issubclass(errors.UsageError, errors.InputError)
    assert not issubclass(errors.InputError, errors.UsageError)


@pytest.mark.parametrize(
    'name, want',
    [
        ('digit', '; did you mean digits?'),
        ('mnst', '; did you mean mnist?'),
        ('qqqq', ''),
        ('', ''),
    ],
)
def test_the_nearest_names_are_proposed(name, want):
    assert errors.nearest(name, KNOWN) == want


def test_one_of_gives_the_value_back():
    assert errors.one_of('--dataset', 'mnist', iter(KNOWN)) == 'mnist'


def test_an_unknown_value_is_refused_with_all_that_are_known():
    wanted = (
        r"--dataset is 'digit'; it must be one of digits, mnist, fashion_mnist; "
        r'did you mean digits\?'
    )
    with pytest.raises(errors.UsageError, match=wanted):
        errors.one_of('--dataset', 'digit', iter(KNOWN))


def test_a_wrong_rank_is_named_for_tensors_and_arrays():
    for value in (np.zeros([2, 3]), tf.zeros([2, 3])):
        errors.rank('x', value, 2)
        with pytest.raises(ValueError, match=r'^x: shape is \(2, 3\), rank 2; .* rank 4\.$'):
            errors.rank('x', value, 4)


def test_an_unknown_rank_passes():
    errors.rank('x', tf.placeholder(tf.float32), 4)


def test_shapes_that_cannot_agree_are_named():
    a, b = tf.zeros([2, 3]), tf.zeros([2, 4])
    with pytest.raises(
        ValueError, match=r'^loss: mean is \(2, 3\), scale is \(2, 4\); they must agree\.$'
    ):
        errors.same_shape('loss', mean=a, scale=b)


def test_shapes_that_may_agree_pass():
    a = tf.placeholder(tf.float32, [None, 3])
    errors.same_shape('loss', a=a, b=tf.zeros([5, 3]))
    errors.same_shape('loss', a=a, b=tf.placeholder(tf.float32))


@pytest.mark.parametrize('value', [0, 0.5, 1])
def test_both_ends_of_a_range_are_in_it(value):
    errors.in_range('--x', value, 0, 1)


@pytest.mark.parametrize('value', [-0.1, 1.1, float('nan'), float('-inf'), float('inf')])
def test_a_number_out_of_range_is_named(value):
    with pytest.raises(errors.UsageError, match=rf'^--x is {value}; it must lie in \[0, 1\]$'):
        errors.in_range('--x', value, 0, 1)


def test_infinity_is_in_no_range():
    with pytest.raises(errors.UsageError, match=r'^--x is inf; it must lie in \[0, inf\)$'):
        errors.in_range('--x', float('inf'), 0, float('inf'))
