"""Typical seeds of what is uncertain."""

import math
import random
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Annotated

from pydantic import Field

from asft import needs
from asft.registry import plugin
from asft.selectors.clusters import clusters
from asft.selectors.free import Draws, hardest_first, scored_of
from asft.selectors.points import standing
from asft.selectors.shares import exact
from asft.types import Example, Measurements, Need


@plugin
class Prototypes:
    """One seed for each kind of question that the student is unsure of: the centres of what is uncertain.

    After "Active Synthesis", section 4.3. The uncertain part is the top share of the scores; k-means on the
    embeddings of the questions, which have unit length, makes as many clusters of it as seeds are asked for.
    First comes the seed nearest to each centre, those of the larger clusters first (of equal ones, the harder
    seed first), then the second nearest of each, and so on; the rest of the pool follows by score. For a
    round whose seeds are typical of what the student finds hard: outliers come last of their cluster.
    """

    share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """Of the seeds with a score and an embedding that may come: how many count as uncertain; never fewer than
    there are clusters."""
    clusters: Annotated[int, Field(ge=1)] | None = None
    """How many; null: one for each seed that is asked for."""
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
        """All seeds that have a score and an embedding. The order depends on n where `clusters` is null."""
        scored = scored_of(measurements, scores, self.max_draws)
        score = {example.id: value for example, value in scored}
        seeds, _ = standing(measurements, "embedding", [example for example, _ in scored])
        ranked = hardest_first((example, score[example.id]) for example in seeds)
        count = self.clusters or n
        size = max(math.ceil(exact(self.share) * len(ranked)), count)
        uncertain, places = standing(measurements, "embedding", ranked[:size])
        if not uncertain:
            return
        labels, squared = clusters(places, count, rng)
        members: dict[int, list[int]] = {}
        for number in sorted(range(len(uncertain)), key=lambda at: (squared[at], -score[uncertain[at].id])):
            members.setdefault(int(labels[number]), []).append(number)
        largest = sorted(
            members.values(),
            key=lambda cluster: (-len(cluster), -score[uncertain[cluster[0]].id], cluster[0]),
        )
        for nth in zip_longest(*largest):
            yield from (uncertain[number] for number in nth if number is not None)
        yield from ranked[size:]
