"""Every command with its defaults, over default runs of every family and over the smallest sets."""

import numpy as np
import own_functions
import pytest
import tfae_program
from PIL import Image
from sklearn.datasets import load_digits

from tfae import models

AUTOENCODERS = ('convolutional', 'custom', 'dense', 'variational')
ENCODERS = ('classifier', *AUTOENCODERS, 'regressor', 'siamese')
# Command -> the families that it works for.
COMMANDS = {
    'evaluate': tuple(models.FAMILIES),
    'reconstruct': AUTOENCODERS,
    'latent': ENCODERS,
    'interpolate': AUTOENCODERS,
    'morph': AUTOENCODERS,
    'sample': (*AUTOENCODERS, 'gan'),
    'probe': ENCODERS,
    'cluster': ENCODERS,
    'anomaly': AUTOENCODERS,
    'explain': tuple(models.FAMILIES),
    'classify image.png': ('classifier',),
    'variables': tuple(models.FAMILIES),
    'embed': ENCODERS,
    'report': tuple(models.FAMILIES),
    'export --output=exported': tuple(models.FAMILIES),
}
# Command -> the families that the suite runs it for, besides one that it refuses; the others are
# slow tests.
CHOSEN = {
    'evaluate': ('custom', 'variational'),
    'reconstruct': ('convolutional',),
    'latent': ('siamese', 'dense'),
    'interpolate': ('variational',),
    'morph': ('convolutional',),
    'sample': ('dense', 'gan'),
    'probe': ('regressor',),
    'cluster': ('dense',),
    'anomaly': ('variational',),
    'explain': ('classifier', 'gan'),
    'classify': ('classifier',),
    'variables': ('siamese',),
    'embed': ('custom',),
    'report': ('regressor', 'gan'),
    'export': ('classifier', 'gan'),
}
WORDS = ('train', '--dataset=npz', '--epochs=1')


def write_set(path, count, labels=True):
    digits = load_digits()
    arrays = {'x': (digits.images[:count] / 16).astype(np.float32)}
    np.savez(path, **arrays, **({'y': digits.target[:count]} if labels else {}))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('walk')
    write_set(folder / 'set.npz', 60)
    Image.new('L', (8, 8), 100).save(folder / 'image.png')
    return folder


@pytest.fixture(scope='module')
def trained(folder):
    """A function: trains a run of a family with its defaults; returns its name."""

    def get(family):
        if not (folder / family).exists():
            own = own_functions.WORDS[1:] if family == 'custom' else ()
            words = (*WORDS, '--data_dir=set.npz', f'--model={family}', *own)
            done = tfae_program.run(*words, f'--logdir={family}', cwd=folder)
            assert (done.code, done.err) == (0, ''), done
        return family

    return get


def walk():
    for command, able in COMMANDS.items():
        refused = [family for family in models.FAMILIES if family not in able][:1]
        for family in models.FAMILIES:
            chosen = (*CHOSEN[command.partition(' ')[0]], *refused)
            marks = [] if family in chosen else [pytest.mark.slow]
            yield pytest.param(command, family, marks=marks, id=f'{command}-{family}')


@pytest.mark.parametrize('command, family', list(walk()))
def test_a_bare_command_works_or_names_the_families_it_works_for(folder, trained, family, command):
    name, *words = command.split()
    words = [word.replace('exported', f'exported_{family}') for word in words]
    done = tfae_program.run(name, f'--logdir={trained(family)}', *words, cwd=folder)
    able = COMMANDS[command]
    if family in able:
        assert (done.code, done.err) == (0, ''), done
    else:
        line = done.refusal(1)
        assert line.startswith(f'{family}, a run of the family {family}, has no '), line
        named = line.partition('it must be a run of ')[2].replace(' or ', ', ').split(', ')
        assert set(named) == set(able), line


def test_runs_of_all_families_are_compared(folder, trained):
    runs = [trained(family) for family in models.FAMILIES]
    done = tfae_program.run('compare', *runs, cwd=folder)
    assert (done.code, done.err) == (0, ''), done


@pytest.mark.slow
@pytest.mark.parametrize('count, labels', [(2, False), (3, True)])
def test_the_smallest_sets_are_looked_at_or_refused_in_one_line(tmp_path, count, labels):
    write_set(tmp_path / 'set.npz', count, labels)
    words = (*WORDS, '--data_dir=set.npz', '--validation_fraction=0', '--logdir=run')
    done = tfae_program.run(*words, cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    Image.new('L', (8, 8), 100).save(tmp_path / 'image.png')
    for command, families in COMMANDS.items():
        name, *words = command.split()
        if 'dense' in families:
            done = tfae_program.run(name, '--logdir=run', *words, cwd=tmp_path)
            if done.code:
                done.refusal(done.code)
            else:
                assert done.err == '', (command, done)


@pytest.mark.parametrize(
    'words, text',
    [
        ('interpolate --indices=3', '--classes or --indices must select at least two images'),
        ('morph --film --indices=3', '--film needs at least two images'),
        ('morph --attributes=a.csv', '--attribute is empty; it must name columns of --attributes'),
        ('explain --method=activation_maximization --unit=top', '--unit=top needs a method'),
        ('explain --unit=all --indices=1,2', '--unit=all takes one image; 2 were chosen'),
        ('probe --split=train', '--split is train, which the probes are trained on'),
        ('evaluate --neighbors=1 --split=train', '--neighbors with --split=train'),
        (
            'sample --kind=prior --components=3',
            '--components needs --kind=auto or mixture; it is prior',
        ),
        ('cluster --clusters=-1', '--clusters is -1'),
        ('latent --side=1', '--side is 1'),
        ('anomaly --blur=0', '--blur is 0'),
    ],
)
def test_flags_are_checked_before_anything_is_loaded(tmp_path, words, text):
    command, *flags = words.split()
    done = tfae_program.run(command, '--logdir=missing', *flags, cwd=tmp_path)
    assert done.refusal(2).startswith(text)
