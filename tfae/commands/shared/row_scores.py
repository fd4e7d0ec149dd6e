"""Anomaly scores of rows of a table, and the columns that contribute most to them."""

import csv
import io
import pathlib
from collections.abc import Sequence

import numpy as np

from tfae.analysis import table_anomaly
from tfae.core import errors
from tfae.core.atomic_files import write_text
from tfae.runs.directory import DETECTOR
from tfae.runs.saved_run import Run
from tfae.training.experiment import Experiment

_MAX_CONTRIBUTIONS = 3  # columns of a row


def columns(experiment: Experiment) -> list[str]:
    """Returns the names of the columns of a run on a table, or their numbers from 0."""
    signature = experiment.signature
    return list(signature.columns) or list(map(str, range(signature.image_shape[0])))


def seen(run: Run, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns rows and their reconstructions, `[N, D]` both, normalized; NaN if missing."""
    return run.judged(rows), run.normalized(run.reconstruct(rows))


def detector(run: Run) -> table_anomaly.Detector:
    """Reads the detector of a run on a table.

    Raises: InputError if there is none, or it is of another checkpoint.
    """
    path = run.folder.path / DETECTOR
    fits = f'tfae anomaly --logdir={run.folder.path}'
    if not path.exists():
        raise errors.InputError(f'{path} does not exist; {fits} fits the detector')
    found = table_anomaly.load(path, run.experiment.signature.image_shape[0])
    if int(found.step) != run.step:
        raise errors.InputError(
            f'{path} is from step {int(found.step):,}, the checkpoint from step {run.step:,}; '
            f'--checkpoint must select that step, or {fits} fits the detector again'
        )
    return found


def largest(names: Sequence[str], contributions: np.ndarray) -> list[str]:
    """Returns texts such as `'alcohol 43 %'` for the columns that contribute most to a score.

    Args:
      names: of the D columns.
      contributions: `[D]`.
    """
    shares = contributions / max(contributions.sum(), np.finfo(np.float64).tiny)
    order = np.argsort(-shares, kind='stable')[:_MAX_CONTRIBUTIONS]
    return [f'{names[k]} {100 * shares[k]:.0f} %' for k in order]


def line(place: str, names: Sequence[str], contributions: np.ndarray, threshold: float) -> str:
    """Returns the line about a row: its place, score, verdict and largest contributions."""
    score = contributions.sum()
    return (
        f'{place:16} score {score:10.1f}  {verdict(score, threshold):9}  '
        f'{", ".join(largest(names, contributions))}'
    )


def verdict(score: float, threshold: float) -> str:
    """Returns `'anomalous'` or `'normal'`."""
    return 'anomalous' if score > threshold else 'normal'


def write(
    path: pathlib.Path, names: Sequence[str], contributions: np.ndarray, threshold: float
) -> None:
    """Writes a CSV with a line per row: its number from 0, score, verdict, all contributions.

    Args:
      path: of the file.
      names: of the D columns.
      contributions: `[N, D]`.
      threshold: score above which a row is anomalous.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['row', 'score', 'verdict', *names])
    for i, row in enumerate(contributions):
        score = float(row.sum())
        numbers = [f'{value:.6g}' for value in (score, *row.tolist())]
        writer.writerow([i, numbers[0], verdict(score, threshold), *numbers[1:]])
    write_text(path, text.getvalue())
