"""Detect images unlike the training images; the fitted detector is stored in the run.

A run trained with --only_classes or --without_classes is evaluated on the classes left out of
training, together with three baselines: PCA, nearest neighbor and distance to the mean. The
detector is written to anomaly.npz, the measures to anomaly.json. With --images, the stored detector
scores image files: anomaly score, verdict and a map of the error of each pixel.
The score of a row of a table is a sum over its columns: the columns that contribute most to the
highest scores are printed, and the contributions to all scores are written to anomaly_rows.csv.
`tfae score` scores other tables and streams of rows. For sequences and volumes, the channels of the
largest errors are printed.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from tfae import data
from tfae.analysis import anomaly, table_anomaly
from tfae.commands.shared import command_flags, example_plots, figures, image_scores, row_scores
from tfae.core import errors, names, terminal
from tfae.core.atomic_files import write_json
from tfae.core.config import option
from tfae.plots import charts, heatmaps, profiles, volumes
from tfae.runs.directory import DETECTOR, FIGURES
from tfae.runs.saved_run import Run

_MEASURED = 'anomaly.json'
_SHOWN = 8  # images of each kind
_MAX_CONTRIBUTIONS = 3  # columns of a row
_OWN = 'this run'
_LABELS = {'neighbor': 'nearest neighbor', 'mean': 'distance to the mean'}


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """The detector to fit, or the image files to score."""

    images: tuple[str, ...] = option(
        (),
        'Image files to score, preprocessed like the training images. If there are none, a '
        'detector is fitted and evaluated.',
        excludes=(
            '--split',
            '--data_dir',
            '--false_positive_rate',
            '--blur',
            '--components',
            '--baselines',
            '--pca_components',
            '--seed',
        ),
        formerly='pictures',
    )
    false_positive_rate: float = option(
        0.05,
        'Fraction of the validation images that score above the threshold.',
        within='(0, 1)',
        formerly='false_alarms',
    )
    blur: float = option(
        1.0,
        'Standard deviation of the Gaussian that blurs residuals before they are scored.',
        within='[0.1, 100] pixels',
    )
    components: int = option(
        10,
        'Maximum number of Gaussians in the mixture over codes and residuals.',
        within='[1, 1000] components',
    )
    baselines: bool = option(
        True, 'Also evaluate three baselines: PCA, nearest neighbor and distance to the mean.'
    )
    pca_components: int = option(
        32, 'Number of components of the PCA baseline.', within='[1, inf) components'
    )
    seed: int = option(0, 'Random seed of the mixture fit.', within='[0, 4294967295]')
    output: str = option('', 'Output folder of the figures (default: figures/ in the run).')


def main(argv: list[str]) -> int:
    """Runs `tfae anomaly`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` does, where the run has no
      code or no reconstruction, a file is not an image, or there is no detector for --images.
    """
    flags = command_flags.read('anomaly', __doc__, Config, argv)
    with flags.open(names.CODE, names.RECONSTRUCTION) as run:
        folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
        if flags.images:
            paths = image_scores.score_files(run, flags.images, folder)
        else:
            paths = _fit(flags, run, folder)
        figures.show([path for path in paths if path.suffix == '.png'], run.step)
    for path in paths:
        print(path)
    return 0


def _fit(flags: Config, run: Run, folder: pathlib.Path) -> list[pathlib.Path]:
    """Fits and evaluates the detector, and writes all files; returns their paths."""
    loaded, part = flags.load(run)
    images, table = data.is_image(loaded.image_shape), data.tabular(loaded.image_shape)
    if table and flags.components != Config.components:
        raise errors.UsageError(
            f'--components is {flags.components}, which is of the detector of images; the run is '
            f'on a table'
        )
    if not images and flags.blur != Config.blur:
        what = 'a table' if table else f'{loaded.noun}s'
        raise errors.UsageError(f'--blur is {flags.blur}, which blurs images; the run is on {what}')
    if not table and run.built.inference.present is not None:
        raise errors.InputError(
            f'{run.folder.path} is a run on {loaded.noun}s with --missing=mask; with missing '
            f'values, only tables have anomaly scores'
        )
    # Training images score too low, so held-out images set the scale where there are any.
    held_out = loaded.validation if len(loaded.validation.images) else loaded.train
    quantile = 1 - flags.false_positive_rate
    with terminal.bar(3, ' steps') as bar:
        bar.set_description_str('detector')
        detector: anomaly.Detector | table_anomaly.Detector
        if table:
            normal_rows = row_scores.seen(run, held_out.images)
            detector = table_anomaly.fit(*normal_rows, quantile=quantile, step=run.step)
        else:
            chosen = data.sample(loaded.train.images, anomaly.MAX_FITTED, flags.seed)
            detector = anomaly.fit(
                image_scores.seen(run, chosen),
                image_scores.seen(run, held_out.images),
                blur=flags.blur if images else 0,
                components=flags.components,
                false_positive_rate=flags.false_positive_rate,
                seed=flags.seed,
                step=run.step,
            )
        detector.save(run.folder.place(DETECTOR))
        bar.update()
        bar.set_description_str('scores')
        if isinstance(detector, table_anomaly.Detector):
            rows, made = row_scores.seen(run, part.images)
            scored = rows, run.encode(part.images), made
            contributions = detector.contributions(rows, made)
            kinds = {_OWN: contributions.sum(1)}
        else:
            scored = image_scores.seen(run, part.images)
            kinds = {_OWN: detector.scores(*scored)}
        bar.update()
        bar.set_description_str('baselines')
        normal, anomalous = _kinds(loaded, part)
        # With as many components as values or examples PCA would leave no residual.
        components, most = flags.pca_components, min(scored[0][0].size, len(loaded.train.images))
        if components >= most:
            components = max(1, min(run.built.model.code_size, most - 1))
        if anomalous.any() and not anomalous.all() and flags.baselines:
            known, asked = (run.normalized(split.images) for split in (loaded.train, part))
            kinds |= anomaly.baselines(known, asked, components)
        bar.update()
    found: dict[str, Any] = {
        'split': flags.split,
        'normal': [_class_name(loaded, k) for k in sorted(normal)],
        'threshold': float(detector.threshold),
        'threshold_quantile': quantile,
        'threshold_from': 'validation' if held_out is loaded.validation else 'training',
        **({'components': len(detector.means)} if isinstance(detector, anomaly.Detector) else {}),
        **({'pca_components': components} if 'pca' in kinds else {}),
        **_measured(loaded, part, detector, kinds, normal),
        **(_blank(run, detector) if images and isinstance(detector, anomaly.Detector) else {}),
        'step': run.step,
    }
    _print(found)
    write_json(run.folder.place(_MEASURED), found)
    paths = [folder / 'anomaly.png', folder / 'anomaly_maps.png']
    classes = ', '.join(found['normal']) or 'all'
    title = f'{loaded.name}, {flags.split}: normal is {classes}'
    labels = {**_LABELS, 'pca': f'PCA-{components} residual'}
    named = {labels.get(kind, kind): values for kind, values in kinds.items()}
    _plot_scores(paths[0], detector, named, anomalous, title)
    if isinstance(detector, table_anomaly.Detector):
        threshold = float(detector.threshold)
        paths[1:] = [folder / 'anomaly_rows.png', folder / 'anomaly_rows.csv']
        row_scores.write(paths[2], loaded.column_names(), contributions, threshold)
        _plot_rows(paths[1], run, loaded, scored, contributions, threshold, title)
    elif images:
        _plot_maps(paths[1], detector, scored, kinds[_OWN], anomalous, title)
    else:
        paths[1] = folder / f'anomaly_{loaded.noun}s.png'
        highest = np.argsort(-kinds[_OWN], kind='stable')[:_SHOWN]
        _plot_highest(paths[1], run, loaded, scored, kinds[_OWN], highest, title)
    return [run.folder.path / DETECTOR, run.folder.path / _MEASURED, *paths]


def _measured(
    loaded: data.DataSet,
    part: data.Split,
    detector: anomaly.Detector | table_anomaly.Detector,
    kinds: dict[str, np.ndarray],
    normal: set[int],
) -> dict[str, Any]:
    """Returns the error rates at the threshold, and the AUROC of each anomaly score."""
    scores = kinds[_OWN]
    anomalous = _kinds(loaded, part)[1]
    found: dict[str, Any] = {
        'normal_examples': int(np.sum(~anomalous)),
        'anomalous_examples': int(np.sum(anomalous)),
    }
    for name, of in (('false_positive_rate', ~anomalous), ('true_positive_rate', anomalous)):
        if of.any():
            found[name] = float(np.mean(scores[of] > detector.threshold))
    if anomalous.any() and not anomalous.all() and part.labels is not None:
        found['auroc'] = anomaly.auroc(scores, anomalous)
        by_class = anomaly.by_class(scores, part.labels, normal)
        found['auroc_by_class'] = {_class_name(loaded, k): value for k, value in by_class.items()}
        for kind, values in kinds.items():
            found |= {f'{kind}_auroc': anomaly.auroc(values, anomalous)} if kind != _OWN else {}
    return found


def _plot_scores(
    path: pathlib.Path,
    detector: anomaly.Detector | table_anomaly.Detector,
    kinds: dict[str, np.ndarray],
    anomalous: np.ndarray,
    title: str,
) -> None:
    """Plots the histogram of scores, and ROC curves where there are anomalous images."""
    groups = {'normal': kinds[_OWN][~anomalous], 'anomalous': kinds[_OWN][anomalous]}
    groups = {f'{name} ({len(v):,})': v for name, v in groups.items() if len(v)}
    curves = []
    for kind, values in kinds.items() if len(groups) == 2 else ():
        x, y = anomaly.curve(values, anomalous)
        curves.append(charts.Curve(f'{kind}: {anomaly.auroc(values, anomalous):.3f}', x, y))
    charts.save_detection(path, groups, float(detector.threshold), curves, title)


def _kinds(loaded: data.DataSet, part: data.Split) -> tuple[set[int], np.ndarray]:
    """Returns the training classes, and which images `[N]` of the split are of none of them."""
    if loaded.train.labels is None or part.labels is None:
        return set(), np.zeros(len(part.images), bool)
    normal = set(np.unique(loaded.train.labels).tolist())
    return normal, ~np.isin(part.labels, list(normal))


def _class_name(loaded: data.DataSet, k: int) -> str:
    return loaded.class_names[k] if loaded.class_names else str(k)


def _blank(run: Run, detector: anomaly.Detector) -> dict[str, Any]:
    """Scores a black image, which many anomaly scores rate as the most normal."""
    black = np.zeros([1, *run.experiment.signature.image_shape], np.float32)
    score = detector.scores(*image_scores.seen(run, black))
    return {
        'blank_score': float(score[0]),
        'blank_rank': float(detector.ranks(score)[0]),
        'blank_is_anomalous': bool(score[0] > detector.threshold),
    }


def _print(found: dict[str, Any]) -> None:
    for name, value in found.items():
        if isinstance(value, dict):
            for key, number in value.items():
                print(f'{name:18} {key:22} {number:.4f}')
        elif isinstance(value, list):
            print(f'{name:18} {", ".join(value)}')
        else:
            print(f'{name:18} {value:.4f}' if isinstance(value, float) else f'{name:18} {value}')


def _plot_highest(
    path: pathlib.Path,
    run: Run,
    loaded: data.DataSet,
    scored: tuple[np.ndarray, np.ndarray, np.ndarray],
    scores: np.ndarray,
    highest: np.ndarray,
    title: str,
) -> None:
    """Prints and plots the examples of the highest scores, with the columns that contribute most.

    The contribution of a column or channel is its share of the squared error of the example.
    """
    rows, _, made = scored
    noun, columns, panels = loaded.noun, loaded.column_names(), []
    for i in highest.tolist():
        squares = np.square(rows[i].astype(np.float64) - made[i])
        squares = squares.reshape(-1, squares.shape[-1]).sum(0)
        shares = squares / max(squares.sum(), np.finfo(np.float64).tiny)
        order = np.argsort(-shares, kind='stable')[:_MAX_CONTRIBUTIONS]
        words = ', '.join(f'{columns[k]} {100 * shares[k]:.0f} %' for k in order)
        print(f'{noun} {i:<{17 - len(noun)}} score {scores[i]:10.1f}  {words}')
        lines = [f'{profiles.shortened(columns[k])} {100 * shares[k]:.0f} %' for k in order]
        caption = '\n'.join([f'{noun} {i}, score {scores[i]:,.0f}', *lines])
        panels.append(profiles.Panel(caption, {noun: rows[i], 'reconstruction': made[i]}))
    what = f'{title}; {noun}s of the highest scores'
    if example_plots.lined(loaded.image_shape):
        example_plots.save_panels(path, panels, loaded, what, run.unit)
    else:
        volumes.save_rows(path, {noun: rows[highest], 'reconstruction': made[highest]}, what)


def _plot_rows(
    path: pathlib.Path,
    run: Run,
    loaded: data.DataSet,
    scored: tuple[np.ndarray, np.ndarray, np.ndarray],
    contributions: np.ndarray,
    threshold: float,
    title: str,
) -> None:
    """Prints and plots the rows of the highest scores, with the columns that contribute most."""
    rows, _, made = scored
    columns, panels = loaded.column_names(), []
    scores = contributions.sum(1)
    for i in np.argsort(-scores, kind='stable')[:_SHOWN].tolist():
        print(row_scores.line(f'row {i}', columns, contributions[i], threshold))
        lines = row_scores.largest([*map(profiles.shortened, columns)], contributions[i])
        caption = '\n'.join([f'row {i}, score {scores[i]:,.0f}', *lines])
        panels.append(profiles.Panel(caption, {'row': rows[i], 'reconstruction': made[i]}))
    what = f'{title}; rows of the highest scores, threshold {threshold:,.1f} nats'
    profiles.save_panels(path, panels, columns, what, run.unit)


def _plot_maps(
    path: pathlib.Path,
    detector: anomaly.Detector,
    scored: tuple[np.ndarray, np.ndarray, np.ndarray],
    scores: np.ndarray,
    anomalous: np.ndarray,
    title: str,
) -> None:
    """Plots images of both kinds from the lowest to the highest score, with error maps."""
    lines = []
    for kind, of in (('normal', ~anomalous), ('anomalous', anomalous)):
        places = np.flatnonzero(of)
        if not len(places):
            continue
        order = places[np.argsort(scores[places])]
        chosen = order[np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).astype(int)]
        captions = [f'{kind}\nscore {scores[i]:,.0f}' for i in chosen]
        lines.append(image_scores.cells(detector, scored[0][chosen], scored[2][chosen], captions))
    heatmaps.save_cells(
        path,
        lines,
        f'{title}; threshold {float(detector.threshold):,.0f} nats\n{image_scores.MEANING}',
    )
