"""tools/experiments/study.py: its arithmetic, its table, and a small study by the real program."""

import importlib.util
import json
import pathlib

import numpy as np
import pytest
import tfae_program
from absl import app, flags
from absl.testing import flagsaver
from matplotlib import image

PATH = pathlib.Path(__file__).parents[2] / 'tools' / 'experiments' / 'study.py'


@pytest.fixture(scope='module')
def study():
    spec = importlib.util.spec_from_file_location('study', PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    return module


@pytest.fixture
def trained(study, tmp_path, monkeypatch):
    """Words of each training that a study asked for; they are run by a fork of the program."""
    asked = []

    def train(words):
        asked.append(words)
        done = tfae_program.run('train', *words, cwd=tmp_path)
        return done.code, done.err

    monkeypatch.setattr(study, 'train', train)
    return asked


def flags_of(folder, **more):
    small = {'dataset': 'synthetic', 'batch_sizes': ['60', 'all'], 'optimizers': ['sgd', 'adam']}
    return flagsaver.flagsaver(**{**small, 'examples': 2160, 'output': str(folder), **more})


def curve(study, rate, losses, **fields):
    cell = study.Cell('shuffled', 'sgd', '16', rate)
    made = study.Curve(cell, [4, 1200], [64, 19200], [0.5, 2.25], [0.5, 0.25], losses, False)
    return made._replace(**fields)


@pytest.mark.parametrize(
    'optimizer, batch, factor',
    [('sgd', '128', 1), ('sgd', '1', 1 / 128), ('adam', '128', 1), ('adam', '32', 0.5)],
)
def test_rates_follow_the_power_of_the_batch(study, optimizer, batch, factor):
    want = study.RATES[optimizer][0] * factor
    assert study.rate(optimizer, batch, 54_000) == pytest.approx(want, rel=0.05)


def test_rates_stay_below_their_largest(study):
    for optimizer, (reference, _, largest) in study.RATES.items():
        assert reference <= largest
        assert study.rate(optimizer, 'all', 54_000) == largest
        assert study.rate(optimizer, 'all', 128) == reference
    assert study.RATES.keys() == set(study.OPTIMIZERS)


def test_the_table_tells_where_each_run_ended(study):
    rows = [curve(study, 0.5, [0.3, 0.2]), curve(study, 80.0, [], diverged=True)]
    _, _, *lines = study.table(rows).splitlines()
    assert lines == [
        '| sgd | shuffled | 16 | 0.5 | 1,200 | 0.25000 | 0.20000 | 2.2 |',
        '| sgd | shuffled | 16 | 80 | - | diverged | diverged | - |',
    ]


def test_a_study_runs_once_and_draws(study, trained, tmp_path, capsys):
    folder = tmp_path / 'out'
    two = {'optimizers': ['adam'], 'orders': ['shuffled', 'with_replacement']}
    with flags_of(folder, **two):
        study.main(['study', '--units=4'])
        table = capsys.readouterr().out
        study.main(['study', '--units=4'])
    assert len(trained) == 4  # and none the second time
    assert table.endswith(capsys.readouterr().out)
    curves = json.loads((folder / 'study.json').read_text())
    assert len(curves) == 4
    for made in curves:  # 720 training examples
        full = made['cell']['batch'] == 'all'
        assert made['examples'] == [720, 1440, 2160]
        assert made['updates'] == ([1, 2, 3] if full else [12, 24, 36])
        assert np.all(np.diff(made['seconds']) > 0)
        assert 0 < made['validation'][-1] < 0.3
    assert {path.name for path in folder.glob('*.png')} == {
        'loss_shuffled.png',
        'loss_with_replacement.png',
        'orders.png',
    }
    for path in folder.glob('*.png'):  # not blank
        pixels = image.imread(path)[..., :3]
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50


def test_of_several_rates_the_best_is_drawn_and_one_that_diverges_is_not(
    study, trained, tmp_path, capsys
):
    rates = ['1e-6', '1', '1e30']
    words = ['study', '--units=4', '--activation=linear', '--likelihood=bernoulli']
    with flags_of(
        tmp_path, batch_sizes=['60'], optimizers=['sgd'], examples=720, learning_rates=rates
    ):
        study.main(words)
        study.main(words)
    assert len(trained) == 3  # the one that diverged is not tried again either
    assert (tmp_path / 'shuffled-sgd-60-1e+30' / 'diverged.txt').exists()
    (row,) = {line for line in capsys.readouterr().out.splitlines() if line.startswith('| sgd')}
    assert row.startswith('| sgd | shuffled | 60 | 1 | 12 | 0.')


@pytest.mark.parametrize(
    'field, value, text',
    [
        ('optimizers', ['sgd', 'adm'], '--optimizers: adm is none of'),
        ('orders', ['sorted'], '--orders: sorted is none of'),
        ('batch_sizes', ['16', '0'], '--batch_sizes: 0 is neither a number above 0 nor all'),
        ('batch_sizes', ['-1'], '--batch_sizes: -1 is neither'),
    ],
)
def test_an_unknown_name_is_refused(study, trained, tmp_path, field, value, text):
    with flags_of(tmp_path / 'out', **{field: value}), pytest.raises(app.UsageError, match=text):
        study.main(['study'])
    assert not (tmp_path / 'out').exists()
    assert not trained


def test_a_folder_of_another_study_is_refused(study, trained, tmp_path):
    study.keep_to_one_study(tmp_path, ['--units=4'])
    with pytest.raises(app.UsageError, match='holds a study with --units=4, not with --units=5'):
        study.keep_to_one_study(tmp_path, ['--units=5'])


def test_what_the_program_refuses_ends_the_study_with_its_text(study, trained, tmp_path):
    with flags_of(tmp_path, batch_sizes=['5000']), pytest.raises(SystemExit) as stop:
        study.main(['study'])
    assert '--batch_size is 5000; the training set has only 720 examples' in str(stop.value)
