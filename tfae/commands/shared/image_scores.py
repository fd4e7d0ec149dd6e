"""Anomaly scores of image files by the detector of a run, and plots of the errors."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfae import data
from tfae.analysis import anomaly
from tfae.commands.shared import chosen_images
from tfae.core import errors
from tfae.core.atomic_files import write_json, write_npz
from tfae.plots import charts, heatmaps
from tfae.runs.directory import DETECTOR
from tfae.runs.saved_run import Run

MEANING = 'image, reconstruction, error map (full scale: 99.9th percentile of normal images)'


def seen(run: Run, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns images `[N, H, W, C]` in [0, 1], codes `[N, Z]`, reconstructions `[N, H, W, C]`.

    Rows of a table, `[N, D]`, and their reconstructions are normalized.
    """
    shown = data.pixels(run.normalized(images))
    return shown, run.encode(images), run.normalized(run.reconstruct(images))


def cells(
    detector: anomaly.Detector,
    images: np.ndarray,
    reconstructions: np.ndarray,
    captions: list[str],
) -> list[heatmaps.Cell]:
    """Returns each image with its reconstruction and its error map below it.

    Args:
      detector: of the maps.
      images: `[N, H, W, C]` in [0, 1].
      reconstructions: `[N, H, W, C]`.
      captions: N.
    """
    shown = [*images, *reconstructions]
    seen = [np.broadcast_to(np.atleast_3d(x), (*x.shape[:2], 3)) for x in heatmaps.plain(shown)]
    maps = charts.colored(detector.maps(images, reconstructions))
    count, (height, width) = len(images), images.shape[1:3]
    gap = np.ones([max(1, height // 16), width, 3])
    return [
        heatmaps.Cell(np.concatenate([seen[i], gap, seen[count + i], gap, maps[i]]), captions[i])
        for i in range(count)
    ]


def score_files(run: Run, names: Sequence[str], folder: pathlib.Path) -> list[pathlib.Path]:
    """Scores image files, prints a table, writes figure, maps and JSON; returns their paths.

    Raises: InputError if the run has no detector of its checkpoint, or a file is not an image.
    """
    detector = _detector(run)
    images, codes, reconstructions = seen(run, chosen_images.read(run, names))
    scores = detector.scores(images, codes, reconstructions)
    rows: list[dict[str, Any]] = [
        {
            'image': name,
            'score': float(score),
            'rank': float(rank),
            'verdict': 'anomalous' if score > detector.threshold else 'normal',
        }
        for name, score, rank in zip(names, scores, detector.ranks(scores), strict=True)
    ]
    _print(rows)
    found = {'threshold': float(detector.threshold), 'step': run.step, 'images': rows}
    paths = [folder / f'anomaly_images.{kind}' for kind in ('png', 'npz', 'json')]
    captions = [
        f'{pathlib.Path(row["image"]).name[:14]}\n{row["score"]:,.0f}: {row["verdict"]}'
        for row in rows
    ]
    title = f'{run.experiment.data.dataset}: threshold {float(detector.threshold):,.0f} nats'
    plotted = cells(detector, images, reconstructions, captions)
    lines = heatmaps.wrapped(plotted, heatmaps.columns(len(plotted)))
    heatmaps.save_cells(paths[0], lines, f'{title}\n{MEANING}')
    write_npz(paths[1], {'maps': detector.maps(images, reconstructions)})
    write_json(paths[2], found)
    return paths


def _detector(run: Run) -> anomaly.Detector:
    path = run.folder.path / DETECTOR
    if not path.exists():
        raise errors.InputError(
            f'{path} does not exist; tfae anomaly --logdir={run.folder.path} without --images '
            'fits the detector'
        )
    detector = anomaly.load(path, run.built.model.code_size)
    if int(detector.step) != run.step:
        raise errors.InputError(
            f'{path} is from step {int(detector.step):,}, the checkpoint from step {run.step:,}; '
            f'--checkpoint must select that step, or tfae anomaly --logdir={run.folder.path} '
            'without --images fits the detector again'
        )
    return detector


def _print(rows: list[dict[str, Any]]) -> None:
    width = max(len('image'), *(len(row['image']) for row in rows))
    print(f'{"image":{width}} {"score":>10} {"percentile":>10}  verdict')
    for row in rows:
        print(
            f'{row["image"]:{width}} {row["score"]:10.1f} {100 * row["rank"]:10.1f}  '
            f'{row["verdict"]}'
        )
