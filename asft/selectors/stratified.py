"""A selector for each group of the pool, and shares between the groups."""

import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from asft.errors import DataError
from asft.registry import plugin
from asft.selectors.free import Draws, free
from asft.selectors.nested import Inner, of_the_run, selected, selector
from asft.selectors.shares import dealt, exact
from asft.types import Example, Measurements, Need


@plugin
class Stratified:
    """Seeds of every group in the shares that are wanted, so that the hardest group does not take all.

    A stratum is all seeds with one value of a tag; those without the tag are one of their own. Within each,
    an inner selector decides, which sees that stratum alone. When a stratum is used up the others follow in
    the shares that they have of the rest.
    """

    by: str
    """The tag, such as `family`."""
    shares: Literal["proportional", "equal"] = "proportional"
    """proportional: to the seeds that may come. equal: as much of each."""
    floor: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """The least share of each stratum; what it takes is taken from the others in proportion."""
    within: Inner = Field(default="top", validate_default=True)
    """The selector within a stratum, a section with `use`, or a name alone."""
    max_draws: Draws | None = None
    """How often a seed may come in a run; None is no limit."""

    def __post_init__(self) -> None:
        """Refuse a floor that changes nothing."""
        if self.shares == "equal" and self.floor:
            raise ValueError(f"floor = {self.floor} changes nothing where the shares are equal; leave it out")

    @property
    def needs(self) -> tuple[Need, ...]:
        """What the selector within needs."""
        return selector(self.within).needs

    @property
    def of_the_run(self) -> bool:
        """Whether the selector within wants the same random numbers in each round."""
        return of_the_run(self.within)

    def select(
        self, measurements: Measurements, scores: Sequence[float | None], n: int, rng: random.Random
    ) -> Iterator[Example]:
        """All that the selectors of the strata yield; each stratum has its share of every prefix.

        Of the first m it has m x share to within one seed. Raises DataError where no seed has the tag, or
        the floors are more than the whole.
        """
        tags = {tag for example in measurements.examples for tag in example.tags}
        if measurements.examples and self.by not in tags:
            known = f"tags: {', '.join(sorted(tags))}" if tags else "its seeds have no tags at all"
            raise DataError(f"stratified: no seed of the pool has the tag {self.by!r}; {known}")
        strata: dict[str, list[Example]] = {}
        for example in free(measurements, self.max_draws):
            strata.setdefault(example.tags.get(self.by, ""), []).append(example)
        inner = selector(self.within)
        orders = {
            name: selected(inner, measurements, scores, strata[name], n, random.Random(rng.getrandbits(64)))
            for name in sorted(strata)
        }
        return dealt(orders, self._shares({name: len(seeds) for name, seeds in strata.items()}))

    def _shares(self, sizes: Mapping[str, int]) -> dict[str, Fraction]:
        if self.shares == "equal":
            return {name: Fraction(1, len(sizes)) for name in sizes}
        floor = exact(self.floor)
        if floor * len(sizes) > 1:
            raise DataError(
                f"stratified: floor = {self.floor} for each of the {len(sizes)} strata of {self.by!r} is "
                f"more than the whole; {1 / len(sizes):.3g} is the most"
            )
        raised: set[str] = set()
        while True:
            mass = 1 - floor * len(raised)
            seeds = sum(size for name, size in sizes.items() if name not in raised)
            shares = {
                name: floor if name in raised else mass * Fraction(size, seeds)
                for name, size in sizes.items()
            }
            below = {name for name, share in shares.items() if share < floor}
            if not below:
                return shares
            raised |= below
