import pathlib
import re
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import tfae.explorer
from tfae.plots import grids


def rows(count=4, channels=1, height=8):
    made = np.random.RandomState(0).uniform(size=[count, height, 8, channels])
    return {'original': made, 'reconstruction': made / 2}


@pytest.mark.parametrize('channels', [1, 2, 3, 5])
@pytest.mark.parametrize('count', [1, 4])
def test_rows_of_images_become_a_png(tmp_path, count, channels):
    grids.save_rows(tmp_path / 'figures' / 'a.png', rows(count, channels), 'title')
    image = Image.open(tmp_path / 'figures' / 'a.png')
    assert image.format == 'PNG'
    assert image.width > 100 * count
    assert np.ptp(np.asarray(image.convert('L'))) > 100
    assert [p.name for p in (tmp_path / 'figures').iterdir()] == ['a.png']


def test_more_rows_and_more_images_take_more_room(tmp_path):
    sizes = []
    for count, labels in ((3, 'ab'), (6, 'ab'), (6, 'abc')):
        grids.save_rows(tmp_path / 'a.png', {k: rows(count)['original'] for k in labels}, '')
        sizes.append(Image.open(tmp_path / 'a.png').size)
    assert sizes[0][0] < sizes[1][0] == sizes[2][0]
    assert sizes[0][1] == sizes[1][1] < sizes[2][1]


def test_values_outside_the_range_are_clipped_and_the_scale_is_fixed(tmp_path):
    """0.5 is the same gray beside a bright image as beside a dark one."""
    grays = []
    for other in (-3.0, 0.0, 1.0, 7.0):
        images = np.stack([np.full([8, 8, 1], v) for v in (0.5, other)])
        grids.save_rows(tmp_path / 'a.png', {'': images}, '')
        sheet = np.asarray(Image.open(tmp_path / 'a.png').convert('L'))
        grays.append(127 in sheet or 128 in sheet)
    assert all(grays)


def test_no_window_is_opened_and_no_figure_is_left(tmp_path):
    assert matplotlib.get_backend().lower() == 'agg'
    grids.save_rows(tmp_path / 'a.png', rows(), 'title')
    assert plt.get_fignums() == []


@pytest.mark.parametrize('channels', [1, 3])
def test_sheets_stand_beside_one_another(tmp_path, channels):
    grids.save_sheets(tmp_path / 'a.png', rows(7, channels), 3, 'title')
    sheet = np.asarray(Image.open(tmp_path / 'a.png').convert('L'))
    assert sheet.shape[1] > 1.5 * sheet.shape[0]
    assert sheet.std() > 20


@pytest.mark.parametrize('channels', [1, 3])
def test_a_film_shows_every_image_and_begins_again(tmp_path, channels):
    grids.save_film(tmp_path / 'a.gif', rows(4, channels), seconds=0.2)
    film = Image.open(tmp_path / 'a.gif')
    assert (film.n_frames, film.info['loop'], film.info['duration']) == (4, 0, 200)
    frames = []
    for k in range(4):
        film.seek(k)
        frames.append(np.asarray(film.convert('L')).astype(int))
    assert all(np.abs(a - b).max() > 50 for a, b in zip(frames, frames[1:], strict=False))


@pytest.mark.parametrize('side, gap', [(8, 1), (28, 2), (64, 4)])
def test_images_of_a_sheet_have_white_gaps(side, gap):
    sheet = grids.sheet(np.zeros([5, side, side, 1]), 3)
    assert sheet.shape == (2 * side + gap, 3 * side + 2 * gap)
    white = sheet == 1
    assert white[:, side : side + gap].all() and white[side : side + gap].all()
    assert not white[:side, :side].any()
    assert not white[side + gap :, side + gap : 2 * side + gap].any()
    assert white[side:, -side:].all()  # there is no sixth image


def test_an_image_of_nan_is_blank():
    images = np.zeros([2, 4, 4, 3])
    images[1] = np.nan
    sheet = grids.sheet(images, 2)
    assert sheet[:, :4].max() == 0
    assert sheet[:, -4:].min() == 1


def test_blocks_of_rows_fit_a_page(tmp_path):
    path = tmp_path / 'a.png'
    for count in (9, 100):
        grids.save_rows(path, [rows(count), rows(count)], 'title')
        assert Image.open(path).width <= 150 * 10.6


def test_a_sheet_with_axes_has_the_coordinates_of_its_images(tmp_path, figure):
    axes = grids.Axes(('a', 'b'), (-3.0, 0.0), (3.0, 6.0))
    grids.save_sheets(tmp_path / 'a.png', {'': rows(16)['original']}, 4, 'title', axes)
    (axis,) = figure().axes
    assert axis.images[0].get_extent() == [-4, 4, -1, 7]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ('a', 'b')


def test_a_sheet_of_equal_coordinates_has_no_axes(tmp_path, figure):
    axes = grids.Axes(('a', 'b'), (1.0, 2.0), (1.0, 2.0))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        grids.save_sheets(tmp_path / 'a.png', {'': rows(16)['original']}, 4, 'title', axes)
    (axis,) = figure().axes
    assert not axis.axison


@pytest.mark.parametrize('classes', [3, 10, 23])
def test_a_scatter_plot_has_a_legend_of_distinct_entries(tmp_path, figure, classes):
    labels = np.arange(2 * classes) % classes
    points = np.random.RandomState(0).normal(size=[len(labels), 2])
    names = [f'class {k}' for k in range(classes)]
    grids.save_points(tmp_path / 'a.png', points, labels, names, ('x', 'y'), 'title')
    (axis,) = figure().axes
    legend = axis.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == names
    looks = {
        (*handle.get_facecolor()[0], handle.get_paths()[0].vertices.tobytes())
        for handle in legend.legend_handles
    }
    assert len(looks) == classes
    clouds = [c for c in axis.collections if len(c.get_offsets())]
    assert sum(len(cloud.get_offsets()) for cloud in clouds) == len(labels)
    assert min(cloud.get_sizes()[0] for cloud in clouds) >= 10


def test_class_names_with_dollars_and_underscores_are_shown_as_they_are(tmp_path, figure):
    names = ['$\\foo$', '5$ and 10$', '_background_']
    grids.save_points(tmp_path / 'a.png', np.eye(3, 2), np.arange(3), names, ('x', 'y'), '$\\foo$')
    found = figure()
    found.canvas.draw()  # parses the texts
    texts = found.axes[0].get_legend().get_texts()
    assert [text.get_text() for text in texts] == names
    assert not any(text.get_parse_math() for text in texts)


def luminance(color):
    values = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_colors_of_classes_stand_out_from_light_and_dark_grounds():
    css = pathlib.Path(tfae.explorer.__file__).with_name('assets') / 'explorer.css'
    colors = re.findall(r'--(?:c[0-9]): (#[0-9a-f]{6})', css.read_text())
    light, dark = re.findall(r'--card: (#[0-9a-f]{6})', css.read_text())
    assert colors[:10] == grids.PALETTE
    for ground, chosen in ((light, colors[:10]), (dark, colors[10:])):
        assert len(set(chosen)) == 10
        for color in chosen:
            low, high = sorted([luminance(ground), luminance(color)])
            assert (high + 0.05) / (low + 0.05) >= 3
