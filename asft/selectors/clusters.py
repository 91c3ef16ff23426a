"""Clusters of points: Lloyd's k-means, seeded."""

import random

import numpy as np

from asft.selectors.points import Doubles, Numbers, Points, spread, squared_between

_MOST = 30
"""Passes; the last few change hardly anything where it has not ended by then."""


def clusters(places: Points, count: int, rng: random.Random) -> tuple[Numbers, Doubles]:
    """The cluster of each point `[k]`, and its squared distance from that cluster's centre `[k]`.

    k-means++ draws the first centres; then every point goes to the nearest, and every centre to the mean of
    its points, until nothing changes, 30 times at most. Fewer clusters than `count` come of fewer distinct
    points. Memory: the centres and two blocks.
    """
    drawn = []
    for number in spread(places, rng.randrange(len(places)), rng):
        drawn.append(number)
        if len(drawn) == count:
            break
    centres: Doubles = places.at(np.array(drawn, dtype=np.int64)).astype(np.float64)
    labels = np.full(len(places), -1, dtype=np.int64)
    squared = np.zeros(len(places))
    for _ in range(_MOST):
        before = labels.copy()
        sums, sizes = np.zeros_like(centres), np.zeros(len(centres))
        for where, block in places.blocks():
            distances = squared_between(block, centres)
            labels[where] = distances.argmin(axis=1)
            squared[where] = distances.min(axis=1)
            for label, point in zip(labels[where].tolist(), block, strict=True):
                sums[label] += point
                sizes[label] += 1
        if np.array_equal(before, labels):
            break
        filled = sizes > 0
        centres[filled] = sums[filled] / sizes[filled, None]
    return labels, squared
