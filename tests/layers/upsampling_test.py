"""Enlargement by interpolation, against numpy and tf.image.resize of TensorFlow 2."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import layers

METHODS = ['nearest', 'bilinear', 'bicubic']
SIZES = [1, 2, (4, 2), 3, (1, 5)]


def run(fetches, feed=None, threads=0):
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    with tf.Session(config=config) as session:
        return session.run(fetches, feed)


def images(*shape, dtype=np.float64):
    return np.random.RandomState(0).normal(size=shape).astype(dtype)


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64', 'uint8', 'int64', 'bool'])
def test_nearest_repeats_pixels(dtype):
    x = np.random.RandomState(0).randint(0, 255, [2, 3, 4, 3]).astype(dtype)
    for rh, rw in [(1, 1), (2, 2), (3, 2)]:
        y = layers.upsample(x, (rh, rw))
        assert y.dtype == dtype
        np.testing.assert_array_equal(run(y), np.repeat(np.repeat(x, rh, 1), rw, 2))


@pytest.mark.parametrize('data_format', ['channels_last', 'channels_first'])
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('method', METHODS)
def test_equals_image_resize_of_tensorflow_2(method, size, data_format):
    x = images(2, 5, 4, 3, dtype=np.float32)
    first = data_format == 'channels_first'
    y = layers.upsample(np.moveaxis(x, -1, 1) if first else x, size, method, data_format)
    rh, rw = size if isinstance(size, tuple) else (size, size)
    want = tf.compat.v2.image.resize(x, [5 * rh, 4 * rw], method, antialias=False)
    assert y.shape == ((2, 3, 5 * rh, 4 * rw) if first else (2, 5 * rh, 4 * rw, 3))
    y, want = run([y, want])
    # TensorFlow rounds the distances of bicubic to 1/1024: exact where the factor divides that.
    rounded = method == 'bicubic' and max(rh, rw) % 2
    np.testing.assert_allclose(
        np.moveaxis(y, 1, -1) if first else y, want, atol=4e-3 if rounded else 2e-6
    )


@pytest.mark.parametrize(('method', 'degree', 'margin'), [('bilinear', 1, 1), ('bicubic', 2, 2)])
def test_polynomials_are_exact_within_the_edges(method, degree, margin):
    def polynomial(rows, columns):
        return (rows[:, None] - 1.5) ** degree + 3 * rows[:, None] * columns - columns**degree

    def centers(n, factor):
        return (np.arange(n * factor) + 0.5) / factor - 0.5

    x = polynomial(centers(8, 1), centers(7, 1))[None, :, :, None]
    y = run(layers.upsample(x, (3, 5), method))[0, :, :, 0]
    want = polynomial(centers(8, 3), centers(7, 5))
    inside = (slice(3 * margin, -3 * margin), slice(5 * margin, -5 * margin))
    np.testing.assert_allclose(y[inside], want[inside], atol=1e-12)
    assert np.abs(y - want).max() > 0.01


@pytest.mark.parametrize('method', METHODS)
def test_constants_stay_up_to_the_edges(method):
    y = run(layers.upsample(np.full([1, 1, 2, 1], 7.0), 4, method))
    np.testing.assert_allclose(y, np.full([1, 4, 8, 1], 7.0), rtol=1e-15)


@pytest.mark.parametrize('data_format', ['channels_last', 'channels_first'])
@pytest.mark.parametrize('method', METHODS)
def test_gradient_matches_finite_differences(method, data_format):
    value = images(2, 3, 4, 2)
    x = tf.constant(value)
    y = layers.upsample(x, (2, 3), method, data_format) ** 2
    with tf.Session():
        gap = tf.test.compute_gradient_error(
            x, value.shape, y, y.shape.as_list(), value, delta=1e-5
        )
    assert gap < 1e-6


@pytest.mark.parametrize(('dtype', 'bound'), [('float32', 1e-4), ('float64', 1e-12)])
@pytest.mark.parametrize('method', METHODS)
def test_the_gradient_has_a_gradient(method, dtype, bound):
    """Of f(x) = |A x|^2 / 2 the gradient by x of <v, grad f> is A' A v, the gradient at v."""

    def gradient(x):
        return tf.gradients(layers.upsample(x, (2, 3), method) ** 2 / 2, x)[0]

    x = tf.constant(images(2, 3, 4, 2, dtype=dtype))
    v = tf.reverse(x, [0])
    second = tf.gradients(tf.reduce_sum(tf.stop_gradient(v) * gradient(x)), x)[0]
    np.testing.assert_allclose(*run([second, gradient(v)]), atol=bound)


@pytest.mark.parametrize('method', METHODS)
def test_floats_have_the_gradient_of_doubles(method):
    gradients = []
    for dtype in ('float32', 'float64'):
        x = tf.constant(images(2, 3, 4, 2, dtype=dtype))
        gradients.append(tf.gradients(layers.upsample(x, (2, 3), method) ** 3, x)[0])
    np.testing.assert_allclose(*run(gradients), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('method', METHODS)
def test_bits_are_the_same_on_any_number_of_threads(method):
    x = tf.constant(images(8, 14, 14, 16, dtype=np.float32))
    y = layers.upsample(x, 2, method)
    fetches = [y, tf.gradients(y**2, x)[0]]
    for got, want in zip(run(fetches), run(fetches, threads=1), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize('method', METHODS)
def test_unknown_sizes_are_settled_when_run(method):
    x = tf.placeholder(tf.float32, [None, None, 4, 2])
    y = layers.upsample(x, (2, 3), method)
    gradient = tf.gradients(y, x)[0]
    assert y.shape.as_list() == [None, None, 12, 2]
    for batch, height in [(1, 3), (2, 1), (0, 3)]:
        value, back = run([y, gradient], {x: np.ones([batch, height, 4, 2])})
        np.testing.assert_allclose(value, np.ones([batch, 2 * height, 12, 2]), rtol=1e-6)
        assert back.shape == (batch, height, 4, 2)
        np.testing.assert_allclose(back.sum(), 6 * batch * height * 8, rtol=1e-5)


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('method', METHODS)
def test_a_sequence_is_an_image_of_one_row(method, dtype):
    x = images(2, 5, 3, dtype=dtype)
    y = layers.upsample(x, 3, method)
    assert y.shape == (2, 15, 3)
    np.testing.assert_array_equal(*run([y[:, None], layers.upsample(x[:, None], (1, 3), method)]))


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('method', METHODS)
def test_each_axis_of_a_volume_is_interpolated_as_a_sequence(method, dtype):
    x = images(2, 3, 4, 5, 2, dtype=dtype)
    y = layers.upsample(x, (4, 3, 2), method)
    assert y.shape == (2, 12, 12, 10, 2)
    want = x
    for axis, factor in ((1, 4), (2, 3), (3, 2)):
        moved = np.moveaxis(want, axis, -2)
        rows = moved.reshape(-1, *moved.shape[-2:])
        made = run(layers.upsample(rows, factor, method))
        want = np.moveaxis(made.reshape(*moved.shape[:-2], -1, moved.shape[-1]), -2, axis)
    np.testing.assert_allclose(run(y), want, atol=1e-5 if dtype == 'float32' else 1e-12)
    first = layers.upsample(np.moveaxis(x, -1, 1), (4, 3, 2), method, 'channels_first')
    np.testing.assert_array_equal(np.moveaxis(run(first), 1, -1), run(y))


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('shape', [(2, 4, 2), (1, 2, 3, 2, 1)])
def test_gradients_of_sequences_and_volumes_match_finite_differences(shape, method):
    value = images(*shape)
    x = tf.constant(value)
    y = layers.upsample(x, 2, method) ** 2
    with tf.Session():
        gap = tf.test.compute_gradient_error(
            x, value.shape, y, y.shape.as_list(), value, delta=1e-5
        )
    assert gap < 1e-6


def test_a_name_is_that_of_the_scope():
    x = tf.ones([1, 2, 2, 1])
    found = [layers.upsample(x, 2, name=name).op.name for name in (None, 'larger', None)]
    assert [name.split('/')[0] for name in found] == ['upsample', 'larger', 'upsample_1']
    assert not tf.global_variables()


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'size': 0}, 'upsample: size is 0; it must be a positive integer or two of them'),
        ({'size': 1.5}, 'upsample: size is 1.5; it must be a positive integer or two of them'),
        ({'method': 'cubic'}, "upsample: method is 'cubic'; .* nearest, bilinear, bicubic; did"),
        ({'data_format': 'NCHW'}, "upsample: data_format is 'nchw'; it must be one of channels"),
        ({'inputs': np.ones([2, 2])}, r'input has shape \(2, 2\); it must have rank 3, 4 or 5'),
        (
            {'inputs': np.ones([1, 2, 1]), 'size': (2, 2)},
            r'size is \(2, 2\); it must be a positive',
        ),
        (
            {'inputs': np.ones([1, 2, 2, 1], np.uint8), 'method': 'bilinear'},
            'upsample: type is uint8; it must be a float type, or the method nearest',
        ),
        ({'name': 'up', 'size': (2, 0)}, r'up: size is \(2, 0\)'),
    ],
)
def test_wrong_calls_are_refused_by_name(options, text):
    with pytest.raises(ValueError, match=text):
        layers.upsample(**({'inputs': np.ones([1, 2, 2, 1]), 'size': 2} | options))


def test_an_unknown_rank_is_refused():
    with pytest.raises(ValueError, match='input has unknown rank; it must have rank 3, 4 or 5'):
        layers.upsample(tf.placeholder(tf.float32), 2)
