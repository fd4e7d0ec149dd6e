"""A published network with its weights: pictures in, numbers out."""

from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.core import errors

_BATCH = 16  # pictures a call; the first maps of a VGG take 13 MB each


class Reference:
    """What `running.open_reference` gives. A context manager; `close` ends its session."""

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
        """`(H, W, 3)` that pictures must have."""
        height, width, channels = self.images.shape.as_list()[1:]
        return height, width, channels

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Pictures `[N, H, W, 3]` (uint8, or float in [0, 1]), RGB -> probabilities `[N, K]`."""
        return self._run(self.outputs.probabilities, images)

    def fetch(self, layer: str, images: np.ndarray) -> np.ndarray:
        """What a layer leaves of pictures as `classify` takes them, `[N, ...]`.

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
