"""`tfae study`: its runs, its table and plot, and what it refuses."""

import json

import numpy as np
import pytest
import tfae_program
from matplotlib import image

from tfae.commands import study
from tfae.runs.directory import Folder

SMALL = ('--dataset=synthetic', '--synthetic_examples=200', '--units=4', '--epochs=2')


def test_a_study_trains_each_run_once_as_train_does_and_plots(tmp_path):
    vary = '--vary=batch_size=24,0; learning_rate=0.5,2'
    line = ('study', '--logdir=study', vary, *SMALL, '--optimizer=sgd')
    done = tfae_program.run(*line, cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    curves = json.loads((tmp_path / 'study' / 'study.json').read_text())
    assert [curve['examples'] for curve in curves] == [[144, 288], [144, 288]]
    folders = [tmp_path / 'study' / curve['label'] for curve in curves]
    assert [f.name for f in folders] == [
        'batch_size=24,learning_rate=0.5',
        'batch_size=0,learning_rate=2',
    ]
    stored = [tfae_program.checkpoint(folder) for folder in folders]
    for curve, folder in zip(curves, folders, strict=True):
        records = Folder(folder).metrics()
        assert curve['training'] == [record['loss'] for record in records]
        assert curve['validation'] == [record['validation_loss'] for record in records]
        assert curve['seconds'][1] == pytest.approx(sum(record['seconds'] for record in records))
        row = (
            f'288          {records[-1]["loss"]:.5f}          {records[-1]["validation_loss"]:.5f}'
        )
        assert f'{curve["label"]:31}              {row}' in done.out
    pixels = image.imread(tmp_path / 'study' / 'study.png')[..., :3]
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50  # not blank

    # The same runs by `tfae train`, and none is trained again by the same command.
    words = (*SMALL, '--optimizer=sgd', '--batch_size=24', '--learning_rate=0.5', '--logdir=alone')
    assert tfae_program.run('train', *words, cwd=tmp_path).code == 0
    alone = tfae_program.checkpoint(tmp_path / 'alone')
    assert all(np.array_equal(alone[name], stored[0][name]) for name in alone)
    assert tfae_program.run(*line, cwd=tmp_path).code == 0
    assert json.loads((tmp_path / 'study' / 'study.json').read_text()) == curves
    assert (
        '--optimizer was sgd, is adam'
        in tfae_program.run(*line[:-1], '--optimizer=adam', cwd=tmp_path).err
    )


def test_a_run_that_diverges_ends_no_study(tmp_path):
    words = ('--vary=learning_rate=1e30,0.5', *SMALL, '--optimizer=sgd', '--activation=linear')
    line = ('study', '--logdir=study', '--likelihood=bernoulli', *words)
    done = tfae_program.run(*line, cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    assert 'training stopped at step' in done.out
    rows = [row.split() for row in done.out.splitlines() if row.startswith('learning_rate=')]
    assert ['learning_rate=1e30', 'diverged'] in rows
    (finished,) = (row for row in rows if row[0] == 'learning_rate=0.5' and len(row) > 1)
    assert finished[1] == '320'  # 5 steps of 64 make two epochs of 144
    diverged = [
        curve['diverged'] for curve in json.loads((tmp_path / 'study/study.json').read_text())
    ]
    assert diverged == [True, False]


def test_a_dry_run_and_another_measure(tmp_path):
    line = ('study', '--logdir=study', '--model=gan', '--dataset=digits')
    done = tfae_program.run(*line, '--vary=seed=0,1', '--dry_run', cwd=tmp_path)
    assert done.code == 0 and done.out.count('\nphases:') == 2, done.out
    assert not (tmp_path / 'study').exists()
    words = (*line, '--vary=seed=0', '--epochs=1')
    text = tfae_program.run(*words, cwd=tmp_path).refusal(1)
    assert text.startswith(
        '--measure is loss; study/seed=0/metrics.jsonl has step, phase, epoch, d'
    )
    done = tfae_program.run(*words, '--measure=generator/diversity', cwd=tmp_path)
    assert done.code == 0 and 'validation_generator/diversity' in done.out


@pytest.mark.parametrize(
    'words, text',
    [
        (('--vary=batch_size=1',), '--logdir is empty; it must name the folder of the study'),
        (('--logdir=a',), "--vary is ''; it must be name=value,value"),
        (
            ('--logdir=a', '--vary=batch_size'),
            "--vary is 'batch_size'; it must be name=value,value",
        ),
        (('--logdir=a', '--vary=seed=1;'), "--vary is 'seed=1;'; it must be name=value,value"),
        (
            ('--logdir=a', '--vary=batch_size=1,2; seed=1'),
            '--vary has 2 values of batch_size and 1 values of seed; each flag must have as many',
        ),
        (
            ('--logdir=a', '--vary=seed=1,2; seed=3,4'),
            '--vary has seed twice; it must name each flag once',
        ),
        (('--logdir=a', '--vary=logdir=b'), '--vary has logdir; each run has a folder of its own'),
        (('--logdir=a', '--vary=bach_size=1'), 'tfae train has no flag --bach_size'),
        (('--logdir=a', '--vary=seed=1', '--cluster=worker=a:1'), 'tfae study has no --cluster'),
        (('--logdir=a', '--vary=seed=1', 'b'), "tfae train: 'b' is not a flag"),
    ],
)
def test_a_wrong_line_is_refused(tmp_path, words, text):
    assert tfae_program.run('study', *words, cwd=tmp_path).refusal(2).startswith(text)
    assert not list(tmp_path.iterdir())


def test_values_that_are_lists_are_quoted():
    assert study._combinations('units="8,4","6"; seed=1,2') == [
        ('units=8,4', 'seed=1'),
        ('units=6', 'seed=2'),
    ]
