"""Clusters found without labels, and their agreement with classes.

N examples, D features, K clusters, L classes.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import normalize

_KMEANS_STARTS = 10  # the one of the least inertia is kept
_MIXTURE_STARTS = 3  # the likeliest is kept
_VARIANCE_FLOOR = 1e-3  # added to each variance, as a fraction of the mean


class KMeansClusters:
    """Clusters around means (Lloyd 1982)."""

    def __init__(self, examples: np.ndarray, count: int, seed: int):
        """Fits `count` clusters to `[N, D]`."""
        self._fitted = KMeans(count, n_init=_KMEANS_STARTS, random_state=seed).fit(examples)

    def predict(self, examples: np.ndarray) -> np.ndarray:
        """The cluster `[N]` of each of `[N, D]`."""
        return self._fitted.predict(examples)

    def closeness(self, examples: np.ndarray) -> np.ndarray:
        """How near each of `[N, D]` is to each cluster `[N, K]`; the more, the nearer."""
        return -self._fitted.transform(examples)


class SphericalClusters(KMeansClusters):
    """Clusters around mean directions: k-means by cosine (Dhillon and Modha 2001)."""

    def __init__(self, examples: np.ndarray, count: int, seed: int):
        """Fits `count` clusters to `[N, D]`."""
        super().__init__(normalize(examples), count, seed)

    def predict(self, examples: np.ndarray) -> np.ndarray:
        """The cluster `[N]` of each of `[N, D]`."""
        return super().predict(normalize(examples))

    def closeness(self, examples: np.ndarray) -> np.ndarray:
        """How near each of `[N, D]` is to each cluster `[N, K]`; the more, the nearer."""
        return super().closeness(normalize(examples))


class MixtureClusters:
    """Clusters as Gaussians, each with its own full covariance, fitted by likelihood."""

    def __init__(self, examples: np.ndarray, count: int, seed: int):
        """Fits `count` clusters to `[N, D]`."""
        examples = examples.astype(np.float64)
        floor = _VARIANCE_FLOOR * float(examples.var(0).mean()) + np.finfo(np.float32).tiny
        self._fitted = GaussianMixture(
            count, reg_covar=floor, n_init=_MIXTURE_STARTS, random_state=seed
        ).fit(examples)

    def predict(self, examples: np.ndarray) -> np.ndarray:
        """The most probable cluster `[N]` of each of `[N, D]`."""
        return self._fitted.predict(examples.astype(np.float64))

    def closeness(self, examples: np.ndarray) -> np.ndarray:
        """The probability `[N, K]` of each cluster for each of `[N, D]`."""
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
