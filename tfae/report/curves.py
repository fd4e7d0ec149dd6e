"""Converts metrics.jsonl to the curves of a page."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfae.core import names
from tfae.report import measures

_NO_CURVE = ('step', 'epoch', 'phase', 'input_wait', 'seconds')
_LAST = 'examples_per_second'
_VALIDATION = f'{names.VALIDATION}_'

Records = Sequence[Mapping[str, Any]]


def of_run(records: Records) -> list[dict[str, Any]]:
    """Returns the plots of a run: one for each measure, with its validation curve if there is one.

    A plot has `title`, `unit`, `bands` (phases: `label`, and `from` and `to` as [step, seconds])
    and `series`, each of `label`, `dashed`, `color` and `parts`: for each phase a list of
    [step, seconds, value, epoch]. A value that is not finite is None.
    """
    seconds = _elapsed(records)
    own = [name for name in _measured(records) if not name.startswith(_VALIDATION)]
    own += [n for n in _measured(records) if n.startswith(_VALIDATION) and _base(n) not in own]
    plots = []
    for name in sorted(own, key=lambda name: (name == _LAST, 'loss' not in name)):
        known = measures.measure(name)
        series = [_series('training', name, records, seconds)]
        if any(_VALIDATION + name in record for record in records):
            series.append(_series('validation', _VALIDATION + name, records, seconds, True))
        plots.append(
            {
                'title': known.name,
                'unit': known.unit,
                'bands': _bands(records, seconds),
                'series': series,
            }
        )
    return plots


def of_runs(
    runs: Mapping[str, Records], losses: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Returns a plot for each measure that at least two runs have, a curve for each such run.

    Args:
      runs: name -> records.
      losses: name of a run -> kind of its loss. Different kinds have different units, so that each
        becomes a plot of its own, even of a single run.
    """
    measured = {label: set(_measured(records)) for label, records in runs.items()}
    counted = dict.fromkeys(name for records in runs.values() for name in _measured(records))
    plots = []
    for name in sorted(counted, key=lambda name: (name == _LAST, 'loss' not in name)):
        known = measures.measure(name)
        members = [label for label in runs if name in measured[label]]
        kinds = losses if losses and 'loss' in name else dict.fromkeys(members, '')
        several = len({kinds[label] for label in members}) > 1
        for kind in dict.fromkeys(kinds[label] for label in members):
            chosen = [label for label in members if kinds[label] == kind]
            if len(chosen) < min(2, len(runs)) and not several:
                continue
            series = [
                _series(label, name, runs[label], _elapsed(runs[label]), color=i)
                for i, label in enumerate(runs)
                if label in chosen
            ]
            title = f'{known.name}: {kind}' if several else known.name
            plots.append({'title': title, 'unit': known.unit, 'bands': [], 'series': series})
    return plots


def phases(records: Records) -> list[dict[str, Any]]:
    """Returns the name, epochs, steps, seconds and last losses of each phase."""
    found = []
    for name, group in itertools.groupby(records, lambda record: str(record.get('phase', ''))):
        lines = list(group)
        losses = {
            key: value
            for key, value in lines[-1].items()
            if key.endswith('loss') and _finite(value) is not None
        }
        found.append(
            {
                'phase': name,
                'epochs': len(lines),
                'step': lines[-1]['step'],
                'seconds': sum(_finite(line.get('seconds')) or 0.0 for line in lines),
                'losses': losses,
            }
        )
    return found


def _measured(records: Records) -> list[str]:
    """Returns the names of the measures in records, in order of appearance."""
    found = dict.fromkeys(key for record in records for key in record if key not in _NO_CURVE)
    return [key for key in found if any(_finite(record.get(key)) is not None for record in records)]


def _base(name: str) -> str:
    return name.removeprefix(_VALIDATION)


def _finite(value: Any) -> float | None:
    """Returns a finite number, or None."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number and math.isfinite(value) else None


def _elapsed(records: Records) -> list[float]:
    """Returns the seconds of training up to each record."""
    return list(itertools.accumulate(_finite(record.get('seconds')) or 0.0 for record in records))


def _series(
    label: str,
    name: str,
    records: Records,
    seconds: Sequence[float],
    dashed: bool = False,
    color: int = 0,
) -> dict[str, Any]:
    parts = []
    rows = zip(records, seconds, strict=True)
    for _, group in itertools.groupby(rows, lambda row: row[0].get('phase')):
        points = [
            [record['step'], round(at, 3), _finite(record[name]), record.get('epoch')]
            for record, at in group
            if name in record
        ]
        parts += [points] if points else []
    return {'label': label, 'dashed': dashed, 'color': color, 'parts': parts}


def _bands(records: Records, seconds: Sequence[float]) -> list[dict[str, Any]]:
    """Returns the start and end of each phase, in steps and seconds."""
    found: list[dict[str, Any]] = []
    start = [0, 0.0]
    rows = zip(records, seconds, strict=True)
    for name, group in itertools.groupby(rows, lambda row: str(row[0].get('phase', ''))):
        record, at = list(group)[-1]
        stop = [record['step'], at]
        found.append({'label': name, 'from': start, 'to': stop})
        start = stop
    return found
