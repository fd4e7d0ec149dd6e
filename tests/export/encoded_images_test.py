"""Files that an exported graph reads by itself: the pixels of the training set, or a refusal."""

import image_kinds
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.data import lazy_images
from tfae.export import encoded_images

READ = [k for k in image_kinds.FILES if k.startswith(('jpeg', 'progressive', 'gray jpeg', 'png'))]
READ.remove('jpeg of the press')


@pytest.fixture(scope='module')
def graphs():
    def decode(content, form):
        return encoded_images.decoded(tf.stack([content, content]), form)

    with image_kinds.graphs(decode, 2) as made:
        yield made


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('name', READ)
def test_a_file_has_the_pixels_that_it_has_in_a_set(tmp_path, graphs, name, channels):
    path = tmp_path / 'image'
    path.write_bytes(image_kinds.FILES[name])
    there = graphs[channels](image_kinds.FILES[name])
    for form, found in zip(image_kinds.forms(channels)[::2], there, strict=True):
        here = data.pixels(lazy_images.read(path, form))
        assert found.dtype == np.float32
        assert np.array_equal(found, [here, here]), form


@pytest.mark.parametrize('name', ['jpeg of the press', 'bmp of colors', 'ppm', 'webp'])
def test_what_a_graph_cannot_read_as_the_set_was_is_refused(graphs, name):
    with pytest.raises(tf.errors.InvalidArgumentError):
        graphs[3](image_kinds.FILES[name])
