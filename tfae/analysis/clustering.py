"""Which examples belong together, found without labels, and how well that fits classes.

N examples, D numbers each, K clusters, L classes.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import normalize

_STARTS = 10  # of k-means; the tightest is kept
_MIXTURES = 3  # of a mixture; the likeliest is kept
_FLOOR = 1e-3  # of the mean variance, added to each


class KMeansClusters:
    """Clusters about means (Lloyd 1982)."""

    def __init__(self, examples: np.ndarray, count: int, seed: int):
        """Fits `count` clusters to `[N, D]`."""
        self._fitted = KMeans(count, n_init=_STARTS, random_state=seed).fit(examples)

    def predict(self, examples: np.ndarray) -> np.ndarray:
        """The cluster `[N]` of each of `[N, D]`."""
        return self._fitted.predict(examples)

    def closeness(self, examples: np.ndarray) -> np.ndarray:
        """How near each of `[N, D]` is to each cluster `[N, K]`; the more, the nearer."""
        return -self._fitted.transform(examples)


class SphericalClusters(KMeansClusters):
    """Clusters about mean directions: k-means by cosine (Dhillon and Modha 2001)."""

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
    """Clusters as Gaussians with covariances of their own, fitted by likelihood."""

    def __init__(self, examples: np.ndarray, count: int, seed: int):
        """Fits `count` clusters to `[N, D]`."""
        examples = examples.astype(np.float64)
        floor = _FLOOR * float(examples.var(0).mean()) + np.finfo(np.float32).tiny
        self._fitted = GaussianMixture(
            count, reg_covar=floor, n_init=_MIXTURES, random_state=seed
        ).fit(examples)

    def predict(self, examples: np.ndarray) -> np.ndarray:
        """The likeliest cluster `[N]` of each of `[N, D]`."""
        return self._fitted.predict(examples.astype(np.float64))

    def closeness(self, examples: np.ndarray) -> np.ndarray:
        """How surely each of `[N, D]` belongs to each cluster `[N, K]`; the more, the surer."""
        return self._fitted.predict_proba(examples.astype(np.float64))


def table(labels: np.ndarray, clusters: np.ndarray, count: int, classes: int) -> np.ndarray:
    """How many examples `[K, L]` of each cluster (row) are of each class (column)."""
    made = np.zeros([count, classes], np.int64)
    np.add.at(made, (clusters, labels), 1)
    return made


def matching(counts: np.ndarray) -> dict[int, int]:
    """Cluster -> class, one to one, so that most of `[K, L]` examples fit (Kuhn 1955)."""
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return dict(zip(rows.tolist(), columns.tolist(), strict=True))


def agreement(labels: np.ndarray, clusters: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """accuracy under `matching`, normalized mutual information, adjusted Rand index."""
    fitting = sum(counts[row, column] for row, column in matching(counts).items())
    return {
        'accuracy': float(fitting / counts.sum()),
        'nmi': float(metrics.normalized_mutual_info_score(labels, clusters)),
        'ari': float(metrics.adjusted_rand_score(labels, clusters)),
    }
