"""Data sets from outside: found by name, checked part by part, and refused in one line."""

import sys
import types

import numpy as np
import pytest

from tfae import data, testing
from tfae.core import errors
from tfae.data import lazy_images, outside
from tfae.training.experiment import Signature

IMAGES = np.random.RandomState(0).randint(256, size=[20, 6, 5, 2]).astype(np.uint8)
LABELS = np.arange(20) % 3


def split(count=20, images=IMAGES, labels=LABELS):
    return data.Split(images[:count], None if labels is None else labels[:count])


def module(found, **parts):
    """A data set that gives `found`, or whatever `found` gives if it is a function."""
    made = types.ModuleType('of_somebody')
    load = found if callable(found) else lambda config: found
    vars(made).update({'FIELDS': ('data_dir',), 'load': load, **parts})
    return made


def loaded(found, **fields):
    return data.load(data.Config('of_somebody', validation_fraction=0, **fields), module(found))


def test_arrays_of_any_kind_that_an_npz_may_hold_are_taken():
    got = loaded((split(), split(8), ('a', 'b', 'c')))
    assert np.array_equal(got.train.images, IMAGES)
    assert got.test.labels.dtype == np.int64
    assert (got.name, got.class_names) == ('of_somebody', ('a', 'b', 'c'))
    wide = loaded((split(images=IMAGES.astype(np.int64)), split(8), ()))
    assert wide.train.images.dtype == np.uint8
    assert wide.class_names == ('0', '1', '2')
    gray = split(images=(IMAGES[..., 0] / 255).astype(np.float64), labels=None)
    assert loaded((gray, gray, ())).train.images.shape == (20, 6, 5, 1)


def test_a_validation_split_of_its_own_is_kept():
    got = loaded(data.Loaded(split(12), split(8), ('a', 'b', 'c'), split(5), ('skipped: one',)))
    assert got.notes == ('skipped: one',)
    assert len(got.validation.images) == 5


class Someone:
    """A data set that is an object."""

    FIELDS = ()

    def __init__(self, found):
        self.found = found

    def load(self, config):
        return self.found


def test_the_kind_of_an_object_is_that_of_its_arrays():
    parts = [data.Split(np.zeros([count, 6], np.float32), None) for count in (20, 8)]
    named = data.Loaded(*parts, (), kind='sequences')
    got = data.load(data.Config('of_somebody', validation_fraction=0), Someone(named))
    assert (got.image_shape, got.noun) == ((6, 1), 'sequence')
    wrong = named._replace(kind='sequence')
    with pytest.raises(errors.InputError, match="kind is 'sequence'; it must be '' or 'sequences'"):
        data.load(data.Config('of_somebody'), Someone(wrong))


def test_channels_have_names():
    parts = [data.Split(np.zeros([count, 6, 2], np.float32), None) for count in (20, 8)]
    named = data.Loaded(*parts, (), columns=('left', 'right'), kind='sequences')
    got = loaded(named)
    assert got.column_names() == ['left', 'right']
    assert Signature.of(got).columns == ('left', 'right')


def test_files_of_images_have_no_other_kind():
    with pytest.raises(errors.InputError) as caught:
        loaded(
            data.Loaded(*(data.Split(lazy(count), None) for count in (20, 8)), (), kind='volumes')
        )
    assert str(caught.value) == (
        "--dataset=of_somebody: kind is 'volumes', which is for arrays; LazyImages are images"
    )


def raising(config):
    return {}['images']


def two_lines(config):
    raise OSError('the server\nis away')


def exiting(config):
    sys.exit(5)


def cut_after(**fields):
    """A function that cuts a split with other images or labels as `data.with_test` does."""
    return lambda config: (*data.with_test(split()._replace(**fields), '--dataset=of_somebody'), ())


def missing(config):
    raise errors.InputError('/nowhere: no such file')


@pytest.mark.parametrize(
    'found, text',
    [
        (None, 'load returned NoneType; it must return (train, test, class_names)'),
        ((1, 2), 'load returned tuple of 2; it must return (train, test, class_names)'),
        ((IMAGES, split(), ()), ' train is ndarray; it must return'),
        ((split(images=[1]), split(), ()), ' train images are list of 1; they must be a numpy'),
        ((split(images=IMAGES[0]), split(), ()), ' train'),
        ((split(images=IMAGES + 0.5), split(), ()), ' pixels lie outside [0, 1]'),
        ((split(images=IMAGES * np.nan), split(), ()), ' pixels are NaN'),
        ((split(labels=LABELS - 1), split(), ()), 'train labels: labels span -1 to 1'),
        ((split(labels=LABELS[:3]), split(), ()), 'holds 3 labels for 20 images'),
        ((split(), split(images=IMAGES[:, 1:]), ()), 'test images are (5, 5, 2); they must match'),
        ((split(), split(labels=None), ()), 'they must match'),
        ((split(), split(), ('a',)), 'there are 1 class names for labels up to 2'),
        ((split(), split(), 'abc'), "class names are 'abc'; they must be a tuple of strings"),
        ((split(labels=None), split(labels=None), ('a',)), 'class names but no labels'),
        (
            (split(), (*split(), 0), ()),
            ' test is tuple of 3; it must return (train, test, class_names)',
        ),
        ((split(), None, ()), ' test is NoneType; it must return (train, test, class_names)'),
        ((None, split(), ()), ' train is NoneType; it must return'),
        ((split(), split(), None), 'class names are None; they must be a tuple of strings'),
        (
            data.Loaded(split(labels=LABELS % 2), split(labels=LABELS % 2), ('a', 'b'), split()),
            'there are 2 class names for labels up to 2',
        ),
        (raising, "load raised KeyError: 'images' ("),
        (two_lines, 'load raised OSError: the server is away ('),
        (cut_after(labels=LABELS[:19]), 'holds 19 labels for 20 images'),
        (cut_after(images=IMAGES.tolist()), 'images are of type list; they must be an array'),
        (cut_after(labels=LABELS.tolist()), 'labels are of type list; they must be an array'),
        (cut_after(images=None), 'load raised TypeError: '),
        (exiting, 'load raised SystemExit: 5 ('),
        (missing, '/nowhere: no such file'),
    ],
)
def test_a_wrong_result_is_refused_by_name(found, text):
    with pytest.raises(errors.InputError) as caught:
        loaded(found)
    assert text in str(caught.value)
    assert found is missing or str(caught.value).startswith('--dataset=of_somebody: ')


def test_an_error_is_placed_where_it_was_raised():
    with pytest.raises(errors.InputError) as caught:
        loaded(raising)
    line = raising.__code__.co_firstlineno + 1
    assert str(caught.value).endswith(f'({__file__}, line {line})')


def test_an_error_of_the_operating_system_passes():
    def unreadable(config):
        raise PermissionError(13, 'Permission denied', '/secret')

    with pytest.raises(PermissionError, match='/secret'):
        loaded(unreadable)


def lazy(count):
    """Images in files, none of which is read."""
    return data.LazyImages(None, np.arange(count), lazy_images.Form(6, 5, 2))


@pytest.mark.parametrize(
    'parts, text',
    [
        (
            (lazy(20), lazy(8), data.LazyImages(None, np.arange(4), lazy_images.Form(3, 5, 2))),
            'training images are (6, 5, 2), validation images are (3, 5, 2); they must match',
        ),
        (
            (lazy(20), 255.0 * IMAGES[:8].astype(float), lazy(4)),
            'test images: 476 of 480 pixels lie outside [0, 1], the range is [0.0, 65025.0]',
        ),
        (
            (lazy(20), IMAGES[:8] / np.float32(255), lazy(4)),
            'training images are uint8, test images are float32; they must match',
        ),
    ],
)
def test_splits_that_do_not_match_are_refused_in_files_too(parts, text):
    train, test, validation = (data.Split(x, LABELS[: len(x)]) for x in parts)
    with pytest.raises(errors.InputError) as caught:
        loaded(data.Loaded(train, test, (), validation))
    assert text in str(caught.value)
    assert '\n' not in str(caught.value)


def test_labels_in_one_split_of_files_alone_are_refused():
    with pytest.raises(errors.InputError, match='images are labeled, test images are unlabeled'):
        loaded((data.Split(lazy(20), LABELS), data.Split(lazy(8), None), ()))


@pytest.mark.parametrize('given', [{'a', 'b', 'c'}, map(str, 'abc'), {'a': 0, 'b': 1, 'c': 2}])
def test_class_names_without_an_order_are_refused(given):
    with pytest.raises(
        errors.InputError, match='class names are .*; they must be a tuple of string'
    ):
        loaded((split(), split(8), given))


def test_labels_of_images_in_files_are_taken_as_those_of_arrays():
    parts = [data.Split(lazy(count), LABELS[:count].astype(np.uint8)) for count in (20, 8)]
    got = loaded((*parts, ()))
    assert np.array_equal(got.train.labels, LABELS[got.train.images.places])
    assert got.test.labels.dtype == np.int64
    assert got.class_names == ('0', '1', '2')


@pytest.mark.parametrize(
    'count, labels, text',
    [
        (20, LABELS - 1, 'labels are int64 (20,); they must be integers from 0, one for each'),
        (
            19,
            LABELS,
            'labels are int64 (20,); they must be integers from 0, one for each of 1',
        ),
        (20, LABELS / 2, 'labels are float64 (20,); they must be integers from 0'),
        (0, LABELS[:0], 'images are empty; there must be at least one'),
    ],
)
def test_wrong_labels_of_images_in_files_are_refused(count, labels, text):
    with pytest.raises(errors.InputError) as caught:
        loaded((split(), data.Split(lazy(count), labels), ()))
    assert str(caught.value).startswith(f'--dataset=of_somebody: test {text}')


@pytest.mark.parametrize(
    'parts, text',
    [
        ({'FIELDS': None}, 'it has no FIELDS; it must be a tuple'),
        ({'FIELDS': 'data_dir'}, 'it has no FIELDS; it must be a tuple'),
        (
            {'FIELDS': ('colour_of_hair',)},
            "FIELDS has 'colour_of_hair'; it must be one of dataset, ",
        ),
        ({'load': None}, 'it has no function load(config)'),
    ],
)
def test_a_lack_is_named(parts, text):
    made = module(None, **parts)
    assert outside.problem(made).startswith(text)
    with pytest.raises(AssertionError, match='of_somebody: '):
        testing.check_dataset(made)


def test_built_in_sets_lack_nothing():
    assert not any(outside.problem(source) for source in data.SETS.values())


def test_a_module_is_loaded_by_its_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (
        'import numpy as np\nfrom tfae import data\nFIELDS = ()\ndef load(config):\n'
        '    split = data.Split(np.zeros([10, 2, 2, 1], np.uint8), None)\n'
        '    return split, split, ()\n'
    )
    (tmp_path / 'zeros_of_a_test.py').write_text(text)
    (tmp_path / 'empty_of_a_test.py').write_text('')
    assert data.load(data.Config('zeros_of_a_test')).image_shape == (2, 2, 1)
    testing.check_dataset('zeros_of_a_test')
    with pytest.raises(errors.UsageError) as caught:
        data.load(data.Config('empty_of_a_test'))
    assert str(caught.value).startswith(
        "--dataset is 'empty_of_a_test', a module that is not a data set: it has no FIELDS"
    )
    with pytest.raises(
        errors.UsageError, match="--data_dir is 'x', but data set zeros_of_a_test does not use it"
    ):
        data.load(data.Config('zeros_of_a_test', data_dir='x'))


def test_check_dataset_names_what_is_wrong():
    testing.check_dataset(module((split(), split(8), ('a', 'b', 'c'))))
    with pytest.raises(AssertionError, match='^dataset=of_somebody: load raised KeyError'):
        testing.check_dataset(module(raising))
    random = np.random.RandomState(0)

    def other_each_time(config):
        return split(images=random.randint(99, size=IMAGES.shape)), split(), ()

    with pytest.raises(AssertionError, match='"Loading twice gives the same examples"; the finge'):
        testing.check_dataset(module(other_each_time))
