"""What TensorBoard is given, read back as TensorBoard reads it."""

import errno
import io

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from tensorboard.plugins.hparams import plugin_data_pb2

from tfae.core import atomic_files
from tfae.training import summaries


def run(fetches):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches)


def random_images(count, height=4, width=3, channels=1):
    return np.random.RandomState(0).uniform(size=[count, height, width, channels])


@pytest.mark.parametrize('count, columns, rows', [(6, 3, 2), (7, 3, 3), (1, 1, 1), (2, 5, 1)])
def test_a_grid_lays_images_side_by_side_row_after_row(count, columns, rows):
    x = random_images(count)
    made = summaries.grid(tf.constant(x), columns)
    assert made.shape.as_list() == [1, rows * 4, columns * 3, 1]
    sheet = run(made)[0]
    for k in range(rows * columns):
        i, j = divmod(k, columns)
        cell = sheet[i * 4 : i * 4 + 4, j * 3 : j * 3 + 3]
        assert np.array_equal(cell, x[k] if k < count else np.zeros([4, 3, 1]))


def test_dense_filters_are_columns_of_the_kernel_each_on_its_own_scale():
    kernel = np.random.RandomState(0).normal(size=[4 * 3 * 3, 5])
    got = run(summaries.filters(tf.constant(kernel), (4, 3, 3), limit=4))
    assert got.shape == (4, 4, 3, 3)
    for image, column in zip(got, kernel.T, strict=False):
        want = (column - column.min()) / np.ptp(column)
        np.testing.assert_allclose(image.ravel(), want)


def test_convolutional_filters_are_images_of_their_window():
    kernel = np.random.RandomState(0).normal(size=[5, 4, 1, 7])
    got = run(summaries.filters(tf.constant(kernel), (28, 28, 1)))
    assert got.shape == (7, 5, 4, 1)
    np.testing.assert_allclose(
        got[2, :, :, 0], (kernel[:, :, 0, 2] - kernel[..., 2].min()) / np.ptp(kernel[..., 2])
    )


def test_a_constant_filter_is_black():
    assert not run(summaries.filters(tf.ones([12, 1]), (4, 3, 1))).any()


def test_images_of_odd_channels_show_no_filters():
    assert summaries.filters(tf.zeros([24, 5]), (4, 3, 2)) is None


@pytest.mark.parametrize('shape', [[], [12], [6, 5], [3, 4, 5], [2, 2, 3, 5], [2, 2, 2, 1, 5]])
def test_a_variable_that_is_no_kernel_of_images_shows_no_filters(shape):
    assert summaries.filters(tf.zeros(shape), (4, 3, 1)) is None
    scale = tf.get_variable(f'scale_{len(shape)}', shape, use_resource=True)
    found = tf.Summary.FromString(run(summaries.epoch_summary((4, 3, 1), {}, [], [scale]))).value
    assert [(v.tag, v.HasField('histo')) for v in found] == [(scale.op.name, True)]


@pytest.mark.parametrize('channels', [1, 2, 3])
def test_an_epoch_shows_histograms_and_the_images_that_can_be_shown(channels):
    x = tf.constant(random_images(9, channels=channels), tf.float32)
    kernel = tf.get_variable('encoder/layer_1/kernel', [12 * channels, 4], use_resource=True)
    h = tf.nn.relu(tf.reshape(x, [9, -1]) @ kernel)
    bias = tf.get_variable('encoder/layer_1/bias', [4], use_resource=True)  # shows no filters
    made = summaries.epoch_summary(
        x.shape[1:], {'reconstruction': tf.concat([x, x], 2)}, [h], [kernel, bias]
    )
    found = tf.Summary.FromString(run(made)).value
    histograms = [v.tag for v in found if v.HasField('histo')]
    shown = [v for v in found if v.HasField('image')]
    assert len(histograms) == 3
    assert histograms[0] == 'encoder/layer_1/kernel'
    assert len(shown) == (0 if channels == 2 else 2)
    for value in shown:
        image = Image.open(io.BytesIO(value.image.encoded_image_string))
        assert image.size == (value.image.width, value.image.height)


def test_scalars_bear_their_prefix():
    found = summaries.scalars({'loss': 0.5, 'mse': 2.0}, 'training')
    assert {v.tag: v.simple_value for v in found.value} == {'training/loss': 0.5, 'training/mse': 2}
    (value,) = summaries.scalars({'phase': 1}, '').value
    assert value.tag == 'phase'


def test_hyperparameters_are_read_by_their_dashboard():
    given = {
        'units': [3, 2],
        'rate': 0.5,
        'tied': True,
        'name': b'x\xff'.decode(errors='surrogateescape'),
        'seed': 7,
    }
    run = b'runs/\xff'.decode(errors='surrogateescape')
    (value,) = tf.Summary.FromString(summaries.hparams(given, run)).value
    content = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
    assert content.session_start_info.group_name == 'runs/\\udcff'
    found = content.session_start_info.hparams
    assert found['units'].string_value == '[3, 2]'
    assert found['rate'].number_value == 0.5
    assert found['tied'].bool_value is True
    assert found['name'].string_value == 'x\\udcff'
    assert found['seed'].number_value == 7


@pytest.mark.parametrize('channels', [1, 3])
def test_the_projector_gets_codes_labels_and_thumbnails(tmp_path, channels):
    images = np.rint(255 * random_images(7, channels=channels)) / 255
    codes = np.random.RandomState(1).normal(size=[7, 2])
    names = ['T-shirt/top', 'ankle boot', 'a\tb\nc']
    summaries.write_projector(tmp_path, codes, [names[i % 3] for i in range(7)], images)
    np.testing.assert_allclose(
        np.loadtxt(tmp_path / 'projector' / 'codes.tsv', delimiter='\t'), codes, rtol=1e-5
    )
    labels = (tmp_path / 'projector' / 'labels.tsv').read_text().splitlines()
    assert labels == 2 * ['T-shirt/top', 'ankle boot', 'a b c'] + ['T-shirt/top']
    sheet = np.asarray(Image.open(tmp_path / 'projector' / 'sprite.png')) / 255
    sheet = sheet.reshape(12, 9, channels)
    for k, image in enumerate(images):
        i, j = divmod(k, 3)
        np.testing.assert_allclose(sheet[i * 4 : i * 4 + 4, j * 3 : j * 3 + 3], image, atol=1e-7)
    settings = (tmp_path / 'projector_config.pbtxt').read_text()
    for path in ('codes.tsv', 'labels.tsv', 'sprite.png'):
        assert f'"projector/{path}"' in settings
    assert str(tmp_path) not in settings  # the run may be moved
    assert 'single_image_dim: 3\n' in settings


def test_the_projector_does_without_labels_and_thumbnails(tmp_path):
    summaries.write_projector(tmp_path, np.zeros([3, 2]), None, random_images(3, channels=2))
    assert [p.name for p in (tmp_path / 'projector').iterdir()] == ['codes.tsv']


@pytest.mark.parametrize('write', ['write_text', 'replacing'])
def test_a_disk_that_is_full_midway_leaves_no_file_of_the_projector_by_half(
    tmp_path, monkeypatch, write
):
    given = (tmp_path, np.zeros([3, 2]), None, random_images(3))
    real, kept = getattr(atomic_files, write), []

    def refuse(path, *text, **more):
        if path.name == 'codes.tsv' or kept:
            return real(path, *text, **more)
        raise OSError(errno.ENOSPC, 'No space left on device', str(path))

    monkeypatch.setattr(atomic_files, write, refuse)
    with pytest.raises(OSError, match='No space left'):
        summaries.write_projector(*given)
    assert not summaries.has_projector(tmp_path)
    assert not list(tmp_path.rglob('.*'))
    kept.append('enough')
    summaries.write_projector(*given)
    assert summaries.has_projector(tmp_path)


@pytest.mark.parametrize('shape', [(8, 8, 1), (28, 28, 1), (218, 178, 3), (8192, 1, 1), (1, 99, 1)])
def test_as_many_thumbnails_as_fit_into_one_sheet(shape):
    count = summaries.projector_limit(shape)
    assert 1 <= count <= 10_000
    side = int(np.ceil(np.sqrt(count)))
    assert side * max(shape[:2]) <= 8192
    assert count == 10_000 or (side + 1) * max(shape[:2]) > 8192


def test_a_figure_is_shown_as_its_png(tmp_path):
    Image.new('RGBA', (7, 5), (1, 2, 3, 255)).save(tmp_path / 'figure.png')
    (value,) = summaries.image('figures/one', tmp_path / 'figure.png').value
    found = value.image
    assert (value.tag, found.width, found.height, found.colorspace) == ('figures/one', 7, 5, 4)
    assert found.encoded_image_string == (tmp_path / 'figure.png').read_bytes()
