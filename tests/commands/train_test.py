"""`tfae train`: what its flags do, what it keeps, and what it takes over from elsewhere."""

import json
import re

import numpy as np
import pytest
import tfae_program

from tfae.core import errors
from tfae.runs import options, sessions

SMALL = ('train', '--units=8,4', '--epochs=2')


def trained(folder, *argv, logdir='run'):
    done = tfae_program.run('train', *argv, f'--logdir={logdir}', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    return done


def test_thread_pools_are_those_asked_for(monkeypatch):
    import tensorflow.compat.v1 as tf

    asked = []
    session = tf.Session
    monkeypatch.setattr(
        tf, 'Session', lambda _, graph, config: asked.append(config) or session(graph=graph)
    )
    built = type('Built', (), {'graph': tf.Graph()})
    with sessions.open_session(built.graph, options.Config(inter_op_threads=3, intra_op_threads=5)):
        pass
    (config,) = asked
    assert config.inter_op_parallelism_threads == 3
    assert config.intra_op_parallelism_threads == 5


@pytest.mark.parametrize('name', ['inter_op_threads', 'intra_op_threads', 'towers'])
def test_threads_and_towers_have_a_bound(name):
    """TensorFlow crashes on 2^31 - 1 threads."""
    with pytest.raises(errors.UsageError, match=rf'--{name} is 1025; .* \[0, 1024\]'):
        options.Config(**{name: 1025})


# What a run keeps.


def test_checkpoints_come_and_stay_as_asked(tmp_path):
    trained(tmp_path, *SMALL[1:], '--checkpoint_steps=7', '--keep_checkpoints=4')
    assert tfae_program.steps(tmp_path / 'run') == [21, 28, 35, 41]
    # Steps alone would ask for one at the end; the clock is looked at when an epoch ends.
    trained(tmp_path, *SMALL[1:], logdir='seldom')
    assert tfae_program.steps(tmp_path / 'seldom') == [0, 41]
    trained(tmp_path, *SMALL[1:], '--checkpoint_secs=0', logdir='often')
    assert tfae_program.steps(tmp_path / 'often') == [0, 21, 41]


def test_the_best_checkpoint_is_that_of_the_least_validation_loss(tmp_path):
    # Three steps an epoch, and so large a learning rate that the loss goes up and down.
    argv = ('--units=12,4', '--epochs=200', '--optimizer=momentum', '--learning_rate=8')
    argv = (*argv, '--batch_size=431', '--corruption=dropout:0.5', '--early_stopping_epochs=2')
    trained(tmp_path, *argv, '--checkpoint_steps=3', '--keep_checkpoints=1000')
    run = tmp_path / 'run'
    records = tfae_program.metrics(run)
    losses = [record['validation_loss'] for record in records]
    best = records[int(np.argmin(losses))]['step']
    assert tfae_program.steps(run / 'best') == [best]
    assert best != records[-1]['step'], losses  # else the test shows nothing
    kept, whole = tfae_program.checkpoint(run / 'best'), tfae_program.checkpoint(run, best)
    assert kept.keys() == {name for name in whole if name.split('/')[-1] in ('kernel', 'bias')}
    assert all(np.array_equal(kept[name], whole[name]) for name in kept)


def test_metrics_hold_a_line_an_epoch(tmp_path):
    trained(tmp_path, *SMALL[1:], '--likelihood=bernoulli')
    lines = (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record['step'] for record in records] == [21, 41]
    assert [record['epoch'] for record in records] == [1, 2]
    for record in records:
        assert record['phase'] == 'training'
        assert {'loss', 'validation_loss', 'validation_mse'} <= record.keys()
        assert record['examples_per_second'] > 0
        assert 0 <= record['input_wait'] <= 1


def test_without_validation_examples_there_is_no_best(tmp_path):
    trained(tmp_path, *SMALL[1:], '--validation_fraction=0')
    (record, _) = tfae_program.metrics(tmp_path / 'run')
    assert not [name for name in record if name.startswith('validation')]
    assert not (tmp_path / 'run' / 'best').exists()
    assert tfae_program.run('evaluate', '--logdir=run', cwd=tmp_path).code == 0


def test_no_epoch_leaves_the_initial_variables(tmp_path):
    trained(tmp_path, '--units=8,4', '--epochs=0')
    assert tfae_program.steps(tmp_path / 'run') == [0]
    assert tfae_program.run('evaluate', '--logdir=run', cwd=tmp_path).code == 0


def test_seeds_differ_and_repeat(tmp_path):
    for logdir, seed in (('a', 1), ('b', 1), ('c', 2)):
        trained(tmp_path, *SMALL[1:], f'--seed={seed}', '--corruption=masking:0.5', logdir=logdir)
    a, b, c = (tfae_program.checkpoint(tmp_path / name) for name in 'abc')
    assert tfae_program.same_bytes(a, b)
    assert not tfae_program.same_bytes(a, c)


# What a run takes over.


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A folder with a run, and its variables as .npz."""
    folder = tmp_path_factory.mktemp('source')
    trained(folder, *SMALL[1:])
    export = ('variables', '--logdir=run', '--export=weights.npz', '--scope=encoder')
    export = (*export, '--collection=trainable_variables')
    assert tfae_program.run(*export, cwd=folder).code == 0
    return folder


def printed(done):
    """`kind: a, b` lines of what became of the variables."""
    found = {}
    for line in done.out.splitlines():
        kind, _, names = line.partition(': ')
        if kind in ('loaded', 'new', 'ignored'):
            found[kind] = [] if names == 'none' else names.split(', ')
    return found


def at_start(logdir):
    return tfae_program.checkpoint(logdir, 0)


ENCODER = [f'encoder/layer_{i}/{name}' for i in (1, 2) for name in ('kernel', 'bias')]
DECODER = [name.replace('encoder', 'decoder') for name in ENCODER]


@pytest.mark.parametrize('kind', ['run', 'checkpoint', 'npz'])
def test_a_run_restores_what_matches_by_name(tmp_path, source, kind):
    place = {'run': source / 'run', 'checkpoint': source / 'run' / 'model-41'}
    path = place.get(kind, source / 'weights.npz')
    # Of another code size: the first layer alone has the same shapes.
    words = ('--units=8,5', '--epochs=1', f'--restore_from={path}')
    found = printed(trained(tmp_path, *words))
    first = {name for name in (*ENCODER, *DECODER) if 'layer_1' in name}
    known = tfae_program.checkpoint(source / 'run')
    if kind == 'npz':
        known = {name: known[name] for name in ENCODER}
        first -= set(DECODER)
    else:
        first |= {'decoder/layer_2/bias'}  # of the first layer's size
    assert set(found['loaded']) == first
    assert set(found['new']) == {*ENCODER, *DECODER} - first
    assert set(found['ignored']) == known.keys() - first
    values = at_start(tmp_path / 'run')
    assert all(np.array_equal(values[name], known[name]) for name in first)
    if kind != 'npz':
        assert not np.array_equal(values['encoder/layer_2/bias'], known['encoder/layer_2/bias'])


def test_scopes_are_renamed_on_the_way(tmp_path, source):
    values = np.load(source / 'weights.npz')
    renamed = {name.replace('encoder', 'old/net'): values[name] for name in values.files}
    np.savez(tmp_path / 'old.npz', **renamed)
    words = (*SMALL[1:], '--restore_from=old.npz', '--restore_map=old/net:encoder')
    found = printed(trained(tmp_path, *words))
    assert set(found['loaded']) == set(ENCODER)
    assert set(found['new']) == set(DECODER)
    assert found['ignored'] == []
    start = at_start(tmp_path / 'run')
    assert all(np.array_equal(start[name], values[name]) for name in ENCODER)


def test_a_restored_run_that_is_resumed_does_not_restore_again(tmp_path, source):
    words = (*SMALL[1:], f'--restore_from={source / "weights.npz"}', '--checkpoint_steps=5')
    trained(tmp_path, *words)
    for name in ('model-41.index', 'model-41.data-00000-of-00001'):
        (tmp_path / 'run' / name).unlink()
    done = trained(tmp_path, *words)
    assert not printed(done)
    assert 'run: at step 40 of 41' in done.out


# Recipes.


def recipes():
    """All recipes; those after the first of a family and its training are slow tests."""
    seen = set()
    for path in sorted((tfae_program.ROOT / 'tfae' / 'recipes').glob('*.flags')):
        kind = frozenset(re.findall('--(?:model|pretraining)=.*', path.read_text()))
        yield pytest.param(path.stem, marks=[pytest.mark.slow] if kind in seen else [])
        seen.add(kind)


@pytest.mark.parametrize('recipe', list(recipes()))
def test_a_recipe_runs_in_short(tmp_path, recipe):
    """On two hundred images of its own size, an epoch of each phase."""
    words = [f'--recipe={recipe}', '--dataset=synthetic', '--synthetic_shape=28x28x1']
    words += ['--synthetic_examples=300', '--epochs=1']
    flags = (tfae_program.ROOT / 'tfae' / 'recipes' / f'{recipe}.flags').read_text()
    if '--pretraining=greedy' in flags:
        words += ['--pretraining_epochs=1']
    # What another recipe's run has made, classes, files and more labels than there are here.
    gone = ('restore_from', 'restore_map', 'only_classes', 'without_classes', 'size', 'crop')
    words += [f'--{name}=' for name in gone if f'--{name}=' in flags]
    words += ['--labeled_examples=100'] if '--labeled_examples=' in flags else []
    trained(tmp_path, *words)
    config = json.loads((tmp_path / 'run' / 'config.json').read_text())
    for line in flags.splitlines():
        if line.startswith('--units='):
            assert config['family']['units'] == [int(n) for n in line[8:].split(',') if n]


def test_flags_on_the_line_win_over_those_of_a_recipe(tmp_path):
    from tfae.core.config import text

    words = {'dataset': 'digits', 'units': '5,2', 'epochs': '1'}
    trained(tmp_path, '--recipe=mlp_mnist', *(f'--{k}={v}' for k, v in words.items()))
    content = json.loads((tmp_path / 'run' / 'config.json').read_text())
    flags = {
        k: text(v) for part in content.values() if isinstance(part, dict) for k, v in part.items()
    }
    recipe = (tfae_program.ROOT / 'tfae' / 'recipes' / 'mlp_mnist.flags').read_text()
    asked = dict(line[2:].split('=', 1) for line in recipe.splitlines() if line.startswith('--'))
    asked = {'model': 'dense', **asked, **words}
    assert content['model'] == asked.pop('model')
    for name, wanted in asked.items():
        assert flags[name] == wanted or float(flags[name]) == float(wanted), name
