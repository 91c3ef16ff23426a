"""Rank correlation."""

import math
from collections.abc import Sequence

import numpy as np

from asft.stats.resampling import Floats


def spearman(first: Sequence[float | None], second: Sequence[float | None]) -> float | None:
    """Rank correlation over the pairs in which neither is None; ties share their mean rank.

    None for fewer than three such pairs, and where one side is the same everywhere. Spearman 1904, as
    Pearson's correlation of the ranks.
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if len(pairs) < 3:
        return None
    ranks = np.array([_ranks([pair[side] for pair in pairs]) for side in (0, 1)])
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    spread = math.sqrt(float((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum()) / spread if spread else None


def _ranks(values: Sequence[float]) -> Floats:
    """1 for the smallest; equal ones have the mean of their places."""
    _, place, count = np.unique(np.array(values), return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    mean: Floats = (last - (count - 1) / 2)[place]
    return mean
