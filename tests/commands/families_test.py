"""Every family from the command line: trained, killed, resumed, looked into."""

import json
import random
import signal
import time

import own_functions
import pytest
import tfae_program

from tfae import models

SIZES = {
    'dense': ('--units=8,4',),
    'convolutional': ('--filters=3,4',),
    'custom': own_functions.WORDS[1:],
}
SLOW = [pytest.mark.slow]
every_family = pytest.mark.parametrize('family', models.names())


def words(family):
    return ('train', f'--model={family}', *SIZES.get(family, ()), '--epochs=3')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A function: the folder of a run of a family, trained to its end."""
    folder = tmp_path_factory.mktemp('families')

    def get(family):
        if not (folder / family).exists():
            done = tfae_program.run(*words(family), f'--logdir={family}', cwd=folder)
            assert (done.code, done.err) == (0, ''), done
        return folder / family

    return get


@pytest.mark.parametrize(
    'family',
    [pytest.param(family, marks=[] if family == 'gan' else SLOW) for family in models.names()],
)
def test_a_killed_run_ends_byte_identical(tmp_path, trained, family):
    whole, logdir = trained(family), tmp_path / 'run'
    argv = (*words(family), '--checkpoint_steps=5', f'--logdir={logdir}')
    chance = random.Random(time.time_ns())
    begun, past_an_epoch = logdir / 'config.json', logdir / 'metrics.jsonl'
    for sign in (begun, past_an_epoch):
        program = tfae_program.start(*argv, cwd=tmp_path)
        if tfae_program.wait_for(sign.exists, program):
            time.sleep(chance.uniform(0, 0.1))
        assert program.kill().code in (0, -signal.SIGKILL)
    assert tfae_program.run(*argv, cwd=tmp_path).code == 0
    assert tfae_program.same_bytes(tfae_program.checkpoint(logdir), tfae_program.checkpoint(whole))
    assert tfae_program.metrics(logdir) == tfae_program.metrics(whole)


@every_family
def test_a_run_that_has_ended_is_left_as_it_is(trained, family):
    logdir = trained(family)
    before = {path: path.read_bytes() for path in logdir.rglob('*') if path.is_file()}
    done = tfae_program.run(*words(family), f'--logdir={family}', cwd=logdir.parent)
    assert done.code == 0
    assert 'finished at step' in done.out
    assert {path: path.read_bytes() for path in logdir.rglob('*') if path.is_file()} == before


@every_family
def test_evaluate_measures_finite_numbers(trained, family):
    logdir = trained(family)
    done = tfae_program.run('evaluate', f'--logdir={family}', cwd=logdir.parent)
    assert (done.code, done.err) == (0, ''), done
    measured = json.loads((logdir / 'evaluation.json').read_text())
    assert measured['examples'] == 360
    assert measured['parameters'] > 0
    numbers = [value for value in measured.values() if isinstance(value, float)]
    assert all(abs(number) < float('inf') for number in numbers)


@every_family
@pytest.mark.parametrize('command, field', [('reconstruct', 'reconstruction'), ('embed', 'code')])
def test_a_command_works_or_says_what_the_family_lacks(trained, family, command, field):
    logdir = trained(family)
    done = tfae_program.run(command, f'--logdir={family}', cwd=logdir.parent)
    if field in models.load(family).Outputs._fields:
        assert (done.code, done.err) == (0, ''), done
    else:
        text = done.refusal(1)
        assert f'a run of the family {family}, has no {field}; it must be a run of ' in text


@every_family
def test_variables_are_listed_by_collection_and_scope(trained, family):
    logdir = trained(family)
    done = tfae_program.run(
        'variables', f'--logdir={family}', '--collection=trainable_variables', cwd=logdir.parent
    )
    assert (done.code, done.err) == (0, ''), done
    assert len(done.out.splitlines()) > 2


def test_a_convolutional_stack_is_pretrained_layer_by_layer(tmp_path):
    argv = ('--model=convolutional', '--filters=3,4', '--units=5', '--upsampling=deconvolution')
    argv = (*argv, '--pretraining=greedy', '--pretraining_epochs=1', '--epochs=1', '--logdir=run')
    done = tfae_program.run('train', *argv, cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    phases = [record['phase'] for record in tfae_program.metrics(tmp_path / 'run')]
    assert phases == [*(f'pretraining/layer_{i}' for i in (1, 2, 3)), 'fine_tuning']


def test_a_family_without_layers_or_head_refuses_their_phases(tmp_path):
    for words, text in (
        (('--model=dense', '--head_epochs=1'), '--head_epochs is 1; this family has no layers o'),
        (('--model=convolutional', '--head_epochs=1'), '--head_epochs is 1; this family has '),
        (('--model=gan', '--pretraining=greedy'), '--pretraining is greedy; this family has no '),
    ):
        # Before data are loaded.
        words = (*words, '--dataset=npz', '--data_dir=absent.npz', '--logdir=run')
        assert text in tfae_program.run('train', *words, cwd=tmp_path).refusal(2)
        assert not (tmp_path / 'run').exists()
