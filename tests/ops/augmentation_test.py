"""Changes to training images: what each does, and of what it is a function."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.ops import augmentation
from tfae.ops.augmentation import Augmentation

IMAGES = np.random.RandomState(0).random_sample([32, 6, 5, 3]).astype(np.float32)


def augmented(*words, seed=(1, 2), images=IMAGES):
    with tf.Graph().as_default(), tf.Session() as session:
        chosen = [Augmentation.from_text(word) for word in words]
        made = augmentation.augment(tf.constant(images), chosen, tf.constant(seed, tf.int64))
        assert made.shape == images.shape
        return session.run(made)


def test_a_flip_mirrors_some_and_leaves_the_others():
    made = augmented('flip')
    left = [np.array_equal(a, b) for a, b in zip(made, IMAGES, strict=True)]
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(made, IMAGES, strict=True)]
    assert np.array_equal(left, np.logical_not(mirrored))
    assert 6 <= sum(left) <= 26  # of 32; four standard deviations


def test_a_crop_moves_each_image_by_as_much_as_it_says():
    made = augmented('crop:2')
    padded = np.pad(IMAGES, [(0, 0), (2, 2), (2, 2), (0, 0)], 'reflect')
    found = []
    for image, wide in zip(made, padded, strict=True):
        places = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.array_equal(image, wide[y : y + 6, x : x + 5])
        ]
        assert len(places) == 1
        found += places
    assert {y for y, _ in found} == {x for _, x in found} == set(range(5))


def test_jitter_keeps_within_its_factors():
    gray = np.full_like(IMAGES, 0.5)
    made = augmented('jitter:0.2', images=gray)
    assert np.all(made.std((1, 2, 3)) < 1e-6)  # contrast about the mean leaves an even image
    assert 0.4 <= made.min() < 0.43
    assert 0.57 < made.max() <= 0.6
    made = augmented('jitter:0.2')
    assert made.min() >= 0
    assert made.max() <= 1
    assert not np.allclose(made, IMAGES)


def test_changes_are_a_function_of_the_seed_and_of_the_place():
    words = ('flip', 'crop:1', 'jitter:0.1')
    assert np.array_equal(augmented(*words), augmented(*words))
    assert not np.array_equal(augmented(*words), augmented(*words, seed=(1, 3)))
    same = augmented('jitter:0.1', images=np.broadcast_to(IMAGES[:1], IMAGES.shape))
    assert len(np.unique(same[:, 0, 0, 0])) == len(IMAGES)
    twice = augmented('jitter:0.1', 'jitter:0.1')
    assert not np.allclose(twice, augmented('jitter:0.1', images=augmented('jitter:0.1')))


@pytest.mark.parametrize(
    'word, text',
    [
        ('blur', "--augment is 'blur'; it must be one of flip, crop, jitter"),
        ('flip:1', "--augment is 'flip:1'; it must be flip, crop:pixels"),
        ('flip:0', "--augment is 'flip:0'; it must be flip, crop:pixels"),
        ('crop', "--augment is 'crop'; it must be flip, crop:pixels"),
        ('crop:1.5', 'crop:pixels with 1 pixel or more'),
        ('crop:inf', 'crop:pixels with 1 pixel or more'),
        ('jitter:1', r'jitter:fraction with a fraction in \(0, 1\)'),
        ('jitter:nan', r'jitter:fraction with a fraction in \(0, 1\)'),
        ('jitter:x', r'jitter:fraction with a fraction in \(0, 1\)'),
    ],
)
def test_a_word_that_is_none_is_refused(word, text):
    with pytest.raises(errors.UsageError, match=text):
        Augmentation.from_text(word)


@pytest.mark.parametrize('word', ['flip', 'crop:4', 'jitter:0.1'])
def test_a_word_is_written_as_it_is_read(word):
    assert str(Augmentation.from_text(word)) == word


def test_a_crop_as_large_as_the_images_is_refused():
    with pytest.raises(
        errors.UsageError, match='crop:5; it must be smaller than the images of 6x5'
    ):
        augmented('crop:5')
