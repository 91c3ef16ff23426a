"""Selectors that read nothing but the scores."""

import math
import random
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from asft.registry import plugin
from asft.selectors.free import Draws, by_id, free, hardest_first, scored_of
from asft.types import Example, Measurements, Need


@plugin
class Top:
    """The hardest seeds first: by score, highest first, then by id."""

    max_draws: Draws | None = None
    """How often a seed may come in a run; None is no limit."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """Nothing but the scores."""
        return ()

    def select(
        self, measurements: Measurements, scores: Sequence[float | None], n: int, rng: random.Random
    ) -> Iterator[Example]:
        """All seeds that have a score, highest first. Draws no random numbers."""
        return iter(hardest_first(scored_of(measurements, scores, self.max_draws)))


@plugin
class Random:
    """Any seed, scored or not, with equal chances: what every other selector has to beat."""

    over: Literal["run"] | None = None
    """None: a new order is drawn for each round. run: there is one, and a round goes on where the one before
    stopped, so that no seed comes again before all have come, and several rounds use the seeds that one round
    of their size would use, in its order."""
    max_draws: Draws | None = None
    """How often a seed may come in a run; None is no limit."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """Nothing."""
        return ()

    @property
    def of_the_run(self) -> bool:
        """Whether it wants the same random numbers in each round."""
        return self.over == "run"

    def select(
        self, measurements: Measurements, scores: Sequence[float | None], n: int, rng: random.Random
    ) -> Iterator[Example]:
        """All seeds in random order; the scores are not read."""
        order = by_id(free(measurements, None))
        rng.shuffle(order)
        if self.of_the_run:
            order.sort(key=lambda example: measurements.history.get(example.id, 0))
        may_come = {example.id for example in free(measurements, self.max_draws)}
        return iter([example for example in order if example.id in may_come])


@plugin
class Softmax:
    """Hard seeds with greater chances: drawn without replacement, each with p ~ exp(score / temperature).

    All draws are made at once by the Gumbel top-k trick (Kool et al. 2019, arXiv 1903.06059): the order of
    score / temperature + g, with g = -log(-log(u)) a Gumbel variate per seed, has exactly the chances of
    drawing one seed after the other from the softmax over those that are left.
    """

    temperature: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0
    """In units of the score. Near 0 is `top`; much more than the spread of the scores is `random` over
    the seeds that have one."""
    max_draws: Draws | None = None
    """How often a seed may come in a run; None is no limit."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """Nothing but the scores."""
        return ()

    def select(
        self, measurements: Measurements, scores: Sequence[float | None], n: int, rng: random.Random
    ) -> Iterator[Example]:
        """All seeds that have a score, in the order in which they are drawn."""
        scored = sorted(scored_of(measurements, scores, self.max_draws), key=lambda pair: pair[0].id)
        # Below the highest score nothing overflows upwards, however low the temperature.
        highest = max((score for _, score in scored), default=0.0)
        keyed = [
            ((score - highest) / self.temperature + _gumbel(rng), score, example) for example, score in scored
        ]
        keyed.sort(key=lambda item: (-item[0], -item[1], item[2].id))
        return iter([example for _, _, example in keyed])


def _gumbel(rng: random.Random) -> float:
    """A standard Gumbel variate; minus the logarithm of an exponential one."""
    return -math.log(max(rng.expovariate(1.0), sys.float_info.min))
