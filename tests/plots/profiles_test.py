"""Plots of rows of tables."""

import numpy as np
import pytest
from PIL import Image

from tfae.plots import profiles
from tfae.plots.grids import Axes

RANDOM = np.random.RandomState(0)


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved, which stay open until they are read."""
    found = []
    monkeypatch.setattr(profiles, '_save', lambda figure, path: found.append(figure))
    return found


def shown(figure):
    return [axis for axis in figure.axes if axis.get_visible()]


def test_each_row_is_a_line_over_the_names_of_the_columns(figures, tmp_path):
    rows, made = RANDOM.standard_normal((2, 4, 3))
    panels = [profiles.Panel(f'row {i}', {'a': rows[i], 'b': made[i]}) for i in range(4)]
    profiles.save_panels(tmp_path / 'a.png', panels, ['x', 'y', 'z'], 'title', 'unit')
    axes = shown(figures[0])
    assert [axis.get_title() for axis in axes] == ['row 0', 'row 1', 'row 2', 'row 3']
    for axis, *wanted in zip(axes, rows, made, strict=True):
        for line, row in zip(axis.get_lines(), wanted, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), row)
    assert [text.get_text() for text in axes[-1].get_xticklabels()] == ['x', 'y', 'z']
    assert [text.get_text() for text in figures[0].legends[0].get_texts()] == ['a', 'b']
    assert axes[0].get_ylabel() == 'unit'


def test_graded_rows_go_from_dark_to_bright(figures, tmp_path):
    rows = RANDOM.standard_normal((5, 3))
    for graded in (False, True):
        panel = profiles.Panel('', {'': rows}, graded)
        profiles.save_panels(tmp_path / 'a.png', [panel], ['x', 'y', 'z'], 'title', 'unit')
    plain, bright = (
        [tuple(np.ravel(line.get_color())) for line in shown(figure)[0].get_lines()]
        for figure in figures
    )
    assert len(set(plain)) == 1
    green = [color[1] for color in bright]
    assert green == sorted(green)
    assert len(set(green)) == 5


def test_of_many_columns_every_second_is_named_and_long_names_are_cut(figures, tmp_path):
    columns = ['c' * 30, *map(str, range(59))]
    panel = profiles.Panel('', {'': np.arange(60.0)})
    profiles.save_panels(tmp_path / 'a.png', [panel], columns, 'title', 'unit')
    labels = [text.get_text() for text in shown(figures[0])[0].get_xticklabels()]
    assert labels == ['c' * 23 + '…', *map(str, range(1, 59, 2))]


def test_the_columns_that_vary_most_are_shown_over_the_plane(figures, tmp_path):
    maps = RANDOM.standard_normal((4, 4, 40)) * np.arange(40)
    axes = Axes(('u', 'v'), (0, 0), (1, 1))
    profiles.save_maps(tmp_path / 'a.png', maps, list(map(str, range(40))), axes, 'title')
    titles = [axis.get_title().partition('\n')[0] for axis in shown(figures[0])]
    wanted = sorted(np.argsort(maps.std((0, 1)))[-30:])
    assert titles == list(map(str, wanted))
    np.testing.assert_array_equal(
        shown(figures[0])[-1].images[0].get_array(), maps[..., wanted[-1]]
    )


@pytest.mark.parametrize('columns', [1, 300])
def test_files_are_images(tmp_path, columns):
    panel = profiles.Panel('one', {'': RANDOM.standard_normal((2, columns))})
    names = list(map(str, range(columns)))
    profiles.save_panels(tmp_path / 'a.png', [panel] * 5, names, 'title', 'unit')
    axes = Axes(('u', 'v'), (0, 0), (1, 1))
    maps = RANDOM.standard_normal((2, 2, columns))
    profiles.save_maps(tmp_path / 'b.png', maps, names, axes, 'title')
    for name in ('a.png', 'b.png'):
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 200
