"""Seeds from where there are few."""

import random
from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from asft import needs
from asft.registry import plugin
from asft.selectors.free import Draws, free
from asft.selectors.points import Doubles, Points, accepted, squared_between, standing
from asft.types import Example, Measurements, Need


@plugin
class Sparse:
    """Seeds from thin regions first: (1/k) sum of the distances to the k nearest there are.

    The low-density regions of ADDE, where new data adds the most that is new. The density is the inverse of
    the mean distance to the nearest neighbours; all of the pool counts as neighbours, seeds that may not
    come again too, and so does what earlier rounds accepted. Embeddings have unit length. The density is
    taken once, before the round, and not again after each seed. No scores are read: put it after `top`, in
    a `composition`, to have hard seeds from thin regions.
    """

    neighbours: Annotated[int, Field(ge=1)] = 10
    """k: few see single gaps, many see wide ones."""
    model: str | None = None
    """A sentence-transformers model by name; null: the student's hidden states."""
    max_draws: Draws | None = None
    """How often a seed may come in a run; None is no limit."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """Embeddings."""
        return (needs.embedding(self.model),)

    def select(
        self, measurements: Measurements, scores: Sequence[float | None], n: int, rng: random.Random
    ) -> Iterator[Example]:
        """All seeds that have an embedding, the loneliest first. Draws no random numbers."""
        seeds, places = standing(measurements, "embedding", free(measurements, None))
        before = accepted(measurements, places)
        alone = _mean_to_nearest(places, before, self.neighbours)
        may_come = {example.id for example in free(measurements, self.max_draws)}
        # In float32 what is equal but for rounding is equal, and ids decide.
        order = np.argsort(-alone.astype(np.float32), kind="stable")
        return iter([seeds[number] for number in order if seeds[number].id in may_come])


def _mean_to_nearest(places: Points, before: Points, k: int) -> Doubles:
    """`[n]`: mean distance of each place to the k nearest others; infinite where there is none."""
    found = np.full(len(places), np.inf)
    for where, block in places.blocks():
        nearest = np.full((len(block), k), np.inf)
        for others, among in ((places, True), (before, False)):
            for here, other in others.blocks():
                squared = squared_between(block, other)
                if among:
                    own = np.arange(max(where.start, here.start), min(where.stop, here.stop))
                    squared[own - where.start, own - here.start] = np.inf
                nearest = np.concatenate([nearest, squared], axis=1)
                nearest.partition(k - 1, axis=1)
                nearest = nearest[:, :k]
        known = np.isfinite(nearest)
        counts = known.sum(axis=1)
        sums = np.sqrt(nearest, where=known, out=np.zeros_like(nearest)).sum(axis=1)
        np.divide(sums, counts, out=found[where], where=counts > 0)
    return found
