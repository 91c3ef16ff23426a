"""How a data set lies among embeddings of what the student is tested on: what it reaches, and how evenly.

All go by distances between rows `[rows, dimensions]`, in blocks, so that no table of all pairs is kept.
"""

import random
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from asft.selectors.clusters import clusters
from asft.selectors.points import points, squared_between

Rows = npt.NDArray[np.float32] | npt.NDArray[np.float64]

_BLOCK = 1024
"""Rows whose distances from all others are computed at a time."""
_SAMPLED = 2000
"""Rows whose distances the median is of, at most."""


def coverage(data: Rows, reference: Rows, neighbour: int = 5) -> float | None:
    """The share of reference rows to which a row of the data is as near as their k-th nearest neighbour.

    Their k-th nearest in the reference, that is, or nearer. Coverage of Naeem et al. (arXiv 2002.09797), who
    take k = 5 too. An outlier of the data covers nothing, where in the recall of "Improved precision and
    recall" (arXiv 1904.06991) it covers much. None where there is no data, or no k-th neighbour.
    """
    if not len(data) or len(reference) <= neighbour:
        return None
    covered = 0
    for where, block in _blocks(reference):
        among = squared_between(block, reference)
        among[np.arange(len(block)), np.arange(where, where + len(block))] = np.inf
        radius = np.partition(among, neighbour - 1, axis=1)[:, neighbour - 1]
        covered += int((squared_between(block, data).min(axis=1) <= radius).sum())
    return covered / len(reference)


def expected_coverage(data: int, reference: int, neighbour: int = 5) -> float | None:
    """What `coverage` is on average for so many rows, were both drawn from one distribution.

    1 - (n - 1) ... (n - k) / ((m + n - 1) ... (m + n - k)) for n reference rows and m of the data, whatever
    the distribution (Naeem et al., lemma 2): that none of the k nearest of all other rows is of the data.
    """
    if not data or reference <= neighbour:
        return None
    missed = 1.0
    for rank in range(1, neighbour + 1):
        missed *= (reference - rank) / (data + reference - rank)
    return 1 - missed


def cluster_entropy(data: Rows, centres: Rows) -> float | None:
    """How evenly data falls to its nearest centres: entropy of the shares / its most, ln(centres). 1: evenly.

    The centres are those of the reference, so that all data sets are told apart by the same ones: clusters of
    a data set of its own would be about even whatever it holds. None where there is no data, or one centre.
    """
    if not len(data) or len(centres) < 2:
        return None
    nearest = np.concatenate([squared_between(block, centres).argmin(axis=1) for _, block in _blocks(data)])
    shares = np.bincount(nearest)[np.unique(nearest)] / len(data)
    return float(-(shares * np.log(shares)).sum() / np.log(len(centres))) + 0.0


def cluster_centres(reference: Rows, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The centres of so many clusters of the reference, by k-means; fewer of fewer distinct rows."""
    found = points(np.asarray(reference, np.float32), range(len(reference)))
    labels, _ = clusters(found, count, random.Random(int(rng.integers(2**62))))
    return np.stack([np.mean(reference[labels == label], axis=0) for label in np.unique(labels)])


def mmd2(data: Rows, reference: Rows, bandwidth: float) -> float | None:
    """The squared maximum mean discrepancy of two sets of rows: 0 on average where both are drawn alike.

    The unbiased estimate of Gretton et al. (2012, lemma 6), which may be below 0, with the kernel
    exp(-|x - y|^2 / (2 bandwidth^2)). Two figures can be compared where the bandwidth is the same:
    `median_distance` of the reference. None where one of them has fewer than two rows.
    """
    if len(data) < 2 or len(reference) < 2:
        return None
    if not bandwidth > 0:
        raise ValueError(f"bandwidth {bandwidth}: give a distance above 0")
    across = _kernels(data, reference, bandwidth) / (len(data) * len(reference))
    # Each row with itself has kernel 1, and is no pair.
    own, others = (
        (_kernels(rows, rows, bandwidth) - len(rows)) / (len(rows) * (len(rows) - 1))
        for rows in (data, reference)
    )
    return own + others - 2 * across


def median_distance(rows: Rows) -> float | None:
    """The median distance of two rows, of 2000 at most, evenly spaced among all; None of fewer than two."""
    if len(rows) < 2:
        return None
    taken = rows[np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLED)).round().astype(int)]
    pairs = np.triu_indices(len(taken), k=1)
    return float(np.median(np.sqrt(squared_between(taken, taken)[pairs])))


def _kernels(left: Rows, right: Rows, bandwidth: float) -> float:
    """The sum of the kernel over all pairs."""
    scale = -0.5 / bandwidth**2
    return float(sum(np.exp(scale * squared_between(block, right)).sum() for _, block in _blocks(left)))


def _blocks(rows: Rows) -> Iterator[tuple[int, Rows]]:
    """Where each block starts, and the block."""
    ends = [*range(0, len(rows), _BLOCK), len(rows)]
    yield from ((start, rows[start:end]) for start, end in pairwise(ends))
