"""What becomes of a library that does not fit, and what TFAE_SUBPIXEL asks for."""

import contextlib
import re
import warnings

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.ops import op_library, subpixel

STAMP = op_library.builder().STAMP.decode()
OTHER_VERSION = f'ELF {STAMP}1.15.0/0;'
NO_LIBRARY = f'ELF {STAMP}{tf.__version__}/{op_library.builder().digest()};'
UNFIT = {'of another version': OTHER_VERSION, 'no library': NO_LIBRARY, 'absent': None}
X = np.random.RandomState(0).uniform(size=[2, 3, 5, 12]).astype(np.float32)


@contextlib.contextmanager
def library(monkeypatch, tmp_path, content, choice):
    """A package whose library holds `content`, or has none; the list of what is warned of."""
    path = tmp_path / '_subpixel.so'
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(op_library, 'library', lambda: path)
    monkeypatch.setenv(op_library.CHOICE, choice)
    op_library.load.cache_clear()
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter('always')
            yield said
    finally:
        op_library.load.cache_clear()


def shuffled_thrice():
    """Shuffle, shuffle again, unshuffle; and what TensorFlow's own ops give for them."""
    y = subpixel.shuffle(X, 2)
    ours = [y, subpixel.shuffle(X, 2), subpixel.unshuffle(y, 2)]
    stock = tf.nn.depth_to_space(X, 2)
    with tf.Session() as session:
        return session.run([ours, [stock, stock, tf.nn.space_to_depth(stock, 2)]])


def assert_same(ours, stock):
    for a, b in zip(ours, stock, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ('content', 'trouble'),
    [
        (OTHER_VERSION, rf'built for TensorFlow 1\.15\.0; this is {tf.__version__}'),
        ('ELF', 'built for TensorFlow an unknown version'),
        (NO_LIBRARY, 'does not load: '),
        (None, 'there is no '),
    ],
    ids=['of another version', 'without a stamp', 'no library', 'absent'],
)
def test_a_library_that_does_not_fit_is_one_warning_of_one_line_and_the_same_results(
    monkeypatch, tmp_path, content, trouble
):
    with library(monkeypatch, tmp_path, content, 'auto') as said:
        ours, stock = shuffled_thrice()
    assert_same(ours, stock)
    (warning,) = said
    assert warning.category is RuntimeWarning
    assert re.fullmatch(
        rf'the compiled sub-pixel op is not in use: .*{trouble}.*; to build it, run '
        r'\S+ -m tfae build-op; stock TensorFlow ops give the same results, more slowly',
        str(warning.message),
    )


@pytest.mark.parametrize('content', UNFIT.values(), ids=UNFIT)
def test_where_the_compiled_op_is_demanded_that_is_an_error(monkeypatch, tmp_path, content):
    with library(monkeypatch, tmp_path, content, 'compiled') as said:
        for _ in range(2):  # also when it is asked again
            with pytest.raises(RuntimeError, match='not in use: .*; to build it, run .* build-op$'):
                subpixel.shuffle(X, 2)
    assert not said


@pytest.mark.parametrize('content', UNFIT.values(), ids=UNFIT)
def test_stock_ops_that_were_asked_for_are_used_without_a_word(monkeypatch, tmp_path, content):
    with library(monkeypatch, tmp_path, content, 'stock') as said:
        ours, stock = shuffled_thrice()
        assert subpixel.status() == (False, 'stock TensorFlow ops, since TFAE_SUBPIXEL is stock')
    assert_same(ours, stock)
    assert not said


def test_another_choice_is_refused(monkeypatch, tmp_path):
    text = "TFAE_SUBPIXEL is 'nonsense'; it must be one of auto, compiled, stock"
    with (
        library(monkeypatch, tmp_path, None, 'nonsense'),
        pytest.raises(errors.UsageError, match=text),
    ):
        subpixel.shuffle(X, 2)


def test_an_empty_choice_is_auto(monkeypatch, tmp_path):
    with library(monkeypatch, tmp_path, None, '') as said:
        assert not subpixel.status().compiled
    assert len(said) == 1


def test_the_stamp_is_read_without_loading(monkeypatch, tmp_path):
    text = f'ELF {STAMP}2.99.1/0123456789ab/g++ (Debian 12.2.0) 12.2.0/13.0; more'
    with library(monkeypatch, tmp_path, text, 'auto'):
        assert op_library.stamp() == (
            '2.99.1',
            '0123456789ab',
            'g++ (Debian 12.2.0) 12.2.0',
            '13.0',
        )
    with library(monkeypatch, tmp_path, OTHER_VERSION, 'auto'):
        assert op_library.stamp() == ('1.15.0', '0', 'an unknown compiler', 'no')
    with library(monkeypatch, tmp_path, 'ELF', 'auto'):
        assert op_library.stamp() is None
