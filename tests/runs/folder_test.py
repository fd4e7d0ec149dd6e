"""The folder of a run: of any name, of one model, without links, read while it is written."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program
from plain_checkpoints import without_configuration

import tfae

DENSE = ('train', '--dataset=digits', '--units=12,4')
SHORT = (*DENSE, '--epochs=1')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A finished run that no test changes."""
    folder = tmp_path_factory.mktemp('trained')
    assert tfae_program.run(*SHORT, '--logdir=run', cwd=folder).code == 0
    return folder / 'run'


@pytest.fixture
def run(trained, tmp_path):
    return pathlib.Path(shutil.copytree(trained, tmp_path / 'run'))


def edit(run, **family):
    content = json.loads((run / 'config.json').read_text())
    content['family'] |= family
    (run / 'config.json').write_text(json.dumps(content))


@pytest.mark.parametrize(
    'words',
    [
        ('evaluate', '--logdir=run'),
        ('evaluate', '--logdir=run', '--checkpoint=last'),
        ('export', '--logdir=run', '--output=out'),
        ('variables', '--logdir=run', '--export=out'),
        ('train', '--logdir=run', '--epochs=2'),
    ],
)
def test_a_checkpoint_of_another_model_than_config_says_is_refused_everywhere(run, words):
    edit(run, units=[12, 5])
    before = tfae_program.contents(run)
    done = tfae_program.run(*words, cwd=run.parent)
    place = 'run' if words[0] == 'train' or '--checkpoint=last' in words else 'run/best'
    assert done.refusal(1) == (
        f'checkpoint {place}/model-21 does not fit run/config.json: family.units is [12, 4] in '
        f'the checkpoint and [12, 5] in config.json; restore the config.json that the run was '
        f'trained with, or remove the checkpoint if it belongs to another run'
    )
    after = tfae_program.contents(run)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {'lock', 'config.json'}  # the number of epochs that were asked for
    assert not (run.parent / 'out').exists()


@pytest.mark.parametrize(
    'units, text',
    [
        ([12], 'variable decoder/layer_2/bias is float32 [12] in the checkpoint and unknown in'),
        ([12, 5], 'variable decoder/layer_2/kernel is float32 [4, 12] in the checkpoint and float'),
    ],
)
def test_variables_are_compared_where_a_checkpoint_records_no_configuration(run, units, text):
    without_configuration(run)
    edit(run, units=units)
    done = tfae_program.run('evaluate', '--logdir=run', cwd=run.parent)
    assert text in done.refusal(1)


ODD = ['a[1] *?\\', "b\udcff \u202e\x1b[31m'"]


@pytest.mark.parametrize('name', ODD, ids=ascii)
def test_a_folder_of_any_name_is_trained_in_resumed_and_read(tmp_path, name):
    logdir, words = tmp_path / name, (*SHORT, '--keep_checkpoints=1', f'--logdir={name}')
    for argv in (
        words,
        (*words, '--epochs=2'),
        ('evaluate', f'--logdir={name}', '--checkpoint=last'),
        ('latent', f'--logdir={name}', f'--output=out/{name}/l'),
        ('report', f'--logdir={name}'),
        ('embed', f'--logdir={name}', f'--output={name}.npz'),
        ('export', f'--logdir={name}', f'--output=out/{name}/s'),
    ):
        done = tfae_program.run(*argv, cwd=tmp_path)
        assert (done.code, done.err) == (0, ''), (argv, done)
        assert '\x1b' not in done.out
        assert '\u202e' not in done.out
    assert [path.name for path in logdir.glob('*.index')] == ['model-41.index']
    assert [path.name for path in (logdir / 'best').glob('*.index')] == ['model-41.index']
    (tmp_path / 'out' / name / 's').rename(tmp_path / 's')
    images = np.zeros([2, 8, 8, 1], np.float32)
    with tfae.open(logdir) as opened, tf.Graph().as_default(), tf.Session() as session:
        served = tf.saved_model.load(session, ['serve'], str(tmp_path / 's')).signature_def[
            'encode'
        ]
        names = served.outputs['code'].name, served.inputs['images'].name
        codes = session.run(names[0], {names[1]: images})
        np.testing.assert_allclose(codes, opened.encode(images), rtol=1e-5)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {name, 'out', 's', f'{name}.npz'}


LINKS = {  # name -> commands that write there
    'lock': [(*DENSE, '--epochs=2', '--logdir=run')],
    'metrics.jsonl': [(*DENSE, '--epochs=2', '--logdir=run')],
    'config.json': [(*DENSE, '--epochs=2', '--logdir=run')],
    'best': [(*DENSE, '--epochs=2', '--logdir=run')],
    'projector': [(*DENSE, '--epochs=2', '--logdir=run'), ('embed', '--logdir=run')],
    'figures': [
        (*DENSE, '--epochs=2', '--logdir=run'),
        ('latent', '--logdir=run'),
        ('reconstruct', '--logdir=run'),
        ('anomaly', '--logdir=run'),
    ],
    'evaluation.json': [('evaluate', '--logdir=run')],
    'report.html': [('report', '--logdir=run')],
    'codes_test.npz': [('embed', '--logdir=run')],
}


def held(path):
    """What a file or folder holds."""
    return tfae_program.contents(path) if path.is_dir() else path.read_bytes()


@pytest.mark.parametrize('name', LINKS)
def test_nothing_is_written_through_a_link_in_a_run(run, name):
    outside = run.parent / 'outside'
    path = run / name
    if path.is_dir() or name in ('projector', 'figures'):
        if path.exists():
            shutil.move(path, outside)
        else:
            outside.mkdir()
    elif path.exists():
        shutil.move(path, outside)
    else:
        outside.write_text('of somebody else')
    path.symlink_to(outside)
    before = held(outside)
    for words in LINKS[name]:
        done = tfae_program.run(*words, cwd=run.parent)
        wanted = f'run/{name} is a symbolic link; a run is written to its own folder: '
        assert done.refusal(1).startswith(wanted), words
        assert held(outside) == before, words


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'run').symlink_to('elsewhere')
    done = tfae_program.run(*SHORT, '--logdir=run', cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    assert (tmp_path / 'elsewhere' / 'model-21.index').is_file()


def test_the_next_turn_removes_what_killed_programs_left(run):
    left = [
        *('.codes.123.tmp.tsv', 'best/.model-7.9.tmp/model-7.index', 'figures/.latent.5.tmp.png'),
        *('model-3.data-00000-of-00001.tempstate77', 'best/model-9.data-00000-of-00001.tempstate'),
        'model-3.data-00000-of-00001',
        'epochs/.model-15.9.tmp/model-15.index',
    ]
    left[4] += '123'
    for name in left:
        (run / name).parent.mkdir(exist_ok=True, parents=True)
        (run / name).touch()
    for part in ('index', 'data-00000-of-00001'):  # a best one that is no longer
        shutil.copy(run / 'best' / f'model-21.{part}', run / 'best' / f'model-7.{part}')
    done = tfae_program.run(*DENSE, '--epochs=1', '--logdir=run', cwd=run.parent)
    assert (done.code, done.err) == (0, '')
    assert not [name for name in left if (run / name).exists()]
    assert sorted(path.name for path in (run / 'best').iterdir()) == [
        *('checkpoint', 'model-21.data-00000-of-00001', 'model-21.index')
    ]


def replace_best(run, seconds):
    """In a process of its own: copies of the best checkpoint, each under the next step."""
    import time

    from tfae.runs import checkpoints

    best, step, until = run / 'best', 100, time.monotonic() + seconds
    (made,) = checkpoints.newest_first(best)
    while time.monotonic() < until:
        step += 1
        for part in ('data-00000-of-00001', 'index'):
            shutil.copy(f'{made[1]}.{part}', run / f'new.{part}')
            (run / f'new.{part}').rename(best / f'model-{step}.{part}')
        checkpoints.tidy(best, step, 1)
        made = (step, checkpoints.path(best, step))


@pytest.mark.slow
def test_a_run_opens_while_its_best_checkpoint_is_replaced_all_the_time(run):
    import multiprocessing

    context = multiprocessing.get_context('spawn')
    writer = context.Process(target=replace_best, args=(run, 60))
    writer.start()
    try:
        opened = []
        while not list((run / 'best').glob('model-1??.index')):
            assert writer.is_alive()
        for _ in range(6):
            with tfae.open(run) as found:
                opened.append(found.step)
                found.variables()
    finally:
        writer.kill()
        writer.join()
    assert min(opened) > 100
    assert opened == sorted(opened)


@pytest.mark.parametrize('how', ['empty', 'damaged'])
def test_without_a_best_checkpoint_that_can_be_read_the_last_is_taken(run, how, capsys):
    for path in (run / 'best').glob('model-*'):
        path.unlink() if how == 'empty' else path.write_bytes(b'x' * 99)
    with tfae.open(run) as opened:
        assert opened.checkpoint == str(run / 'model-21')
    said = capsys.readouterr().out
    assert ('loading the last one' in said) == (how == 'damaged')
