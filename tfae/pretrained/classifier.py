"""A published network with its weights, ready for inference."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data, pretrained
from tfae.core import errors, names
from tfae.pretrained.weights import Preprocessing, open_weights

_BATCH = 16  # images per call; the first feature maps of VGG take 13 MB each


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
      preprocessing: normalization of the input in training; None: that of the file's layout.
      classes: number of classes.
      width: factor of the size of all layers but the last.

    Raises: UsageError for an unknown network, or if the layout does not determine the
      preprocessing; InputError if the file does not hold the weights of that network.
    """
    # Check the file against the network.
    known = pretrained.references()
    module = known[errors.one_of('--model', name, known)]
    config = dataclasses.replace(module.NETWORKS[name], width=width)
    found = open_weights(path, name, module.Model(config, classes=classes).parameters)
    if preprocessing is None and found.preprocessing is None:
        raise errors.UsageError(
            f'{path} does not record the preprocessing of {name}; --preprocessing must name it'
        )
    config = dataclasses.replace(config, preprocessing=preprocessing or found.preprocessing)
    # Build the graph.
    built = tf.Graph()
    scope = {'use_resource': True, 'auxiliary_name_scope': False}
    with built.as_default(), tf.variable_scope(tf.get_variable_scope(), **scope):
        model = module.Model(config, classes=classes)
        with tf.name_scope(f'{names.INFERENCE}/'):
            images = tf.placeholder(tf.float32, [None, *model.image_shape], names.IMAGES)
            outputs = model(images)
        variables = {v.op.name: v for v in tf.global_variables()}
    # Load the variables, one at a time.
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
    """An open published network; a context manager that closes its session."""

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
        """Closes the session."""
        self.session.close()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape of the input images, `(H, W, 3)`."""
        height, width, channels = self.images.shape.as_list()[1:]
        return height, width, channels

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Returns class probabilities `[N, K]` of RGB images `[N, H, W, 3]`, uint8 or in [0, 1]."""
        return self._run(self.outputs.probabilities, images)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Returns class logits `[N, K]` of images as `classify` takes them."""
        return self._run(self.outputs.class_logits, images)

    def fetch(self, layer: str, images: np.ndarray) -> np.ndarray:
        """Returns the output of a layer.

        Args:
          layer: name of the layer.
          images: RGB `[N, H, W, 3]`, uint8 or in [0, 1].

        Returns: `[N, ...]`.

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
