"""Statistics and repeatability of the noise. Bounds are five standard deviations."""

import numpy as np
import pytest
import scipy.stats
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.data import pipeline
from tfae.ops import corruption
from tfae.ops.corruption import Corruption

NOISY = [
    Corruption('masking', 0.3),
    Corruption('gaussian', 0.2),
    Corruption('salt_and_pepper', 0.3),
    Corruption('dropout', 0.3),
]
REPLACING = [noise for noise in NOISY if noise.kind != 'gaussian']
ROWS, COLUMNS = 400, 500


def image(rows=ROWS):
    """No value is 0 or 1, so that what noise has hit shows."""
    return np.random.RandomState(0).uniform(0.1, 0.9, [rows, COLUMNS]).astype(np.float32)


def corrupted(noise, x, seed=(1, 2)):
    with tf.Graph().as_default(), tf.Session() as session:
        made = corruption.corrupt(tf.constant(x), noise, tf.constant(seed, tf.int64))
        return session.run(made)


def hit(noise, y):
    """Where noise of a kind that replaces has fallen."""
    return (y == 0) | (y == 1) if noise.kind == 'salt_and_pepper' else y == 0


@pytest.mark.parametrize('noise', REPLACING, ids=lambda n: n.kind)
def test_each_value_is_hit_by_itself_with_the_probability_asked_for(noise):
    """Number of hits in each row and in each column: mean and variance of a binomial."""
    x = image()
    hits = hit(noise, corrupted(noise, x))
    p = noise.level
    for axis, trials in ((1, COLUMNS), (0, ROWS)):
        counts = hits.sum(axis)
        variance = trials * p * (1 - p)
        assert abs(counts.mean() - trials * p) < 5 * np.sqrt(variance / len(counts))
        assert abs(counts.var() / variance - 1) < 5 * np.sqrt(2 / len(counts))


@pytest.mark.parametrize('kind', ['masking', 'salt_and_pepper'])
@pytest.mark.parametrize('level', [0.001, 0.5, 0.999, 1.0])
def test_every_level_hits_its_part(kind, level):
    noise, x = Corruption(kind, level), image()
    hits = hit(noise, corrupted(noise, x)).sum()
    assert abs(hits - level * x.size) <= 5 * np.sqrt(x.size * level * (1 - level))


def test_masking_sets_to_zero_and_touches_nothing_else():
    x = image()
    y = corrupted(Corruption('masking', 0.3), x)
    assert np.array_equal(y[y != 0], x[y != 0])


def test_dropout_keeps_the_mean():
    x = image()
    y = corrupted(Corruption('dropout', 0.3), x)
    np.testing.assert_allclose(y[y != 0], x[y != 0] / 0.7, rtol=1e-6)
    assert abs(y.mean() / x.mean() - 1) < 5 * np.sqrt(0.3 / 0.7 * 1.3 / x.size)


def test_salt_and_pepper_are_as_likely_as_each_other():
    x = image()
    noise = Corruption('salt_and_pepper', 0.3)
    y = corrupted(noise, x)
    hits = hit(noise, y)
    assert set(np.unique(y[hits])) == {0, 1}
    assert abs(y[hits].mean() - 0.5) < 5 * 0.5 / np.sqrt(hits.sum())


def test_gaussian_noise_is_normal_and_is_not_clipped():
    x = image()
    noise = (corrupted(Corruption('gaussian', 0.2), x) - x).ravel()
    assert scipy.stats.kstest(noise[::4], scipy.stats.norm(0, 0.2).cdf).pvalue > 1e-4
    edge = np.zeros([10, COLUMNS], np.float32)
    assert (corrupted(Corruption('gaussian', 0.2), edge) < 0).mean() > 0.4


@pytest.mark.parametrize('noise', NOISY, ids=lambda n: n.kind)
def test_each_example_of_a_batch_has_noise_of_its_own(noise):
    x = np.repeat(image(1), 200, axis=0)
    y = corrupted(noise, x)
    assert len(np.unique(y, axis=0)) == len(y)
    changes = y - x if noise.kind == 'gaussian' else hit(noise, y)
    among = np.corrcoef(changes)[np.triu_indices(len(x), 1)]
    assert np.abs(among).max() < scipy.stats.norm.isf(1e-5 / len(among)) / np.sqrt(COLUMNS)
    assert abs(among.mean()) < 5 / np.sqrt(COLUMNS * len(among))


@pytest.mark.parametrize('noise', NOISY, ids=lambda n: n.kind)
def test_noise_is_a_function_of_seed_and_step(noise):
    x = image(4)
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.placeholder(tf.int64, [])
        seeds = [pipeline.noise_seed(step, seeds) for seeds in ([7, 0], [8, 0], [7, 1])]
        made = [corruption.corrupt(tf.constant(x), noise, seed) for seed in seeds]
        first, again, other = (session.run(made, {step: s}) for s in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    different = [*first, *other]  # two steps of three streams
    assert len({y.tobytes() for y in different}) == 6


@pytest.mark.parametrize('noise', NOISY, ids=lambda n: n.kind)
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_shape_and_type_stay(noise, dtype):
    x = np.full([2, 5, 3, 4], 0.5, dtype)
    y = corrupted(noise, x)
    assert y.shape == x.shape
    assert y.dtype == dtype


@pytest.mark.parametrize('kind', corruption.KINDS)
def test_no_noise_is_the_tensor_itself(kind):
    x = tf.zeros([2, 3])
    assert corruption.corrupt(x, Corruption(kind, 0.0), tf.zeros([2], tf.int64)) is x


@pytest.mark.parametrize('noise', REPLACING, ids=lambda n: n.kind)
def test_a_value_that_is_hit_passes_no_gradient(noise):
    x = tf.constant(image(4))
    y = corruption.corrupt(x, noise, tf.constant([1, 2], tf.int64))
    with tf.Session() as session:
        after, gradient = session.run([y, tf.gradients(y, x)[0]])
    hits = hit(noise, after)
    assert (gradient[hits] == 0).all()
    kept = 1 / 0.7 if noise.kind == 'dropout' else 1
    np.testing.assert_allclose(gradient[~hits], kept, rtol=1e-6)


@pytest.mark.parametrize(
    'text, want',
    [
        ('none', Corruption('none', 0)),
        ('none:0', Corruption('none', 0)),
        ('masking:0', Corruption('masking', 0)),
        ('masking:1', Corruption('masking', 1)),
        ('gaussian:2.5', Corruption('gaussian', 2.5)),
        ('salt_and_pepper:.5', Corruption('salt_and_pepper', 0.5)),
        ('dropout:0.999', Corruption('dropout', 0.999)),
    ],
)
def test_kind_and_level_are_read(text, want):
    assert Corruption.from_text(text) == want
    assert Corruption.from_text(str(want)) == want


@pytest.mark.parametrize(
    'text, want',
    [
        ('mask:0.3', "--corruption is 'mask'; it must be one of none, masking, .* mean masking"),
        ('', "--corruption is ''; it must be one of none, masking"),
        ('masking', "is 'masking'; it must be none or kind:level, as in masking:0.3"),
        ('masking:', "is 'masking:'; it must be none or kind:level"),
        ('masking:lots', "is 'masking:lots'; it must be none or kind:level"),
        ('masking:1.1', r"is 'masking:1.1'; the level must lie in \[0, 1\]"),
        ('masking:-0.1', r"is 'masking:-0.1'; the level must lie in \[0, 1\]"),
        ('masking:nan', r"is 'masking:nan'; the level must lie in \[0, 1\]"),
        ('dropout:1', r"is 'dropout:1'; the level must lie in \[0, 1\)"),
        ('gaussian:-1', r"is 'gaussian:-1'; the level must lie in \[0, inf\)"),
        ('gaussian:inf', r"is 'gaussian:inf'; the level must lie in \[0, inf\)"),
        ('none:0.5', r"is 'none:0.5'; the level must lie in \[0, 0\]"),
    ],
)
def test_every_other_text_is_refused(text, want):
    with pytest.raises(errors.UsageError, match=want):
        Corruption.from_text(text)
