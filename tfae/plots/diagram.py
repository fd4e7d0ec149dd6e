"""Diagrams of layered graphs as SVG: boxes in rows, joined by arrows.

A graph that narrows to one box and has the same size at both ends, an autoencoder, is folded there:
the first half goes down on the left, the second half up on the right, and boxes of the same size
share a row. Any other graph goes down, in several columns if it is long.

The row of a box is given by its longest path to an end; boxes within a row are ordered by the mean
place of their neighbors (Sugiyama, Tagawa and Toda 1981), and an arrow across a row has a place in
it.
"""

import difflib
import html
import math
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tfae.core import atomic_files, terminal

# Pixels.
_WIDTH, _HEIGHT, _LOW = 268, 68, 46  # of a box, and the height of one without a third line
_PASSAGE = 14  # width of the place of an arrow
_GAP, _ROW_GAP, _GUTTER = 28, 40, 84
_MARGIN, _HEAD = 30, 84
_PAD, _PAD_TOP = 14, 24  # of the background of a group
_LETTER, _MONO = 6.6, 6.35  # mean widths of a character

_MAX_ROWS = 12  # of one column; a longer graph has several
_ROWS = 8  # of each of them, about
_SWEEPS = 8
_BETWEEN = -1  # the column of the box at a fold

# Kinds of boxes -> their colors.
COLORS = {
    'data': '#5f6b7a',
    'dense': '#2f6fb7',
    'convolution': '#1f8a6d',
    'reduction': '#b9770e',
    'noise': '#a3386c',
    'function': '#6b55b0',
}
_STYLE = """
text { font-family: 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif; fill: #1d2733 }
.title { font-size: 18px; font-weight: 600 }
.note { font-size: 12.5px; fill: #5f6b7a }
.name { font-size: 12.5px; font-weight: 600 }
.scope { font-size: 10.5px; fill: #5f6b7a; font-family: 'DejaVu Sans Mono', Consolas, monospace }
.shape { font-size: 11.5px }
.count { font-size: 11.5px; fill: #5f6b7a; text-anchor: end }
.group { font-size: 11.5px; font-weight: 600; fill: #7a8694 }
.badge { font-size: 10.5px; font-weight: 700; fill: #fff; text-anchor: middle }
.edge { fill: none; stroke: #8a95a3; stroke-width: 1.6 }
"""


class Box(NamedTuple):
    """A box of a diagram."""

    title: str
    scope: str  # second line
    left: str  # third line, at its left end
    right: str  # and at its right end
    color: str  # one of `COLORS`
    size: int | None  # numbers of its output, None if unknown; decides the fold
    inputs: tuple[int, ...]  # places of boxes before it in the list
    group: str = ''  # boxes of a group share a background
    mark: str = ''  # boxes with a mark share variables with others of that mark
    detail: str = ''  # shown under the pointer


class _Item(NamedTuple):
    """A box, or the place of an arrow in a row."""

    box: int  # place in the list; -1 for an arrow
    width: float
    height: float


class _Spot(NamedTuple):
    """The center of an item."""

    x: float
    y: float
    column: int
    left: float  # edge of the column


def save(path: pathlib.Path, boxes: Sequence[Box], title: str, note: str) -> None:
    """Writes a diagram as SVG, atomically.

    Args:
      path: of the file.
      boxes: one or more, each after its inputs.
      title: first line.
      note: second line.
    """
    atomic_files.write_text(path, svg(boxes, title, note))


def svg(boxes: Sequence[Box], title: str, note: str) -> str:
    """Returns a diagram as SVG; see `save`."""
    rows = _rows(boxes)
    items, chains, lines = _lines(boxes, rows)
    fold = _fold(boxes, lines, items)
    placed = _spots(items, chains, lines, *_columns(boxes, lines, fold))
    return _page(boxes, items, chains, placed, fold, title, note)


def _rows(boxes: Sequence[Box]) -> list[int]:
    """Returns the row of each box: as near to the ends as its longest path permits."""
    depth = [0] * len(boxes)
    for i in reversed(range(len(boxes))):
        for j in boxes[i].inputs:
            depth[j] = max(depth[j], depth[i] + 1)
    return [max(depth) - d for d in depth]


def _lines(
    boxes: Sequence[Box], rows: Sequence[int]
) -> tuple[list[_Item], list[list[int]], list[list[int]]]:
    """Returns all items, the items that each arrow passes, and the items of each row in order."""
    items = [_Item(i, _WIDTH, _height(box)) for i, box in enumerate(boxes)]
    lines: list[list[int]] = [[] for _ in range(max(rows) + 1)]
    for i, row in enumerate(rows):
        lines[row].append(i)
    chains = []
    for i, box in enumerate(boxes):
        for j in box.inputs:
            passed = range(len(items), len(items) + rows[i] - rows[j] - 1)
            chains.append([j, *passed, i])
            for row, item in enumerate(passed, rows[j] + 1):
                items.append(_Item(-1, _PASSAGE, _LOW))
                lines[row].append(item)
    before: list[list[int]] = [[] for _ in items]
    after: list[list[int]] = [[] for _ in items]
    for chain in chains:
        for a, b in zip(chain, chain[1:], strict=False):
            before[b].append(a)
            after[a].append(b)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for line in lines if down else reversed(lines):
            near = before if down else after
            # From the middle of the row.
            place = {i: k - (len(row) - 1) / 2 for row in lines for k, i in enumerate(row)}
            line.sort(key=lambda i: _mean([place[j] for j in near[i]], place[i]))
    return items, chains, lines


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _height(box: Box) -> float:
    return _HEIGHT if box.left or box.right else _LOW


def _fold(
    boxes: Sequence[Box], lines: Sequence[Sequence[int]], items: Sequence[_Item]
) -> int | None:
    """Returns the row of the narrowest box that all arrows pass; None without an autoencoder."""
    if len(lines) < 3:
        return None
    first, last = lines[0], lines[-1]
    alone = [row for row, line in enumerate(lines) if len(line) == 1 and items[line[0]].box >= 0]
    if len(first) > 1 or len(last) > 1 or any(not b.inputs for b in boxes[1:]):
        return None
    size = {row: boxes[lines[row][0]].size for row in alone[1:-1]}
    known = {row: n for row, n in size.items() if n}
    whole = boxes[first[0]].size
    if not known or not whole or boxes[last[0]].size != whole or min(known.values()) >= whole:
        return None
    least = min(known.values())
    return max(row for row, n in known.items() if n == least)


def _columns(
    boxes: Sequence[Box], lines: Sequence[Sequence[int]], fold: int | None
) -> tuple[list[int], list[int]]:
    """Returns the column of each row of items, and its place from the top."""
    if fold is not None:
        return _folded(boxes, lines, fold)
    count = len(lines)
    if count <= _MAX_ROWS:
        return [0] * count, list(range(count))
    # Columns of about equal length, which end after a reduction where one is near.
    columns, starts = math.ceil(count / _ROWS), [0]
    for k in range(1, columns):
        ideal = round(k * count / columns)
        near = range(max(starts[-1] + 2, ideal - 2), min(count - 1, ideal + 2) + 1)
        starts.append(min(near, key=lambda row: (_badness(boxes, lines, row), abs(row - ideal))))
    column = [sum(row >= start for start in starts) - 1 for row in range(count)]
    return column, [row - starts[column[row]] for row in range(count)]


def _badness(boxes: Sequence[Box], lines: Sequence[Sequence[int]], row: int) -> tuple[int, bool]:
    """Returns how many items lead on to a row, and whether they are other than poolings."""
    before = lines[row - 1]
    pooling = all(i < len(boxes) and boxes[i].color == 'reduction' for i in before)
    return len(before), not pooling


def _folded(
    boxes: Sequence[Box], lines: Sequence[Sequence[int]], fold: int
) -> tuple[list[int], list[int]]:
    """As `_columns`, for an autoencoder: rows of the same size get the same place."""

    def sizes(rows: Sequence[int]) -> list[object]:
        found = [[boxes[i].size for i in lines[row] if i < len(boxes)] for row in rows]
        return [each[0] if each and each[0] else object() for each in found]

    down, up = list(range(fold)), list(range(len(lines) - 1, fold, -1))
    place, top = [0] * len(lines), 0
    matcher = difflib.SequenceMatcher(None, sizes(down), sizes(up), autojunk=False)
    for _, a, b, c, d in matcher.get_opcodes():
        for rows in (down[a:b], up[c:d]):
            for k, row in enumerate(rows):
                place[row] = top + k
        top += max(b - a, d - c)
    place[fold] = top
    columns = [0 if row < fold else 1 if row > fold else _BETWEEN for row in range(len(lines))]
    return columns, place


def _spots(
    items: Sequence[_Item],
    chains: Sequence[Sequence[int]],
    lines: Sequence[Sequence[int]],
    columns: Sequence[int],
    places: Sequence[int],
) -> list[_Spot]:
    """Returns the center of each item."""
    x = _straightened(items, chains, lines, columns)
    folded = _BETWEEN in columns
    heights: dict[tuple[int, int], float] = {}
    for line, column, place in zip(lines, columns, places, strict=True):
        key = (0 if folded else column, place)
        heights[key] = max(heights.get(key, 0), *(items[i].height for i in line))
    left, moved, edges = float(_MARGIN + _PAD), {}, {}
    for column in sorted(set(columns) - {_BETWEEN}):
        inside = [i for line, c in zip(lines, columns, strict=True) if c == column for i in line]
        low = min(x[i] - items[i].width / 2 for i in inside)
        high = max(x[i] + items[i].width / 2 for i in inside)
        moved[column], edges[column] = left - low, left
        left += high - low + _GUTTER
    spots = [_Spot(0, 0, 0, 0)] * len(items)
    for line, column, place in zip(lines, columns, places, strict=True):
        group = 0 if folded else column
        above = sum(heights[group, k] + _ROW_GAP for k in range(place))
        y = _HEAD + _PAD_TOP + above + heights[group, place] / 2
        for i in line:
            if column == _BETWEEN:
                spots[i] = _Spot(edges[1] - _GUTTER / 2, y, column, 0)
            else:
                spots[i] = _Spot(x[i] + moved[column], y, column, edges[column])
    return spots


def _straightened(
    items: Sequence[_Item],
    chains: Sequence[Sequence[int]],
    lines: Sequence[Sequence[int]],
    columns: Sequence[int],
) -> list[float]:
    """Returns places along the rows, near those of the neighbors in the same column."""
    column = {i: c for line, c in zip(lines, columns, strict=True) for i in line}
    near: list[list[list[int]]] = [[[], []] for _ in items]
    for chain in chains:
        for a, b in zip(chain, chain[1:], strict=False):
            if column[a] == column[b]:
                near[b][0].append(a)
                near[a][1].append(b)
    x = [0.0] * len(items)
    for sweep in range(_SWEEPS + 1):
        down = sweep % 2 == 0
        for line in lines if down else reversed(lines):
            wanted = [_mean([x[j] for j in near[i][not down]], x[i]) for i in line]
            apart = [
                _GAP + (items[a].width + items[b].width) / 2
                for a, b in zip(line, line[1:], strict=False)
            ]
            for i, found in zip(line, _separated(wanted, apart), strict=True):
                x[i] = found
    return x


def _separated(wanted: Sequence[float], apart: Sequence[float]) -> list[float]:
    """Returns the places nearest to those wanted (least squares) of which neighbors are `apart`."""
    before = [sum(apart[:k]) for k in range(len(wanted))]
    blocks: list[tuple[float, int]] = []  # mean and count of places that touch
    for value in (w - b for w, b in zip(wanted, before, strict=True)):
        mean, count = value, 1
        while blocks and blocks[-1][0] > mean:
            other, more = blocks.pop()
            mean, count = (mean * count + other * more) / (count + more), count + more
        blocks.append((mean, count))
    places = [mean for mean, count in blocks for _ in range(count)]
    return [place + b for place, b in zip(places, before, strict=True)]


def _page(
    boxes: Sequence[Box],
    items: Sequence[_Item],
    chains: Sequence[Sequence[int]],
    spots: Sequence[_Spot],
    fold: int | None,
    title: str,
    note: str,
) -> str:
    shown = spots[: len(boxes)]
    right = max(spot.x + _WIDTH / 2 for spot in shown) + _MARGIN + _PAD
    right = max(right, _MARGIN * 2 + 9.6 * len(title), _MARGIN * 2 + 6.6 * len(note))
    bottom = max(s.y + items[i].height / 2 for i, s in enumerate(shown)) + _MARGIN + _PAD
    body = [
        *_groups(boxes, items, spots, fold),
        *_edges(items, chains, spots, fold),
        *(part for i, box in enumerate(boxes) for part in _box(box, items[i], spots[i])),
    ]
    return '\n'.join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{right:.0f}" height="{bottom:.0f}" '
            f'viewBox="0 0 {right:.0f} {bottom:.0f}">',
            f'<style>{_STYLE}</style>',
            '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 1 L9 5 L0 9 z" fill="#8a95a3"/>'
            '</marker></defs>',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            _text('title', _MARGIN, 38, title),
            _text('note', _MARGIN, 60, note),
            *body,
            '</svg>\n',
        ]
    )


def _groups(
    boxes: Sequence[Box], items: Sequence[_Item], spots: Sequence[_Spot], fold: int | None
) -> Iterator[str]:
    """Yields the background of each group that encloses no box of another one."""
    for group in dict.fromkeys(box.group for box in boxes if box.group):
        inside = [i for i, box in enumerate(boxes) if box.group == group]
        if fold is not None:  # the box at the fold stands between the halves
            inside = [i for i in inside if spots[i].column != _BETWEEN]
        for members in _by_neighbors(boxes, inside, spots):
            x0 = min(spots[i].x for i in members) - _WIDTH / 2 - _PAD
            x1 = max(spots[i].x for i in members) + _WIDTH / 2 + _PAD
            y0 = min(spots[i].y - items[i].height / 2 for i in members) - _PAD_TOP
            y1 = max(spots[i].y + items[i].height / 2 for i in members) + _PAD
            others = [spots[i] for i in range(len(boxes)) if i not in members]
            if not any(
                x0 - _WIDTH / 2 < s.x < x1 + _WIDTH / 2 and y0 - _LOW / 2 < s.y < y1 + _LOW / 2
                for s in others
            ):
                yield (
                    f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" '
                    f'height="{y1 - y0:.1f}" rx="14" fill="#f3f6f9" stroke="#e1e7ed"/>'
                )
                yield _text('group', x0 + 10, y0 + 16, group)


def _by_neighbors(
    boxes: Sequence[Box], inside: Sequence[int], spots: Sequence[_Spot]
) -> list[list[int]]:
    """Returns the members of a group that are joined by arrows within one column."""
    found: list[list[int]] = []
    for i in inside:
        joined = [
            part
            for part in found
            if any(j in part and spots[j].column == spots[i].column for j in boxes[i].inputs)
        ]
        found = [part for part in found if part not in joined]
        found.append([*(j for part in joined for j in part), i])
    return [part for part in found if len(part) > 1]


def _edges(
    items: Sequence[_Item],
    chains: Sequence[Sequence[int]],
    spots: Sequence[_Spot],
    fold: int | None,
) -> Iterator[str]:
    """Yields the arrows."""
    leaving: dict[int, list[int]] = {}
    arriving: dict[int, list[int]] = {}
    for k, chain in enumerate(chains):
        leaving.setdefault(chain[0], []).append(k)
        arriving.setdefault(chain[-1], []).append(k)
    for arrows, end in ((leaving, 1), (arriving, -2)):
        for ks in arrows.values():
            ks.sort(key=lambda k: spots[chains[k][end]].x)
    for k, chain in enumerate(chains):
        ports = (
            _port(spots[chain[0]].x, leaving[chain[0]], k),
            _port(spots[chain[-1]].x, arriving[chain[-1]], k),
        )
        yield (
            f'<path class="edge" marker-end="url(#arrow)" '
            f'd="{_path(items, chain, spots, *ports, fold)}"/>'
        )


def _port(middle: float, arrows: Sequence[int], k: int) -> float:
    """Returns where the arrow `k` of several meets a box."""
    apart = min(40.0, 0.6 * _WIDTH / len(arrows))
    return middle + apart * (arrows.index(k) - (len(arrows) - 1) / 2)


def _path(
    items: Sequence[_Item],
    chain: Sequence[int],
    spots: Sequence[_Spot],
    start: float,
    end: float,
    fold: int | None,
) -> str:
    first, last = spots[chain[0]], spots[chain[-1]]
    up = fold is not None and last.column == 1
    sign = -1 if up else 1
    if fold is not None and first.column == _BETWEEN:
        start += _WIDTH / 4
    if fold is not None and last.column == _BETWEEN:
        end -= _WIDTH / 4
    at = (start, first.y + sign * items[chain[0]].height / 2)
    path = [f'M{at[0]:.1f} {at[1]:.1f}']
    for before, item in zip(chain, chain[1:], strict=False):
        spot, half = spots[item], items[item].height / 2
        to = (end if item == chain[-1] else spot.x, spot.y - sign * half)
        if fold is None and spots[before].column != spot.column:
            path.append(_around(at, to, spot.left - _GUTTER / 2))
        else:
            bend = (at[1] + to[1]) / 2
            path.append(f'C{at[0]:.1f} {bend:.1f} {to[0]:.1f} {bend:.1f} {to[0]:.1f} {to[1]:.1f}')
        at = (to[0], spot.y + sign * half)
        if item != chain[-1]:
            path.append(f'L{at[0]:.1f} {at[1]:.1f}')
    return ' '.join(path)


def _around(at: tuple[float, float], to: tuple[float, float], gutter: float) -> str:
    """Returns the way from the foot of a column to the head of the next one."""
    low, high, r = at[1] + 16, to[1] - 16, 9
    return (
        f'V{low - r:.1f} Q{at[0]:.1f} {low:.1f} {at[0] + r:.1f} {low:.1f} '
        f'H{gutter - r:.1f} Q{gutter:.1f} {low:.1f} {gutter:.1f} {low - r:.1f} '
        f'V{high + r:.1f} Q{gutter:.1f} {high:.1f} {gutter + r:.1f} {high:.1f} '
        f'H{to[0] - r:.1f} Q{to[0]:.1f} {high:.1f} {to[0]:.1f} {high + r:.1f} V{to[1]:.1f}'
    )


def _box(box: Box, item: _Item, spot: _Spot) -> Iterator[str]:
    x, y = spot.x - item.width / 2, spot.y - item.height / 2
    color, inner = COLORS[box.color], _WIDTH - 26
    dashed = ' stroke-dasharray="5 3"' if box.mark else ''
    yield f'<g><title>{_escaped(box.detail or box.scope)}</title>'
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{item.width}" height="{item.height}" rx="7" '
        f'fill="#ffffff" stroke="{color}" stroke-width="1.3"{dashed}/>'
    )
    yield (
        f'<path d="M{x + 7:.1f} {y:.1f} h-2 a5 5 0 0 0 -5 5 v{item.height - 10} a5 5 0 0 0 5 5 '
        f'h2 z" fill="{color}"/>'
    )
    room = inner - (30 if box.mark else 0)
    yield _text('name', x + 16, y + 19, _short(box.title, room / _LETTER))
    yield _text('scope', x + 16, y + 35, _short(box.scope, inner / _MONO))
    if box.left or box.right:
        yield _text('shape', x + 16, y + 56, box.left)
        yield _text('count', x + item.width - 12, y + 56, box.right)
    if box.mark:
        wide = 12 + 7 * len(box.mark)
        yield (
            f'<rect x="{x + item.width - wide - 8:.1f}" y="{y + 8:.1f}" width="{wide}" height="16" '
            f'rx="8" fill="{color}"/>'
        )
        yield _text('badge', x + item.width - wide / 2 - 8, y + 20, box.mark)
    yield '</g>'


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    """Returns a text for XML, which has no control characters."""
    return html.escape(terminal.shown(text))


def _short(text: str, room: float) -> str:
    """Returns the text with its middle left out where it is longer than `room` characters."""
    if len(text) <= room:
        return text
    half = (int(room) - 1) / 2
    return f'{text[: math.ceil(half)]}…{text[-math.floor(half) :]}'
