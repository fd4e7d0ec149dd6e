"""Diagrams: boxes that do not overlap, arrows between them, and autoencoders that mirror."""

import re
import xml.etree.ElementTree as xml

import pytest

from tfae.plots import diagram

SVG = '{http://www.w3.org/2000/svg}'


def box(size, *inputs, **more):
    given = {'title': 'dense', 'scope': 'a/b', 'left': '3', 'right': '4', 'color': 'dense'}
    return diagram.Box(**{**given, **more}, size=size, inputs=inputs)


def plotted(boxes):
    """`corners of boxes [x0, y0, x1, y1], ends of arrows [x, y, x, y], root` of a diagram."""
    root = xml.fromstring(diagram.svg(boxes, 'title', 'note'))
    frames = [group.find(f'{SVG}rect').attrib for group in root.iter(f'{SVG}g')]
    frames = [[float(f[key]) for key in ('x', 'y', 'width', 'height')] for f in frames]
    corners = [(x, y, x + w, y + h) for x, y, w, h in frames]
    arrows = [path.attrib['d'] for path in root.iter(f'{SVG}path') if 'class' in path.attrib]
    numbers = [[float(n) for n in re.findall(r'[\d.]+', path)] for path in arrows]
    ends = []
    for path, found in zip(arrows, numbers, strict=True):
        x = found[-2] if path.rpartition(' ')[2][0] != 'V' else found[-3]
        ends.append((*found[:2], x, found[-1]))
    return corners, ends, root


AUTOENCODER = [
    box(784),
    box(400, 0),
    box(20, 1, left='', right=''),
    box(20, 1, left='', right=''),
    box(20, 2, 3),
    box(400, 4),
    box(784, 5),
]
BRANCHES = [box(9), box(8, 0), box(8, 1), box(8, 0, 2), box(7), box(2, 3, 4)]
LONG = [box(9), *(box(8, i, color='reduction' if i % 4 == 3 else 'dense') for i in range(25))]
TWO_ENDS = [box(5), box(5, 0), box(5, 0), box(5, 1)]


@pytest.mark.parametrize('boxes', [AUTOENCODER, BRANCHES, LONG, TWO_ENDS, [box(1)]])
def test_boxes_lie_within_the_page_and_apart_and_arrows_join_them(boxes):
    corners, ends, root = plotted(boxes)
    width, height = (float(root.attrib[key]) for key in ('width', 'height'))
    assert len(corners) == len(boxes)
    for i, (x0, y0, x1, y1) in enumerate(corners):
        assert 0 < x0 < x1 < width and 60 < y0 < y1 < height
        for a0, b0, a1, b1 in corners[:i]:
            assert a1 < x0 or x1 < a0 or b1 < y0 or y1 < b0
    pairs = [(j, i) for i, each in enumerate(boxes) for j in each.inputs]
    assert len(ends) == len(pairs)
    for (a, b), (x0, y0, x1, y1) in zip(pairs, ends, strict=True):
        for k, x, y in ((a, x0, y0), (b, x1, y1)):
            left, top, right, bottom = corners[k]
            assert left - 0.1 <= x <= right + 0.1
            assert min(abs(y - top), abs(y - bottom)) < 0.2


def test_an_autoencoder_is_folded_at_its_narrowest_box():
    corners, _, _ = plotted(AUTOENCODER)
    top = [y0 for _, y0, _, _ in corners]
    assert top[0] == top[6] and top[1] == top[5] and top[2] == top[3]
    assert top[4] > top[2]
    assert corners[0][2] < corners[6][0]
    middle = (corners[4][0] + corners[4][2]) / 2
    assert corners[3][0] < middle < corners[5][2]


@pytest.mark.parametrize(
    'boxes',
    [
        [box(784), box(400, 0), box(30, 1), box(10, 2)],  # not as large again at its end
        [box(9), box(9, 0), box(2, 1), box(9, 2, 1)],  # an arrow passes by its code
        [box(None), box(2, 0), box(None, 1)],  # of unknown size
        [box(2), box(2, 0), box(2, 1)],  # nowhere narrow
    ],
)
def test_other_graphs_go_down(boxes):
    corners, _, _ = plotted(boxes)
    tops = [y0 for _, y0, _, _ in corners]
    assert tops == sorted(set(tops))


def test_a_long_graph_has_columns_that_end_after_a_pooling():
    corners, _, _ = plotted(LONG)
    lefts = [x0 for x0, *_ in corners]
    starts = [i for i in range(1, len(LONG)) if lefts[i] > lefts[i - 1]]
    assert len(starts) == 3
    assert all(LONG[i - 1].color == 'reduction' for i in starts)
    assert [corners[i][1] for i in starts] == [corners[0][1]] * 3


def test_marks_groups_and_long_names():
    name = 'a_very_long_scope/' * 9
    boxes = [box(3), *(box(3, i, scope=name, group='net', mark='A', detail='<&') for i in range(2))]
    _, _, root = plotted(boxes)
    texts = [(t.attrib['class'], t.text) for t in root.iter(f'{SVG}text')]
    assert texts.count(('badge', 'A')) == 2
    assert ('group', 'net') in texts
    scopes = [text for kind, text in texts if kind == 'scope']
    assert scopes[1].startswith('a_very_long') and scopes[1].endswith('g_scope/')
    assert '…' in scopes[1] and len(scopes[1]) < 45
    assert [t.text for t in root.iter(f'{SVG}title')][1:] == ['<&', '<&']


def test_places_that_must_be_apart_are_as_near_as_can_be():
    assert diagram._separated([0, 10, 20], [5, 5]) == [0, 10, 20]
    assert diagram._separated([4, 4], [6]) == [1, 7]
    assert diagram._separated([9, 0, 0], [3, 3]) == [0, 3, 6]
