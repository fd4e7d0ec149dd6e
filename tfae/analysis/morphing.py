"""Attributes as directions in latent space. Larsen et al., ICML 2016; White, arXiv 1609.04468.

    v = mean code of the examples that have the attribute - mean code of those that lack it
    morphed code = z + s v,  s the strength

Along a path of combinations of attributes, a code moves by the differences of their mean codes m:

    z_k = z + m_k - m_0

N examples, Z latent dimensions, S strengths, K combinations.
"""

import numpy as np
from sklearn import metrics


def direction(codes: np.ndarray, having: np.ndarray) -> np.ndarray:
    """Returns v `[Z]` of codes `[N, Z]`, of which those in `having` `[N]` have the attribute."""
    return codes[having].mean(0) - codes[~having].mean(0)


def separation(codes: np.ndarray, having: np.ndarray) -> float:
    """Returns the AUROC of the projection on v as a predictor of the attribute; 0.5 is chance.

    Twofold cross-validation: v of one half of each kind scores the other half, and the mean of both
    is returned. nan where a kind has fewer than two examples.
    """
    fold = np.zeros(len(codes), bool)
    for kind in (having, ~having):
        fold[np.flatnonzero(kind)[::2]] = True
    if min(np.sum(having), np.sum(~having)) < 2:
        return float('nan')
    areas = []
    for fitted in (fold, ~fold):
        marks = codes[~fitted] @ direction(codes[fitted], having[fitted])
        areas.append(metrics.roc_auc_score(having[~fitted], marks))
    return float(np.mean(areas))


def sweep(codes: np.ndarray, v: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Returns morphed codes `[N, S, Z]` of codes `[N, Z]`, for strengths `[S]`."""
    return codes[:, None] + strengths[:, None] * v


def path(codes: np.ndarray, combinations: np.ndarray) -> np.ndarray:
    """Returns the moves m_k - m_0 `[K, Z]` from the first combination to each.

    Args:
      codes: `[N, Z]`.
      combinations: bool `[K, N]`, the examples of each combination, one or more.
    """
    means = np.stack([codes[having].mean(0) for having in combinations])
    return means - means[0]
