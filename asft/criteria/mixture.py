"""A criterion made of others, each with its weight."""

import math
from collections.abc import Mapping
from functools import cached_property, partial
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field

from asft import needs, registry
from asft.criteria.acquisition import ranks
from asft.errors import RecipeError
from asft.registry import plugin
from asft.types import Criterion, Measurements, Need


@plugin
class Part:
    """One of the criteria that are mixed."""

    criterion: Annotated[Mapping[str, Any], BeforeValidator(partial(registry.written_out, "criterion"))]
    """As in the recipe's own section, or its name."""
    weight: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 1.0
    """Beside the weights of the others."""


@plugin
class Mixture:
    """Several criteria at once: the weighted mean of the ranks that each gives a seed in the pool.

        criterion:
          use: mixture
          parts:
            - {criterion: {use: loss}, weight: 1.0}
            - {criterion: {use: incorrect, k: 4}, weight: 0.5}

    A rank is from 0 (the easiest of the pool) to 1 (the hardest), ties sharing their mean, so that nats and
    shares can be added; the score is sum of w_i rank_i / sum of w_i. High is hard. A seed that lacks the
    score of a part has none: a mean over the others would be one of another kind. A part of weight 0 counts
    for nothing and is not measured; a rule in the recipe's `adapt` may give it a weight later.

    Cost: what its parts cost; what two of them need is measured once.
    When: no one criterion says all that counts, or it is to change between rounds.
    Source: Borda's count, with weights.
    """

    parts: Annotated[list[Part], Field(min_length=1)]
    """Each a `criterion` and its `weight`."""

    def __post_init__(self) -> None:
        """Refuse weights that are all 0, and parts that want one measurement with different options."""
        if not self._counting:
            raise ValueError("all weights are 0, so nothing is scored; give a part a weight")
        try:
            _ = self.needs
        except RecipeError as error:
            raise ValueError(str(error)) from error

    @cached_property
    def _counting(self) -> list[tuple[float, Criterion]]:
        return [
            (part.weight, cast(Criterion, registry.from_section("criterion", part.criterion)))
            for part in self.parts
            if part.weight > 0
        ]

    @property
    def needs(self) -> tuple[Need, ...]:
        """What the parts need that count."""
        return needs.joined([need for _, criterion in self._counting for need in criterion.needs])

    def score(self, measurements: Measurements) -> list[float | None]:
        """The weighted mean of ranks."""
        whole = math.fsum(weight for weight, _ in self._counting)
        ranked = [
            [None if rank is None else weight / whole * rank for rank in ranks(criterion.score(measurements))]
            for weight, criterion in self._counting
        ]
        return [
            None if None in of_seed else math.fsum(rank for rank in of_seed if rank is not None)
            for of_seed in zip(*ranked, strict=True)
        ]
