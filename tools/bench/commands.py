"""Processor time of the commands that read a whole data set, and the error of their sampled fits.

    python tools/bench/commands.py --logdir=runs/mnist [--checkout=OLDER]
    python tools/bench/commands.py --logdir=runs/mnist --fits

The first prints user and system time of each command on one thread, also of those of another
checkout. The second fits codes of the training images as the commands do, and in full, for three
seeds. Both print Markdown.
"""

import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from types import ModuleType

import _machine
import numpy as np
import threadpoolctl

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = ('evaluate', 'latent', 'cluster', 'probe', 'anomaly')
ONE_THREAD = {'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1'}
SEEDS = (0, 1, 2)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--logdir', required=True)
    parser.add_argument('--checkout')
    parser.add_argument('--commands', default=','.join(COMMANDS))
    parser.add_argument('--fits', action='store_true')
    flags = parser.parse_args()
    print(f'{_machine.processor()}, one thread\n')
    if flags.fits:
        _fits(flags.logdir)
        return
    checkouts = [ROOT, *([pathlib.Path(flags.checkout)] if flags.checkout else [])]
    print(f'| command | {" | ".join(str(path) for path in checkouts)} |')
    print(f'| --- |{" ---: |" * len(checkouts)}')
    for command in flags.commands.split(','):
        cells = [f'{_seconds(path, command, flags.logdir):.1f} s' for path in checkouts]
        print(f'| {command} | {" | ".join(cells)} |', flush=True)


def _seconds(checkout: pathlib.Path, command: str, logdir: str) -> float:
    """Returns the processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, '-m', 'tfae', command, f'--logdir={logdir}']
        words += [] if command == 'evaluate' else [f'--output={folder}']
        environment = {**os.environ, **ONE_THREAD, 'PYTHONPATH': str(checkout)}
        subprocess.run(words, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _fits(logdir: str) -> None:
    """Prints what the sampled fits measure, and what full ones do, for each seed."""
    import tfae
    from tfae.analysis import clustering, probe
    from tfae.runs.python_api import load_data

    threadpoolctl.threadpool_limits(1)  # of the libraries that are loaded by now
    with tfae.open(logdir) as run:
        loaded = load_data(run.experiment.data.dataset)
        train, test = (run.encode(part.images) for part in (loaded.train, loaded.test))
    labels, wanted = loaded.train.labels, loaded.test.labels
    print('| measure | seed | sampled | full | sampled, CPU s | full, CPU s |')
    print('| --- | ---: | ---: | ---: | ---: | ---: |')

    def accuracy(kind: type, seed: int) -> float:
        found = kind(train[:10_000], loaded.classes, seed).predict(test)
        counts = clustering.table(wanted, found, loaded.classes, loaded.classes)
        return clustering.agreement(wanted, found, counts)['accuracy']

    kinds = {
        'k-means accuracy': clustering.KMeansClusters,
        'spherical k-means accuracy': clustering.SphericalClusters,
        'mixture accuracy': clustering.MixtureClusters,
    }
    for name, kind in kinds.items():
        for seed in SEEDS:
            _row(
                name,
                seed,
                lambda kind=kind, seed=seed: accuracy(kind, seed),
                clustering,
                '_MAX_START',
            )
    for seed in SEEDS:
        order = np.random.RandomState(seed).permutation(len(train))[:-5000]
        _row(
            'linear probe error',
            seed,
            lambda order=order: probe.linear_error(train[order], labels[order], test, wanted),
            probe,
            '_LARGE',
        )


def _row(
    name: str, seed: int, measure: Callable[[], float], module: ModuleType, bound: str
) -> None:
    """Prints a row: a measure as commands take it, and with the bound of its sample lifted."""
    values, times = [], []
    usual = getattr(module, bound)
    for limit in (usual, 10**12):
        setattr(module, bound, limit)
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            values.append(measure())
        times.append(time.process_time() - start)
    setattr(module, bound, usual)
    cells = [f'{value:.4f}' for value in values] + [f'{seconds:.1f}' for seconds in times]
    print(f'| {name} | {seed} | {" | ".join(cells)} |', flush=True)


if __name__ == '__main__':
    main()
