"""What holds for every data set, and the cut into parts."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tfae import data
from tfae.core import errors

EMBEDDED = ('digits', 'synthetic')  # need no file


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def whole(count, labeled=True):
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    return data.Split(images, np.arange(count) if labeled else None)


def test_names_are_the_files_of_sets():
    folder = pathlib.Path(data.__file__).parent / 'sets'
    files = {path.stem for path in folder.glob('[!_]*.py')}
    assert data.names() == sorted(files)
    assert {'digits', 'mnist', 'fashion_mnist', 'npz', 'synthetic'} <= set(data.names())


@pytest.mark.parametrize('name', data.names())
def test_every_set_has_the_members_of_the_contract(name):
    source = data.module(name)
    assert source.__doc__
    assert callable(source.load)
    assert set(source.FIELDS) <= set(data.Config.__dataclass_fields__)


@pytest.mark.parametrize(
    'shape, noun, axes, tabular, is_image',
    [
        ((5,), 'row', ('columns',), True, False),
        ((9, 2), 'sequence', ('steps', 'channels'), False, False),
        ((4, 3, 1), 'image', ('height', 'width', 'channels'), False, True),
        ((2, 4, 3, 1), 'volume', ('depth', 'height', 'width', 'channels'), False, False),
    ],
)
def test_the_rank_of_an_example_says_what_it_is(shape, noun, axes, tabular, is_image):
    assert data.noun(shape) == noun
    assert data.axes(shape) == axes
    assert (data.tabular(shape), data.is_image(shape)) == (tabular, is_image)


def test_a_reshaped_set_has_the_same_values_in_every_split():
    loaded = data.DataSet('rows', whole(6), whole(4), whole(3), ())
    made = loaded.reshaped((1,))
    for name in ('train', 'validation', 'test'):
        part = getattr(loaded, name)
        np.testing.assert_array_equal(getattr(made, name).images, part.images.reshape(-1, 1))


def test_every_field_of_the_configuration_has_a_help_text():
    for field in data.Config.__dataclass_fields__.values():
        assert field.metadata['help'].endswith('.'), field.name


def test_loading_does_not_import_tensorflow():
    code = (
        'import sys; from tfae import data\n'
        'for name in data.names(): data.module(name)\n'
        'data.load(data.Config())\n'
        'sys.exit("tensorflow" in sys.modules)'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0


@pytest.mark.parametrize('name', EMBEDDED)
def test_parts_are_images_with_classes(name):
    dataset = data.load(data.Config(dataset=name))
    for part in (dataset.train, dataset.validation, dataset.test):
        assert part.images.shape == (len(part.labels), *dataset.image_shape)
        assert part.images.dtype in (np.uint8, np.float32)
        assert part.labels.dtype == np.int64
        scaled = data.pixels(part.images)
        assert scaled.min() >= 0
        assert scaled.max() <= 1
        assert set(part.labels) <= set(range(len(dataset.class_names)))


@pytest.mark.parametrize('name', EMBEDDED)
def test_loading_twice_gives_the_same_bytes(name):
    a, b = (data.load(data.Config(dataset=name)) for _ in range(2))
    assert a.fingerprint() == b.fingerprint()
    assert all(same(x, y) for x, y in zip(a[1:4], b[1:4], strict=True))


def test_unknown_set_is_refused_with_the_nearest_name():
    with pytest.raises(errors.UsageError, match=r"'fashion-mnist'.* did you mean fashion_mnist"):
        data.load(data.Config(dataset='fashion-mnist'))


@pytest.mark.parametrize('name', ['pipeline', '_idx', '', '..'])
def test_a_module_that_is_no_set_is_refused(name):
    with pytest.raises(errors.UsageError, match=f'must be one of {", ".join(data.names())}'):
        data.load(data.Config(dataset=name))


@pytest.mark.parametrize(
    'config, text',
    [
        (data.Config(data_dir='x'), "--data_dir is 'x', but data set digits does not use it"),
        (data.Config(synthetic_shape='8x8x1'), '--synthetic_shape .* digits does not use it'),
        (data.Config('synthetic', data_dir='x'), '--data_dir .* synthetic does not use it'),
        (data.Config('mnist', synthetic_examples=5), '--synthetic_examples is 5, .* mnist'),
    ],
)
def test_a_field_of_another_set_is_refused(config, text):
    with pytest.raises(errors.UsageError, match=text):
        data.load(config)


@pytest.mark.parametrize('fraction', [-0.1, 1, 1.1, float('nan')])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(errors.UsageError, match=r'--validation_fraction .* must lie in \[0, 1\)'):
        data.load(data.Config(validation_fraction=fraction))


@pytest.mark.parametrize('fraction', [0.9997, 0.9999])
def test_a_fraction_that_leaves_no_training_example_is_refused(fraction):
    with pytest.raises(errors.UsageError, match='leaves none of the 1437 training examples'):
        data.load(data.Config(validation_fraction=fraction))


def test_no_fraction_leaves_the_training_set_whole():
    dataset = data.load(data.Config(validation_fraction=0.0))
    assert len(dataset.train.images) == 1437
    assert dataset.validation.images.shape == (0, 8, 8, 1)
    assert dataset.validation.labels.shape == (0,)


def test_the_test_part_does_not_depend_on_the_fraction():
    a, b = (data.load(data.Config(validation_fraction=f)) for f in (0.0, 0.5))
    assert same(a.test, b.test)


@pytest.mark.parametrize('labeled', [True, False])
def test_cut_partitions_and_keeps_the_order(labeled):
    rest, taken = data.cut(whole(100, labeled), 30, seed=1)
    kept, gone = rest.images.ravel(), taken.images.ravel()
    assert (len(kept), len(gone)) == (70, 30)
    assert sorted([*kept, *gone]) == list(range(100))
    assert np.all(np.diff(kept.astype(int)) > 0)
    assert np.all(np.diff(gone.astype(int)) > 0)
    if labeled:
        assert np.array_equal(rest.labels, kept)
        assert np.array_equal(taken.labels, gone)
    else:
        assert rest.labels is None
        assert taken.labels is None


def test_a_larger_cut_holds_the_smaller():
    small, large = (set(data.cut(whole(100), n, seed=1)[1].labels) for n in (10, 40))
    assert small < large


def test_a_cut_takes_the_same_examples_for_good():
    # Frozen here: another draw would put training examples of old runs into their test part.
    assert list(data.cut(whole(20), 6, seed=1)[1].labels) == [2, 3, 6, 10, 14, 16]


def classes(*counts):
    """So many examples of class 0, 1 ..., in a mixed order; an image is its own number."""
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = labels[np.random.RandomState(3).permutation(len(labels))]
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return data.Split(images, labels)


@pytest.mark.parametrize(
    'count, want', [(1, 1), (3, 3), (9, [3, 3, 3]), (12, [4, 5, 3]), (40, [4, 33, 3])]
)
def test_few_examples_are_shared_out_among_the_classes(count, want):
    found = np.bincount(data.few(classes(4, 50, 3), count, 0, 'x').labels, minlength=3)
    assert found.sum() == count
    if isinstance(want, list):
        assert list(found) == want
    else:
        assert sum(found > 0) == want


def test_few_examples_keep_their_order_and_more_hold_the_fewer():
    split = classes(30, 20, 40)
    whole = dict(zip(split.images.ravel(), split.labels, strict=True))
    before = set()
    for count in (1, 7, 30, 70, 90):
        found = data.few(split, count, 5, 'x')
        kept = list(found.images.ravel())
        assert kept == sorted(kept)
        assert [whole[i] for i in kept] == list(found.labels)
        assert before < set(kept)
        before = set(kept)


def test_few_examples_are_the_same_for_good():
    assert list(data.few(classes(8, 8), 6, 0, 'x').images.ravel()) == [1, 4, 6, 8, 9, 13]


def test_the_seed_decides_which_examples_have_labels():
    kept = [data.load(data.Config(labeled_examples=20, labeled_seed=s)) for s in (0, 0, 1)]
    assert [k.fingerprint() == kept[0].fingerprint() for k in kept] == [True, True, False]
    whole = data.load(data.Config())
    for found in kept:
        assert list(np.bincount(found.train.labels)) == [2] * 10
        assert found.classes == 10
        assert same(found.validation, whole.validation)
        assert same(found.test, whole.test)


@pytest.mark.parametrize(
    'fields, text',
    [
        ({'labeled_examples': -1}, r'--labeled_examples is -1; it must lie in \[0, inf\)'),
        ({'labeled_seed': -1}, r'--labeled_seed is -1; it must lie in \[0, 4294967295\]'),
        ({'labeled_seed': 1}, '--labeled_seed needs --labeled_examples'),
        ({'labeled_examples': 1294}, '--labeled_examples is 1294; digits has 1293 for training'),
    ],
)
def test_labeled_examples_that_cannot_be_had_are_refused(fields, text):
    with pytest.raises(errors.UsageError, match=text):
        data.load(data.Config(**fields))


def test_labeled_examples_of_a_set_without_labels_are_refused():
    with pytest.raises(errors.UsageError, match='--labeled_examples is 2; data set x has no lab'):
        data.few(whole(5, labeled=False), 2, 0, 'x')


def test_classes_are_kept_and_left_out_in_training_alone():
    whole, only, without = (
        data.load(data.Config(dataset='digits', **fields))
        for fields in ({}, {'only_classes': ('3', '7')}, {'without_classes': ('3', '7')})
    )
    for part in ('train', 'validation'):
        assert set(getattr(only, part).labels) == {3, 7}
        assert set(getattr(without, part).labels) == set(range(10)) - {3, 7}
    kept = np.isin(np.concatenate([whole.train.labels, whole.validation.labels]), [3, 7])
    counts = [len(found.train.labels) + len(found.validation.labels) for found in (only, without)]
    assert counts == [kept.sum(), (~kept).sum()]
    for found in (only, without):
        assert same(found.test, whole.test)
        assert found.classes == 10


def test_classes_go_by_name_or_number():
    split = data.Split(np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1), np.array([0, 1, 2, 1]))
    names = ('shirt', 'boot', 'bag')
    for words, want in ((('boot',), [1, 3]), (('1', 'shirt'), [0, 1, 3])):
        found = data.of_classes(split, data.Config(only_classes=words), names)
        assert list(found.images.ravel()) == want
        found = data.of_classes(split, data.Config(without_classes=words), names)
        assert sorted([*found.images.ravel(), *want]) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    'fields, text',
    [
        ({'only_classes': ('10',)}, "--only_classes is '10'; it must be one of 0, 1, 2"),
        ({'without_classes': ('-1',)}, "--without_classes is '-1'; it must be one of 0"),
        (
            {'without_classes': tuple('0123456789')},
            '--without_classes=0,1,2,3,4,5,6,7,8,9 leaves no training example of digits',
        ),
        (
            {'without_classes': ('1',), 'only_classes': ('2',)},
            '--only_classes and --without_classes exclude each other',
        ),
    ],
)
def test_classes_that_cannot_be_had_are_refused(fields, text):
    with pytest.raises(errors.UsageError, match=text):
        data.load(data.Config(**fields))


def test_classes_of_a_set_without_labels_are_refused():
    with pytest.raises(errors.UsageError, match='--only_classes: data set digits has no labels'):
        data.of_classes(whole(5, labeled=False), data.Config(only_classes=('1',)), ())


@pytest.mark.parametrize('count, tested', [(2, 1), (5, 1), (6, 2), (1797, 360)])
def test_the_test_part_of_a_whole_set_is_a_fifth_rounded_up(count, tested):
    split = data.Split(np.zeros((count, 1, 1, 1), np.uint8), None)
    train, test = data.with_test(split, 'here')
    assert (len(train.images), len(test.images)) == (count - tested, tested)


def test_one_example_cannot_be_cut():
    with pytest.raises(errors.InputError, match='here: holds 1 example; .* need two'):
        data.with_test(whole(1), 'here')


def test_pixels_of_bytes_lie_in_the_unit_interval():
    counts = np.arange(256, dtype=np.uint8)
    scaled = data.pixels(counts)
    assert scaled.dtype == np.float32
    assert (scaled[0], scaled[255]) == (0, 1)
    np.testing.assert_allclose(scaled, np.arange(256) / 255, rtol=1e-6)


def test_pixels_equal_the_graph_bit_for_bit():
    tf = pytest.importorskip('tensorflow')
    counts = np.arange(256, dtype=np.uint8)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        converted = session.run(tf.image.convert_image_dtype(counts, tf.float32))
    assert data.pixels(counts).tobytes() == converted.tobytes()


def test_pixels_of_floats_come_back_untouched():
    images = np.array([0, 0.5, 1], np.float32)
    assert data.pixels(images) is images


def test_fingerprint_sees_one_pixel_one_label_and_the_cut():
    base = data.load(data.Config())
    prints = {base.fingerprint()}
    images, labels = base.test.images.copy(), base.test.labels.copy()
    images[-1, -1, -1] += np.float32(1 / 16)
    labels[0] ^= 1
    prints.add(base._replace(test=data.Split(images, base.test.labels)).fingerprint())
    prints.add(base._replace(test=data.Split(base.test.images, labels)).fingerprint())
    prints.add(base._replace(test=data.Split(base.test.images, None)).fingerprint())
    prints.add(base._replace(train=base.validation, validation=base.train).fingerprint())
    prints.add(data.load(data.Config(validation_fraction=0.2)).fingerprint())
    assert len(prints) == 6
    assert all(len(digits) == 32 for digits in prints)


def test_folder_prefers_the_set_inside_the_given_folder(tmp_path):
    assert data.folder(str(tmp_path), 'mnist') == tmp_path
    (tmp_path / 'mnist').mkdir()
    assert data.folder(str(tmp_path), 'mnist') == tmp_path / 'mnist'
    assert data.folder(str(tmp_path / 'mnist'), 'mnist') == tmp_path / 'mnist'


def test_folder_falls_back_to_the_environment_then_to_the_cache(tmp_path, monkeypatch):
    cache = pathlib.Path('~/.cache/tfae/mnist').expanduser()
    monkeypatch.delenv('TFAE_DATA_DIR', raising=False)
    assert data.folder('', 'mnist') == cache
    monkeypatch.setenv('TFAE_DATA_DIR', str(tmp_path))
    assert data.folder('', 'mnist') == cache
    (tmp_path / 'mnist').mkdir()
    assert data.folder('', 'mnist') == tmp_path / 'mnist'
