"""Nearest neighbors in Euclidean distance, by matrix products.

    |q - x|^2 / 2 = |q|^2 / 2 + [q, 1] [-x, |x|^2 / 2]

is ranked in float32 without the first term, which all x share; the best few distances are then
computed in float64: neighbors are exact up to the rounding of |x|^2 in float32, where |x| is the
distance from the mean. The smallest of a row is searched group by group: the k nearest lie in the k
groups with the smallest minima.

N, M examples, D features, K neighbors.
"""

import numpy as np

_MAX_BLOCK = 256  # queries at a time
_MAX_VALUES = 2**24  # of the candidates of a block: 256 MB in float64, with their squares
_GROUP = 64  # examples
_SPARE = 4  # candidates more than neighbors, for rounding in float32


def nearest(known: np.ndarray, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds the `count` nearest of `known` for each query.

    Args:
      known: `[N, D]`, with N >= `count`.
      queries: `[M, D]`.
      count: K.
    Returns: distances `[M, K]`, ascending, and the indices `[M, K]` of the neighbors.
    """
    center = known.mean(0, dtype=np.float64)
    x = (known - center).astype(np.float32)
    groups = -(-len(x) // _GROUP)
    factors = np.zeros([x.shape[1] + 1, groups * _GROUP], np.float32)
    factors[:-1, : len(x)] = -x.T
    factors[-1] = np.inf
    factors[-1, : len(x)] = np.square(x).sum(1) / 2
    taken = min(count + _SPARE, len(x))
    size = int(np.clip(_MAX_VALUES // (taken * x.shape[1]), 1, min(_MAX_BLOCK, len(queries))))
    # One buffer for all blocks: fresh pages would take longer than the products.
    buffer = np.empty([size, groups * _GROUP], np.float32)
    distances, indices = [], []
    for start in range(0, len(queries), size):
        block = queries[start : start + size]
        centered = np.column_stack([block - center, np.ones(len(block))]).astype(np.float32)
        candidates = _candidates(np.matmul(centered, factors, out=buffer[: len(block)]), taken)
        # Rank the candidates again, in float64.
        exact = np.linalg.norm(known[candidates] - block[:, None].astype(np.float64), axis=2)
        order = np.argsort(exact, axis=1, kind='stable')[:, :count]
        distances.append(np.take_along_axis(exact, order, 1))
        indices.append(np.take_along_axis(candidates, order, 1))
    return np.concatenate(distances), np.concatenate(indices)


def _candidates(ranks: np.ndarray, count: int) -> np.ndarray:
    """Returns the indices `[M, count]` of the smallest of each row of `[M, groups * _GROUP]`."""
    grouped = ranks.reshape(len(ranks), -1, _GROUP)
    chosen = min(count, grouped.shape[1])
    groups = np.argpartition(grouped.min(2), chosen - 1, axis=1)[:, :chosen]
    found = np.take_along_axis(grouped, groups[:, :, None], 1).reshape(len(ranks), -1)
    places = np.argpartition(found, count - 1, axis=1)[:, :count]
    return np.take_along_axis(groups, places // _GROUP, 1) * _GROUP + places % _GROUP
