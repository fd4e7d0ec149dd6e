"""Decodes JPEG and PNG files in a graph, exactly as `tfae.data` reads them.

B batch, H x W image, C channels, N bytes.
"""

from collections.abc import Sequence

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.data import lazy_images, streaming
from tfae.export import graph_def as export

_HEAD = 2**17  # bytes at the start of a file that are searched for EXIF
_ORIENTATION = 0x0112  # EXIF tag
_ENTRY = 12  # bytes of an EXIF entry
_COLOR_TYPE = 25  # offset of the color type in a PNG


def on_bytes(
    images: tf.Tensor, outputs: Sequence[tf.Tensor], form: lazy_images.Form
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Copies the subgraph from `images` to `outputs` with decoded files as its input.

    Args:
      images: placeholder `[B, H, W, C]`.
      outputs: `[B, ...]`; the copy shares their variables.
      form: size, crop and channels of the images.

    Returns: a string placeholder `[B]` of file contents, and the copied outputs `[B, ...]`.
    """
    # Cut the variables and the placeholder out of the subgraph.
    definition = export.extracted(images.graph, outputs)
    known = {v.op.name: v for v in images.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)}
    given = {f'{name}:0': known[name].handle for name in export.variables(definition)}
    replaced = {images.op.name, *(name.partition(':')[0] for name in given)}
    kept = [node for node in definition.node if node.name not in replaced]
    del definition.node[:]
    definition.node.extend(kept)
    # Import it again on the same variables, behind the decoder.
    contents = tf.placeholder(tf.string, [None], names.IMAGE_BYTES)
    given[images.name] = decoded(contents, form)
    wanted = [tensor.name for tensor in outputs]
    return contents, tf.import_graph_def(definition, given, wanted, names.IMAGE_BYTES)


def decoded(contents: tf.Tensor, form: lazy_images.Form) -> tf.Tensor:
    """Decodes, crops and scales files to images.

    A file that is neither JPEG nor PNG, or a CMYK JPEG, raises InvalidArgumentError when run.

    Args:
      contents: string `[B]`.
      form: size, crop and channels of the images.

    Returns: float32 `[B, H, W, C]` in [0, 1].
    """

    def one(content: tf.Tensor) -> tf.Tensor:
        return _file(content, form)

    images = tf.map_fn(one, contents, fn_output_signature=tf.uint8)
    images.set_shape([None, form.height, form.width, form.channels])
    return tf.image.convert_image_dtype(images, tf.float32)


def _file(content: tf.Tensor, form: lazy_images.Form) -> tf.Tensor:
    jpeg = tf.io.is_jpeg(content)
    colors = tf.cond(jpeg, lambda: tf.io.extract_jpeg_shape(content)[2], lambda: 3)
    # TensorFlow and pillow convert CMYK differently.
    sound = tf.debugging.Assert(colors <= 3, ['the JPEG is CMYK; it must be gray or RGB'])
    with tf.control_dependencies([sound]):
        head = tf.io.decode_raw(tf.strings.substr(content, 0, _HEAD), tf.uint8)
    head = tf.cast(head, tf.int64)  # [N]
    orientation = _orientation(head, jpeg)
    transparent = ~jpeg & _transparent(head)
    return tf.cond(
        tf.equal(orientation, 1) & ~transparent,
        lambda: streaming.decoded(content, form),
        lambda: streaming.shaped(_upright(content, transparent, orientation), form),
    )


def _upright(content: tf.Tensor, transparent: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Decodes a file with an EXIF orientation or alpha to uint8 `[h, w, 3]`, upright and opaque."""
    image = tf.cond(
        transparent,
        # Only here: TensorFlow invents alpha values for opaque files.
        lambda: _opaque(tf.io.decode_png(content, 4)),
        lambda: streaming.whole(content),
    )
    lies = (orientation >= 5) & (orientation <= 8)
    image = tf.cond(lies, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    down, right = (
        tf.where(tf.reduce_any(tf.equal(orientation, mirrored)), -1, 1)
        for mirrored in ([3, 4, 7, 8], [2, 3, 6, 7])
    )
    return image[::down, ::right]


def _opaque(image: tf.Tensor) -> tf.Tensor:
    """Composites uint8 RGBA `[h, w, 4]` over white, rounded as by `PIL.Image.alpha_composite`."""
    image = tf.cast(image, tf.int32)
    colors, alpha = image[..., :3], image[..., 3:]
    sums = (colors * alpha + 255 * (255 - alpha)) * 2**7 + 2**14
    return tf.cast((sums // 2**8 + sums) // 2**15, tf.uint8)


def _transparent(head: tf.Tensor) -> tf.Tensor:
    """Returns whether a PNG with these first bytes `[N]` has alpha or transparent colors."""
    color = head[tf.minimum(_COLOR_TYPE, tf.size(head) - 1)]
    return (color // 4 % 2 > 0) | (_behind(head, b'tRNS') < _behind(head, b'IDAT'))


def _orientation(head: tf.Tensor, jpeg: tf.Tensor) -> tf.Tensor:
    """Returns the EXIF orientation of a file with these first bytes `[N]`, int64; 1 by default."""
    end = tf.size(head, out_type=tf.int64)
    exif = tf.cond(jpeg, lambda: _behind(head, b'Exif\0\0'), lambda: _behind(head, b'eXIf'))
    # pillow ignores EXIF after the pixels of a PNG.
    pixels = tf.cond(jpeg, lambda: end, lambda: _behind(head, b'IDAT'))
    big = tf.equal(head[tf.minimum(exif, end - 1)], ord('M'))

    def number(at: tf.Tensor, length: int) -> tf.Tensor:
        """Reads unsigned integers of `length` bytes at offsets `[...]`."""
        order = tf.range(length, dtype=tf.int64)
        places = at[..., tf.newaxis] + tf.where(big, order, length - 1 - order)
        parts = tf.gather(head, tf.clip_by_value(places, 0, end - 1))
        return tf.reduce_sum(parts * [256**k for k in reversed(range(length))], -1)

    table = exif + number(exif + 4, 4)
    entries = table + 2 + _ENTRY * tf.range(number(table, 2))
    found = tf.boolean_mask(entries, tf.equal(number(entries, 2), _ORIENTATION))
    there = (exif < pixels) & (tf.size(found) > 0)
    return tf.cond(there, lambda: number(found[0] + 8, 2), lambda: tf.constant(1, tf.int64))


def _behind(head: tf.Tensor, mark: bytes) -> tf.Tensor:
    """Returns the offset after the first `mark` in bytes `[N]`; at least N if there is none."""
    same = [tf.equal(tf.roll(head, -k, 0), byte) for k, byte in enumerate(mark)]
    found = tf.concat([tf.reduce_all(same, 0), [True]], 0)
    return tf.argmax(tf.cast(found, tf.int32)) + len(mark)
