"""TF1's `tf.contrib.factorization`: k-means as a graph.

N points of a batch, D dimensions, K clusters. Lloyd's algorithm, or the mini-batch form of
Sculley, WWW 2010.
"""

from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import names

__all__ = [
    'COSINE_DISTANCE',
    'KMEANS_PLUS_PLUS_INIT',
    'KMeans',
    'RANDOM_INIT',
    'SQUARED_EUCLIDEAN_DISTANCE',
]

SQUARED_EUCLIDEAN_DISTANCE = 'squared_euclidean'
COSINE_DISTANCE = 'cosine'
RANDOM_INIT = 'random'
KMEANS_PLUS_PLUS_INIT = 'kmeans_plus_plus'

_EPSILON = 1e-6  # of the number of points of an empty cluster


class KMeans:
    """The graph of k-means on one batch."""

    SQUARED_EUCLIDEAN_DISTANCE = SQUARED_EUCLIDEAN_DISTANCE
    COSINE_DISTANCE = COSINE_DISTANCE
    RANDOM_INIT = RANDOM_INIT
    KMEANS_PLUS_PLUS_INIT = KMEANS_PLUS_PLUS_INIT

    def __init__(
        self,
        inputs: Any,
        num_clusters: int,
        initial_clusters: Any = RANDOM_INIT,
        distance_metric: str = SQUARED_EUCLIDEAN_DISTANCE,
        use_mini_batch: bool = False,
        mini_batch_steps_per_iteration: int = 1,
        random_seed: int = 0,
        kmeans_plus_plus_num_retries: int = 2,
    ):
        """Sets the options.

        Args:
          inputs: points `[N, D]`, or a list of one such tensor.
          num_clusters: K; that of the first centers, if these are given.
          initial_clusters: 'random' or 'kmeans_plus_plus' points, a tensor or array `[K, D]`, or a
            function of a list of the points and K that returns one.
          distance_metric: 'squared_euclidean' or 'cosine'.
          use_mini_batch: whether a step moves the centers toward the means of its batch, in place
            of replacing them; for batches that are not all points.
          mini_batch_steps_per_iteration: 1.
          random_seed: of the first centers.
          kmeans_plus_plus_num_retries: number of further candidates for each first center.

        Raises:
          ValueError: for options that are not supported.
        """
        points, *more = inputs if isinstance(inputs, list | tuple) else [inputs]
        if more or mini_batch_steps_per_iteration != 1:
            raise ValueError('KMeans takes one batch and mini_batch_steps_per_iteration=1.')
        if distance_metric not in (SQUARED_EUCLIDEAN_DISTANCE, COSINE_DISTANCE):
            raise ValueError(
                f'distance_metric is {distance_metric!r}; it must be '
                f'{SQUARED_EUCLIDEAN_DISTANCE!r} or {COSINE_DISTANCE!r}.'
            )
        known = (RANDOM_INIT, KMEANS_PLUS_PLUS_INIT)
        if isinstance(initial_clusters, str) and initial_clusters not in known:
            raise ValueError(
                f'initial_clusters is {initial_clusters!r}; it must be one of {known}, or centers.'
            )
        self._cosine = distance_metric == COSINE_DISTANCE
        self._inputs = tf.convert_to_tensor(points)
        if not isinstance(initial_clusters, str) and not callable(initial_clusters):
            initial_clusters = tf.convert_to_tensor(initial_clusters, self._inputs.dtype)
            num_clusters = initial_clusters.shape.as_list()[0]
        self._clusters = num_clusters
        self._initial = initial_clusters
        self._mini_batch = use_mini_batch
        self._seed = random_seed
        self._retries = kmeans_plus_plus_num_retries

    def _first_centers(self, points: tf.Tensor) -> tf.Tensor:
        """Returns the centers `[K, D]` to begin with."""
        if not isinstance(self._initial, str):
            centers = self._initial
            if callable(centers):
                centers = centers([self._inputs], self._clusters)
            return tf.nn.l2_normalize(centers, 1) if self._cosine else centers
        if self._initial == RANDOM_INIT:
            order = tf.random_shuffle(tf.range(tf.shape(points)[0]), self._seed)
            return tf.gather(points, order[: self._clusters])
        return tf.raw_ops.KmeansPlusPlusInitialization(
            points=points,
            num_to_sample=self._clusters,
            seed=self._seed,
            num_retries_per_sample=self._retries,
        )

    def _distances(self, points: tf.Tensor, centers: tf.Tensor) -> tf.Tensor:
        """Returns the distances `[N, K]`."""
        if self._cosine:
            return 1 - tf.matmul(points, tf.nn.l2_normalize(centers, 1), transpose_b=True)
        squares = tf.reduce_sum(points**2, 1, keepdims=True) + tf.reduce_sum(centers**2, 1)
        return squares - 2 * tf.matmul(points, centers, transpose_b=True)

    def training_graph(self) -> tuple:
        """Returns the graph of k-means.

        Returns:
          `(distances, indices, scores, initialized, init_op, training_op)`: lists of the distances
          `[N, K]`, of the nearest clusters `[N]` and of the distances `[N]` to these; whether there
          are centers; the operation that makes them of the first batch; and that of a step.
        """
        points = tf.nn.l2_normalize(self._inputs, 1) if self._cosine else self._inputs
        first = self._first_centers(points)
        # Each graph of k-means has variables of its own, whatever the scope says of reuse.
        clusters = self._clusters
        zeros = tf.zeros([clusters, points.shape[1]], points.dtype)
        centers = tf.Variable(zeros, name=names.CLUSTERS, use_resource=True)
        initialized = tf.Variable(False, name=names.INITIALIZED, use_resource=True)
        init_op = tf.group(centers.assign(first), initialized.assign(True))
        distances = self._distances(points, centers)
        nearest = tf.argmin(distances, 1)
        sums = tf.math.unsorted_segment_sum(points, nearest, clusters)
        batch = tf.math.unsorted_segment_sum(tf.ones_like(nearest), nearest, clusters)
        new = tf.cast(batch, points.dtype)[:, None]
        if self._mini_batch:
            # The first centers count as one point each.
            counts = tf.Variable(tf.ones([clusters], tf.int64), use_resource=True)
            total = counts + batch
            moves = (sums - new * centers) / tf.cast(total, points.dtype)[:, None]
            with tf.control_dependencies([moves]):
                training_op = tf.group(centers.assign_add(moves), counts.assign(total))
        else:
            means = sums / (new + _EPSILON)
            training_op = centers.assign(tf.nn.l2_normalize(means, 1) if self._cosine else means).op
        scores = tf.reduce_min(distances, 1)
        return [distances], (nearest,), [scores], initialized, init_op, training_op
