"""Two selectors, one after the other."""

import math
import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated

from pydantic import AfterValidator

from asft import needs
from asft.errors import RecipeError
from asft.registry import plugin
from asft.selectors.free import Draws, free
from asft.selectors.nested import Inner, of_the_run, selected, selector
from asft.selectors.shares import exact
from asft.types import Example, Measurements, Need


def _size(value: int | float | str) -> int | float | str:
    if isinstance(value, str) and re.fullmatch(r"(?=.*[1-9])\d+(\.\d+)?x", value):
        return value
    if isinstance(value, int) and value >= 1:
        return value
    if isinstance(value, float) and 0.0 < value < 1.0:
        return value
    raise ValueError("a multiple such as 5x, a whole number, or a share between 0 and 1 is wanted")


@plugin
class Composition:
    """A pool of candidates from one selector, put in order by another: the hardest, and of these unlike ones.

        selector: {use: composition, first: top, pool: 5x, then: kcenter}

    `first` and `then` are sections with `use`, or names alone. When all candidates of a pool have been
    yielded, the next pool follows.
    """

    first: Inner
    """The selector that finds candidates."""
    then: Inner
    """The selector that orders them; it sees nothing else of the pool."""
    pool: Annotated[int | float | str, AfterValidator(_size)] = "5x"
    """How many candidates: 5x is 5 for each seed that is asked for; a whole number; or, below 1, a share of
    the seeds that may come. Rounded up."""
    max_draws: Draws | None = None
    """How often a seed may come in a run; None is no limit."""

    def __post_init__(self) -> None:
        """Refuse two selectors that want one measurement with different options."""
        try:
            _ = self.needs
        except RecipeError as error:
            raise ValueError(str(error)) from error

    @property
    def needs(self) -> tuple[Need, ...]:
        """What both need."""
        return needs.joined((*selector(self.first).needs, *selector(self.then).needs))

    @property
    def of_the_run(self) -> bool:
        """Whether one of both wants the same random numbers in each round."""
        return of_the_run(self.first, self.then)

    def select(
        self, measurements: Measurements, scores: Sequence[float | None], n: int, rng: random.Random
    ) -> Iterator[Example]:
        """Pool by pool, what `then` yields of it. The order depends on n where `pool` does."""
        seeds = free(measurements, self.max_draws)
        size = self._candidates(n, len(seeds))
        first_rng, then_rng = (random.Random(rng.getrandbits(64)) for _ in range(2))
        candidates = iter(selected(selector(self.first), measurements, scores, seeds, size, first_rng))
        then = selector(self.then)
        while pool := list(islice(candidates, size)):
            yield from selected(then, measurements, scores, pool, n, then_rng)

    def _candidates(self, n: int, seeds: int) -> int:
        if isinstance(self.pool, str):
            return max(1, math.ceil(exact(self.pool.removesuffix("x")) * n))
        if isinstance(self.pool, float):
            return max(1, math.ceil(exact(self.pool) * seeds))
        return self.pool
