"""Figures of sequences and volumes."""

import numpy as np
import pytest

from tfae.commands.shared import example_plots
from tfae.plots import grids, sequences, volumes
from tfae.plots.profiles import Panel

RANDOM = np.random.RandomState(0)


def test_five_versions_of_a_sequence_are_five_lines_of_different_styles(figure, tmp_path):
    labels = ('original', 'model', 'PCA', 'corrupted', 'denoised')
    lines = dict(zip(labels, RANDOM.standard_normal((5, 8, 2)), strict=True))
    sequences.save_panels(tmp_path / 'a.png', [Panel('', lines)], ['x', 'y'], 'title', 'unit')
    plotted = figure().axes[0].get_lines()
    for line, wanted in zip(
        plotted, [each[:, c] for each in lines.values() for c in (0, 1)], strict=True
    ):
        np.testing.assert_array_equal(line.get_ydata(), wanted)
    patterns = [str(line._unscaled_dash_pattern) for line in plotted]
    assert len(set(patterns)) == 5
    texts = [text.get_text() for text in figure().legends[0].get_texts()]
    assert texts == [*labels, 'x', 'y']


@pytest.mark.parametrize('count, more', [(8, ''), (12, '; 8 of 12 volumes')])
def test_volumes_left_out_are_counted_in_the_title_and_change_no_gray_level(
    monkeypatch, tmp_path, count, more
):
    saved = []
    monkeypatch.setattr(
        grids, 'save_rows', lambda path, blocks, title: saved.append((blocks, title))
    )
    first = RANDOM.uniform(2, 5, (count, 4, 3, 3, 1))
    first[8:] *= 100
    volumes.save_rows(tmp_path / 'a.png', {'a': first, 'b': first - 1}, 'title')
    blocks, title = saved[0]
    assert (title, len(blocks)) == (f'title{more}', 8)
    low, high = first[:8].min(), first[:8].max()
    for block, volume in zip(blocks, first, strict=False):
        np.testing.assert_allclose(block['a'], (volume - low) / (high - low))
        np.testing.assert_allclose(block['b'], (volume - 1 - low) / (high - low), atol=1e-12)


def test_volumes_have_the_gray_levels_of_their_reference():
    made = RANDOM.uniform(2, 3, (3, 5, 4, 4, 1))
    reference = RANDOM.uniform(0, 10, (7, 5, 4, 4, 1))
    low, high = reference[:, 2].min(), reference[:, 2].max()
    found = example_plots.images(made, reference)
    np.testing.assert_allclose(found, (made[:, 2] - low) / (high - low))
    alone = example_plots.images(made)
    assert (alone.min(), alone.max()) == (0, 1)
