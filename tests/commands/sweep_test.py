"""`tfae sweep`: its trials, its objective on validation data, its test, and what it refuses."""

import json
import math
import signal
import statistics

import numpy as np
import pytest
import tfae_program
from matplotlib import image

from tfae.runs.directory import Folder

SMALL = ('--dataset=synthetic', '--synthetic_examples=200', '--units=4', '--epochs=1')
GRID = ('sweep', '--logdir=s', '--search=grid', '--vary=learning_rate=0.1|0.0001', *SMALL)


def swept(folder, *words):
    done = tfae_program.run(*words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    return done, json.loads((folder / 's' / 'trials.json').read_text())


@pytest.fixture(scope='module')
def grid(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sweep')
    words = (*GRID, '--seeds=2', '--seed=5', '--objective=evaluate:mse', '--jobs=2')
    done, found = swept(folder, *words)
    return folder, words, done, found


def test_each_trial_is_the_mean_of_runs_on_the_validation_split(grid):
    folder, _, done, found = grid
    assert [row['learning_rate'] for row in found['trials']] == ['0.1', '0.0001']
    for i, row in enumerate(found['trials']):
        for k, seed in enumerate((5, 6)):
            run = folder / 's' / f'trial_{i:03}' / f'seed_{seed}'
            experiment = Folder(run).read_config()
            assert experiment.training.seed == seed
            assert experiment.training.learning_rate == float(row['learning_rate'])
            measured = json.loads((run / 'evaluation.json').read_text())
            assert measured['split'] == 'validation'
            assert row['by_seed'][k] == measured['mse']
        assert row['objective'] == pytest.approx(np.mean(row['by_seed']))
        assert row['deviation'] == pytest.approx(statistics.stdev(row['by_seed']))
    best = min((0, 1), key=lambda i: found['trials'][i]['objective'])
    row = found['trials'][best]
    cells = [f'{best}*', row['learning_rate'], f'{row["objective"]:.5g}']
    assert cells in [line.split()[:3] for line in done.out.splitlines()]
    pixels = image.imread(folder / 's' / 'trials.png')[..., :3]
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50  # not blank


def test_a_sweep_that_lost_a_run_has_the_same_table(grid):
    folder, words, _, _ = grid
    before = (folder / 's' / 'trials.json').read_bytes()
    first, second = (folder / 's' / 'trial_001' / f'seed_{k}.json' for k in (5, 6))
    kept = second.stat().st_mtime_ns
    first.unlink()
    (folder / 's' / 'trials.json').unlink()
    swept(folder, *words)
    assert (folder / 's' / 'trials.json').read_bytes() == before
    assert second.stat().st_mtime_ns == kept  # measured once


def test_another_sweep_in_its_folder_is_refused(grid):
    folder, words, _, _ = grid
    for more, text in (
        (('--objective=evaluate:bce',), '--logdir s is a sweep with another --objective'),
        (('--seeds=3',), '--logdir s is a sweep with another --seeds: 2, not 3'),
        (('--activation=elu',), '--logdir s is a sweep with another flags of tfae train'),
    ):
        assert tfae_program.run(*words, *more, cwd=folder).refusal(1).startswith(text)
    run = ('sweep', '--logdir=s/trial_000/seed_5', *SMALL)
    assert 'is a run' in tfae_program.run(*run, cwd=folder).refusal(1)


def test_the_test_split_is_touched_once_and_by_the_chosen_trial(tmp_path):
    words = ('sweep', '--logdir=s', '--vary=learning_rate=log:0.0001..0.1', *SMALL)
    swept(tmp_path, *words, '--trials=2')
    assert not (tmp_path / 's' / 'chosen.json').exists()
    done, found = swept(tmp_path, *words, '--trials=3', '--test')
    chosen = json.loads((tmp_path / 's' / 'chosen.json').read_text())
    best = min(range(3), key=lambda i: found['trials'][i]['objective'])
    assert chosen['trial'] == best
    for i in range(3):
        path = tmp_path / 's' / f'trial_{i:03}' / 'seed_0' / 'evaluation.json'
        assert path.exists() == (i == best)
        if i == best:
            measured = json.loads(path.read_text())
            assert measured['split'] == 'test' and chosen['test']['mse'] == [measured['mse']]
            assert f'mse                    {measured["mse"]:.5g}' in done.out
        records = Folder(path.parent).metrics()
        losses = [record['validation_loss'] for record in records]
        assert found['trials'][i]['objective'] == min(losses)
    assert swept(tmp_path, *words, '--trials=3', '--test')[0].out == done.out
    for trials in (2, 4):
        refused = tfae_program.run(*words, f'--trials={trials}', cwd=tmp_path).refusal(1)
        assert refused.startswith('--logdir s was evaluated on the test split after 3 trials')


def test_a_trial_of_which_a_run_diverges_is_not_chosen(tmp_path):
    words = ('--vary=learning_rate=1e30|0.5', '--optimizer=sgd', '--activation=linear')
    line = ('sweep', '--logdir=s', '--search=grid', *words, '--likelihood=bernoulli', *SMALL)
    done, found = swept(tmp_path, *line, '--epochs=2', '--seeds=2')
    first, second = found['trials']
    assert math.isnan(float(first['objective'])) and first['deviation'] is None
    assert second['objective'] > 0 and second['deviation'] > 0
    assert '0      1e30           diverged         -' in done.out and '\n1*' in done.out
    again, _ = swept(tmp_path, *line, '--epochs=2', '--seeds=2')
    assert again.out == done.out


def test_an_objective_of_training_is_that_of_the_last_phase(tmp_path):
    words = ('--pretraining=greedy', '--pretraining_epochs=1', '--units=8,4')
    _, found = swept(tmp_path, 'sweep', '--logdir=s', *SMALL[:2], *words, '--epochs=2')
    records = Folder(tmp_path / 's' / 'trial_000' / 'seed_0').metrics()
    losses = [r['validation_loss'] for r in records if r['phase'] == 'fine_tuning']
    others = [r['validation_loss'] for r in records if r['phase'] != 'fine_tuning']
    assert found['trials'][0]['objective'] == min(losses)
    assert len(losses) == 2 and min(others) != min(losses)


@pytest.mark.parametrize('jobs', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_signal_stops_all_runs_and_the_sweep_resumes(tmp_path, jobs):
    vary = ('--vary=batch_size=8|16|24', '--search=grid')
    words = ('sweep', '--logdir=s', *vary, *SMALL[:3], '--epochs=60', f'--jobs={jobs}')
    program = tfae_program.start(*words, cwd=tmp_path)
    first = tmp_path / 's' / 'trial_000' / 'seed_0' / 'metrics.jsonl'
    tfae_program.wait_for(lambda: first.exists() and first.stat().st_size, program)
    program.send(signal.SIGTERM)
    assert program.wait().code == 143
    assert not (tmp_path / 's' / 'trial_002' / 'seed_0' / 'config.json').exists()
    done, found = swept(tmp_path, *words)
    for i, size in enumerate((8, 16, 24)):
        assert found['trials'][i]['batch_size'] == str(size)
    alone = ('train', *SMALL[:3], '--epochs=60', '--batch_size=8', '--logdir=alone')
    assert tfae_program.run(*alone, cwd=tmp_path).code == 0
    losses = [record['validation_loss'] for record in Folder(tmp_path / 'alone').metrics()]
    assert found['trials'][0]['objective'] == min(losses)


def test_results_of_other_values_are_not_taken(tmp_path):
    words = ('sweep', '--logdir=s', '--vary=learning_rate=0.1..0.2', *SMALL, '--trials=1')
    swept(tmp_path, *words)
    path = tmp_path / 's' / 'trial_000' / 'seed_0.json'
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, 'values': {'learning_rate': '0.15'}}))
    assert 'this search proposes' in tfae_program.run(*words, cwd=tmp_path).refusal(1)


def test_a_mistake_costs_no_training_and_does_not_take_the_folder(tmp_path):
    for words, code, text in (
        (('--vary=learning_rat=1|2',), 2, 'has no flag --learning_rat'),
        (('--vary=units=4|8',), 2, '--vary has units, and --units is given too'),
        (('--vary=learning_rate=0.5|0.9', '--batch_size=999'), 2, '--batch_size is 999'),
        (('--seed=abc',), 2, "--seed is 'abc'; it must be an integer"),
    ):
        line = ('sweep', '--logdir=s', *words, *SMALL)
        assert text in tfae_program.run(*line, cwd=tmp_path).refusal(code)
        assert not (tmp_path / 's').exists()
    line = ('sweep', '--logdir=s', *SMALL)
    refused = tfae_program.run(*line, '--objective=phase', cwd=tmp_path).refusal(1)
    assert '--objective is phase; metrics.jsonl has step, phase' in refused
    swept(tmp_path, *line, '--objective=loss')


def test_a_sweep_without_axes_measures_one_configuration(tmp_path):
    words = ('sweep', '--logdir=s', *SMALL, '--seeds=2', '--objective=loss')
    done, found = swept(tmp_path, *words)
    (row,) = found['trials']
    assert len(row['by_seed']) == 2 and row['by_seed'][0] != row['by_seed'][1]
    assert not (tmp_path / 's' / 'trials.png').exists()


def test_a_run_that_fails_ends_the_sweep_with_its_error(tmp_path):
    words = ('sweep', '--logdir=s', '--vary=units=4|4,x', '--search=grid', *SMALL[:2])
    refused = tfae_program.run(*words, '--epochs=1', cwd=tmp_path).refusal(2)
    assert '--units=4,x' in refused and 'it must be' in refused
    words = ('sweep', '--logdir=t', *SMALL, '--objective=evaluate:error')
    refused = tfae_program.run(*words, cwd=tmp_path).refusal(1)
    assert '--objective is evaluate:error; evaluation.json has split, ' in refused


@pytest.mark.parametrize(
    'words, text',
    [
        ((), '--logdir is empty; it must name the folder of the sweep'),
        (('--logdir=a', '--vary=seed=1|2'), '--vary has seed; use --seeds'),
        (('--logdir=a', '--vary=logdir=b'), '--vary has logdir; each run has a folder of its own'),
        (('--logdir=a', '--vary=a=1..2', '--search=grid'), '--search is grid, which needs lists'),
        (('--logdir=a', '--objective=sample:x'), "--objective is 'sample'; it must be one of"),
        (('--logdir=a', '--objective=evaluate:'), "--objective is 'evaluate:'; it must be COMMAND"),
        (('--logdir=a', '--cluster=worker=a:1'), 'tfae sweep has no --cluster'),
        (('--logdir=a', '--dry_run'), 'tfae sweep has no --dry_run; give it to tfae train'),
        (('--logdir=a', '--jobs=0'), '--jobs is 0; it must lie in [1, 64]'),
    ],
)
def test_a_wrong_line_is_refused(tmp_path, words, text):
    assert tfae_program.run('sweep', *words, cwd=tmp_path).refusal(2).startswith(text)
    assert not list(tmp_path.iterdir())
