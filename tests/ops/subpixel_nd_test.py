"""Sub-pixel shuffle along one axis and along three."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.ops import subpixel, subpixel_nd

MODES = subpixel.MODES


def run(fetches, feed_dict=None):
    with tf.Session() as session:
        return session.run(fetches, feed_dict)


def numbers(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def volume(small, block, mode):
    """The large side of `small` [N, D, H, W, C*rd*rh*rw], from the formula in the module."""
    (rd, rh, rw), (n, d, h, w, depth) = block, small.shape
    c = depth // (rd * rh * rw)
    b, z, y, x, k = np.indices((n, d * rd, h * rh, w * rw, c))
    p, i, j = z % rd, y % rh, x % rw
    dcr = ((p * rh + i) * rw + j) * c + k
    crd = ((k * rd + p) * rh + i) * rw + j
    return small[b, z // rd, y // rh, x // rw, dcr if mode == 'DCR' else crd]


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('block', [1, 2, 3, 7])
def test_one_axis_equals_the_formula(mode, block):
    small = numbers(2, 5, 3 * block)
    wide = volume(small[:, None, None], (1, 1, block), mode)[:, 0, 0]
    y = subpixel_nd.shuffle_1d(small, block, mode)
    assert y.shape == wide.shape
    got, back = run([y, subpixel_nd.unshuffle_1d(y, block, mode)])
    np.testing.assert_array_equal(got, wide)
    np.testing.assert_array_equal(back, small)


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('block', [2, [1, 2, 3], [3, 1, 2], [2, 3, 1]])
def test_three_axes_equal_the_formula(mode, block):
    sizes = [block] * 3 if isinstance(block, int) else block
    small = numbers(2, 3, 4, 5, 3 * int(np.prod(sizes)))
    large = volume(small, sizes, mode)
    y = subpixel_nd.shuffle_3d(small, block, mode)
    assert y.shape == large.shape
    got, back = run([y, subpixel_nd.unshuffle_3d(y, block, mode)])
    np.testing.assert_array_equal(got, large)
    np.testing.assert_array_equal(back, small)


@pytest.mark.parametrize('mode', MODES)
def test_unknown_sizes_are_settled_when_run(mode):
    line, box = numbers(2, 5, 4), numbers(2, 3, 4, 5, 16)
    x, v = tf.placeholder(tf.float32), tf.placeholder(tf.float32, [None, None, 4, None, None])
    got = run(
        [
            subpixel_nd.unshuffle_1d(subpixel_nd.shuffle_1d(x, 2, mode), 2, mode),
            subpixel_nd.unshuffle_3d(subpixel_nd.shuffle_3d(v, 2, mode), 2, mode),
            subpixel_nd.shuffle_3d(v, 2, mode),
        ],
        {x: line, v: box},
    )
    np.testing.assert_array_equal(got[0], line)
    np.testing.assert_array_equal(got[1], box)
    np.testing.assert_array_equal(got[2], volume(box, (2, 2, 2), mode))


@pytest.mark.parametrize('mode', MODES)
def test_gradients_are_the_inverse(mode):
    x, v = tf.constant(numbers(2, 5, 6)), tf.constant(numbers(1, 2, 2, 3, 16))
    y, z = subpixel_nd.shuffle_1d(x, 3, mode), subpixel_nd.shuffle_3d(v, 2, mode)
    dx, dv = tf.gradients([tf.square(y), tf.square(z)], [x, v])
    got = run([dx, dv])
    np.testing.assert_array_equal(got[0], 2 * numbers(2, 5, 6))
    np.testing.assert_array_equal(got[1], 2 * numbers(1, 2, 2, 3, 16))


@pytest.mark.parametrize(
    ('call', 'text'),
    [
        (lambda: subpixel_nd.shuffle_1d(numbers(1, 2, 2, 4), 2), '1d: shape is .* rank 3'),
        (lambda: subpixel_nd.shuffle_1d(numbers(1, 2, 5), 2), 'channels is 5; .* multiple of 2'),
        (lambda: subpixel_nd.shuffle_1d(numbers(1, 2, 4), 0), 'block_size is 0'),
        (lambda: subpixel_nd.unshuffle_1d(numbers(1, 3, 4), 2), 'the width is 3'),
        (lambda: subpixel_nd.shuffle_3d(numbers(1, 2, 2, 8), 2), '3d: shape is .* rank 5'),
        (lambda: subpixel_nd.shuffle_3d(numbers(1, 1, 1, 1, 8), [2, 2]), 'one or three integers'),
        (lambda: subpixel_nd.shuffle_3d(numbers(1, 1, 1, 1, 8), 2, 'RGB'), "mode is 'RGB'"),
        (lambda: subpixel_nd.shuffle_3d(numbers(1, 1, 1, 1, 6), 2), 'channels is'),
    ],
)
def test_wrong_calls_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()
