"""Selectors that take seeds that are unlike those that they have."""

import random
from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from asft import needs
from asft.needs import Of
from asft.registry import plugin
from asft.selectors.free import Draws, free, hardest_first, scored_of
from asft.selectors.points import accepted, spread, squared_between, standing
from asft.types import Example, Measurements, Need


@plugin
class Badge:
    """Seeds whose gradients are long and point different ways: uncertain and diverse at once.

    BADGE (arXiv 1906.03671): k-means++ seeding on the gradients of the last layer; the first is the longest,
    each next is drawn with p ~ its squared distance from the nearest that is chosen. As there, no scores are
    read. The gradient is that of a whole answer, summed over its tokens, in a seeded sketch. When all that
    are left have the gradient of one that is chosen, they follow by length. For a round that is to be both
    hard and varied, with no weight to set between the two.
    """

    of: Of = "own"
    """own: the gradient for the student's greedy answer, as BADGE takes the label that the model thinks
    likeliest. gold: for the worked reference."""
    dims: Annotated[int, Field(ge=1)] = 4096
    """Of the sketch."""
    max_draws: Draws | None = None
    """How often a seed may come in a run; None is no limit."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The sketch of the gradient."""
        return (needs.gradient(self.of, self.dims),)

    def select(
        self, measurements: Measurements, scores: Sequence[float | None], n: int, rng: random.Random
    ) -> Iterator[Example]:
        """All seeds that have a gradient. A pass over the array for each that is taken."""
        seeds, gradients = standing(measurements, "gradient", free(measurements, self.max_draws))
        if not seeds:
            return
        lengths = gradients.squared_from(np.zeros(gradients.array.shape[1], dtype=np.float32))
        left = dict.fromkeys(np.argsort(-lengths, kind="stable").tolist())
        for number in spread(gradients, next(iter(left)), rng):
            del left[number]
            yield seeds[number]
        yield from (seeds[number] for number in left)


@plugin
class KCenter:
    """The seed that is farthest from all that is chosen, again and again, so that nothing is left out.

    Core-set selection by greedy k-center (arXiv 1708.00489), on embeddings of the questions, which have unit
    length: the farthest is the one that is least alike by cosine. What earlier rounds accepted stands for
    the labelled set there. Where nothing is accepted yet, the first is the one with the highest score, and
    no other score is read. For a round that is to cover the pool; outliers come early, so that it is best
    put after `top`, in a `composition`.
    """

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
        """All seeds that have an embedding. A pass over the array for each; draws no random numbers."""
        seeds, places = standing(measurements, "embedding", free(measurements, self.max_draws))
        if not seeds:
            return
        before = accepted(measurements, places)
        nearest = np.full(len(places), np.inf)
        for where, block in places.blocks():
            for _, others in before.blocks():
                np.minimum(nearest[where], squared_between(block, others).min(axis=1), out=nearest[where])
        ranked = hardest_first(scored_of(measurements, scores, self.max_draws))
        if len(before):
            number = int(nearest.argmax())
        else:
            place = {example.id: at for at, example in enumerate(seeds)}
            number = next((place[example.id] for example in ranked if example.id in place), 0)
        chosen = np.zeros(len(places), dtype=bool)
        while True:
            yield seeds[number]
            chosen[number] = True
            if chosen.all():
                return
            np.minimum(nearest, places.squared_from(places.point(number)), out=nearest)
            number = int(np.where(chosen, -1.0, nearest).argmax())
