"""Sub-pixel shuffle: both definitions of it against its index formula."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.ops import op_library, subpixel

SHAPES = [(1, 1, 1, 1), (2, 3, 5, 7), (1, 3, 2, 16), (2, 2, 40, 3)]
BLOCKS = [2, 3, 4, (1, 2), (2, 5)]


@pytest.fixture(params=['compiled', 'stock'])
def definition(request, monkeypatch):
    """Each test runs on the compiled op and on its stock definition."""
    if request.param == 'compiled' and not op_library.library().exists():
        try:
            op_library.builder().compiler()
        except op_library.builder().CannotBuild as reason:
            pytest.skip(str(reason))
    monkeypatch.setenv(op_library.CHOICE, request.param)
    op_library.load.cache_clear()
    yield request.param
    op_library.load.cache_clear()


def pair(block):
    return (block, block) if isinstance(block, int) else block


def small_shape(shape, block, data_format):
    """The small side of `shape` = (N, H, W, C of the large side)."""
    (n, h, w, c), (rh, rw) = shape, pair(block)
    return (n, h, w, c * rh * rw) if data_format == 'NHWC' else (n, c * rh * rw, h, w)


def numbers(shape, dtype=tf.float32):
    """Different numbers, small enough for every type but the 8-bit ones, which wrap around."""
    count = np.arange(np.prod(shape, dtype=np.int64)) % 2039
    return count.astype(np.int32).astype(dtype.as_numpy_dtype).reshape(shape)


def oracle(small, block, mode, data_format):
    """The large side, element by element from the formula in `tfae.ops.subpixel`."""
    if data_format == 'NCHW':
        nhwc = oracle(small.transpose(0, 2, 3, 1), block, mode, 'NHWC')
        return nhwc.transpose(0, 3, 1, 2)
    rh, rw = pair(block)
    batch, height, width, depth = small.shape
    channels = depth // (rh * rw)
    n, y, x, c = np.indices((batch, height * rh, width * rw, channels))
    i, j = y % rh, x % rw
    k = (i * rw + j) * channels + c if mode == 'DCR' else (c * rh + i) * rw + j
    return small[n, y // rh, x // rw, k]


def run(fetches, feed_dict=None):
    with tf.Session() as session:
        return session.run(fetches, feed_dict)


@pytest.mark.parametrize('dtype', subpixel.TYPES, ids=lambda t: t.name)
@pytest.mark.parametrize('data_format', subpixel.DATA_FORMATS)
@pytest.mark.parametrize('mode', subpixel.MODES)
def test_both_directions_equal_the_formula(definition, mode, data_format, dtype):
    cases, fetches = [], []
    for shape, block in itertools.product(SHAPES, BLOCKS):
        small = numbers(small_shape(shape, block, data_format), dtype)
        large = oracle(small, block, mode, data_format)
        arguments = (block, mode, data_format)
        fetches.append(
            (
                subpixel.shuffle(tf.constant(small, dtype), *arguments),
                subpixel.unshuffle(tf.constant(large, dtype), *arguments),
            )
        )
        cases.append((large, small, arguments))
        assert [t.shape.as_list() for t in fetches[-1]] == [list(large.shape), list(small.shape)]
    for got, (large, small, arguments) in zip(run(fetches), cases, strict=True):
        np.testing.assert_array_equal(got[0], large, err_msg=f'shuffle {small.shape} {arguments}')
        np.testing.assert_array_equal(got[1], small, err_msg=f'unshuffle {small.shape} {arguments}')


@pytest.mark.parametrize('block', [2, 3, 5])
def test_dcr_is_depth_to_space_and_space_to_depth(definition, block):
    x = tf.constant(numbers((2, 3, 4, 7 * block * block)))
    ours = subpixel.shuffle(x, block)
    theirs = tf.nn.depth_to_space(x, block)
    back = subpixel.unshuffle(theirs, block)
    got, want, small = run([ours, theirs, back - tf.nn.space_to_depth(theirs, block)])
    np.testing.assert_array_equal(got, want)
    assert not small.any()


def test_crd_nchw_is_pytorch_pixel_shuffle_spelled_out(definition):
    x = numbers((2, 5 * 9, 3, 4))
    want = x.reshape(2, 5, 3, 3, 3, 4).transpose(0, 1, 4, 2, 5, 3).reshape(2, 5, 9, 12)
    np.testing.assert_array_equal(run(subpixel.shuffle(x, 3, 'CRD', 'NCHW')), want)


@pytest.mark.parametrize('data_format', subpixel.DATA_FORMATS)
@pytest.mark.parametrize('mode', subpixel.MODES)
@pytest.mark.parametrize('shape', [(3, 65, 130, 12), (1, 1, 4001, 3), (1, 2, 3, 5000)])
def test_tensors_of_many_bands_equal_the_formula(definition, shape, mode, data_format):
    small = numbers(small_shape(shape, 2, data_format))
    large = oracle(small, 2, mode, data_format)
    got = run(
        [
            subpixel.shuffle(small, 2, mode, data_format),
            subpixel.unshuffle(large, 2, mode, data_format),
        ]
    )
    np.testing.assert_array_equal(got[0], large)
    np.testing.assert_array_equal(got[1], small)


@pytest.mark.parametrize('dtype', [tf.uint8, tf.half, tf.float32], ids=lambda t: t.name)
def test_a_slice_that_is_not_aligned_is_shuffled_too(definition, dtype):
    small = numbers((3, 3, 5, 12), dtype)
    got = run(subpixel.shuffle(tf.constant(small, dtype)[1:], 2))
    np.testing.assert_array_equal(got, oracle(small[1:], 2, 'DCR', 'NHWC'))


@pytest.mark.parametrize('data_format', subpixel.DATA_FORMATS)
@pytest.mark.parametrize('mode', subpixel.MODES)
@pytest.mark.parametrize('direction', [subpixel.shuffle, subpixel.unshuffle])
def test_gradient_matches_finite_differences(definition, direction, mode, data_format):
    shape = [1, 2, 4, 8] if data_format == 'NHWC' else [1, 8, 2, 4]
    x = tf.placeholder(tf.float64, shape)
    value = np.random.RandomState(0).normal(size=shape)
    y = tf.square(direction(x, 2, mode, data_format))
    with tf.Session():
        error = tf.test.compute_gradient_error(x, shape, y, y.shape.as_list(), value, delta=1e-4)
    assert error < 1e-6


@pytest.mark.parametrize('mode', subpixel.MODES)
def test_second_gradient_matches_finite_differences(definition, mode):
    shape = [1, 2, 3, 4]
    x = tf.placeholder(tf.float64, shape)
    value = np.random.RandomState(1).normal(size=shape)
    (first,) = tf.gradients(subpixel.shuffle(x, 2, mode) ** 3, x)
    y = tf.square(first)
    with tf.Session():
        error = tf.test.compute_gradient_error(x, shape, y, shape, value, delta=1e-4)
    assert error < 1e-6


@pytest.mark.parametrize('data_format', subpixel.DATA_FORMATS)
def test_unknown_sizes_are_settled_when_run(definition, data_format):
    value = numbers(small_shape((2, 3, 5, 7), 2, data_format))
    for known in ([None] * 4, None, [2, *[None] * 3], [None, *value.shape[1:]]):
        x = tf.placeholder(tf.float32, known)
        y = subpixel.shuffle(x, 2, 'CRD', data_format)
        back = subpixel.unshuffle(y, 2, 'CRD', data_format)
        got, same = run([y, back], {x: value})
        np.testing.assert_array_equal(got, oracle(value, 2, 'CRD', data_format))
        np.testing.assert_array_equal(same, value)
        assert y.shape.rank == 4


def test_static_shape_keeps_what_is_known(definition):
    x = tf.placeholder(tf.float32, [None, 3, None, 8])
    assert subpixel.shuffle(x, [2, 1]).shape.as_list() == [None, 6, None, 4]
    assert subpixel.unshuffle(x, [3, 2]).shape.as_list() == [None, 1, None, 48]


@pytest.mark.parametrize('shape', [(0, 3, 4, 8), (2, 0, 4, 8), (2, 3, 0, 8), (2, 3, 4, 0)])
def test_empty_tensors_pass_through(definition, shape):
    n, h, w, c = shape
    x = tf.placeholder(tf.float32, [None] * 4)
    got, back = run([subpixel.shuffle(x, 2), subpixel.unshuffle(x, 1)], {x: np.zeros(shape)})
    assert got.shape == (n, 2 * h, 2 * w, c // 4)
    assert back.shape == shape


STATIC_REFUSALS = [
    ({'shape': [2, 3, 4]}, 'shuffle: shape is (2, 3, 4), rank 3; it must have rank 4.'),
    ({'shape': [1, 2, 2, 6]}, 'the number of channels is 6; it must be a multiple of 4.'),
    ({'shape': [1, 6, 2, 4], 'data_format': 'NCHW'}, 'the number of channels is 6; it must be'),
    ({'shape': [1, 3, 2, 4], 'inverse': True}, 'unshuffle: the height is 3; it must be a multiple'),
    ({'shape': [1, 2, 3, 4], 'inverse': True}, 'the width is 3; it must be a multiple of 2.'),
    ({'block': 0}, 'block_size is 0; it must be one or two integers >= 1.'),
    ({'block': -2}, 'block_size is -2; it must be'),
    ({'block': 2.5}, 'block_size is 2.5; it must be'),
    ({'block': [2, 0]}, 'block_size is [2, 0]; it must be'),
    ({'block': [2, 2, 2]}, 'block_size is [2, 2, 2]; it must be one or two integers'),
    ({'mode': 'dcr'}, "mode is 'dcr'; it must be DCR or CRD."),
    ({'data_format': 'NCWH'}, "data_format is 'NCWH'; it must be NHWC or NCHW."),
    ({'dtype': tf.complex64}, 'type is complex64; it must be one of float16, bfloat16, float32'),
    ({'shape': [None, 2**62, 4, 4]}, 'the height 9223372036854775808, which does not fit 64 bits'),
    (
        {'shape': [None, 2, 2, 2**62], 'inverse': True},
        'the number of channels 18446744073709551616',
    ),
]


@pytest.mark.parametrize(('call', 'text'), STATIC_REFUSALS, ids=lambda v: str(v)[:40])
def test_wrong_calls_are_refused_when_the_graph_is_built(definition, call, text):
    x = tf.placeholder(call.get('dtype', tf.float32), call.get('shape', [1, 2, 2, 4]))
    direction = subpixel.unshuffle if call.get('inverse') else subpixel.shuffle
    with pytest.raises(ValueError) as raised:
        direction(x, call.get('block', 2), call.get('mode', 'DCR'), call.get('data_format', 'NHWC'))
    assert text in str(raised.value)
    assert str(raised.value).startswith('subpixel.')


@pytest.mark.parametrize(
    ('direction', 'shape', 'texts'),
    [
        (subpixel.shuffle, (2, 3, 4), ('[2,3,4]',)),
        (subpixel.shuffle, (1, 2, 2, 6), ('6', 'must be a multiple of', '4')),
        (subpixel.unshuffle, (1, 3, 2, 4), ('3', 'must be a multiple of', '2')),
        (subpixel.unshuffle, (1, 2, 3, 4), ('3', 'must be a multiple of', '2')),
    ],
)
def test_wrong_shapes_are_refused_when_run(definition, direction, shape, texts):
    x = tf.placeholder(tf.float32, None)
    y = direction(x, 2)
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        run(y, {x: np.zeros(shape, np.float32)})
    for text in texts:
        assert text in raised.value.message


def test_sizes_beyond_64_bits_are_refused_when_run(definition):
    sizes = tf.placeholder(tf.int64, [4])
    x = tf.reshape(tf.zeros([0]), sizes)
    y = subpixel.shuffle(x, 2)
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(y, {sizes: [0, 2**62, 1, 4]})


def test_status_says_which_definition_is_used(definition):
    status = subpixel.status()
    assert status.compiled == (definition == 'compiled')
    assert ('compiled op' if status.compiled else 'stock TensorFlow ops') in status.why


@pytest.mark.parametrize('attributes', [{'block_size': [0, 2]}, {'block_size': [2, 2, 2]}])
def test_the_op_itself_refuses_a_bad_block(monkeypatch, attributes):
    monkeypatch.setenv(op_library.CHOICE, 'auto')
    module, status = op_library.load()
    if module is None:
        pytest.skip(status.why)
    with pytest.raises(ValueError, match='two integers of at least 1'):
        module.subpixel_shuffle(tf.zeros([1, 2, 2, 4]), **attributes)


def load_with(monkeypatch, library, choice='auto'):
    """What loading gives when `library` is the one in the package."""
    monkeypatch.setattr(op_library, 'library', lambda: library)
    monkeypatch.setenv(op_library.CHOICE, choice)
    op_library.load.cache_clear()
    try:
        return op_library.load()
    finally:
        op_library.load.cache_clear()


@pytest.mark.parametrize(
    ('content', 'text'),
    [
        (None, 'there is no '),
        (b'ELF', 'built for TensorFlow an unknown version; this is ' + tf.__version__),
        (b'tfae-subpixel-built-for:1.15.0/0;', 'built for TensorFlow 1.15.0; this is '),
        (b'tfae-subpixel-built-for:%b/0;' % tf.__version__.encode(), 'built from other sources'),
    ],
)
def test_a_library_that_does_not_fit_gives_one_warning_with_the_cure(
    monkeypatch, tmp_path, content, text
):
    library = tmp_path / '_subpixel.so'
    if content is not None:
        library.write_bytes(content)
    with pytest.warns(RuntimeWarning) as caught:
        module, status = load_with(monkeypatch, library)
    assert module is None
    assert not status.compiled
    assert len(caught) == 1
    message = str(caught[0].message)
    assert text in message
    assert f'{sys.executable} ' in message
    assert '-m tfae build-op' in message
    with pytest.raises(RuntimeError, match='not in use'):
        load_with(monkeypatch, library, 'compiled')


def test_a_damaged_library_is_reported_not_loaded(monkeypatch, tmp_path):
    library = tmp_path / '_subpixel.so'
    stamp = f'tfae-subpixel-built-for:{tf.__version__}/{op_library.builder().digest()};'
    library.write_bytes(b'not a library ' + stamp.encode())
    with pytest.warns(RuntimeWarning, match='does not load'):
        assert load_with(monkeypatch, library)[0] is None


@pytest.mark.parametrize(
    'choice', ['compiled', *(pytest.param(k, marks=pytest.mark.slow) for k in ('stock', 'fastest'))]
)
def test_the_environment_chooses_the_definition(choice):
    code = 'from tfae.ops import subpixel; print(subpixel.status().compiled)'
    environment = os.environ | {op_library.CHOICE: choice, 'TF_CPP_MIN_LOG_LEVEL': '3'}
    done = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True
    )
    if choice == 'fastest':
        assert done.returncode != 0
        assert "TFAE_SUBPIXEL is 'fastest'; it must be one of auto, compiled, stock" in done.stderr
    elif choice == 'compiled' and not op_library.library().exists():
        assert 'build-op' in done.stderr
    else:
        assert done.stdout.strip() == str(choice == 'compiled')
