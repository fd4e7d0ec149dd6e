import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

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
