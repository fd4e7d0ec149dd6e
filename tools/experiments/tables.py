r"""Compares anomaly detection on tables with PyOD: AUROC and time of fit, three seeds.

    python tools/experiments/tables.py

Needs `pip install 'tf-autoencoders[peers]'`. The sets are scikit-learn's own. In each row of the
table, one class is the anomaly: detectors are fitted to 70 % of the rows of the other classes, and
score the remaining 30 % and all rows of the anomalous class. All have their default arguments; for
PyOD, columns are standardized first, as `AnomalyDetector` does itself. Writes
docs/evidence/tables.md.

The defaults of `AnomalyDetector` were chosen with --select, on training rows only: held-out rows
are compared with copies in which up to 30 % of the columns come from other rows.
"""

import argparse
import itertools
import pathlib
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets, metrics, preprocessing

from tfae.sklearn import AnomalyDetector

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = 'tfae'
_SETS = 'iris,wine,breast_cancer,digits'
# Arguments of `AnomalyDetector` that --select compares.
CANDIDATES: dict[str, dict[str, Any]] = {
    'relu, rate 0.001': {'activation': 'relu', 'learning_rate': 1e-3},
    'relu, rate 0.003': {'activation': 'relu', 'learning_rate': 3e-3},
    'elu, rate 0.001': {'activation': 'elu', 'learning_rate': 1e-3},
    'elu, rate 0.003': {'activation': 'elu', 'learning_rate': 3e-3},
}


class Task(NamedTuple):
    """Rows to fit and to score."""

    name: str  # set and anomalous class
    train: np.ndarray  # [N, D], normal
    test: np.ndarray  # [M, D]
    anomalous: np.ndarray  # [M] bool


def tasks(name: str, seed: int) -> Iterator[Task]:
    """Yields a task for each class of a set of scikit-learn."""
    bunch = getattr(datasets, f'load_{name}')()
    for k, title in enumerate(bunch.target_names):
        normal, anomalies = bunch.data[bunch.target != k], bunch.data[bunch.target == k]
        order = np.random.RandomState(seed).permutation(len(normal))
        count = round(0.7 * len(normal))
        train, rest = normal[order[:count]], normal[order[count:]]
        test = np.concatenate([rest, anomalies])
        yield Task(f'{name}, {title}', train, test, np.arange(len(test)) >= len(rest))


def detectors(seed: int) -> dict[str, Callable[[], Any]]:
    """Returns name -> constructor, with the defaults of each package."""
    from pyod.models.auto_encoder import AutoEncoder
    from pyod.models.iforest import IForest
    from pyod.models.knn import KNN
    from pyod.models.pca import PCA

    return {
        OURS: lambda: AnomalyDetector(random_state=seed),
        'PyOD AutoEncoder': lambda: AutoEncoder(random_state=seed, verbose=0),
        'PyOD PCA': lambda: PCA(random_state=seed),
        'PyOD IForest': lambda: IForest(random_state=seed),
        'PyOD KNN': KNN,
    }


def measured(make: Callable[[], Any], task: Task) -> tuple[float, float]:
    """Returns the AUROC on the test rows, and the seconds of fit."""
    train, test = task.train, task.test
    detector = make()
    ours = isinstance(detector, AnomalyDetector)
    if not ours:
        scaler = preprocessing.StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
    began = time.perf_counter()
    detector.fit(train)
    seconds = time.perf_counter() - began
    # PyOD's decision function is an anomaly score; scikit-learn's has the opposite sign.
    scores = -detector.score_samples(test) if ours else detector.decision_function(test)
    return float(metrics.roc_auc_score(task.anomalous, scores)), seconds


def replaced(rows: np.ndarray, seed: int) -> np.ndarray:
    """Returns three copies of each row in which up to 30 % of the columns are of other rows."""
    random = np.random.RandomState(seed)
    found = np.repeat(rows, 3, 0)
    columns = rows.shape[1]
    for row in found:
        count = random.randint(1, max(2, int(np.ceil(0.3 * columns)) + 1))
        chosen = random.choice(columns, count, replace=False)
        row[chosen] = rows[random.randint(len(rows), size=count), chosen]
    return found


def select(sets: list[str]) -> None:
    """Prints the AUROC of replaced columns in held-out training rows for each candidate."""
    found: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for name in sets:
        for task in tasks(name, 0):
            held = round(0.3 * len(task.train))
            fitted, rows = task.train[held:], task.train[:held]
            test = np.concatenate([rows, replaced(rows, 1)])
            one = Task(task.name, fitted, test, np.arange(len(test)) >= len(rows))
            for candidate, arguments in CANDIDATES.items():
                make = lambda arguments=arguments: AnomalyDetector(**arguments)  # noqa: E731
                found[candidate].append(measured(make, one)[0])
    for candidate, values in found.items():
        print(f'{candidate:20} {statistics.mean(values):.4f}')


def row(values: dict[str, list[float]], form: str) -> str:
    """Returns cells with the mean over the seeds, and the deviation where there are several."""
    cells = []
    for each in values.values():
        deviation = f' ± {statistics.stdev(each):{form}}' if len(each) > 1 else ''
        cells.append(f'{statistics.mean(each):{form}}{deviation}')
    return ' | '.join(cells)


def summary(auroc: dict[str, dict[str, list[float]]]) -> list[str]:
    """Returns lines with the means over the tasks, and the comparison with the best of PyOD."""
    means = {
        task: {name: statistics.mean(values) for name, values in found.items()}
        for task, found in auroc.items()
    }
    names = list(next(iter(means.values())))
    overall = {name: statistics.mean(found[name] for found in means.values()) for name in names}
    best = sum(
        found[OURS] >= max(value for name, value in found.items() if name != OURS)
        for found in means.values()
    )
    cells = ' | '.join(f'**{overall[name]:.4f}**' for name in names)
    above = [name for name in names if name != OURS and overall[OURS] > overall[name]]
    below = [name for name in names if name != OURS and overall[OURS] <= overall[name]]
    return [
        f'| mean | {cells} |',
        '',
        f'In the mean, tfae is above {", ".join(above) or "none of them"}, and not above '
        f'{", ".join(below) or "none of them"}. It is at least as good as the best of the four in '
        f'{best} of {len(means)} rows.',
    ]


def _options() -> str:
    """Returns the options of the command line, after a space if there are any."""
    return ''.join(f' {word}' for word in sys.argv[1:])


def main() -> None:
    """Fits and scores everything, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, default=3, help='Seeds of splits and detectors.')
    parser.add_argument('--sets', default=_SETS, help='Sets of scikit-learn.')
    parser.add_argument('--select', action='store_true', help='Compare arguments instead.')
    given = parser.parse_args()
    sets, seeds = given.sets.split(','), given.seeds
    warnings.simplefilter('ignore')
    if given.select:
        select(sets)
        return
    warm = next(tasks('iris', 0))
    for make in detectors(0).values():  # imports and first graphs
        measured(make, warm)
    auroc: dict[str, dict[str, list[float]]] = {}
    seconds: dict[str, dict[str, list[float]]] = {}
    for name, seed in itertools.product(sets, range(seeds)):
        for task in tasks(name, seed):
            for detector, make in detectors(seed).items():
                area, took = measured(make, task)
                auroc.setdefault(task.name, {}).setdefault(detector, []).append(area)
                size = f'{name}, {len(task.train)} x {task.train.shape[1]}'
                seconds.setdefault(size, {}).setdefault(detector, []).append(took)
            print(task.name, seed, {k: round(v[-1], 4) for k, v in auroc[task.name].items()})
    names = list(detectors(0))
    head = f'| {" | ".join(names)} |\n| {" | ".join(["---"] * (len(names) + 1))} |'
    lines = [
        '# Anomalies in tables',
        '',
        f'Written by `python tools/experiments/tables.py{_options()}` on {platform.machine()} with '
        f'{platform.python_implementation()} {platform.python_version()}. One class of a set is '
        'the anomaly; the detectors are fitted to 70 % of the rows of the other classes. Mean and '
        f'deviation of the AUROC over {seeds} seeds, with the defaults of each package. '
        'The defaults of tfae were chosen with `--select`, on training rows only.',
        '',
        f'| set, anomaly {head}',
        *(f'| {task} | {row(found, ".3f")} |' for task, found in auroc.items()),
        *summary(auroc),
        '',
        '## Time of fit',
        '',
        'Seconds, mean over the tasks of one size and the seeds, after a first fit of each. tfae '
        'builds a TensorFlow graph and writes a run, and trains for up to 100 epochs; PyOD trains '
        'for 10.',
        '',
        f'| set, training rows x columns {head}',
        *(
            f'| {size} | {" | ".join(f"{statistics.mean(v):.2f}" for v in found.values())} |'
            for size, found in seconds.items()
        ),
    ]
    text = '\n'.join(lines) + '\n'
    (ROOT / 'docs' / 'evidence' / 'tables.md').write_text(text)
    print(text)


if __name__ == '__main__':
    main()
