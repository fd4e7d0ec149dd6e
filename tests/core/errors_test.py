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


def test_a_known_value_is_listed_once_and_numbers_are_not_misspelled():
    """Classes are often named by their numbers."""
    wanted = r"--only_classes is '11'; it must be one of 0, 1, 2$"
    with pytest.raises(errors.UsageError, match=wanted):
        errors.one_of('--only_classes', '11', ['0', '1', '2', '0', '1', '2'])


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
        ValueError, match=r'^loss: mean is \(2, 3\), scale is \(2, 4\); they must match\.$'
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


@pytest.mark.parametrize('kind', [errors.UsageError, errors.InputError])
@pytest.mark.parametrize(
    'text, want',
    [
        ("--units is 'x'; it must be", "units is 'x'; it must be"),
        ('--tied needs --kind=a or b', 'tied needs kind=a or b'),
        ("no --x='--y --z'", "no x='--y --z'"),
        ("--output is 'it\\'s --x'; not --z", "output is 'it\\'s --x'; not z"),
        ("the run's --seed and the set's --size", "the run's seed and the set's size"),
        ('--logdir is "it\'s --x"; not --y', 'logdir is "it\'s --x"; not y'),
        ('runs/a--b/--c: --split', 'runs/a--b/--c: split'),
        ('x (--split=test), [--seed]', 'x (split=test), [seed]'),
        ('tfae train has --units=3 set', 'tfae train has units=3 set'),
        ('--a: tfae train --a --b=3 does, not --x', 'a: tfae train --a --b=3 does, not x'),
        (
            '`tfae fetch x --data_dir=/a` gets it, not --b',
            '`tfae fetch x --data_dir=/a` gets it, not b',
        ),
        ('`pip install --user` is `--a`', '`pip install --user` is `--a`'),
        ('-- and --- and --1', '-- and --- and --1'),
        ('', ''),
    ],
)
def test_a_python_caller_reads_of_arguments_where_a_command_line_has_flags(kind, text, want):
    with pytest.raises(kind) as error, errors.naming_arguments():
        raise kind(text)
    assert str(error.value) == want


def test_the_name_is_changed_for_functions_once_and_in_these_errors_alone():
    @errors.naming_arguments()
    def refuse(error):
        with errors.naming_arguments():
            raise error

    for kind, want in ((errors.UsageError, 'units'), (ValueError, '--units'), (OSError, '--units')):
        error = kind('--units')
        with pytest.raises(kind) as found:
            refuse(error)
        assert found.value is error
        assert str(error) == want


def test_an_error_keeps_where_it_was_raised():
    with pytest.raises(errors.UsageError) as error, errors.naming_arguments():
        errors.one_of('--dataset', 'digit', KNOWN)
    assert error.traceback[-1].name == 'one_of'
    assert str(error.value).startswith("dataset is 'digit'")
