"""A published network with its weights: images in, numbers out."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data, pretrained
from tfae.core import errors, names
from tfae.pretrained.weights import Preprocessing, open_weights

_BATCH = 16  # images a call; the first maps of a VGG take 13 MB each


def open_reference(
    name: str,
    path: str,
    *,
    preprocessing: Preprocessing | None = None,
    classes: int = 1000,
    width: float = 1.0,
) -> 'Reference':
    """Opens a published network with the weights in a file.

    Args:
      name: of the network, one of `pretrained.references()`.
      path: of the file; see `tfae.pretrained.weights`.
      preprocessing: what the network was trained to see; None is what the file's layout says.
      classes: that it tells apart.
      width: factor of the size of every layer but the last.
    Raises: UsageError for an unknown network, or weights that leave the preprocessing open;
      InputError if the file is not that network's.
    """
    known = pretrained.references()
    page = known[errors.one_of('--model', name, known)]
    config = dataclasses.replace(page.NETWORKS[name], width=width)
    found = open_weights(path, name, page.Model(config, classes=classes).parameters)
    if preprocessing is None and found.preprocessing is None:
        raise errors.UsageError(
            f'{path} does not tell what {name} was trained to see; --preprocessing must name it'
        )
    config = dataclasses.replace(config, preprocessing=preprocessing or found.preprocessing)
    built = tf.Graph()
    with built.as_default():
        model = page.Model(config, classes=classes)
        with tf.name_scope(f'{names.INFERENCE}/'):
            images = tf.placeholder(tf.float32, [None, *model.image_shape], names.IMAGES)
            outputs = model(images)
        variables = {v.op.name: v for v in tf.global_variables()}
    session = tf.Session(graph=built)
    try:
        with built.as_default():
            for variable, value in found:
                variables[variable].load(value, session)
    except errors.InputError:
        session.close()
        raise
    return Reference(name, built, session, images, outputs)


class Reference:
    """An open published network. A context manager; `close` ends its session."""

    def __init__(self, name: str, graph: tf.Graph, session: Any, images: tf.Tensor, outputs: Any):
        self.name = name
        self.graph = graph
        self.session = session
        self.images = images  # placeholder [B, H, W, 3]
        self.outputs = outputs  # the network's Outputs

    def __enter__(self) -> 'Reference':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the session."""
        self.session.close()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(H, W, 3)` that images must have."""
        height, width, channels = self.images.shape.as_list()[1:]
        return height, width, channels

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Images `[N, H, W, 3]` (uint8, or float in [0, 1]), RGB -> probabilities `[N, K]`."""
        return self._run(self.outputs.probabilities, images)

    def fetch(self, layer: str, images: np.ndarray) -> np.ndarray:
        """What a layer leaves of images as `classify` takes them, `[N, ...]`.

        Raises: UsageError if the network has no such layer.
        """
        known = self.outputs.end_points
        return self._run(known[errors.one_of(f'layer of {self.name}', layer, known)], images)

    def _run(self, tensor: tf.Tensor, images: np.ndarray) -> np.ndarray:
        if images.ndim != 4 or images.shape[1:] != self.image_shape or not len(images):
            wanted = ', '.join(map(str, self.image_shape))
            raise ValueError(f'images are {images.shape}; they must be [N, {wanted}], N >= 1')
        parts = [
            self.session.run(tensor, {self.images: data.pixels(images[start : start + _BATCH])})
            for start in range(0, len(images), _BATCH)
        ]
        return np.concatenate(parts)
