"""How varied a round's data is, by its wording and by its place among embeddings. Pure; numpy only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asft.diversity.places import (
    Rows,
    cluster_centres,
    cluster_entropy,
    coverage,
    expected_coverage,
    median_distance,
    mmd2,
)
from asft.diversity.wording import bigrams_per_text, distinct, self_rouge_l

__all__ = [
    "Diversity",
    "Rows",
    "Spread",
    "bigrams_per_text",
    "cluster_centres",
    "cluster_entropy",
    "coverage",
    "distinct",
    "diversity",
    "expected_coverage",
    "median_distance",
    "mmd2",
    "self_rouge_l",
    "spread",
]


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """Of the wording of a data set. None where there are too few texts to say."""

    texts: int
    """How many: compare data sets of as many."""
    distinct_1: float | None
    distinct_2: float | None
    distinct_3: float | None
    bigrams_per_text: float | None
    self_rouge_l: float | None


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Of a data set among the embeddings of a reference, the test split. None where rows are too few."""

    rows: int
    """Of the data; those that are not all numbers are left out."""
    reference: int
    """Rows of the reference, likewise."""
    coverage: float | None
    expected_coverage: float | None
    """What coverage would be on average, were the data drawn as the reference was."""
    cluster_entropy: float | None
    reference_entropy: float | None
    """That of the reference itself, which need not be 1."""
    mmd2: float | None


def diversity(texts: Sequence[str]) -> Diversity:
    """All figures of wording, each explained in `asft.diversity.wording`."""
    return Diversity(
        texts=len(texts),
        distinct_1=distinct(texts, 1),
        distinct_2=distinct(texts, 2),
        distinct_3=distinct(texts, 3),
        bigrams_per_text=bigrams_per_text(texts),
        self_rouge_l=self_rouge_l(texts),
    )


def spread(
    data: Rows, reference: Rows, rng: np.random.Generator, *, neighbour: int = 5, clusters: int = 20
) -> Spread:
    """All figures of place, each explained in `asft.diversity.places`.

    Data sets are compared by the same reference, settings and chance (a generator started alike for each), so
    that they share bandwidth and clusters. Raises ValueError where rows have different dimensions.
    """
    if data.ndim != 2 or reference.ndim != 2 or data.shape[1] != reference.shape[1]:
        raise ValueError(
            f"data of shape {data.shape} and a reference of shape {reference.shape}: give rows of as many "
            "dimensions, embedded by one model"
        )
    rows, others = (given[np.isfinite(given).all(axis=1)] for given in (data, reference))
    centres = cluster_centres(others, clusters, rng) if len(others) else others
    bandwidth = median_distance(others)
    return Spread(
        rows=len(rows),
        reference=len(others),
        coverage=coverage(rows, others, neighbour),
        expected_coverage=expected_coverage(len(rows), len(others), neighbour),
        cluster_entropy=cluster_entropy(rows, centres),
        reference_entropy=cluster_entropy(others, centres),
        mmd2=mmd2(rows, others, bandwidth) if bandwidth else None,
    )
