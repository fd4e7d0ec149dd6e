"""`tfae variables`: what tf.get_collection would give, its statistics, and the same as .npz."""

import numpy as np
import pytest
import tfae_program

from tfae.commands import variables
from tfae.core import errors

ENCODER = [f'encoder/layer_{i}/{name}' for i in (1, 2) for name in ('kernel', 'bias')]
DECODER = [f'decoder/layer_{i}/{name}' for i in (2, 1) for name in ('kernel', 'bias')]


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('variables')
    words = ('--units=12,4', '--pretraining=greedy', '--pretraining_epochs=1', '--epochs=2')
    assert tfae_program.run('train', *words, '--logdir=run', cwd=folder).code == 0
    return folder / 'run'


def listed(run, *words):
    """Name -> the other columns of its line."""
    done = tfae_program.run('variables', '--logdir=run', *words, cwd=run.parent)
    assert (done.code, done.err) == (0, '')
    _, header, *lines = done.out.splitlines()
    assert header.split() == ['name', 'shape', 'type', 'mean', 'std', 'min', 'max', 'collections']
    ends = [i for i, line in enumerate(lines) if line.split()[1:2] == ['variables,']]
    rows = [line.split() for line in lines[: ends[0]]]
    return {row[0]: row[1:] for row in rows}


def test_all_variables_are_those_of_the_newest_checkpoint(run):
    assert listed(run, '--checkpoint=last').keys() == tfae_program.checkpoint(run).keys()


def test_the_trainable_ones_are_those_of_the_model(run):
    found = listed(run, '--collection=trainable_variables')
    assert list(found) == ENCODER + DECODER


@pytest.mark.parametrize(
    'scope, names',
    [
        ('encoder', ENCODER),
        ('encoder/layer_1', ENCODER[:2]),
        ('encoder/layer_1/kernel', ENCODER[:1]),
        ('encoder/lay', ENCODER),  # the start of a name, which need not be a whole scope
        ('decoder/layer_2', DECODER[:2]),
        ('.*coder/layer_2', [*ENCODER[2:], *DECODER[:2]]),  # tf.get_collection uses re.match
    ],
)
def test_a_scope_means_what_it_means_to_get_collection(run, scope, names):
    found = listed(run, '--collection=trainable_variables', f'--scope={scope}')
    assert list(found) == names


def test_statistics_are_those_of_the_values(run):
    values = tfae_program.checkpoint(run)
    for name, row in listed(run, '--checkpoint=last').items():
        value = values[name]
        assert row[0] == ('x'.join(map(str, value.shape)) or 'scalar')
        assert row[1] == value.dtype.name
        wanted = [value.mean(), value.std(), value.min(), value.max()]
        assert [float(text) for text in row[2:6]] == pytest.approx(wanted, rel=1e-3, abs=1e-30)
        collections = row[6].split(',')
        assert 'variables' in collections
        assert ('trainable_variables' in collections) == (name in ENCODER + DECODER)


def test_the_export_equals_the_checkpoint(run):
    for words, names in (
        (('--checkpoint=last',), tfae_program.checkpoint(run).keys()),
        (('--checkpoint=last', '--scope=encoder', '--collection=trainable_variables'), ENCODER),
    ):
        path = run.parent / 'weights.npz'
        listed(run, *words, f'--export={path}')
        with np.load(path, allow_pickle=False) as file:
            exported = {name: file[name] for name in file.files}
        wanted = {name: tfae_program.checkpoint(run)[name] for name in names}
        assert tfae_program.same_bytes(exported, wanted)
    assert [path for path in run.parent.iterdir() if path.name.startswith('.')] == []


def test_best_and_last_differ_where_training_went_on(run):
    best, last = (
        listed(run, f'--checkpoint={which}', '--collection=trainable_variables')
        for which in ('best', 'last')
    )
    same = tfae_program.steps(run / 'best')[-1] == tfae_program.steps(run)[-1]
    assert (best == last) == same


def test_what_names_nothing_is_refused(run):
    argv = ('variables', '--logdir=run')
    done = tfae_program.run(*argv, '--collection=trainable', cwd=run.parent)
    line = done.refusal(2)
    assert line.startswith("--collection is 'trainable'; it must be one of ")
    assert line.endswith('did you mean variables, trainable_variables?')
    line = tfae_program.run(*argv, '--scope=endoder', cwd=run.parent).refusal(1)
    assert line == "--scope 'endoder' matches no name in collection variables"


def test_an_export_that_cannot_be_written_is_refused(run):
    argv = ('variables', '--logdir=run', '--export=run/config.json/weights.npz')
    assert 'run/config.json' in tfae_program.run(*argv, cwd=run.parent).refusal(1)


@pytest.mark.parametrize(
    'scope', ['[', '(' * 5000, '*', 'a{2,1}', '(?P<a>.)(?P<a>.)', 'a{99999999999}']
)
def test_a_scope_that_is_no_regular_expression_is_a_usage_error(scope):
    with pytest.raises(
        errors.UsageError, match='^--scope is .*; it must be a regular expression: '
    ):
        variables.Config(logdir='run', scope=scope)
