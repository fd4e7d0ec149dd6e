"""Clusters found without labels, and their agreement with classes.

N examples, D features, K clusters, L classes.
"""

import warnings

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize

from tfae import data
from tfae.analysis import _mixture

_MAX_START = 2_500  # examples that the starts are fitted to
_MAX_REFINEMENTS = 10  # iterations from there on all examples
_KMEANS_STARTS = 10  # the one of the least inertia is kept
_MIXTURE_STARTS = 3  # the most likely one is kept
_VARIANCE_FLOOR = 1e-3  # added to each variance, as a fraction of the mean


class KMeansClusters:
    """Clusters around means (Lloyd 1982)."""

    def __init__(self, examples: np.ndarray, count: int, seed: int):
        """Fits `count` clusters to `[N, D]`; of more than 2,500, first of a sample."""
        start = data.sample(examples, _MAX_START, seed)
        self._fitted = KMeans(count, n_init=_KMEANS_STARTS, random_state=seed).fit(start)
        if len(start) < len(examples):
            centers = self._fitted.cluster_centers_
            self._fitted = KMeans(count, init=centers, n_init=1, max_iter=_MAX_REFINEMENTS).fit(
                examples
            )

    def predict(self, examples: np.ndarray) -> np.ndarray:
        """Returns the cluster `[N]` of each of `[N, D]`."""
        return self._fitted.predict(examples)

    def closeness(self, examples: np.ndarray) -> np.ndarray:
        """Returns how near each of `[N, D]` is to each cluster `[N, K]`; the more, the nearer."""
        return -self._fitted.transform(examples)


class SphericalClusters(KMeansClusters):
    """Clusters around mean directions: k-means by cosine (Dhillon and Modha 2001)."""

    def __init__(self, examples: np.ndarray, count: int, seed: int):
        """Fits `count` clusters to `[N, D]`."""
        super().__init__(normalize(examples), count, seed)

    def predict(self, examples: np.ndarray) -> np.ndarray:
        """Returns the cluster `[N]` of each of `[N, D]`."""
        return super().predict(normalize(examples))

    def closeness(self, examples: np.ndarray) -> np.ndarray:
        """Returns how near each of `[N, D]` is to each cluster `[N, K]`; the more, the nearer."""
        return super().closeness(normalize(examples))


class MixtureClusters:
    """Clusters as Gaussians, each with its own full covariance, fitted by likelihood."""

    def __init__(self, examples: np.ndarray, count: int, seed: int):
        """Fits `count` clusters to `[N, D]`; of more than 2,500, first of a sample."""
        start = data.sample(examples, _MAX_START, seed)
        self._fitted = _mixture.fit(start, count, seed, _VARIANCE_FLOOR, _MIXTURE_STARTS)
        if len(start) < len(examples):
            self._fitted.set_params(
                n_init=1,
                max_iter=_MAX_REFINEMENTS,
                weights_init=self._fitted.weights_,
                means_init=self._fitted.means_,
                precisions_init=self._fitted.precisions_,
            )
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', ConvergenceWarning)  # close enough by then
                self._fitted.fit(examples.astype(np.float64))

    def predict(self, examples: np.ndarray) -> np.ndarray:
        """Returns the most probable cluster `[N]` of each of `[N, D]`."""
        return self._fitted.predict(examples.astype(np.float64))

    def closeness(self, examples: np.ndarray) -> np.ndarray:
        """Returns the probability `[N, K]` of each cluster for each of `[N, D]`."""
        return self._fitted.predict_proba(examples.astype(np.float64))


def table(labels: np.ndarray, clusters: np.ndarray, count: int, classes: int) -> np.ndarray:
    """Counts examples `[K, L]` by cluster (row) and class (column)."""
    made = np.zeros([count, classes], np.int64)
    np.add.at(made, (clusters, labels), 1)
    return made


def matching(counts: np.ndarray) -> dict[int, int]:
    """Matches clusters to classes one to one so that most examples agree (Kuhn 1955)."""
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return dict(zip(rows.tolist(), columns.tolist(), strict=True))


def order(counts: np.ndarray) -> np.ndarray:
    """Returns the clusters `[K]` in the order of their matched classes, unmatched ones last."""
    matched = matching(counts)
    return np.array(sorted(range(len(counts)), key=lambda k: matched.get(k, counts.shape[1] + k)))


def agreement(labels: np.ndarray, clusters: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Returns accuracy under `matching`, normalized mutual information and adjusted Rand index."""
    fitting = sum(counts[row, column] for row, column in matching(counts).items())
    return {
        'accuracy': float(fitting / counts.sum()),
        'nmi': float(metrics.normalized_mutual_info_score(labels, clusters)),
        'ari': float(metrics.adjusted_rand_score(labels, clusters)),
    }
