"""What bad input gets: one line on stderr, exit code 2 for usage and 1 for the rest, nothing left.

Every test runs the program. `Done.refusal` holds it to one line, no traceback and the code.
"""

import contextlib
import json
import os
import pathlib
import signal
import struct
import subprocess

import numpy as np
import pytest
import tfae_program

SMALL = ('train', '--units=8,4', '--epochs=2')


def refuse(folder, code, text, *argv, **more):
    """Runs a program that must fail with this text, and leave `folder` as it was."""
    before = tfae_program.contents(folder), sorted(folder.rglob('*'))
    line = tfae_program.run(*argv, cwd=folder, **more).refusal(code)
    assert line == text if isinstance(text, str) else all(part in line for part in text), line
    assert (tfae_program.contents(folder), sorted(folder.rglob('*'))) == before
    return line


@pytest.mark.parametrize(
    'words, text',
    [
        (
            'trian',
            ("tfae: command is 'trian'; it must be one of ", ' build-op, ', 'did you mean train?'),
        ),
        ('train', '--logdir is empty; it must name the folder of the run'),
        ('train --logdir=run --units=8 extra', "tfae train: 'extra' is not a flag; flags have"),
        ('train --logdir=run --unit=8', 'tfae train has no flag --unit; did you mean units'),
        ('train --logdir=run --zzz=8', 'no flag --zzz; tfae train --help lists them'),
        (
            'train --logdir=run --model=dens',
            ("--model is 'dens'; it must be one of ", 'did you mean dense?'),
        ),
        ('train --logdir=run --dataset=digit', ('--dataset is', 'did you mean digits?')),
        ('train --logdir=run --recipe=mlp_mnits', ('--recipe is', 'did you mean mlp_mnist')),
        ('train --logdir=run --activation=rleu', ('--activation is', 'did you mean relu')),
        ('train --logdir=run --code_activation=sigmod', ('did you mean sigmoid',)),
        ('train --logdir=run --optimizer=adm', ('--optimizer is', 'did you mean adam')),
        ('train --logdir=run --likelihood=bernouli', ('did you mean bernoulli?',)),
        ('train --logdir=run --learning_rate_decay=cosin', ('did you mean cosine?',)),
        ('train --logdir=run --kernel_initializer=he', ('--kernel_initializer is',)),
        ('train --logdir=run --pretraining=layerwise', ('--pretraining is',)),
        ('train --logdir=run --corruption=maskin:0.3', ('did you mean masking?',)),
        ('train --logdir=run --corruption=masking', 'it must be none or kind:level'),
        ('train --logdir=run --corruption=masking:2', 'the level must lie in [0, 1]'),
        (
            'train --logdir=run --corruption=masking:0.1,masking:0.2,masking:0.3',
            '--corruption has 3 values',
        ),
        ('train --logdir=run --units=8,x', "--units is 'x'; it must be an integer"),
        ('train --logdir=run --units=', 'it must have at least one layer'),
        ('train --logdir=run --units=8,0', '--units is 8,0; each must lie in [1, inf)'),
        ('train --logdir=run --tied=maybe', "--tied is 'maybe'; it must be true or false"),
        ('train --logdir=run --epochs=1.5', "--epochs is '1.5'; it must be an integer"),
        (
            'train --logdir=run --seed=18446744073709551616',
            '--seed is 18446744073709551616; it must lie in [0, 18446744073709551615]',
        ),
        ('train --logdir=run --epochs=-2', '--epochs is -2; it must lie in [-1, 1000000000]'),
        ('train --logdir=run --learning_rate=nan', '--learning_rate is nan'),
        ('train --logdir=run --learning_rate=fast', 'it must be a number'),
        ('train --logdir=run --batch_size=-1', '--batch_size is -1'),
        (
            'train --logdir=run --batch_size=2000',
            '--batch_size is 2000; the training set has only 1293 examples',
        ),
        ('train --logdir=run --accumulation_steps=3', 'it must divide --batch_size, 64'),
        ('train --logdir=run --validation_fraction=0.9999', 'leaves none of the 1437'),
        ('train --logdir=run --validation_fraction=2', '--validation_fraction is 2'),
        ('train --logdir=run --data_dir=/tmp', 'data set digits does not use it'),
        ('train --logdir=run --synthetic_kind=bar', ('did you mean bars',)),
        ('train --logdir=run --pretraining_epochs=3', 'needs --pretraining=greedy'),
        ('train --logdir=run --checkpoint_steps=0', '--checkpoint_steps is 0'),
        ('train --logdir=run --pretraining=greedy --pretraining_epochs=1,2,3', 'has 3 values'),
        ('train --logdir=run --dataset=npz', '--data_dir is empty; data set npz needs'),
        ('train --logdir=run --dataset=synthetic --synthetic_shape=16', 'height x width x channel'),
        ('train --logdir=run --dataset=synthetic --synthetic_examples=1', '--synthetic_examples'),
        (
            'train --logdir=run --restore_from=b --restore_map=a',
            'each pair must be old_scope:new_scope',
        ),
        ('train --logdir=run --restore_map=a:b', '--restore_map needs --restore_from'),
        ('train --logdir=run --momentum=0.5', '--momentum needs'),
        ('train --logdir=run --learning_rate_end=0.5', '--learning_rate_end needs'),
        (
            'train --logdir=run --early_stopping_epochs=3 --validation_fraction=0',
            '--early_stopping_epochs is 3',
        ),
        ('evaluate', '--logdir is empty; it must name the folder of a run'),
        ('evaluate --logdir=run --split=tets', ('--split is', 'did you mean test')),
        ('evaluate --logdir=run --checkpoint=lats', ('did you mean last',)),
        ('reconstruct --logdir=run --count=0', '--count is 0; it must lie in [1, 100]'),
        ('fetch', 'tfae fetch needs fashion_mnist | mnist after its flags'),
        ('fetch digits', "tfae fetch: data set is 'digits'"),
    ],
)
def test_a_wrong_command_ends_with_2(tmp_path, words, text):
    parts = (text,) if isinstance(text, str) else text
    refuse(tmp_path, 2, parts, *words.split(' '))


def test_without_a_command_the_help_comes_with_2(tmp_path):
    done = tfae_program.run(cwd=tmp_path)
    assert (done.code, done.err) == (2, '')
    assert done.out == tfae_program.run('--help', cwd=tmp_path).out


@pytest.mark.parametrize(
    'command',
    [
        'evaluate',
        'variables',
        'reconstruct',
        'embed',
        'report',
        'explore',
        'export --output=out',
        'morph --attribute=class=1',
    ],
)
def test_a_look_into_what_is_no_run_is_refused(tmp_path, command):
    text = 'run is not a run: it has no config.json'
    refuse(tmp_path, 1, text, *command.split(), '--logdir=run')


# Data.


def idx(magic, *shape, values=None):
    count = int(np.prod(shape))
    header = struct.pack(f'>{1 + len(shape)}I', magic, *shape)
    return header + (bytes(count) if values is None else values)


def write_idx(folder, **replaced):
    """A small data set in MNIST's files, some of them replaced, or left out by None."""
    files = {
        'train-images-idx3-ubyte': idx(0x803, 40, 4, 4),
        'train-labels-idx1-ubyte': idx(0x801, 40, values=bytes(i % 10 for i in range(40))),
        't10k-images-idx3-ubyte': idx(0x803, 10, 4, 4),
        't10k-labels-idx1-ubyte': idx(0x801, 10),
    }
    folder.mkdir(exist_ok=True)
    for name, content in {**files, **replaced}.items():
        if content is not None:
            (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    'name, content, text',
    [
        ('train-images-idx3-ubyte', None, 'has no train-images-idx3-ubyte, gzipped or not; `tfae'),
        ('t10k-labels-idx1-ubyte', None, 'has no t10k-labels-idx1-ubyte'),
        ('train-images-idx3-ubyte', idx(0x803, 40, 4, 4)[:-1], '40 x 4 x 4 = 640 bytes; the file'),
        ('train-images-idx3-ubyte', b'\0\0\x08', 'holds 3 bytes; an IDX header alone takes 16'),
        ('train-images-idx3-ubyte', idx(0x801, 640), 'magic number is 0x00000801; it must be'),
        ('train-labels-idx1-ubyte', idx(0x803, 40, 1, 1), 'magic number is 0x00000803'),
        ('train-labels-idx1-ubyte', idx(0x801, 39), 'holds 39 labels, train-images-idx3-ubyte hol'),
        ('train-images-idx3-ubyte', idx(0x803, 0, 4, 4), 'the set must not be empty'),
        ('t10k-images-idx3-ubyte', idx(0x803, 10, 5, 5), 'they must match'),
        (
            'train-images-idx3-ubyte',
            b'\x1f\x8b\x08' + bytes(20),
            'gzip data is truncated or damage',
        ),
    ],
)
def test_idx_files_that_are_not_whole_are_refused(tmp_path, name, content, text):
    write_idx(tmp_path / 'set', **{name: content})
    argv = (*SMALL, '--dataset=mnist', '--data_dir=set', '--batch_size=8', '--logdir=run')
    line = refuse(tmp_path, 1, (text,), *argv)
    assert 'set' in line.split(':')[0]  # says where


def test_the_idx_files_of_these_tests_are_a_set_as_they_are(tmp_path):
    write_idx(tmp_path / 'set')
    argv = (*SMALL, '--dataset=mnist', '--data_dir=set', '--batch_size=8', '--logdir=run')
    assert tfae_program.run(*argv, cwd=tmp_path).code == 0


def test_a_set_that_was_never_fetched_names_the_command_that_fetches_it(tmp_path):
    line = refuse(tmp_path, 1, ('`tfae fetch mnist` downloads it',), *SMALL[:1], '--logdir=run',
                  '--dataset=mnist')  # fmt: skip
    assert str(tmp_path) in line  # HOME


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


GOOD = np.linspace(0, 1, 30 * 16, dtype=np.float32).reshape(30, 4, 4, 1)


def spoilt(value):
    images = GOOD.copy()
    images[3, 1, 2, 0] = value
    return images


@pytest.mark.parametrize(
    'arrays, text',
    [
        ({'x': spoilt(np.nan)}, 'set.npz: x: 1 of 480 pixels are NaN; they must lie in [0, 1]'),
        ({'x': spoilt(1.5)}, '1 of 480 pixels lie outside [0, 1]'),
        ({'x': spoilt(-np.inf)}, '1 of 480 pixels lie outside [0, 1]'),
        ({'x': np.full([9, 4, 4], 300)}, '144 of 144 pixels lie outside [0, 255]'),
        ({'x': GOOD[:0]}, 'it must hold at least one example'),
        ({'x': GOOD[:1]}, 'holds 1 example; a train and a test split need two'),
        ({'x': GOOD, 'y': np.zeros(29, int)}, 'holds 29 labels for 30 images'),
        ({'photos': GOOD}, 'holds photos; it must hold one of x_train, train_images'),
        ({'x': np.array([['a']])}, 'images must be uint8, or floats in [0, 1]'),
    ],
)
def test_an_npz_of_other_than_images_is_refused(tmp_path, arrays, text):
    np.savez(tmp_path / 'set.npz', **arrays)
    argv = (*SMALL, '--dataset=npz', '--data_dir=set.npz', '--batch_size=8', '--logdir=run')
    refuse(tmp_path, 1, (text,), *argv)


@pytest.mark.parametrize('name', ['x', 'y'])
def test_an_npz_of_pickled_objects_is_never_unpickled(tmp_path, name):
    touched = tmp_path / 'touched'
    payload = np.array([Payload(touched)], object)
    np.savez(tmp_path / 'set.npz', **{'x': GOOD[:1], name: payload})
    with np.load(tmp_path / 'set.npz', allow_pickle=True) as file:
        file[name]
    assert touched.exists()  # it does what it says, where it is let
    touched.unlink()
    argv = (*SMALL, '--dataset=npz', '--data_dir=set.npz', '--logdir=run')
    line = refuse(tmp_path, 1, ('holds pickled objects; it must hold numbers',), *argv)
    assert f'set.npz: {name}' in line
    assert not touched.exists()


def test_restoring_never_unpickles(tmp_path):
    touched = tmp_path / 'touched'
    np.savez(tmp_path / 'w.npz', **{'encoder/layer_1/bias': np.array([Payload(touched)], object)})
    refuse(tmp_path, 1, ('w.npz cannot be read',), *SMALL, '--logdir=run', '--restore_from=w.npz')
    assert not touched.exists()


@pytest.mark.parametrize(
    'name, content, text',
    [
        ('none', None, '--restore_from none is not a checkpoint, a run or .npz, .safetensors'),
        ('none.npz', None, '--restore_from none.npz cannot be read'),
        ('cut.npz', b'PK\x03\x04 and no more', '--restore_from cut.npz cannot be read'),
        ('text', b'text', '--restore_from text is not a checkpoint, a run or .npz, .safetensors'),
    ],
)
def test_what_cannot_be_restored_leaves_no_run_behind(tmp_path, name, content, text):
    if content:
        (tmp_path / name).write_bytes(content)
    refuse(tmp_path, 1, (text,), *SMALL, '--logdir=run', f'--restore_from={name}')


def test_a_file_of_which_nothing_fits_is_refused(tmp_path):
    np.savez(tmp_path / 'w.npz', other=np.zeros(3))
    text = '--restore_from w.npz has no variable of the name and shape of any of this model'
    refuse(tmp_path, 1, (text,), *SMALL, '--logdir=run', '--restore_from=w.npz')
    refuse(tmp_path, 1, (text,), *SMALL, '--dry_run', '--restore_from=w.npz')


# Folders.


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A folder that holds `run`, a finished one; not to be written into."""
    folder = tmp_path_factory.mktemp('finished')
    assert tfae_program.run(*SMALL, '--logdir=run', cwd=folder).code == 0
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run, to be spoilt."""
    for path in (finished / 'run').rglob('*'):
        if path.is_file():
            target = tmp_path / path.relative_to(finished)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path / 'run'


def test_a_logdir_that_is_a_file_is_refused(tmp_path):
    (tmp_path / 'run').write_text('precious')
    refuse(tmp_path, 1, '--logdir run is a file; it must be a folder', *SMALL, '--logdir=run')
    line = refuse(tmp_path, 1, ('run/deep',), *SMALL, '--logdir=run/deep')
    assert 'Not a directory' in line or 'is a file' in line


@pytest.mark.skipif(not pathlib.Path('/proc/self').is_dir(), reason='there is no /proc')
def test_a_logdir_that_cannot_be_made_is_refused(tmp_path):
    # Not even root may make a folder there.
    text = '--logdir /proc/tfae cannot be written: '
    refuse(tmp_path, 1, (text,), *SMALL, '--logdir=/proc/tfae')


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_logdir_that_may_not_be_written_is_refused(tmp_path):
    (tmp_path / 'run').mkdir(mode=0o500)
    text = '--logdir run cannot be written: Permission denied'
    refuse(tmp_path, 1, text, *SMALL, '--logdir=run')


@contextlib.contextmanager
def mounted(folder, options):
    """A file system in memory at `folder`; skips where this may not be had."""
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip('there is no mount')
    if done.returncode:
        pytest.skip(f'a file system cannot be mounted: {done.stderr.strip()}')
    try:
        yield
    finally:
        subprocess.run(['umount', '-l', str(folder)], check=True)


def test_a_logdir_on_a_read_only_file_system_is_refused(tmp_path):
    with mounted(tmp_path / 'disk', 'ro'):
        text = '--logdir disk/run cannot be written: Read-only file system'
        refuse(tmp_path, 1, text, *SMALL, '--logdir=disk/run')


def test_the_same_command_on_a_finished_run_says_so_and_changes_nothing(finished):
    before = tfae_program.contents(finished)
    for argv in (SMALL, ('train',)):  # flags that are left out keep the run's values
        done = tfae_program.run(*argv, '--logdir=run', cwd=finished)
        assert (done.code, done.err) == (0, '')
        assert done.out.splitlines()[-1] == 'finished at step 41 of 41; run in run'
        assert tfae_program.contents(finished) == before


def test_another_configuration_is_refused_with_the_fields_that_differ(run):
    line = refuse(
        run.parent, 2, ('--logdir run holds a run with a different configuration: ',), 'train',
        '--logdir=run', '--units=8,5', '--epochs=3', '--seed=3', '--tied', '--dataset=synthetic',
    )  # fmt: skip
    differences = line.partition('configuration: ')[2].split('; ')[:-1]
    assert differences == [
        '--units was 8,4, is 8,5',
        '--tied was false, is true',
        '--dataset was digits, is synthetic',
        '--seed was 0, is 3',
    ]


def test_two_programs_on_one_run_are_refused(tmp_path):
    argv = ('train', '--units=8,4', '--epochs=100000', '--logdir=run')
    first = tfae_program.start(*argv, cwd=tmp_path)
    assert tfae_program.wait_for(lambda: tfae_program.metrics(tmp_path / 'run'), first)
    second = tfae_program.run(*argv, cwd=tmp_path)
    assert second.refusal(1) == (
        '--logdir run is in use by another training process; wait for it, or choose another folder'
    )
    before = len(tfae_program.metrics(tmp_path / 'run'))
    assert tfae_program.wait_for(
        lambda: len(tfae_program.metrics(tmp_path / 'run')) > before, first
    )  # goes on undisturbed
    first.send(signal.SIGTERM)
    assert first.wait().code == 143


def test_a_run_may_be_looked_into_while_it_trains(tmp_path):
    program = tfae_program.start(
        'train', '--units=8,4', '--epochs=100000', '--logdir=run', cwd=tmp_path
    )
    assert tfae_program.wait_for(lambda: tfae_program.metrics(tmp_path / 'run'), program)
    done = tfae_program.run('evaluate', '--logdir=run', '--checkpoint=last', cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    program.send(signal.SIGTERM)
    assert program.wait().code == 143


@pytest.mark.parametrize(
    'edit, text',
    [
        (lambda c: c['family'].update(unit=3), "family has an unknown field 'unit'; did you mean"),
        (lambda c: c['family'].update(units='8'), "family: units is '8'; it must be a comma"),
        (lambda c: c['family'].update(units=[]), 'units is '),
        (lambda c: c['family'].update(tied=1), 'family: tied is 1; it must be true or false'),
        (lambda c: c['training'].update(optimizer='adm'), "training: optimizer is 'adm'; it must"),
        (lambda c: c['training'].update(batch_size=-1), 'config.json: --batch_size is -1'),
        (lambda c: c['training'].update(learning_rate=None), 'learning_rate is None'),
        (lambda c: c['data'].update(dataset='digit'), 'dataset is '),
        (lambda c: c.update(model='dens'), "config.json: --model is 'dens'"),
        (lambda c: c.update(model=3), "--model is '3'"),
        (lambda c: c.update(training=[]), 'training is list; it must be an object'),
        (lambda c: c.pop('schedule'), 'config.json lacks schedule, which every run has'),
        (lambda c: c['signature'].update(image_shape=[8, 8]), 'image_shape'),
        (lambda c: c['signature'].update(dtype='text'), 'dtype'),
        (lambda c: c['signature'].update(train=-1), 'train'),
    ],
)
@pytest.mark.parametrize('command', ['train', 'evaluate'])
def test_a_config_edited_by_hand_is_refused(run, command, edit, text):
    content = json.loads((run / 'config.json').read_text())
    edit(content)
    (run / 'config.json').write_text(json.dumps(content))
    done = tfae_program.run(command, '--logdir=run', cwd=run.parent)
    line = done.refusal(1)
    assert text in line, line


@pytest.mark.parametrize(
    'content', ['', '{', '[]', '3', 'null', '{"model": "dense"', '\x00\xff', '[' * 10_000]
)
def test_a_config_that_is_no_json_object_is_refused(run, content):
    (run / 'config.json').write_text(content, encoding='latin-1')
    for command in ('train', 'evaluate'):
        refuse(run.parent, 1, ('run/config.json',), command, '--logdir=run')


def test_a_flag_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / 'my.flags').write_bytes(b'--units=8,4\n\xff\xfe')
    for command in ('train', 'evaluate'):
        text = "codec can't decode byte 0xff in position 12"
        refuse(tmp_path, 2, (text,), command, '--flagfile=my.flags', '--logdir=run')


def test_a_word_of_any_length_is_refused_in_a_line_of_four_thousand_characters(tmp_path):
    word = 'x' * 100_000
    line = refuse(tmp_path, 2, ("--units is 'xxx", ' ... ', 'integer'), *SMALL,
                  '--logdir=run', f'--units={word}')  # fmt: skip
    assert len(line) < 4100
    (tmp_path / 'my.flags').write_text(f'--{word}=3')
    for flag in (f'--{word}', '--flagfile=my.flags'):
        refuse(tmp_path, 2, ('tfae train has no flag --xxx',), *SMALL, '--logdir=run', flag)


# While it runs.


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path):
    argv = ('train', '--units=8,4', '--epochs=50', '--optimizer=sgd', '--activation=linear')
    argv = (*argv, '--logdir=run', '--checkpoint_steps=1', '--learning_rate=1e9')
    done = tfae_program.run(*argv, '--likelihood=bernoulli', cwd=tmp_path)
    line = done.refusal(1)
    assert 'training stopped at step ' in line
    assert 'loss is nan' in line or 'loss is inf' in line
    assert 'variables that are not finite: ' in line
    assert 'encoder/layer_1/kernel' in line
    assert 'a smaller --learning_rate or a --clip_norm may help' in line
    found = tfae_program.steps(tmp_path / 'run')
    assert f'the last good checkpoint is from step {found[-1]};' in line
    for step in found:
        values = tfae_program.checkpoint(tmp_path / 'run', step).values()
        assert all(np.isfinite(value).all() for value in values)


@pytest.mark.parametrize('size', ['300k', '500k'])
def test_a_full_disk_stops_the_run_which_goes_on_when_there_is_room(tmp_path, size):
    argv = ('train', '--units=64,16', '--epochs=20', '--checkpoint_steps=5', '--summary_steps=3')
    whole = tmp_path / 'whole'
    with mounted(tmp_path / 'disk', 'size=64m'):
        ballast = tmp_path / 'disk' / 'ballast'
        subprocess.run(['mount', '-o', f'remount,size={size}', tmp_path / 'disk'], check=True)
        done = tfae_program.run(*argv, '--logdir=disk/run', cwd=tmp_path)
        line = done.refusal(1)
        assert 'No space left on device' in line or 'cannot be written' in line, line
        assert not ballast.exists()
        subprocess.run(['mount', '-o', 'remount,size=64m', tmp_path / 'disk'], check=True)
        done = tfae_program.run(*argv, '--logdir=disk/run', cwd=tmp_path)
        assert (done.code, done.err) == (0, '')
        assert tfae_program.run(*argv, f'--logdir={whole}', cwd=tmp_path).code == 0
        run = tmp_path / 'disk' / 'run'
        assert tfae_program.same_bytes(tfae_program.checkpoint(run), tfae_program.checkpoint(whole))
        assert tfae_program.metrics(run) == tfae_program.metrics(whole)
        assert not [path for path in run.rglob('*') if 'tmp' in path.name or 'temp' in path.name]
