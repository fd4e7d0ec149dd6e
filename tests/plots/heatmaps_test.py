import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from tfae.plots import heatmaps
from tfae.plots.heatmaps import Cell, Scale

RANDOM = np.random.RandomState(0)


def cells(count, sides=(8, 6)):
    return [Cell(RANDOM.uniform(size=sides), f'unit {k}\n0.5') for k in range(count)]


@pytest.mark.parametrize('channels', [1, 2, 3, 5])
def test_images_of_any_number_of_channels_are_cells(channels):
    images = RANDOM.uniform(size=[2, 8, 6, channels])
    assert [image.shape[:2] for image in heatmaps.plain(images)] == [(8, 6)] * 2
    mixed = heatmaps.over(images, RANDOM.uniform(size=[2, 8, 6]), False)
    assert [image.shape for image in mixed] == [(8, 6, 3)] * 2
    assert 0 <= np.min(mixed) <= np.max(mixed) <= 1


def test_a_map_is_scaled_by_its_own_largest_value():
    images, maps = np.zeros([1, 4, 4, 1]), RANDOM.uniform(size=[1, 4, 4])
    same = [heatmaps.over(images, factor * maps, False)[0] for factor in (1, 1000)]
    np.testing.assert_allclose(*same)
    light = same[0].sum(-1)
    assert np.argmax(light) == np.argmax(maps)
    np.testing.assert_array_equal(np.argsort(light, None), np.argsort(maps, None))


def test_nothing_is_black_on_one_side_and_white_between_two():
    images, maps = np.zeros([1, 1, 3, 1]), np.array([[[-2.0, 0.0, 2.0]]])
    one = heatmaps.over(images, np.maximum(maps, 0), True)[0][0]
    below, none, above = heatmaps.over(images, maps, True)[0][0]
    assert below[2] > below[0] + 0.2 and above[0] > above[2] + 0.2  # blue, red
    assert np.ptp(none) < 0.02 and none.min() > 0.7
    np.testing.assert_allclose(one[0], none)
    dark = heatmaps.over(images, np.zeros([1, 1, 3]), False)[0]
    assert dark.max() < 0.05


def test_a_figure_grows_with_its_cells(tmp_path):
    sizes = []
    for columns, scale in ((6, None), (9, None), (9, Scale('slope', True))):
        path = tmp_path / 'figures' / 'a.png'
        lines = heatmaps.wrapped(cells(18), columns)
        heatmaps.save_cells(path, lines, 'title', scale)
        sizes.append(Image.open(path).size)
    (a, b), (c, d), (e, f) = sizes
    assert a < c == e
    assert b > d < f
    assert [path.name for path in (tmp_path / 'figures').iterdir()] == ['a.png']
    assert plt.get_fignums() == []


def test_a_long_title_takes_lines_of_its_own(tmp_path):
    heights = []
    for title in ('title', 'many words ' * 30):
        heatmaps.save_cells(tmp_path / 'a.png', [cells(2)], title)
        heights.append(Image.open(tmp_path / 'a.png').height)
    assert heights[1] > heights[0] + 20


@pytest.mark.parametrize('count, want', [(1, 1), (4, 4), (10, 5), (64, 11), (1000, 16)])
def test_a_sheet_is_wider_than_it_is_high_and_no_wider_than_a_page(count, want):
    assert heatmaps.columns(count) == want


def test_zero_of_a_signed_map_has_the_color_of_the_scale_whatever_the_image():
    images, maps = RANDOM.uniform(size=[3, 4, 4, 1]), np.zeros([3, 4, 4])
    zero = matplotlib.colormaps['RdBu_r'](0.5)[:3]
    np.testing.assert_allclose(
        heatmaps.over(images, maps, True), np.broadcast_to(zero, (3, 4, 4, 3))
    )


def test_a_wrong_cell_has_a_red_frame(tmp_path):
    reds = []
    for wrong in (False, True):
        cell = Cell(np.zeros([8, 8]), '3\npredicted 5', wrong)
        heatmaps.save_cells(tmp_path / 'a.png', [[cell]], 'title')
        pixels = np.asarray(Image.open(tmp_path / 'a.png').convert('RGB')).astype(int)
        reds.append(np.sum(np.abs(pixels - [0xD5, 0x20, 0x1A]).max(-1) < 12))
    assert reds[0] == 0
    assert reds[1] > 1000
