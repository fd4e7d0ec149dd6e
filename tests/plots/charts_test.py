"""Charts: files that are there and show what they are given."""

import itertools
import warnings

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from tfae.plots import charts


def drawn(path):
    """The pixels of a PNG, and whether nothing else was left behind."""
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert plt.get_fignums() == []
    return np.asarray(Image.open(path).convert('RGB')).astype(int)


def share(pixels, color):
    """Part of the pixels that are of a color `#RRGGBB`."""
    want = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return np.mean(np.abs(pixels - want).max(-1) < 12)


def curve(label, y=(0.0, 0.5, 1.0)):
    return charts.Curve(label, np.array([0.0, 0.5, 1.0]), np.array(y))


def test_maps_have_one_scale_from_black_to_bright():
    found = charts.colored(np.array([[[0.0, 1.0, 9.0]], [[-1.0, 0.5, np.float64(1)]]]))
    assert [image.shape for image in found] == [(1, 3, 3)] * 2
    assert found[0][0, 0].max() < 0.02
    assert np.array_equal(found[0][0, 1], found[0][0, 2])
    assert np.array_equal(found[0][0, 1], found[1][0, 2])
    lightness = [found[0][0, 0].mean(), found[1][0, 1].mean(), found[0][0, 1].mean()]
    assert lightness == sorted(lightness)


@pytest.mark.parametrize('curves', [[], [curve('a'), curve('b')]])
def test_scores_of_two_kinds_have_two_colors(tmp_path, curves):
    random = np.random.RandomState(0)
    groups = {'normal': random.normal(size=400), 'anomalous': 50 + 9 * random.normal(size=300)}
    path = tmp_path / 'here' / 'a.png'
    charts.save_detection(path, groups, 2.0, curves, 'title')
    both = drawn(path)
    charts.save_detection(path, {'normal': groups['normal']}, 2.0, curves, 'title')
    one = drawn(path)
    pale = '#E59E66'  # the color of what is anomalous, through which white shines
    assert share(both, pale) > 5 * share(one, pale)
    assert share(both, '#66A9D1') > 0.005
    assert (both.shape[1] > 1.5 * both.shape[0]) == bool(curves)


def test_equal_scores_can_be_drawn(tmp_path):
    groups = {'normal': np.full(5, 3.0), 'anomalous': np.full(2, 3.0)}
    charts.save_detection(tmp_path / 'a.png', groups, 3.0, [], 'title')
    assert drawn(tmp_path / 'a.png').std() > 10


def test_bars_are_as_long_as_errors(tmp_path):
    lengths = []
    for error in (2.0, 4.0):
        bars = {'code': {'probe': error}, 'pixels': {'probe': 8.0}}
        charts.save_errors(tmp_path / 'a.png', bars, [], 'title')
        pixels = drawn(tmp_path / 'a.png')
        lengths.append(share(pixels, '#0072B2') / share(pixels, '#E69F00'))
    # A legend adds a little of both colors.
    assert lengths == pytest.approx([0.25, 0.5], abs=0.03)


def test_errors_over_labels_stand_beside_bars(tmp_path):
    bars = {'code': {'probe': 2.0, 'nearest': 3.0}}
    x, y = np.array([10, 100, 1000]), np.array([30.0, 20, 10])
    widths = []
    for curves in ([], [charts.Curve('code', x, y, y / 10)], [charts.Curve('code', x, y)]):
        charts.save_errors(tmp_path / 'a.png', bars, curves, 'title')
        pixels = drawn(tmp_path / 'a.png')
        widths.append((pixels.shape[1], round(1000 * share(pixels, '#CCE2F0'))))
    assert widths[0][0] < widths[1][0] == widths[2][0]
    assert widths[1][1] > widths[2][1]  # the band of the spread


def test_a_busy_machine_makes_no_legend_warn(tmp_path, monkeypatch):
    """Matplotlib warns of a default place that took a second to find."""
    clock = itertools.count(0, 10)
    monkeypatch.setattr('matplotlib.legend.time.perf_counter', lambda: next(clock))
    bars = {'code': {'probe': 2.0}, 'pixels': {'probe': 3.0}}
    groups = {'normal': np.arange(9.0), 'anomalous': np.arange(3, 12.0)}
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        charts.save_errors(tmp_path / 'a.png', bars, [curve('code')], 'title')
        charts.save_detection(tmp_path / 'a.png', groups, 3.0, [curve('code')], 'title')
    assert next(clock) > 10


@pytest.mark.parametrize('count', [1, 3])
def test_matrices_show_parts_of_each_class(tmp_path, count):
    matrix = np.array([[30, 0], [0, 5], [0, 5]])
    shown = {f'method {i}': matrix for i in range(count)}
    clusters = dict.fromkeys(shown, ['2', '0', '1'])
    charts.save_matrices(tmp_path / 'a.png', shown, clusters, ('a', 'b'), 'title')
    pixels = drawn(tmp_path / 'a.png')
    assert share(pixels, '#08306B') > 0.02  # all of the first class in one cluster
    assert share(pixels, '#6AAED6') > 0.04  # half of the second in each of two


def test_errors_over_code_sizes_stand_where_they_are(tmp_path):
    sizes = np.array([2, 8, 32])
    ours = charts.Curve('dense', sizes, np.array([0.04, 0.01, 0.003]))
    lengths = []
    for factor in (1.0, 4.0):
        theirs = charts.Curve('PCA', sizes, factor * np.array([0.05, 0.02, 0.01]))
        charts.save_sizes(tmp_path / 'a.png', [ours, theirs], 'title')
        pixels = drawn(tmp_path / 'a.png')
        blue = np.abs(pixels - [0x00, 0x72, 0xB2]).max(-1) < 12
        rows = np.flatnonzero(blue[:, :600].any(1))
        lengths.append(np.ptp(rows))
    assert lengths[1] < 0.8 * lengths[0]  # the axis holds the larger errors too
    assert share(pixels, '#0072B2') > 0.002


def test_a_small_error_is_labeled_by_its_digits(tmp_path, figure):
    ours = charts.Curve('dense', np.array([2, 8]), np.array([0.0123, 7.6e-6]))
    charts.save_sizes(tmp_path / 'a.png', [ours, ours], 'title')
    (axis,) = figure().axes
    assert {text.get_text() for text in axis.texts} == {'0.0123', '7.60e-06'}


@pytest.mark.parametrize('factor', [1e-3, 1.0, 1e4])
def test_the_arcsinh_axis_is_named_and_has_round_ticks(tmp_path, figure, factor):
    random = np.random.RandomState(0)
    groups = {
        'normal': factor * (10 * random.normal(size=400) - 105),
        'anomalous': factor * np.exp(5 + random.normal(size=300)),
    }
    charts.save_detection(tmp_path / 'a.png', groups, 0.0, [], 'title')
    axis = figure().axes[0]
    assert axis.get_xlabel() == 'anomaly score, nats (arcsinh axis)'
    both, ticks = np.concatenate([*groups.values()]), axis.get_xticks()
    assert both.min() <= ticks[0] and ticks[-1] <= both.max() * (1 + 1e-6)
    assert len(ticks) >= 6
    # Round to half of the distance to the next one, and apart on the screen.
    units = 10.0 ** np.floor(np.log10(np.diff(ticks)))
    np.testing.assert_allclose(ticks[:-1] * 10 / units, np.round(ticks[:-1] * 10 / units))
    places = axis.transData.transform(np.stack([ticks, np.zeros(len(ticks))], 1))[:, 0]
    assert np.diff(places).min() > 0.04 * np.ptp(places)


def test_a_tick_that_rounds_to_zero_has_no_sign():
    ticks = charts._ticks(np.linspace(-8.1, 7.9, 9))
    assert [f'{x:g}' for x in ticks] == ['-8', '-6', '-4', '-2', '0', '2', '4', '6']


def test_clusters_are_labeled_in_the_order_of_the_rows(tmp_path, figure):
    shown = {'k-means: accuracy 90.0 %': np.array([[9, 1], [0, 8]])}
    charts.save_matrices(
        tmp_path / 'a.png', shown, dict.fromkeys(shown, ['5', '2']), ('a', 'b'), 'title'
    )
    (axis,) = figure().axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ['5', '2']
    assert axis.get_title() == 'k-means: accuracy 90.0 %'
    assert [text.get_text() for text in axis.texts] == ['100', '11', '89']
