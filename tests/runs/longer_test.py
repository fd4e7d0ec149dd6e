"""A run that is given more epochs ends as if it had been given them from the start."""

import dataclasses
import json
import math
import types

import pytest
import tfae_program
from plain_checkpoints import break_
from workers import Workers

from tfae.core import errors
from tfae.runs import directory, fit
from tfae.training.config import TrainingConfig
from tfae.training.experiment import Experiment

OFTEN = ('--checkpoint_steps=7', '--summary_steps=10', '--batch_size=128')
STEPS = math.ceil(3 * 1293 / 128)  # of three epochs of the digits
DENSE = ('train', '--units=8,4', '--corruption=masking:0.3', *OFTEN)
GREEDY = (*DENSE, '--pretraining=greedy', '--pretraining_epochs=1,2')
HEAD = ('train', '--model=classifier', '--units=8,4', '--dropout=0.2', '--head_epochs=1', *OFTEN)
GAN = ('train', '--model=gan', '--units=8', '--code_size=3', '--batch_normalization', *OFTEN)
WARM = (*DENSE, '--warmup_epochs=4', '--optimizer=momentum', '--weight_decay=0.01')
STOPPING = (*DENSE, '--early_stopping_epochs=2', '--learning_rate=0.3')


def trained(folder, *argv):
    done = tfae_program.run(*argv, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    return done


def assert_same(run, whole):
    """Every variable, every line of metrics but its times, and the best checkpoint."""
    assert tfae_program.steps(run)[-1] == tfae_program.steps(whole)[-1]
    assert tfae_program.same_bytes(tfae_program.checkpoint(run), tfae_program.checkpoint(whole))
    assert tfae_program.metrics(run) == tfae_program.metrics(whole)
    assert tfae_program.steps(run / 'best') == tfae_program.steps(whole / 'best')
    if (whole / 'best').exists():
        best = tfae_program.checkpoint(run / 'best')
        assert tfae_program.same_bytes(best, tfae_program.checkpoint(whole / 'best'))


def history(run):
    content = json.loads((run / 'config.json').read_text())
    return [(entry['epochs'], entry['step']) for entry in content['history']]


@pytest.mark.parametrize(
    'argv',
    [
        pytest.param(DENSE, id='dense', marks=pytest.mark.slow),
        pytest.param(GREEDY, id='greedy'),
        pytest.param(HEAD, id='head', marks=pytest.mark.slow),
        pytest.param(GAN, id='gan', marks=pytest.mark.slow),
        pytest.param(WARM, id='warmup', marks=pytest.mark.slow),
        pytest.param(STOPPING, id='early_stopping', marks=pytest.mark.slow),
    ],
)
def test_a_longer_run_equals_one_of_that_length(tmp_path, argv):
    trained(tmp_path, *argv, '--epochs=6', '--logdir=whole')
    trained(tmp_path, *argv, '--epochs=3', '--logdir=run')
    first = tfae_program.steps(tmp_path / 'run')[-1]
    done = trained(tmp_path, 'train', '--logdir=run', '--epochs=6', *OFTEN)
    assert f'\nrun: 6 epochs instead of 3, from step {first:,} on\n' in done.out
    assert 'tfae: warning: --learning_rate_decay' not in done.out
    assert_same(tmp_path / 'run', tmp_path / 'whole')
    assert history(tmp_path / 'run') == [(3, 0), (6, first)]
    # Flags that are left out keep the new length.
    assert 'finished at step' in trained(tmp_path, 'train', '--logdir=run').out.splitlines()[-1]


@pytest.mark.slow
def test_a_run_killed_in_its_longer_part_and_resumed_equals_the_whole(tmp_path):
    trained(tmp_path, *GREEDY, '--epochs=30', '--logdir=whole')
    trained(tmp_path, *GREEDY, '--epochs=3', '--logdir=run')
    run = tmp_path / 'run'
    before = len(tfae_program.metrics(run))
    program = tfae_program.start(
        'train', '--logdir=run', '--epochs=30', '--checkpoint_steps=7', cwd=tmp_path
    )
    tfae_program.wait_for(lambda: len(tfae_program.metrics(run)) >= before + 3, program)
    assert program.kill().code == -9
    trained(tmp_path, 'train', '--logdir=run')
    assert_same(run, tmp_path / 'whole')
    assert [epochs for epochs, _ in history(run)] == [3, 30]


def test_a_run_stopped_while_it_is_pretrained_may_become_longer_or_shorter(tmp_path):
    argv = (*GREEDY, '--learning_rate_decay=cosine')
    trained(tmp_path, *argv, '--epochs=2', '--logdir=whole')
    program = tfae_program.start(*argv, '--epochs=9', '--logdir=run', cwd=tmp_path)
    run = tmp_path / 'run'
    tfae_program.wait_for(lambda: len(tfae_program.steps(run)) >= 2, program)
    program.kill()
    if tfae_program.steps(run)[-1] > 31:  # of 3 epochs of pretraining
        pytest.skip('the kill came too late')
    done = trained(tmp_path, 'train', '--logdir=run', '--epochs=2', *OFTEN)
    assert 'tfae: warning: --learning_rate_decay' not in done.out  # the course had not begun
    assert_same(run, tmp_path / 'whole')
    assert [epochs for epochs, _ in history(run)] == [9, 2]


def test_a_run_cut_to_what_it_has_made_is_said_to_depend_on_its_epochs(capsys):
    phase = types.SimpleNamespace(epochs=2, start=0, stop=42)
    job = types.SimpleNamespace(
        built=types.SimpleNamespace(programs=[types.SimpleNamespace(phase=phase)]),
        experiment=Experiment(learning_rate_decay='cosine', epochs=2),
    )
    folder = types.SimpleNamespace(path='run', change_epochs=lambda epochs, step: None)
    fit._change_epochs(job, folder, 9, 42)
    assert capsys.readouterr().out.splitlines()[1] == (
        'tfae: warning: --learning_rate_decay=cosine depends on --epochs: up to step 42 the '
        'learning rate followed the schedule of 9 epochs; the result differs from that of 2 '
        'epochs from the start'
    )


@pytest.mark.parametrize(
    'decay',
    [*(pytest.param(k, marks=pytest.mark.slow) for k in ('linear', 'exponential')), 'cosine'],
)
def test_a_course_over_all_epochs_is_said_to_depend_on_them(tmp_path, decay):
    argv = (*DENSE, f'--learning_rate_decay={decay}')
    trained(tmp_path, *argv, '--epochs=3', '--logdir=run')
    done = trained(tmp_path, *argv, '--epochs=6', '--logdir=run')
    assert (
        f'tfae: warning: --learning_rate_decay={decay} depends on --epochs: up to step {STEPS} the '
        f'learning rate followed the schedule of 3 epochs, from there on it follows that of 6; the '
        f'result differs from that of 6 epochs from the start'
    ) in done.out.splitlines()
    trained(tmp_path, *argv, '--epochs=6', '--logdir=whole')
    rates = [tfae_program.scalars(tmp_path / name) for name in ('run', 'whole')]
    run, whole = (dict(found['train/batch/learning_rate']) for found in rates)
    for step in range(40, 61, 10):
        assert run[step] == whole[step]
    assert run[30] != whole[30]


def test_fewer_epochs_than_made_are_refused_and_nothing_changes(tmp_path):
    trained(tmp_path, *DENSE, '--epochs=3', '--logdir=run')
    kept = tfae_program.contents(tmp_path / 'run')
    done = tfae_program.run('train', '--logdir=run', '--epochs=2', cwd=tmp_path)
    assert done.refusal(2) == (
        f'--epochs is 2; the run in --logdir run has completed 3 ({STEPS} steps): give 3 or '
        f'more, or choose another folder'
    )
    assert tfae_program.contents(tmp_path / 'run') == kept


def test_epochs_made_are_those_of_the_last_phase(tmp_path):
    trained(tmp_path, *GREEDY, '--epochs=2', '--logdir=run')
    done = tfae_program.run('train', '--logdir=run', '--epochs=1', cwd=tmp_path)
    last = tfae_program.steps(tmp_path / 'run')[-1]
    assert done.refusal(2) == (
        f'--epochs is 1; the run in --logdir run has completed 2 ({last} steps): give 2 or more, '
        f'or choose another folder'
    )


def test_a_run_without_a_history_gets_one_from_the_step_that_is_loaded_on(tmp_path):
    trained(tmp_path, *DENSE, '--epochs=1', '--logdir=run')
    path = tmp_path / 'run' / 'config.json'
    content = json.loads(path.read_text())
    assert [entry['epochs'] for entry in content.pop('history')] == [1]
    content['versions']['tfae'] = '0.1.0'
    path.write_text(json.dumps(content))
    break_(tmp_path / 'run' / 'model-11.index', 'noise')
    done = trained(tmp_path, 'train', '--logdir=run', '--epochs=2', *OFTEN)
    assert '\nrun: 2 epochs instead of 1, from step 7 on\n' in done.out
    changed = json.loads(path.read_text())
    first, second = changed.pop('history')
    assert first == {'epochs': 1, 'step': 0, 'when': None}
    assert (second['epochs'], second['step']) == (2, 7)
    content['training']['epochs'] = 2
    assert changed == content


@pytest.mark.parametrize(
    'history',
    [
        3,
        ['a'],
        [{'epochs': -3, 'step': 0, 'when': None}],
        [{'epochs': 1, 'step': 'a', 'when': None}],
        [{'epochs': 1, 'step': 10**30, 'when': None}],
        [{'epochs': 1, 'step': 0, 'when': 5}],
    ],
)
def test_a_broken_history_is_named_and_left_as_it_is(tmp_path, history):
    folder = directory.Folder(tmp_path)
    written = {'training': {'epochs': 1}, 'history': history}
    (tmp_path / 'config.json').write_text(json.dumps(written))
    with pytest.raises(errors.InputError, match='config.json: history must be a list of objects'):
        folder.change_epochs(2, 11)
    assert json.loads((tmp_path / 'config.json').read_text()) == written


def test_absurdly_many_epochs_are_refused_and_leave_the_run_as_it_is(tmp_path):
    trained(tmp_path, *DENSE, '--epochs=1', '--logdir=run')
    before = (tmp_path / 'run' / 'config.json').read_bytes()
    done = tfae_program.run('train', '--logdir=run', f'--epochs={10**22}', cwd=tmp_path)
    assert done.refusal(2) == f'--epochs is {10**22}; it must lie in [-1, 1000000000]'
    assert (tmp_path / 'run' / 'config.json').read_bytes() == before


def test_the_projector_shows_the_codes_of_the_longer_run(tmp_path):
    trained(tmp_path, *DENSE, '--epochs=2', '--logdir=whole')
    trained(tmp_path, *DENSE, '--epochs=1', '--logdir=run')
    trained(tmp_path, 'train', '--logdir=run', '--epochs=2')
    run, whole = (tmp_path / name / 'projector' / 'codes.tsv' for name in ('run', 'whole'))
    assert run.read_bytes() == whole.read_bytes()


def test_workers_train_longer_what_the_chief_has_kept(tmp_path):
    flags = ('--batch_size=48', '--units=8,4', '--checkpoint_steps=20')
    trained(tmp_path, 'train', *flags, '--epochs=2', '--logdir=alone')
    workers = Workers(tmp_path, 2, 'train', *flags, '--epochs=1')
    assert [done.code for done in workers.wait()] == [0, 0]
    workers = Workers(tmp_path, 2, 'train', *flags, '--epochs=2')
    assert [(done.code, done.err) for done in workers.wait()] == [(0, '')] * 2
    assert history(workers.logdir) == [(1, 0), (2, 27)]
    assert tfae_program.steps(workers.logdir)[-1] == tfae_program.steps(tmp_path / 'alone')[-1]


def test_a_run_that_cannot_be_read_is_not_given_more_epochs(tmp_path):
    trained(tmp_path, *DENSE, '--epochs=1', '--logdir=run')
    path = tmp_path / 'run' / 'config.json'
    text = path.read_text().replace('"optimizer": "adam"', '"optimizer": "momentum"')
    path.write_text(text)
    done = tfae_program.run('train', '--logdir=run', '--epochs=2', cwd=tmp_path)
    assert 'does not fit' in done.refusal(1)
    assert path.read_text() == text


def test_default_epochs_of_a_small_set_are_recorded_and_those_of_a_run_are_kept(tmp_path):
    small = ('--dataset=synthetic', '--synthetic_shape=4x4x1', '--batch_size=8')
    done = trained(
        tmp_path, 'train', '--units=2', *small, '--synthetic_examples=400', '--logdir=run'
    )
    run = tmp_path / 'run'
    experiment = directory.Folder(run).read_config()
    epochs = experiment.training.epochs
    batch, count = experiment.training.batch_size, experiment.signature.train
    assert 'finished at step 2,0' in done.out
    assert epochs == math.ceil(2_000 * batch / count) > 10
    trained(tmp_path, 'train', f'--epochs={epochs + 1}', '--logdir=run')
    asked = dataclasses.replace(experiment.training, epochs=TrainingConfig.epochs)
    assert fit.fit(dataclasses.replace(experiment, training=asked), run) == 0
    assert [entry[0] for entry in history(run)] == [epochs, epochs + 1]
