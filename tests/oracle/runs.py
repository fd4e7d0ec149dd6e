"""Small runs of the program for oracles, and arrays made without code of tfae."""

import json
import pathlib

import numpy as np
import tfae_program
from sklearn import datasets

COUNTS = {'train': 400, 'validation': 90, 'test': 150}
# One step of gradient descent on the whole training split: its loss is a function of the variables
# of step 0, and the update is its gradient.
RATE = 0.01
ONE_STEP = (
    '--optimizer=sgd',
    f'--learning_rate={RATE}',
    '--batch_size=0',
    '--epochs=1',
    '--order=sequential',
    '--checkpoint_steps=1',
)


def arrays(odd=False):
    """Returns name -> array of a set: digits 8x8, or a crop of 7x9 with two channels."""
    found = datasets.load_digits()
    images = (found.images / 16).astype(np.float32)[..., None]
    if odd:
        wide = np.pad(images, [(0, 0), (0, 0), (1, 0), (0, 0)])[:, :7]
        images = np.concatenate([wide, wide[:, ::-1] ** 2], -1)
    made, start = {}, 0
    for split, count in COUNTS.items():
        made[f'x_{split}'] = images[start : start + count]
        made[f'y_{split}'] = found.target[start : start + count].astype(np.int64)
        start += count
    return made


class Runs:
    """A folder of runs of one set."""

    def __init__(self, folder, odd=False):
        self.folder = pathlib.Path(folder)
        self.arrays = arrays(odd)
        np.savez(self.folder / 'set.npz', **self.arrays)
        self._words = {}

    def split(self, name):
        """Returns images and labels."""
        return self.arrays[f'x_{name}'].astype(np.float64), self.arrays[f'y_{name}']

    def train(self, name, *words):
        """Trains a run of that name, once, and returns its folder."""
        assert self._words.setdefault(name, words) == words
        logdir = self.folder / name
        if not logdir.exists():
            data = ('--dataset=npz', '--data_dir=set.npz')
            self.program('train', *data, *words, f'--logdir={name}')
        return logdir

    def program(self, *words):
        """Returns the output of the program."""
        done = tfae_program.run(*words, cwd=self.folder)
        assert (done.code, done.err) == (0, ''), done
        return done.out

    def measured(self, command, name, *words):
        """Runs a command and returns its JSON in the run, as `(content, printed)`."""
        out = self.program(command, f'--logdir={name}', *words)
        places = {
            'evaluate': 'evaluation.json',
            'anomaly': 'anomaly.json',
            'sample': 'figures/samples.json',
        }
        path = self.folder / name / places.get(command, f'figures/{command}.json')
        return json.loads(path.read_text()), out


def variables(logdir, step=None):
    """Returns name -> value in float64, of the newest checkpoint or that of `step`."""
    found = tfae_program.checkpoint(logdir, step)
    return {name: np.asarray(value, np.float64) for name, value in found.items()}


def close(found, wanted, rtol=1e-4):
    """Returns whether two numbers agree up to float32 rounding."""
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=1e-6)
