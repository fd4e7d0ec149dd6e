"""CelebA and FairFace in their published layouts."""

import numpy as np
import pytest
import sample_images

from tfae import data
from tfae.core import errors


@pytest.fixture
def celeba(tmp_path):
    sample_images.fill(tmp_path / 'img_align_celeba', 9, height=20, width=18)
    lines = [f'{i:05}.jpg {i % 3}\n' for i in range(9)]
    (tmp_path / 'list_eval_partition.txt').write_text(''.join(lines))
    return tmp_path


def load(folder, **flags):
    return data.load(data.Config('celeba', str(folder), validation_fraction=0, **flags))


def test_the_published_file_cuts_the_set(celeba):
    loaded = load(celeba, crop='16x16', size='8x8')
    assert loaded.image_shape == (8, 8, 3)
    assert loaded.test.images.names == [f'{i:05}.jpg' for i in (2, 5, 8)]
    assert loaded.train.images.names == [f'{i:05}.jpg' for i in (0, 1, 3, 4, 6, 7)]
    assert loaded.train.labels is None
    assert np.ptp(loaded.train.images[:]) > 100


def test_a_row_without_a_image_and_a_image_without_a_row_are_named(celeba):
    table = celeba / 'list_eval_partition.txt'
    text = table.read_text()
    table.write_text(f'{text}extra 1.jpg 0\nlast.jpg 0\n')
    with pytest.raises(errors.InputError, match='lacks extra 1.jpg and 1 more images$'):
        load(celeba)
    table.write_text(text.replace('00004.jpg 1\n', ''))
    with pytest.raises(errors.InputError, match='partition.txt has no row for 00004.jpg$'):
        load(celeba)


@pytest.mark.parametrize('line', ['00001.jpg 3', '00001.jpg', '', '00000.jpg 0'])
def test_a_line_that_is_none_is_named(celeba, line):
    table = celeba / 'list_eval_partition.txt'
    table.write_text(f'00000.jpg 0\n{line}\n')
    with pytest.raises(errors.InputError, match='list_eval_partition.txt, line 2: is '):
        load(celeba)


def test_a_table_that_is_no_text_is_named(celeba):
    (celeba / 'list_eval_partition.txt').write_bytes(b'00000.jpg 0\n\xff\xfe 1\n')
    with pytest.raises(
        errors.InputError, match='list_eval_partition.txt is not text: .utf-8. codec'
    ):
        load(celeba)


def test_fairface_has_no_classes_and_is_cut_by_names(tmp_path):
    for part in ('train', 'val'):
        sample_images.fill(tmp_path / part, 20)
    config = data.Config('fairface', str(tmp_path), validation_fraction=0, test_fraction=0.4)
    loaded = data.load(config)
    assert loaded.class_names == ()
    assert loaded.train.labels is None
    names = loaded.train.images.names + loaded.test.images.names
    assert sorted(names) == sorted(f'{p}/{i:05}.jpg' for p in ('train', 'val') for i in range(20))
