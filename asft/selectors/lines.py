"""Selectors that draw a line through the scores."""

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from asft.registry import plugin
from asft.selectors.free import Draws, by_id, free, hardest_first, scored_of
from asft.selectors.shares import dealt, exact
from asft.types import Example, Measurements, Need

Finite = Annotated[float, Field(allow_inf_nan=False)]
Order = Literal["hardest", "random"]


@plugin
class Threshold:
    """Seeds whose score is high enough, or lies in a band: too easy ones teach nothing, too hard ones little.

    A line that is drawn at a quantile moves with the student; one that is drawn at a score does not, so that
    fewer and fewer seeds lie above it as the student learns.
    """

    low: Finite | None = None
    """The lowest score that is wanted; that score included."""
    high: Finite | None = None
    """The highest score that is wanted; that score included."""
    quantile: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    """In place of `low`: the share of the pool's scores that lie below the line; 0.75 is the hardest quarter,
    and what is as hard as its easiest."""
    order: Order = "hardest"
    """Of the seeds that are wanted: the hardest first, or at random."""
    then: Literal["stop", "rest"] = "rest"
    """What follows them. stop: nothing; the round takes them again, as it does with every order that ends.
    rest: all others with a score, what lies nearest to the line first."""
    max_draws: Draws | None = None
    """How often a seed may come in a run; None is no limit."""

    def __post_init__(self) -> None:
        """Refuse no line, two lower lines, and a band in which nothing can lie."""
        if self.low is None and self.high is None and self.quantile is None:
            raise ValueError("there is no line; give one of low, high, quantile")
        if self.low is not None and self.quantile is not None:
            raise ValueError(
                f"low = {self.low} and quantile = {self.quantile} are both lower lines; give one"
            )
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low = {self.low} is more than high = {self.high}; no score lies between")

    @property
    def needs(self) -> tuple[Need, ...]:
        """Nothing but the scores."""
        return ()

    def select(
        self, measurements: Measurements, scores: Sequence[float | None], n: int, rng: random.Random
    ) -> Iterator[Example]:
        """The seeds that are wanted, then the rest if that is asked for."""
        low = self.low
        pool = sorted(score for _, score in scored_of(measurements, scores, None))
        if self.quantile is not None and pool:
            low = pool[int(exact(self.quantile) * len(pool))]

        def outside(score: float) -> float:
            below = low - score if low is not None else 0.0
            above = score - self.high if self.high is not None else 0.0
            return max(below, above, 0.0)

        scored = scored_of(measurements, scores, self.max_draws)
        wanted = [(example, score) for example, score in scored if outside(score) == 0.0]
        yield from _ordered(wanted, self.order, rng)
        if self.then == "rest":
            rest = [(example, score) for example, score in scored if outside(score) > 0.0]
            rest.sort(key=lambda pair: (outside(pair[1]), -pair[1], pair[0].id))
            yield from (example for example, _ in rest)


@plugin
class Balanced:
    """Hard and easy seeds in turn, so that the student learns what it lacks and keeps what it has.

    Lion (arXiv 2305.12870) writes as many new instructions from hard ones as from easy ones, each chosen at
    random; hard are those where the teacher's grade is 1 or more above the student's, of 10: `line: 0.111`
    with the criterion `judge` and `mode: pairwise`. Here every prefix of the order is balanced, no seed comes
    twice, the line is at the median where no score is named, and the order among the hard ones, and among
    the easy ones, is an option. When one kind is used up the other follows.
    """

    share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """Of hard seeds."""
    line: Literal["median"] | Finite = "median"
    """median: the harder half of the pool is hard, equal scores told apart by id. A number: that score and
    those above it."""
    order: Order = "random"
    """Among the hard ones, and among the easy ones: at random, or the hardest first."""
    max_draws: Draws | None = None
    """How often a seed may come in a run; None is no limit."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """Nothing but the scores."""
        return ()

    def select(
        self, measurements: Measurements, scores: Sequence[float | None], n: int, rng: random.Random
    ) -> Iterator[Example]:
        """All seeds that have a score; of the first m, those that are hard are `share` to within one half."""
        pool = scored_of(measurements, scores, None)
        if self.line == "median":
            ranked = hardest_first(pool)
            hard = {example.id for example in ranked[: (len(ranked) + 1) // 2]}
        else:
            hard = {example.id for example, score in pool if score >= self.line}
        may_come = {example.id for example in free(measurements, self.max_draws)}
        kinds: dict[str, list[tuple[Example, float]]] = {"hard": [], "easy": []}
        for example, score in pool:
            if example.id in may_come:
                kinds["hard" if example.id in hard else "easy"].append((example, score))
        share = exact(self.share)
        return dealt(
            {kind: iter(_ordered(pairs, self.order, rng)) for kind, pairs in kinds.items()},
            {"hard": share, "easy": Fraction(1) - share},
        )


def _ordered(scored: Sequence[tuple[Example, float]], order: Order, rng: random.Random) -> list[Example]:
    if order == "hardest":
        return hardest_first(scored)
    mixed = by_id(example for example, _ in scored)
    rng.shuffle(mixed)
    return mixed
