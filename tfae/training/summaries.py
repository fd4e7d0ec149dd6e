"""Summaries for TensorBoard: histograms, image grids, filters, scalars, HParams, projector.

Operations of the graph first, then functions that return protocol buffers or write files.

B batch, H W C image, K filters.
"""

import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import api as hparams_api
from tensorboard.plugins.text import summary_v2 as text_summary

from tfae import data
from tfae.core import atomic_files, names

_PROJECTOR = 'projector_config.pbtxt'
_MAX_PROJECTED = 10_000
_SPRITE_SIDE = 8192  # pixels; the projector rejects larger sprites


def grid(images: tf.Tensor, columns: int, name: str = 'grid') -> tf.Tensor:
    """Arranges images in a grid, whose last row is padded with zeros.

    Args:
      images: `[B, H, W, C]`, of static shape.
      columns: images per row.
      name: name scope of the operations.
    Returns: `[1, rows * H, columns * W, C]`.
    """
    with tf.name_scope(name):
        count, height, width, channels = images.shape.as_list()
        rows = math.ceil(count / columns)
        images = tf.pad(images, [[0, rows * columns - count], [0, 0], [0, 0], [0, 0]])
        images = tf.reshape(images, [rows, columns, height, width, channels])
        images = tf.transpose(images, [0, 2, 1, 3, 4])
        return tf.reshape(images, [1, rows * height, columns * width, channels])


def filters(kernel: tf.Tensor, image_shape: Sequence[int], limit: int = 64) -> tf.Tensor | None:
    """Returns the first `limit` filters of a first layer as images, each scaled to [0, 1].

    Args:
      kernel: dense `[H * W * C, K]` or convolutional `[h, w, C, K]`.
      image_shape: `(H, W, C)`, or `(D,)` of a table.
      limit: maximum number of filters.
    Returns: images `[K, h, w, C]`; None if C is neither 1 nor 3, or if `kernel` has another shape,
      such as that of a recurrent cell.
    """
    shape = kernel.shape.as_list()
    of_pixels = shape[:-1] == [math.prod(image_shape)]
    of_windows = len(shape) == 4 and shape[2] == image_shape[-1]
    if not _is_visible(image_shape) or not (of_pixels or of_windows):
        return None
    count = min(limit, shape[-1])
    if of_pixels:
        images = tf.reshape(tf.transpose(kernel[:, :count]), [count, *image_shape])
    else:
        images = tf.transpose(kernel[..., :count], [3, 0, 1, 2])
    low = tf.reduce_min(images, [1, 2, 3], keepdims=True)
    high = tf.reduce_max(images, [1, 2, 3], keepdims=True)
    return (images - low) / tf.maximum(high - low, 1e-12)


def epoch_summary(
    image_shape: Sequence[int],
    images: Mapping[str, tf.Tensor],
    activations: Sequence[tf.Tensor],
    variables: Sequence[tf.Variable],
) -> tf.Tensor:
    """Returns a serialized summary: histograms of variables and activations, images and filters.

    Args:
      image_shape: `(H, W, C)`, or `(D,)` of a table, which has no images to show.
      images: tag -> `[B, H, W', C]` in [0, 1], of static shape.
      activations: tensors of any shape.
      variables: trainable variables, the first kernel first.
    Returns: scalar string tensor.
    """
    # Raw operations use a tag unchanged; those of tf.summary prepend the name scope.
    made = [tf.raw_ops.HistogramSummary(tag=v.op.name, values=v.read_value()) for v in variables]
    made += [tf.raw_ops.HistogramSummary(tag=_tag(a), values=a) for a in activations]
    image_shape = [int(side) for side in image_shape]
    if _is_visible(image_shape):
        made += [_image(tag, grid(shown, columns=8)) for tag, shown in images.items()]
    found = filters(variables[0].read_value(), image_shape) if variables else None
    if found is not None:
        columns = math.ceil(math.sqrt(int(found.shape[0])))
        made.append(_image(names.FILTERS, grid(found, columns)))
    return tf.summary.merge(made)


def scalars(values: Mapping[str, float], prefix: str) -> tf.Summary:
    """Returns a summary with the tags `prefix/name`, or `name` if the prefix is empty."""
    prefix = f'{prefix}/' if prefix else ''
    return tf.Summary(
        value=[tf.Summary.Value(tag=f'{prefix}{k}', simple_value=v) for k, v in values.items()]
    )


def image(tag: str, path: pathlib.Path) -> tf.Summary:
    """Returns a summary of the PNG at `path`."""
    with Image.open(path) as opened:
        width, height = opened.size
    made = tf.Summary.Image(
        height=height, width=width, colorspace=4, encoded_image_string=path.read_bytes()
    )
    return tf.Summary(value=[tf.Summary.Value(tag=tag, image=made)])


def text(tag: str, markdown: str) -> bytes:
    """Returns a serialized summary for the Text dashboard."""
    return text_summary.text_pb(tag, markdown).SerializeToString()


def hparams(values: Mapping[str, object], run: str) -> bytes:
    """Returns a serialized summary for the HParams dashboard.

    Args:
      values: the configuration; lists become strings.
      run: name of the row.
    """
    plain = {k: v if isinstance(v, bool | int | float) else _utf8(v) for k, v in values.items()}
    return hparams_api.hparams_pb(plain, trial_id=_utf8(run)).SerializeToString()


def _utf8(value: object) -> str:
    """Returns a text that a protocol buffer takes: names of files may hold any bytes."""
    return str(value).encode(errors='backslashreplace').decode()


def write_projector(
    folder: pathlib.Path, codes: np.ndarray, labels: Sequence[str] | None, images: np.ndarray
) -> None:
    """Writes codes for TensorBoard's projector, with a thumbnail and a label each.

    Args:
      folder: the run; files are written to `projector/` below it.
      codes: `[N, Z]`.
      labels: N class names, or None.
      images: `[N, H, W, C]` float in [0, 1]; thumbnails require C to be 1 or 3. Rows `[N, D]` of
        a table have none.
    """
    target = folder / 'projector'
    target.mkdir(exist_ok=True)
    made = [target / 'codes.tsv']
    with atomic_files.replacing(target / 'codes.tsv', flushed=False) as temporary:
        np.savetxt(temporary, codes, fmt='%.6g', delimiter='\t')
    settings = projector.ProjectorConfig()
    embedding = settings.embeddings.add(tensor_name=names.CODE, tensor_path='projector/codes.tsv')
    if labels is not None:
        lines = [' '.join(label.split()) for label in labels]  # a tab would start a column
        atomic_files.write_text(target / 'labels.tsv', '\n'.join(lines) + '\n', flushed=False)
        embedding.metadata_path = 'projector/labels.tsv'
        made.append(target / 'labels.tsv')
    if _is_visible(images.shape[1:]):
        with atomic_files.replacing(target / 'sprite.png', flushed=False) as temporary:
            _sprite(images).save(temporary)
        embedding.sprite.image_path = 'projector/sprite.png'
        made.append(target / 'sprite.png')
        embedding.sprite.single_image_dim.extend([images.shape[2], images.shape[1]])
    # The file below marks the others as complete.
    atomic_files.flush_all([*made, target, folder])
    # Written atomically, unlike by the plugin's own function.
    atomic_files.write_text(folder / _PROJECTOR, text_format.MessageToString(settings))


def has_projector(folder: pathlib.Path) -> bool:
    """Returns whether `write_projector` has completed there."""
    return (folder / _PROJECTOR).is_file()


def remove_projector(folder: pathlib.Path) -> None:
    """Removes the projector's configuration: codes of a run that is continued are out of date."""
    (folder / _PROJECTOR).unlink(missing_ok=True)


def projector_limit(image_shape: Sequence[int]) -> int:
    """Returns the number of examples whose thumbnails fit into one sprite; at most 10 000."""
    if not data.is_image(image_shape):
        return _MAX_PROJECTED
    return min(_MAX_PROJECTED, (_SPRITE_SIDE // max(image_shape[:2])) ** 2)


def _is_visible(image_shape: Sequence[int]) -> bool:
    """Returns whether examples of this shape are gray or RGB images."""
    return len(image_shape) == 3 and image_shape[-1] in (1, 3)


def _sprite(images: np.ndarray) -> Image.Image:
    """Returns a square sheet with `ceil(sqrt(N))` thumbnails per row, as the projector requires."""
    count, height, width, channels = images.shape
    side = math.ceil(math.sqrt(count))
    sheet = np.zeros([side * side, height, width, channels], np.uint8)
    sheet[:count] = np.rint(255 * images)
    sheet = sheet.reshape(side, side, height, width, channels).transpose(0, 2, 1, 3, 4)
    sheet = sheet.reshape(side * height, side * width, channels)
    return Image.fromarray(sheet[..., 0] if channels == 1 else sheet)


def _image(tag: str, image: tf.Tensor) -> tf.Tensor:
    """Summarizes an image `[1, H, W, C]` in [0, 1], as uint8: floats would be rescaled."""
    pixels = tf.image.convert_image_dtype(image, tf.uint8, saturate=True)
    return tf.raw_ops.ImageSummary(tag=tag, tensor=pixels, max_images=1)


def _tag(activation: tf.Tensor) -> str:
    """Returns `activations/encoder/layer_1/Relu` for the tensor of that name."""
    name = activation.op.name.removeprefix(f'{names.SUMMARIES}/')
    return f'{tf.GraphKeys.ACTIVATIONS}/{name}'
