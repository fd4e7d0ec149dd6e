"""Attributes as directions of the code. Larsen et al., ICML 2016; White, arXiv 1609.04468.

    v = mean code of the examples that have the attribute - mean code of those that lack it
    morphed code = z + s v,  s the strength

N examples, Z numbers of a code, S strengths.
"""

import numpy as np
from sklearn import metrics


def direction(codes: np.ndarray, having: np.ndarray) -> np.ndarray:
    """v `[Z]` of codes `[N, Z]`, some of which have the attribute and some not: `having` `[N]`."""
    return codes[having].mean(0) - codes[~having].mean(0)


def separation(codes: np.ndarray, having: np.ndarray) -> float:
    """Area under the ROC curve of the projection on v, as a mark of the attribute; 0.5 is chance.

    v of every other example of each kind marks the rest, and the other way round; the mean of
    both. nan where a kind has one example alone.
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
    """Morphed codes `[N, S, Z]` of `[N, Z]`."""
    return codes[:, None] + strengths[:, None] * v
