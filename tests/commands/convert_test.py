"""Folders of images become shards, and shards are held to what was written."""

import hashlib
import io
import json
import os
import pathlib
import signal
import time
import zlib

import numpy as np
import pytest
import sample_images
import tensorflow.compat.v1 as tf
import tfae_program
from PIL import Image

from tfae import data
from tfae.core import errors
from tfae.data.formats import shards as tfrecords


def convert(folder, *argv, code=0):
    # One process: a server of several takes seconds to start.
    words = ('--input=in', '--output=out', '--processes=1', *argv)
    done = tfae_program.run('convert', *words, cwd=folder)
    assert done.code == code, done
    return done


def load(name, folder, **flags):
    wanted = data.Config(name, str(folder), validation_fraction=0, **flags)
    return data.load(wanted)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A folder with images `in` two classes and shards `out`."""
    folder = tmp_path_factory.mktemp('made')
    sample_images.fill(folder / 'in' / 'dog', 25)
    sample_images.fill(folder / 'in' / 'cat', 20, 'png')
    (folder / 'in' / 'cat' / 'two\nlines ☃.bmp').write_bytes(
        sample_images.encoded(sample_images.pixels(77), 'BMP')
    )
    convert(folder, '--shard_examples=20')
    return folder


@pytest.fixture
def shards(made, tmp_path):
    """A copy of those shards."""
    for path in (made / 'out').iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_shards_hold_what_the_folder_does(made):
    folder, records = load('images', made / 'in'), load('records', made / 'out')
    assert records.class_names == folder.class_names == ('cat', 'dog')
    for ours, theirs in ((records.train, folder.train), (records.test, folder.test)):
        assert ours.images.names == theirs.images.names
        assert np.array_equal(ours.images[:], theirs.images[:])
        assert np.array_equal(ours.labels, theirs.labels)


def test_shards_are_read_by_any_reader_of_tfrecord_files(made):
    index = json.loads((made / 'out' / 'index.json').read_text())
    assert index['examples'] == 46
    assert [shard['examples'] for shard in index['shards']] == [20, 20, 6]
    found = []
    for shard in index['shards']:
        for record in tf.io.tf_record_iterator(str(made / 'out' / shard['file'])):
            feature = tf.train.Example.FromString(record).features.feature
            name = feature['image/filename'].bytes_list.value[0].decode()
            (label,) = feature['image/class/label'].int64_list.value
            found.append((name, index['classes'][label]))
            content = feature['image/encoded'].bytes_list.value[0]
            if not name.endswith('.bmp'):  # which TensorFlow does not decode as pillow does
                assert content == (made / 'in' / name).read_bytes()
    assert len(found) == 46
    assert all(name.split('/')[0] == label for name, label in found)


def test_a_command_that_is_given_again_keeps_what_is_whole(made, shards, tmp_path):
    (tmp_path / 'in').symlink_to(made / 'in')
    (tmp_path / 'out').symlink_to(shards)
    wanted = {k: v for k, (v, _) in tfae_program.contents(made / 'out').items()}
    names = sorted(wanted)
    broken = shards / next(name for name in names if name.endswith('00001-of-00003.tfrecord'))
    broken.write_bytes(broken.read_bytes()[:-1])
    (shards / 'index.json').unlink()
    done = convert(tmp_path, '--shard_examples=20')
    assert ' in 3 shards, 2 of them kept; 0 images skipped' in done.out
    assert {
        path.name: path.read_bytes() for path in shards.iterdir() if path.name in wanted
    } == wanted
    done = convert(tmp_path, '--shard_examples=20', '--quality=90')
    assert ' in 3 shards, 0 of them kept' in done.out


def test_shards_of_0_1_0_are_read_and_removed_by_the_next_conversion(made, shards, tmp_path):
    """0.1.0 named them pictures-*; their index and tables are the same otherwise."""
    (tmp_path / 'in').symlink_to(made / 'in')
    (tmp_path / 'out').symlink_to(shards)
    index = shards / 'index.json'
    index.write_text(index.read_text().replace('"images-', '"pictures-'))
    for path in [*shards.glob('images-*')]:
        path.rename(shards / path.name.replace('images', 'pictures'))
    (shards / 'images-mine.json').touch()
    old, new = load('records', shards).train.images, load('records', made / 'out').train.images
    assert np.array_equal(old[:], new[:])
    done = convert(tmp_path, '--shard_examples=30')
    assert 'out: removed 6 files of other shards, such as pictures-00000-of-00003.json' in done.out
    names = {f'images-{k:05}-of-00002.{kind}' for k in range(2) for kind in ('tfrecord', 'json')}
    assert {path.name for path in shards.glob('*-*')} == names | {'images-mine.json'}
    assert load('records', shards).train.images.names == new.names


def test_images_are_stored_at_the_size_asked_for(tmp_path):
    slope = np.add.outer(np.arange(40), 2 * np.arange(64))
    (tmp_path / 'in').mkdir()
    for i in range(12):
        (tmp_path / 'in' / f'{i}.png').write_bytes(
            sample_images.encoded(np.uint8(slope + i), 'PNG')
        )
    convert(tmp_path, '--size=10x8', '--test_fraction=0.5')
    images = load('records', tmp_path / 'out').train.images
    assert images.shape[1:] == (10, 8, 1)
    # The largest part of 10 to 8 in the middle of 40x64 is 40x32.
    means = slope[:, 16:48].reshape(10, 4, 8, 4).mean((1, 3)) + int(images.names[0][:-4])
    assert np.abs(images[0][1:-1, 1:-1, 0] - means[1:-1, 1:-1]).max() <= 1
    convert(tmp_path, '--size=10x8', '--test_fraction=0.5', '--quality=95')
    assert load('records', tmp_path / 'out').train.images.form.recorded[1]


def test_a_table_that_was_damaged_is_made_again(tmp_path):
    for name in ('cat', 'dog'):
        sample_images.fill(tmp_path / 'in' / name, 4)
    convert(tmp_path)
    (table,) = (tmp_path / 'out').glob('*-of-*.json')
    sound = table.read_text()
    for damaged in (
        sound.replace('"labels": [0', '"labels": [1'),
        sound.replace('"labels": [0', '"labels":  [0'),
        '[' * 100_000,
        '[]',
        sound[:-1],
    ):
        assert damaged != sound
        table.write_text(damaged)
        assert '1 shards, 0 of them kept' in convert(tmp_path).out, damaged[:99]
        assert table.read_text() == sound
    assert '1 shards, 1 of them kept' in convert(tmp_path).out


def test_what_one_would_not_expect_of_a_image_is_listed_every_time(tmp_path):
    sample_images.fill(tmp_path / 'in', 12)
    (tmp_path / 'in' / 'a b.jpg').write_bytes(sample_images.sixteen_bits())
    (tmp_path / 'in' / 'press.jpg').write_bytes(sample_images.cmyk())
    for _ in range(2):
        done = convert(tmp_path)
        kept = [text for text in done.out.splitlines() if text.startswith('kept: ')]
        assert kept == [
            'kept: in/a b.jpg contains PNG data, and is read as such; has 16 bits per channel, '
            'of which the upper 8 are used',
            'kept: in/press.jpg is CMYK, and is converted to RGB',
        ]
        assert '14 images' in done.out


def test_a_image_that_cannot_be_read_stops_the_command_or_is_listed(tmp_path):
    sample_images.fill(tmp_path / 'in', 12)
    for name, (content, _) in sample_images.BAD.items():
        (tmp_path / 'in' / name).write_bytes(content)
    line = convert(tmp_path, code=1).refusal(1)
    assert line.split()[0] in {f'in/{name}' for name in sample_images.BAD}
    assert not (tmp_path / 'out' / 'index.json').exists()
    assert not list((tmp_path / 'out').glob('*.tfrecord'))
    done = convert(tmp_path, '--skip_corrupt')
    skipped = [text for text in done.out.splitlines() if text.startswith('skipped: ')]
    assert sorted(text.split()[1] for text in skipped) == sorted(
        f'in/{n}' for n in sample_images.BAD
    )
    for name, (_, words) in sample_images.BAD.items():
        assert any(text.startswith(f'skipped: in/{name} {words}') for text in skipped)
    assert (
        f'12 images, 0.0 MB in 1 shards, 0 of them kept; {len(skipped)} images skipped' in done.out
    )
    loaded = load('records', tmp_path / 'out')
    assert len(loaded.train.images) + len(loaded.test.images) == 12


def test_a_shard_of_corrupt_images_alone_leaves_the_others_readable(tmp_path):
    sample_images.fill(tmp_path / 'in', 12)
    (tmp_path / 'in' / 'bad.png').write_bytes(b'no image')
    done = convert(tmp_path, '--skip_corrupt', '--shard_examples=1')
    assert '12 images' in done.out
    assert 'in 13 shards' in done.out
    loaded = load('records', tmp_path / 'out')
    assert len(loaded.train.images[:]) + len(loaded.test.images[:]) == 12


def test_an_image_that_was_changed_in_place_is_converted_again(tmp_path):
    sample_images.fill(tmp_path / 'in', 6, 'bmp')
    convert(tmp_path, '--shard_examples=3')
    first = sorted((tmp_path / 'in').iterdir())[0]
    content = first.read_bytes()
    first.write_bytes(content[:54] + bytes(255 - byte for byte in content[54:]))
    assert first.stat().st_size == len(content)
    done = convert(tmp_path, '--shard_examples=3')
    assert 'in 2 shards, 1 of them kept' in done.out
    folder, records = (load(n, tmp_path / p) for n, p in (('images', 'in'), ('records', 'out')))
    assert np.array_equal(records.train.images[:], folder.train.images[:])
    assert np.array_equal(records.test.images[:], folder.test.images[:])


def verify(folder, code=0):
    done = tfae_program.run('verify', '--input=.', cwd=folder)
    assert done.code == code, done
    return done


def test_whole_shards_verify(shards):
    assert verify(shards).out == '.: 3 shards with 46 images are intact.\n'


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def test_a_flipped_bit_is_found_and_the_image_named(shards):
    path = shards / 'images-00001-of-00003.tfrecord'
    table = json.loads(path.with_suffix('.json').read_text())
    flip(path, table['offsets'][7] + 20)
    done = verify(shards, 1)
    assert f'{path.name}: image {table["names"][7]!r}, ' in done.out
    assert done.refusal(1) == f'.: 1 of 3 shards are damaged: {path.name}'
    loaded = load('records', shards)
    part = loaded.test if table['parts'][7] else loaded.train
    place = part.images.names.index(table['names'][7])
    with pytest.raises(
        errors.InputError, match=f'{path.name}: image .* has changed since it was written'
    ):
        part.images[place]


@pytest.mark.parametrize('place', [0, 9])
def test_a_flipped_bit_between_images_is_found(shards, place):
    path = shards / 'images-00000-of-00003.tfrecord'
    flip(path, place)
    assert f'{path.name} has changed between its images' in verify(shards, 1).out


def test_shards_that_are_cut_missing_or_without_their_tables_are_named(shards):
    paths = sorted(shards.glob('*.tfrecord'))
    paths[0].write_bytes(paths[0].read_bytes()[:-9])
    with pytest.raises(errors.InputError, match=f'{paths[0].name} is truncated: .* bytes of '):
        load('records', shards)
    paths[1].unlink()
    flip(paths[2].with_suffix('.json'), 10)
    out = verify(shards, 1).out
    assert f'{paths[0].name} is truncated: ' in out
    assert f'{paths[1].name} is missing' in out
    assert f'{paths[2].with_suffix(".json").name} has changed since it was written' in out


def hostile(**shard):
    sums = {'sha256': '', 'table_sha256': ''}
    line = {'file': 'a.tfrecord', 'examples': 1, 'bytes': 9, **sums, **shard}
    return json.dumps({'version': 1, 'classes': [], 'shards': [line]})


@pytest.mark.parametrize(
    'name, value, text',
    [
        ('offsets', -1, 'invalid values of offsets'),
        ('offsets', 10**9, 'invalid values of offsets'),
        ('lengths', 2**70, 'invalid values of lengths'),
        ('lengths', '9', 'invalid values of lengths'),
        ('labels', 77, 'invalid values of labels'),
        ('sizes', [0, 4], 'invalid values of sizes'),
        ('sizes', 4, 'invalid values of sizes'),
        ('names', None, 'invalid values of names'),
        ('jpeg', 'yes', 'invalid values of jpeg'),
        (None, None, 'its columns must be lists of one length'),
    ],
)
def test_a_table_that_was_forged_with_its_sum_is_refused(shards, name, value, text):
    path = shards / 'images-00000-of-00003.json'
    table = json.loads(path.read_text())
    for column in [name or 'names']:
        table[column] = table[column][:-1] + ([value] if name else [])
    path.write_text(json.dumps(table))
    index = json.loads((shards / 'index.json').read_text())
    index['shards'][0]['table_sha256'] = hashlib.sha256(path.read_bytes()).hexdigest()
    (shards / 'index.json').write_text(json.dumps(index))
    with pytest.raises(errors.InputError, match=text):
        load('records', shards)


@pytest.mark.parametrize(
    'content, text',
    [
        (None, 'index.json is missing; `tfae convert` writes it last'),
        ('{', 'index.json is not an index of shards: '),
        ('{"version": 1}', 'index.json is not an index of shards: '),
        ('{"version": 7}', 'index.json has version 7; it must be 1'),
        ('{"version": 1, "shards": [], "classes": []}', 'index.json lists no shard'),
        ('{"version": 1, "shards": [], "classes": [3]}', 'index.json: its classes must be strings'),
        ('[' * 10_000, 'index.json is not an index of shards: RecursionError'),
        (hostile(file='../a.tfrecord'), "names the shard '../a.tfrecord'; it must be a .tfrecord"),
        (hostile(file='/etc/passwd'), "names the shard '/etc/passwd'; it must be a .tfrecord in"),
        (hostile(file=None), 'names the shard None; it must be a .tfrecord in the same folder'),
        (hostile(bytes='9'), "shard 'a.tfrecord' lacks lengths or checksums"),
    ],
)
def test_a_folder_without_an_index_is_refused(tmp_path, content, text):
    if content is not None:
        (tmp_path / 'index.json').write_text(content)
    with pytest.raises(errors.InputError, match=text):
        load('records', tmp_path)


@pytest.mark.parametrize(
    'words, text',
    [
        ('convert --output=x', '--input is empty; it must name a folder'),
        ('convert --input=x', '--output is empty; it must name a folder'),
        ('convert --input=x --output=y --quality=101', '--quality is 101; it must lie in [0, 100]'),
        ('convert --input=x --output=y --size=3', ''),
        ('convert --input=x --output=y --shard_examples=0', '--shard_examples is 0; it must lie'),
        (
            'convert --input=x --output=y --test_fraction=1',
            '--test_fraction is 1.0; it must lie in',
        ),
        ('convert --input=gone --output=y', 'gone cannot be read: No such file or directory'),
        ('verify', '--input is empty; it must name a folder of shards'),
    ],
)
def test_a_wrong_command_is_refused(tmp_path, words, text):
    (tmp_path / 'x').mkdir()
    done = tfae_program.run(*words.split(), cwd=tmp_path)
    code = 1 if 'gone' in words or not text else 2
    assert (text or 'x holds no image file') in done.refusal(code)


def test_a_killed_command_leaves_no_shard_that_is_not_whole(tmp_path):
    sample_images.fill(tmp_path / 'in', 3)
    for i in range(1500):
        os.link(tmp_path / 'in' / '00000.jpg', tmp_path / 'in' / f'link_{i}.jpg')
    argv = ('convert', '--input=in', '--output=out', '--shard_examples=50', '--processes=1')
    process = tfae_program.cold(*argv, cwd=tmp_path)
    out = tmp_path / 'out'
    while len(list(out.glob('*.tfrecord'))) < 3 and process.poll() is None:
        pass
    process.kill()
    process.communicate()
    for path in out.glob('images-*.tfrecord'):
        list(tf.io.tf_record_iterator(str(path)))  # raises where one is cut
    done = tfae_program.run(*argv, cwd=tmp_path)
    assert done.code == 0, done
    assert ', 0 of them kept' not in done.out
    assert verify_in(out) == 1503


def children(process):
    """Ids of the processes that a process has begun."""
    path = pathlib.Path(f'/proc/{process}/task/{process}/children')
    return list(map(int, path.read_text().split()))


@pytest.mark.slow
def test_a_killed_process_of_several_is_one_line_and_whole_shards_stay(tmp_path):
    sample_images.fill(tmp_path / 'in', 3)
    for i in range(1500):
        os.link(tmp_path / 'in' / '00000.jpg', tmp_path / 'in' / f'link_{i}.jpg')
    argv = ('convert', '--input=in', '--output=out', '--shard_examples=50', '--processes=2')
    process = tfae_program.cold(*argv, cwd=tmp_path)
    while len(list((tmp_path / 'out').glob('*.tfrecord'))) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    (killed, *_) = [worker for server in children(process.pid) for worker in children(server)]
    os.kill(killed, signal.SIGKILL)
    assert tfae_program.finish(process).refusal(1) == (
        'a worker process was killed, perhaps for lack of memory; rerun the command with fewer '
        '--processes; complete shards are kept'
    )
    done = tfae_program.run(*argv, cwd=tmp_path)
    assert done.code == 0, done
    assert ', 0 of them kept' not in done.out
    assert not list((tmp_path / 'out').glob('.*'))


def verify_in(folder: pathlib.Path):
    index = json.loads((folder / 'index.json').read_text())
    assert tfae_program.run('verify', f'--input={folder}', cwd=folder.parent).code == 0
    return index['examples']


def test_what_was_found_and_what_is_left_out_is_printed(tmp_path):
    for place, count in (('train/cat', 5), ('train/dog', 4), ('val/cat', 3), ('test/dog', 2)):
        sample_images.fill(tmp_path / 'in' / place, count, 'png')
    (tmp_path / 'in' / 'train' / 'cat' / 'a.heic').write_bytes(b'')
    done = convert(tmp_path)
    lines = done.out.splitlines()
    assert lines[:4] == [
        'in: 9 training, 3 validation and 2 test images',
        'in: 2 classes: cat 8, dog 6',
        'in: warning: skipped: images of formats that are not read: 1 .heic, such as '
        'train/cat/a.heic',
        'out: images of 16 x 16 (height x width), 0 gray and 14 in color',
    ]
    folder = data.load(data.Config('images', str(tmp_path / 'in')))
    values = np.concatenate([part.images[:].ravel() for part in folder[1:4]])
    assert lines[4] == f'out: values {values.min()} to {values.max()}, uint8; white is 255'
    records = data.load(data.Config('records', str(tmp_path / 'out')))
    for ours, theirs in zip(records[1:4], folder[1:4], strict=True):
        assert ours.images.names == theirs.images.names
        assert np.array_equal(ours.labels, theirs.labels)
    assert len(records.validation.images) == 3


def test_transparent_images_in_shards_of_earlier_versions_are_composited(tmp_path):
    pixels = np.full([4, 4, 4], (200, 100, 0, 0), np.uint8)
    content = sample_images.encoded(pixels, 'PNG')  # those were stored as they are
    (tmp_path / 'a.tfrecord').write_bytes(content)
    shard = tfrecords.Shard('a.tfrecord', 1, len(content), '', '')
    row = {'names': 'a.png', 'offsets': 0, 'lengths': len(content), 'crc32': zlib.crc32(content)}
    table = {name: [value] for name, value in row.items()}
    read = tfrecords.ShardFiles(tfrecords.Index(tmp_path, (), (shard,)), [table]).read(0)
    assert np.all(np.asarray(Image.open(io.BytesIO(read))) == 255)
