"""TF1's `tf.contrib.image`: projective transforms.

B batch, H W image, C channels.
"""

from typing import Any

import tensorflow.compat.v1 as tf

__all__ = [
    'angles_to_projective_transforms',
    'rotate',
    'transform',
    'translate',
    'translations_to_projective_transforms',
]


def angles_to_projective_transforms(
    angles: Any, image_height: Any, image_width: Any, name: str = 'angles_to_projective_transforms'
) -> tf.Tensor:
    """Returns transforms `[B, 8]` that rotate about the center, counterclockwise, by radians."""
    with tf.name_scope(name):
        angles = tf.reshape(tf.convert_to_tensor(angles, tf.float32), [-1])
        height, width = (tf.cast(size, tf.float32) - 1 for size in (image_height, image_width))
        cos, sin, zero = tf.cos(angles), tf.sin(angles), tf.zeros_like(angles)
        right = (width - (cos * width - sin * height)) / 2
        down = (height - (sin * width + cos * height)) / 2
        return tf.stack([cos, -sin, right, sin, cos, down, zero, zero], 1)


def translations_to_projective_transforms(
    translations: Any, name: str = 'translations_to_projective_transforms'
) -> tf.Tensor:
    """Returns transforms `[B, 8]` that move by `(dx, dy)` pixels, right and down."""
    with tf.name_scope(name):
        moves = tf.reshape(tf.convert_to_tensor(translations, tf.float32), [-1, 2])
        one, zero = tf.ones_like(moves[:, 0]), tf.zeros_like(moves[:, 0])
        return tf.stack([one, zero, -moves[:, 0], zero, one, -moves[:, 1], zero, zero], 1)


def transform(
    images: Any,
    transforms: Any,
    interpolation: str = 'NEAREST',
    output_shape: Any = None,
    name: str = 'transform',
) -> tf.Tensor:
    """Returns images of which each pixel comes from a projective transform of its place.

    Args:
      images: `[B, H, W, C]`, `[H, W, C]` or `[H, W]`.
      transforms: `[8]` or `[B, 8]`, rows `(a0, a1, a2, b0, b1, b2, c0, c1)`: the pixel `(x, y)` is
        the one at `((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k)`, `k = c0 x + c1 y + 1`.
      interpolation: 'NEAREST' or 'BILINEAR'.
      output_shape: `[height, width]`; the images' if None.
      name: name scope.
    """
    with tf.name_scope(name):
        images = tf.convert_to_tensor(images)
        rank = images.shape.rank
        batch = {2: lambda: images[None, :, :, None], 3: lambda: images[None]}
        four = batch.get(rank, lambda: images)()
        rows = tf.convert_to_tensor(transforms, tf.float32)
        result = tf.raw_ops.ImageProjectiveTransformV3(
            images=four,
            transforms=rows[None] if rows.shape.rank == 1 else rows,
            output_shape=tf.shape(four)[1:3] if output_shape is None else output_shape,
            fill_value=0.0,
            interpolation=interpolation.upper(),
            fill_mode='CONSTANT',
        )
        if output_shape is None:
            result.set_shape(four.shape)
        return {2: lambda: result[0, :, :, 0], 3: lambda: result[0]}.get(rank, lambda: result)()


def rotate(
    images: Any, angles: Any, interpolation: str = 'NEAREST', name: str = 'rotate'
) -> tf.Tensor:
    """Returns images rotated about their centers, counterclockwise, by radians; zero outside."""
    with tf.name_scope(name):
        images = tf.convert_to_tensor(images)
        first = 1 if images.shape.rank == 4 else 0
        height, width = tf.shape(images)[first], tf.shape(images)[first + 1]
        return transform(
            images, angles_to_projective_transforms(angles, height, width), interpolation
        )


def translate(
    images: Any, translations: Any, interpolation: str = 'NEAREST', name: str = 'translate'
) -> tf.Tensor:
    """Returns images moved by `(dx, dy)` pixels; zero outside."""
    with tf.name_scope(name):
        return transform(images, translations_to_projective_transforms(translations), interpolation)
