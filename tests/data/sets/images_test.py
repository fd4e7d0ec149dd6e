"""Folders of images: which there are, what they are, and what is refused."""

import os

import numpy as np
import pytest
import sample_images
import tensorflow.compat.v1 as tf
from PIL import Image

from tfae import data
from tfae.core import errors
from tfae.data import streaming
from tfae.data.formats import image_files, image_folder

unexpected = pytest.mark.filterwarnings('ignore::UserWarning')


def load(folder, **flags):
    flags = {'test_fraction': 0.5, **flags}  # of few images, so that both parts have some
    return data.load(data.Config('images', str(folder), validation_fraction=0, **flags))


def in_graph(images):
    """All of `LazyImages`, as the graph decodes them."""
    with tf.Graph().as_default(), tf.Session() as session:
        stream = streaming.Stream(images, None, 'training')
        indices = tf.range(len(images), dtype=tf.int64)
        return session.run(tf.cast(tf.round(255 * stream.gather(indices)[0]), tf.uint8))


def whole(loaded):
    """Names and pixels of both parts together, by name."""
    return {
        name: image
        for part in (loaded.train, loaded.test)
        for name, image in zip(part.images.names, part.images[:], strict=True)
    }


def test_pixels_are_those_of_the_files(tmp_path):
    sample_images.fill(tmp_path, 12, 'png')
    for name, image in whole(load(tmp_path)).items():
        assert np.array_equal(image, np.asarray(Image.open(tmp_path / name)))


def test_an_array_and_images_answer_alike(tmp_path):
    sample_images.fill(tmp_path, 12, 'png')
    images = load(tmp_path).train.images
    array = images[:]
    assert images.shape == array.shape
    assert images.dtype == array.dtype == np.uint8
    assert (len(images), images.ndim) == (len(array), 4)
    for key in (2, slice(1, 7, 2), [3, 0, 3], np.array([1])):
        assert np.array_equal(images[key], array[key])
    with pytest.raises(IndexError):  # one image after another is decoded, whole
        images[0:3, 4]
    assert np.array_equal(images.take([4, 2], axis=0)[:], array[[4, 2]])
    assert np.array_equal(data.pixels(images)[1:4], data.pixels(array[1:4]))
    assert np.array_equal(np.asarray(images), array)
    assert np.array_equal(images.reshape(len(images), -1), array.reshape(len(array), -1))


def test_one_array_of_more_than_four_gibibytes_is_refused(tmp_path):
    sample_images.fill(tmp_path, 4, 'png')
    images = load(tmp_path, size='30000x30000').train.images
    with pytest.raises(errors.InputError, match='would take .* GiB; at most 4 GiB fit at once'):
        images[:]


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'bmp', 'pgm', 'ppm'])
@pytest.mark.parametrize(
    'flags',
    [{}, {'color': 'gray'}, {'crop': '40x32'}, {'size': '16x12'}, {'crop': '48', 'size': '11x13'}],
    ids=str,
)
def test_the_graph_decodes_what_pillow_does(tmp_path, suffix, flags):
    sample_images.fill(
        tmp_path, 7, suffix, height=65, width=70, channels=1 if suffix == 'pgm' else 3
    )
    images = load(tmp_path, **flags).train.images
    here, there = images[:].astype(int), in_graph(images).astype(int)
    assert here.shape == there.shape
    assert np.array_equal(here, there)
    assert here.std() > 10


def test_a_jpeg_is_decoded_at_the_part_of_its_size_that_suffices(tmp_path):
    sample_images.fill(tmp_path, 7, height=128, width=160)
    for size, crop, ratio in (('32', '', 4), ('33x32', '', 2), ('128x160', '', 1), ('16', '40', 2)):
        form = load(tmp_path, size=size, crop=crop).train.images.form
        assert form.ratio(128, 160) == form.recorded[0] == ratio
    images = load(tmp_path, crop='128x128', size='32x32').train.images
    exact = [
        Image.open(tmp_path / name).crop((16, 0, 144, 128)).resize((32, 32), Image.Resampling.BOX)
        for name in images.names
    ]
    assert np.abs(in_graph(images) - np.stack(exact).astype(float)).mean() < 3


def test_gray_is_taken_where_every_image_is(tmp_path):
    sample_images.fill(tmp_path, 5, 'pgm', channels=1)
    assert load(tmp_path).image_shape == (16, 16, 1)
    assert load(tmp_path, color='rgb').image_shape == (16, 16, 3)
    (tmp_path / 'color.png').write_bytes(sample_images.encoded(sample_images.pixels(3), 'PNG'))
    assert load(tmp_path).image_shape == (16, 16, 3)


@unexpected
def test_what_tensorflow_cannot_decode_is_read_all_the_same(tmp_path):
    wide = (np.arange(256, dtype=np.uint16).reshape(16, 16) * 257) ^ 0x0055
    made = {
        'sixteen.png': (Image.fromarray(wide), (wide >> 8)),
        'palette.png': (Image.fromarray(sample_images.pixels(1)).convert('P'), None),
        'alpha.png': (
            Image.fromarray(sample_images.pixels(2)).convert('RGBA'),
            sample_images.pixels(2),
        ),
    }
    sample_images.fill(tmp_path, 6, 'png')
    for name, (image, _) in made.items():
        image.save(tmp_path / name)
    cmyk = Image.fromarray(sample_images.pixels(1)).convert('CMYK')
    cmyk.save(tmp_path / 'cmyk.jpg', quality=100)
    side = Image.fromarray(sample_images.pixels(1))
    exif = side.getexif()
    exif[0x0112] = 6
    side.save(tmp_path / 'side.png', exif=exif)
    found = whole(load(tmp_path))
    for name, (_, wanted) in made.items():
        if wanted is not None:
            assert np.array_equal(
                found[name], np.broadcast_to(wanted.reshape(16, 16, -1), (16, 16, 3))
            )
    assert np.abs(found['cmyk.jpg'].astype(int) - sample_images.pixels(1)).max() < 12
    assert np.array_equal(found['side.png'], np.rot90(sample_images.pixels(1), -1))
    loaded = load(tmp_path)
    for part in (loaded.train, loaded.test):
        assert np.array_equal(in_graph(part.images), part.images[:])


@unexpected
def test_a_png_named_jpg_is_read_as_what_it_is(tmp_path):
    sample_images.fill(tmp_path, 5, 'png')
    (tmp_path / 'really_png.jpg').write_bytes(sample_images.encoded(sample_images.pixels(9), 'PNG'))
    assert np.array_equal(whole(load(tmp_path))['really_png.jpg'], sample_images.pixels(9))


@unexpected
def test_a_image_of_one_pixel_is_read(tmp_path):
    sample_images.fill(tmp_path, 5, 'png', height=1, width=1)
    images = load(tmp_path).train.images
    assert images.shape[1:] == (1, 1, 3)
    assert np.array_equal(in_graph(images), images[:])


@pytest.mark.parametrize('name', sorted(sample_images.BAD))
def test_a_file_that_is_no_image_is_named(tmp_path, name):
    content, text = sample_images.BAD[name]
    sample_images.fill(tmp_path, 5, 'png')
    (tmp_path / name).write_bytes(content)
    with pytest.raises(errors.InputError) as refused:
        load(tmp_path)
    assert str(refused.value).startswith(f'{tmp_path / name} {text}')


def test_a_file_that_cannot_be_decoded_behind_its_header_is_named_by_the_graph_too(tmp_path):
    sample_images.fill(tmp_path, 9, 'png')
    for name in ('a.png', 'b.png'):
        content = bytearray(sample_images.encoded(sample_images.pixels(1), 'PNG'))
        content[60:90] = bytes(30)  # its sums are wrong
        (tmp_path / name).write_bytes(content)
    images = load(tmp_path).train.images
    places = [i for i, name in enumerate(images.names) if name in ('a.png', 'b.png')]
    with pytest.raises(errors.InputError, match=r'[ab]\.png cannot be decoded'):
        images[places]
    with tf.Graph().as_default(), tf.Session() as session:
        stream = streaming.Stream(images, None, 'training')
        fetched = stream.gather(tf.constant(places, tf.int64))
        with (
            pytest.raises(errors.InputError, match=r'[ab]\.png cannot be decoded'),
            streaming.blaming(stream),
        ):
            session.run(fetched[0])


UNEXPECTED = {
    'png.jpg': (
        sample_images.encoded(sample_images.pixels(9), 'PNG'),
        'contains PNG data, and',
    ),
    'jpeg.png': (
        sample_images.encoded(sample_images.pixels(9)),
        'contains JPEG data, and is read as',
    ),
    'press.jpg': (sample_images.cmyk(), 'is CMYK, and is converted to RGB'),
    'deep.png': (sample_images.sixteen_bits(), 'has 16 bits per channel, of which the upper 8 are'),
}


def test_what_one_would_not_expect_of_a_file_is_said_once_and_with_its_name(tmp_path):
    sample_images.fill(tmp_path, 5, 'png')
    for name, (content, _) in UNEXPECTED.items():
        (tmp_path / name).write_bytes(content)
    with pytest.warns(UserWarning) as said:
        load(tmp_path)
    texts = sorted(str(line.message) for line in said)
    wanted = sorted(f'{tmp_path / name} {text}' for name, (_, text) in UNEXPECTED.items())
    for text, want in zip(texts, wanted, strict=True):
        assert text.startswith(want)


def test_what_many_images_have_in_common_is_one_line(tmp_path):
    sample_images.fill(tmp_path, 13, 'png', height=1, width=1)
    with pytest.warns(UserWarning) as said:
        load(tmp_path)
    texts = [str(line.message) for line in said]
    assert texts == [f'{tmp_path}/00000.png is a single pixel; the same holds for 12 more images']


def test_a_file_that_changes_after_it_was_listed_is_named(tmp_path):
    sample_images.fill(tmp_path, 5, 'png')
    images = load(tmp_path).train.images
    path = tmp_path / images.names[0]
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(errors.InputError, match=f'{path.name} is truncated'):
        images[0]
    path.unlink()
    with pytest.raises(errors.InputError, match=f'{path.name} cannot be read: No such file'):
        images[0]


def test_names_of_any_kind_are_read(tmp_path):
    sample_images.fill(tmp_path, 5, 'png')
    names = [
        'with space.png',
        'Zoë ☃.png',
        'two\nlines.png',
        os.fsdecode(b'\xff\xfe.png'),
        "q'.png",
    ]
    for i, name in enumerate(names):
        (tmp_path / name).write_bytes(sample_images.encoded(sample_images.pixels(50 + i), 'PNG'))
    found = whole(load(tmp_path))
    for i, name in enumerate(names):
        assert np.array_equal(found[name], sample_images.pixels(50 + i))
    (tmp_path / 'two\nlines.png').write_bytes(b'')
    with pytest.raises(errors.InputError, match=r'two\\nlines.png is empty'):
        load(tmp_path)


def test_a_loop_of_links_ends(tmp_path):
    sample_images.fill(tmp_path / 'in', 5, 'png')
    (tmp_path / 'in' / 'again').symlink_to(tmp_path)
    (tmp_path / 'in' / 'itself').symlink_to('itself')
    sample_images.fill(tmp_path / 'in' / 'later', 3, 'png')  # listed after the loop
    assert len(set(image_folder.found(tmp_path))) == len(list(image_folder.found(tmp_path))) == 8


def test_a_folder_behind_a_link_to_another_one_is_read(tmp_path):
    tree(tmp_path, 'cat', 'elk')
    (tmp_path / 'dog').symlink_to('cat')
    assert load(tmp_path).class_names == ('cat', 'elk')


def test_a_link_to_nothing_is_named(tmp_path):
    sample_images.fill(tmp_path, 5, 'png')
    (tmp_path / 'gone.png').symlink_to('nowhere.png')
    with pytest.raises(errors.InputError, match='gone.png cannot be read: No such file'):
        load(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    sample_images.fill(tmp_path / 'in', 5, 'png')
    (tmp_path / 'closed').mkdir()
    real = os.scandir

    def scandir(path):  # as for one who is not root
        if str(path).endswith('closed'):
            raise PermissionError(13, 'Permission denied', str(path))
        return real(path)

    monkeypatch.setattr(os, 'scandir', scandir)
    with pytest.raises(errors.InputError, match='closed cannot be read: Permission denied'):
        load(tmp_path)


@pytest.mark.parametrize(
    'flags, text',
    [
        ({}, r'00000.png is 16x16 \(height x width\), .*wide.png is 16x20; with --size'),
        ({'crop': '17'}, r'00000.png is 16x16 \(height x width\), smaller than --crop=17x17'),
    ],
    ids=str,
)
def test_images_of_different_shapes_are_named(tmp_path, flags, text):
    sample_images.fill(tmp_path, 5, 'png')
    wide = sample_images.encoded(sample_images.pixels(1, 16, 20), 'PNG')
    (tmp_path / 'wide.png').write_bytes(wide)
    with pytest.raises(errors.InputError, match=text):
        load(tmp_path, **flags)
    assert load(tmp_path, crop='16').image_shape == (16, 16, 3)


@pytest.mark.parametrize('text', ['0', '16x', 'x16', '16x16x3', '-1', '1.5', '٣'])
@pytest.mark.parametrize('flag', ['crop', 'size'])
def test_a_size_that_is_none_is_refused(flag, text):
    with pytest.raises(errors.UsageError, match=f'--{flag} is .*; it must be height x width'):
        data.Config('images', 'x', **{flag: text})


def test_folders_are_classes(tmp_path):
    for i, name in enumerate(('dog', 'cat')):
        sample_images.fill(tmp_path / name / 'deeper', 6 + i, 'png')
    loaded = load(tmp_path, test_fraction=0.3)
    assert loaded.class_names == ('cat', 'dog')
    for part in (loaded.train, loaded.test):
        wanted = [loaded.class_names.index(name.split('/')[0]) for name in part.images.names]
        assert part.labels.tolist() == wanted
    cats = load(tmp_path, test_fraction=0.3, only_classes=('cat',)).train
    assert {name.split('/')[0] for name in cats.images.names} == {'cat'}


def test_images_beside_the_folders_have_no_class(tmp_path):
    for name in ('dog', 'cat', '.'):
        sample_images.fill(tmp_path / name, 5, 'png')
    assert load(tmp_path).train.labels is None


def test_the_folders_train_and_test_are_the_parts(tmp_path):
    for part in ('train', 'test'):
        for name in ('dog', 'cat'):
            sample_images.fill(tmp_path / part / name, 3, 'png')
    loaded = load(tmp_path)
    assert {name.split('/')[0] for name in loaded.train.images.names} == {'train'}
    assert {name.split('/')[0] for name in loaded.test.images.names} == {'test'}
    assert loaded.class_names == ('cat', 'dog')
    assert sorted(loaded.test.labels) == [0, 0, 0, 1, 1, 1]


def test_the_cut_is_a_function_of_each_name(tmp_path):
    names = [f'{i}.png' for i in range(4000)]
    tenth = {name for name in names if image_folder.hashed_split(name, 0.1) == image_folder.TEST}
    third = {name for name in names if image_folder.hashed_split(name, 0.3) == image_folder.TEST}
    assert tenth < third
    assert len(tenth) == pytest.approx(400, abs=80)  # four standard deviations
    sample_images.fill(tmp_path, 30, 'png')
    before = load(tmp_path).test.images.names
    sample_images.fill(tmp_path / 'more', 9, 'png')
    assert set(before) == {n for n in load(tmp_path).test.images.names if '/' not in n}


def test_a_small_folder_has_a_test_image_whatever_the_fraction(tmp_path):
    for count in range(2, 14):
        sample_images.fill(tmp_path, count, 'png')
        for fraction in (1e-9, 0.2, 0.5, 1 - 1e-9):
            loaded = load(tmp_path, test_fraction=fraction)
            assert len(loaded.train.images) + len(loaded.test.images) == count
            assert min(len(loaded.train.images), len(loaded.test.images)) >= 1
            again = load(tmp_path, test_fraction=fraction)
            assert again.test.images.names == loaded.test.images.names


def test_a_folder_without_two_images_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match='holds no image file'):
        load(tmp_path)
    (tmp_path / 'a.heic').write_bytes(b'')
    with pytest.raises(errors.InputError, match=r'holds no image file .*; it holds 1 \.heic$'):
        load(tmp_path)
    sample_images.fill(tmp_path, 1, 'png')
    with pytest.raises(errors.InputError, match='holds 1 image; a train and a test split need two'):
        load(tmp_path)
    with pytest.raises(errors.UsageError, match='--data_dir must name the folder'):
        data.load(data.Config('images'))


def tree(folder, *places, count=4):
    """Images in each of these folders."""
    for place in places:
        sample_images.fill(folder / place, count, 'png')
    return folder


def top(images):
    """The first folders of the names of images."""
    return {name.split('/')[0] for name in images.names}


@pytest.mark.parametrize(
    'train, validation, test',
    [
        ('train', 'val', 'test'),
        ('Train', 'Val', 'Test'),
        ('TRAIN', None, 'TEST'),
        ('training', 'validation', 'testing'),
        ('train', 'valid', 'eval'),
        ('train', 'dev', None),
        ('Training', None, 'Evaluation'),
        ('train', None, None),
    ],
)
def test_folders_of_splits_are_no_classes_whatever_their_names(tmp_path, train, validation, test):
    for part in filter(None, (train, validation, test)):
        tree(tmp_path, f'{part}/cat', f'{part}/dog')
    loaded = data.load(data.Config('images', str(tmp_path)))
    assert loaded.class_names == ('cat', 'dog')
    assert set(loaded.train.labels) == {0, 1}
    assert top(loaded.train.images) == {train}
    assert top(loaded.test.images) == {test or train}
    assert top(loaded.validation.images) == {validation or train}
    if validation:
        assert len(loaded.validation.images) == 8
    if test:
        assert len(loaded.test.images) == 8
    assert not set(loaded.train.images.names) & set(loaded.test.images.names)


def test_a_class_may_be_called_train_and_that_is_said(tmp_path):
    tree(tmp_path, 'bus', 'car', 'train')
    found = image_folder.listed(tmp_path, 0.2)
    assert found.class_names == ('bus', 'car', 'train')
    assert found.notes == ('warning: train/ read as a class: a split must be next to train/',)


@pytest.mark.parametrize(
    'train, test', [('training_set', 'test_set'), ('train_set', 'tests'), ('Train-Set', 'testset')]
)
def test_splits_have_the_names_that_archives_give_them(tmp_path, train, test):
    for split in (train, test):
        tree(tmp_path / split, 'cat', 'dog')
    found = image_folder.listed(tmp_path, 0.2)
    assert found.class_names == ('cat', 'dog')
    wanted = [name.startswith(f'{test}/') for name in found.names]
    assert list(found.split == image_folder.TEST) == wanted and any(wanted)


def test_splits_inside_of_classes_are_said_to_be_none(tmp_path):
    for kind in ('cat', 'dog'):
        tree(tmp_path / kind, 'train', 'test')
    (note,) = image_folder.listed(tmp_path, 0.2).notes
    assert note.startswith('warning: test/ and train/ in the classes are not read as splits')


@pytest.mark.parametrize(
    'folders, text',
    [
        (
            ('train', 'Train', 'test'),
            'holds Train/ and train/, which all denote the training split',
        ),
        (('train', 'val', 'dev'), 'holds dev/ and val/, which all denote the validation split'),
        (('train', 'test', 'eval'), 'holds eval/ and test/, which all denote the test split'),
        (('val', 'test'), 'holds test/ and val/ and no folder train; it must hold one'),
    ],
)
def test_folders_that_are_one_split_or_no_training_are_refused(tmp_path, folders, text):
    tree(tmp_path, *folders)
    with pytest.raises(errors.InputError, match=text):
        load(tmp_path)


def test_a_fraction_beside_a_folder_of_validation_images_is_refused(tmp_path):
    tree(tmp_path, 'train', 'val')
    with pytest.raises(errors.UsageError, match='images has its own validation split'):
        data.load(data.Config('images', str(tmp_path), validation_fraction=0.3))


def test_what_is_left_out_is_counted_and_named(tmp_path):
    tree(tmp_path, 'train/cat', 'train/dog', 'test/cat', 'test/dog', 'extra')
    for name in ('train/cat/a.heic', 'train/cat/b.HEIC', 'test/dog/c.avif', 'notes.txt', 'LICENSE'):
        (tmp_path / name).write_bytes(b'')
    (tmp_path / 'train' / 'bird').mkdir()
    assert load(tmp_path).notes == (
        'warning: skipped: images of formats that are not read: 2 .heic, 1 .avif, such as '
        'test/dog/c.avif',
        'skipped: files that are not images: 1 without suffix, 1 .txt, such as LICENSE',
        'warning: skipped: 4 images outside test/ and train/, such as extra/00000.png',
        'warning: skipped: folders without images: train/bird/',
    )


@pytest.mark.parametrize('place', ['cat', 'train/cat', 'test'])
def test_a_folder_of_images_that_are_not_read_does_not_vanish(tmp_path, place):
    folders = ('dog', 'bird') if place == 'cat' else ('train/dog', 'train/bird')
    tree(tmp_path, *folders, *([] if place != 'train/cat' else ['test/dog']))
    (tmp_path / place).mkdir(parents=True)
    for name in ('a.heic', 'b.heic'):
        (tmp_path / place / name).write_bytes(b'')
    text = rf'{place}/? holds no image of a known format, but 2 \.heic; convert them to JPEG or PNG'
    with pytest.raises(errors.InputError, match=text):
        load(tmp_path)


@pytest.mark.parametrize('suffix', ['jpe', 'jfif', 'jif', 'JPG', 'dib', 'webp', 'gif', 'tiff'])
def test_every_suffix_of_a_form_that_is_read_counts(tmp_path, suffix):
    kind = {'webp': 'WEBP', 'gif': 'GIF', 'tiff': 'TIFF', 'dib': 'BMP'}.get(suffix, 'JPEG')
    for i in range(6):
        content = sample_images.encoded(sample_images.pixels(i), kind)
        (tmp_path / f'{i}.{suffix}').write_bytes(content)
    loaded = load(tmp_path)
    assert len(whole(loaded)) == 6
    for part in (loaded.train, loaded.test):
        assert np.array_equal(in_graph(part.images), part.images[:])


def test_folders_one_level_too_deep_are_said(tmp_path):
    tree(tmp_path, 'photos/train/cat', 'photos/test/dog')
    assert load(tmp_path).notes == (
        'warning: no classes: images lie in photos/test/ and photos/train/; folders of classes '
        'must be directly in --data_dir, or in its folders train/ and test/',
    )


@pytest.mark.parametrize(
    'places, named',
    [
        (('photos/all/cat', 'photos/all/dog'), 'photos/all/cat/ and photos/all/dog/'),
        (('a/b/c/d/cat', 'a/b/c/d/dog/x', 'a/b/c/d/elk'), 'a/b/c/d/cat/ and a/b/c/d/dog/'),
        (('train/all/cat', 'train/all/dog', 'test/all/cat'), 'all/cat/ and all/dog/'),
        (('photos/all',), None),
        (('photos', 'photos/cat', 'photos/dog'), 'photos/cat/ and photos/dog/'),
    ],
)
def test_folders_of_classes_further_down_are_named(tmp_path, places, named):
    found = load(tree(tmp_path, *places))
    assert found.class_names == ()
    assert [note.partition('; ')[0] for note in found.notes] == (
        [f'warning: no classes: images lie in {named}'] if named else []
    )


def test_hidden_folders_are_named_and_no_classes(tmp_path):
    places = ('cat', 'dog', 'cat/.thumbs', '.cache/x', '__MACOSX/cat')
    loaded = load(tree(tmp_path, *places))
    assert loaded.class_names == ('cat', 'dog')
    assert loaded.notes == ('skipped: hidden folders: .cache/, __MACOSX/, cat/.thumbs/',)
    assert len(loaded.train.images) + len(loaded.validation.images) + len(loaded.test.images) == 8


def test_images_beside_folders_say_why_there_are_no_classes(tmp_path):
    tree(tmp_path, 'train/cat', 'train/dog', 'test')
    loaded = load(tmp_path)
    assert loaded.class_names == ()
    assert loaded.notes == (
        'warning: 2 folders are not read as classes, since 4 images lie next to them, such as '
        '00000.png',
    )


def test_the_fingerprint_tells_other_images_and_other_flags(tmp_path):
    sample_images.fill(tmp_path, 9, 'png')
    known = load(tmp_path).fingerprint()
    assert load(tmp_path).fingerprint() == known
    assert load(tmp_path, size='8x8').fingerprint() != known
    assert load(tmp_path, color='gray').fingerprint() != known
    (tmp_path / '00003.png').write_bytes(
        sample_images.encoded(np.zeros([16, 16, 3], np.uint8), 'PNG')
    )
    assert load(tmp_path).fingerprint() != known


def test_a_header_is_read_without_the_pixels():
    content = sample_images.png_header(5000, 6000)
    found = image_files.header(content, 'x')
    assert (found.format, found.height, found.width, found.plain) == ('PNG', 6000, 5000, True)


def transparent_files():
    """Name -> (image with alpha 0 over bright colors, its opaque pixels) of each kind of file."""
    colors = sample_images.pixels(3)
    alpha = np.zeros([16, 16], np.uint8)
    alpha[:, 8:] = 255
    rgba = Image.fromarray(np.dstack([colors, alpha]))
    gray = Image.fromarray(np.dstack([colors[..., 0], alpha]))
    return {'rgba.png': rgba, 'la.png': gray, 'rgba.tif': rgba, 'rgba.webp': rgba}


@unexpected
def test_colors_below_alpha_0_are_not_read(tmp_path):
    sample_images.fill(tmp_path, 6, 'png')
    for name, image in transparent_files().items():
        # WEBP drops the colors below alpha 0 by itself, unless it is told to be exact.
        image.save(tmp_path / name, **({'lossless': True, 'exact': True} if 'w' in name else {}))
    colors = Image.fromarray(sample_images.pixels(3)).quantize(16)
    colors.save(tmp_path / 'some.gif', transparency=colors.getpixel((0, 0)))
    found = whole(load(tmp_path))
    for name in ('rgba.png', 'rgba.tif', 'rgba.webp'):
        assert np.all(found[name][:, :8] == 255)
        assert np.array_equal(found[name][:, 8:], sample_images.pixels(3)[:, 8:])
    clear = np.asarray(colors) == colors.getpixel((0, 0))
    assert np.all(found['some.gif'][clear] == 255)
    assert np.array_equal(found['some.gif'][~clear], np.asarray(colors.convert('RGB'))[~clear])
    assert np.all(found['la.png'][:, :8] == 255)
    assert np.array_equal(found['la.png'][:, 8:, 1], sample_images.pixels(3)[:, 8:, 0])
    loaded = load(tmp_path)
    for part in (loaded.train, loaded.test):
        assert np.array_equal(in_graph(part.images), part.images[:])


def test_half_transparent_colors_are_mixed_with_white():
    pixels = np.full([2, 2, 4], (200, 100, 0, 51), np.uint8)
    made = np.asarray(image_files.eight_bits(sample_images.encoded(pixels, 'PNG'), 'it'))
    assert np.array_equal(made[0, 0], [244, 224, 204])  # 0.2 of the color and 0.8 of white


@pytest.mark.parametrize(
    'depth, color, key',
    [
        *((depth, color, True) for color in (0, 3) for depth in (1, 2, 4, 8)),
        *((16, color, True) for color in (0, 2)),
        (8, 2, True),
        *((depth, color, None) for color in (4, 6) for depth in (8, 16)),
    ],
)
def test_every_kind_of_transparent_png_is_composited_as_libpng_reads_it(depth, color, key):
    content = sample_images.raw_png(depth, color, key)
    with tf.Session() as session:
        rgba = session.run(tf.image.decode_png(content, 4)).astype(float)
    alpha = rgba[..., 3:] / 255
    assert alpha.min() < 1
    wanted = alpha * rgba[..., :3] + (1 - alpha) * 255
    assert image_files.transparent(content)
    assert not image_files.header(content, 'it').plain
    made = np.asarray(image_files.eight_bits(content, 'it').convert('RGB'))
    assert np.abs(made - wanted).max() <= 1


FILM = bytes(range(256)) * 64  # what a telephone puts behind an image


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_anything_may_stand_behind_the_end_of_an_image(tmp_path, kind):
    sample_images.fill(tmp_path, 7, 'jpg')
    content = sample_images.encoded(sample_images.pixels(70), kind)
    suffix = 'jpg' if kind == 'JPEG' else 'png'
    (tmp_path / f'motion.{suffix}').write_bytes(content + FILM)
    (tmp_path / f'still.{suffix}').write_bytes(content)
    loaded = load(tmp_path)
    found = whole(loaded)
    assert np.array_equal(found[f'motion.{suffix}'], found[f'still.{suffix}'])
    for part in (loaded.train, loaded.test):
        assert np.array_equal(in_graph(part.images), part.images[:])


@pytest.mark.parametrize('options', [{}, {'progressive': True}, {'subsampling': 0}], ids=str)
@pytest.mark.parametrize('part', [0.5, 0.9])
def test_a_jpeg_cut_short_is_refused_with_an_end_mark_too(tmp_path, options, part):
    sample_images.fill(tmp_path, 6, height=64, width=64)
    whole_jpeg = sample_images.encoded(sample_images.pixels(70, 64, 64), **options)
    image_files.refuse_incomplete(whole_jpeg, 'it')
    image_files.refuse_incomplete(whole_jpeg + FILM, 'it')
    half = whole_jpeg[: int(part * len(whole_jpeg))] + b'\xff\xd9'
    for name in ('a.jpg', 'b.jpg'):
        (tmp_path / name).write_bytes(half)
    images = load(tmp_path).train.images
    places = [i for i, name in enumerate(images.names) if name in ('a.jpg', 'b.jpg')]
    text = r'[ab]\.jpg is truncated: its JPEG ends before its last pixel'
    with pytest.raises(errors.InputError, match=text):
        images[places]
    with tf.Graph().as_default(), tf.Session() as session:
        stream = streaming.Stream(images, None, 'training')
        fetched = stream.gather(tf.constant(places, tf.int64))
        with pytest.raises(errors.InputError, match=text), streaming.blaming(stream):
            session.run(fetched[0])
    with pytest.raises(errors.InputError, match='is truncated: its JPEG ends before'):
        image_files.eight_bits(half, 'it')


def test_an_image_of_one_color_is_complete():
    flat = np.full([300, 200, 3], 255, np.uint8)
    for options in ({}, {'progressive': True}):
        for image in (flat, flat[:1, :1], flat[:5]):
            image_files.refuse_incomplete(sample_images.encoded(image, **options), 'it')
    flat[:50] = sample_images.pixels(1, 50, 200)
    content = sample_images.encoded(flat)
    image_files.refuse_incomplete(content, 'it')
    with pytest.raises(errors.InputError, match='ends before its last pixel'):
        image_files.refuse_incomplete(content[: len(content) * 2 // 3] + b'\xff\xd9', 'it')


def test_half_a_png_with_its_end_is_refused_by_both_readers(tmp_path):
    sample_images.fill(tmp_path, 9, 'png', height=64, width=64)
    content = sample_images.encoded(sample_images.pixels(70, 64, 64), 'PNG')
    for name in ('a.png', 'b.png'):
        (tmp_path / name).write_bytes(content[: len(content) // 2] + content[-12:])
    images = load(tmp_path).train.images
    places = [i for i, name in enumerate(images.names) if name in ('a.png', 'b.png')]
    with pytest.raises(errors.InputError, match=r'[ab]\.png '):
        images[places]
    with tf.Graph().as_default(), tf.Session() as session:
        stream = streaming.Stream(images, None, 'training')
        fetched = stream.gather(tf.constant(places, tf.int64))
        with pytest.raises(errors.InputError, match=r'[ab]\.png '), streaming.blaming(stream):
            session.run(fetched[0])
