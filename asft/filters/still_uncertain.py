"""Whether the student is still unsure of a draft."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Annotated, Any, cast

import numpy as np
from pydantic import BeforeValidator, Field

from asft import registry
from asft.filters.latest import Latest
from asft.filters.verdicts import Finding, verdict
from asft.registry import plugin
from asft.types import (
    Context,
    Criterion,
    Draft,
    Example,
    Looks,
    Measured,
    Measurements,
    Verdict,
)


@plugin
class StillUncertain:
    """Only drafts that the student is still unsure of: a criterion scores them at a bar or above it.

    A seed that the student finds hard can lead to a draft that it finds easy; Active Synthesis measures the
    student on what was written, and keeps what it is still unsure of. The student is that of the round
    before. A draft without a score is undecided.
    """

    criterion: Annotated[Mapping[str, Any], BeforeValidator(partial(registry.written_out, "criterion"))] = (
        Field(default_factory=lambda: {"use": "entropy"}, validate_default=True)
    )
    """A criterion and its options, as in the recipe's own section; the student alone is measured for it. One
    that compares seeds with each other compares the drafts of a wave here."""
    above: float | None = None
    """The bar as a score."""
    quantile: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """The bar as a quantile of the pool's scores in this round, interpolated between two of them; 0.5 is the
    median. Give this or `above`."""

    def __post_init__(self) -> None:
        """Make the criterion. Raises ValueError for no bar, or two."""
        if (self.above is None) == (self.quantile is None):
            raise ValueError("give one of `above`, a score, and `quantile`, a share of the pool")
        for need in self._criterion.needs:
            if need.kind != "student":
                raise ValueError(
                    f"criterion {self.criterion.get('use')!r} needs more than answers of the student "
                    f"({need.name!r} is of kind {need.kind!r}), and nobody is asked or trained for a draft; "
                    "give another"
                )

    @property
    def looks(self) -> Looks:
        """What the criterion needs; of the pool too, where the bar is a quantile of it."""
        wanted = self._criterion.needs
        return Looks(needs=wanted, pool_needs=wanted if self.above is None else ())

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict:
        """Undecided where the draft, or the whole pool, has no score."""
        return verdict("still_uncertain", draft, lambda _: self._find(measured))

    def _find(self, measured: Measured | None) -> Finding:
        score = None if measured is None else self._scores.of(measured.wave)[measured.row]
        if measured is None or score is None:
            return "undecided", "no score: what it needs of the draft is not measured"
        bar = self.above
        if bar is None and measured.pool is not None:
            bar = self._bar.of(measured.pool)
        if bar is None:
            return "undecided", "no bar: no seed has a score"
        if score >= bar:
            return "keep", f"still unsure: {score:.4g}, at least {bar:.4g}"
        return "drop", f"the student is sure: {score:.4g}, not at least {bar:.4g}"

    def _quantile(self, pool: Measurements) -> float | None:
        scores = [score for score in self._criterion.score(pool) if score is not None]
        return float(np.quantile(scores, self.quantile or 0.0)) if scores else None

    @cached_property
    def _criterion(self) -> Criterion:
        return cast(Criterion, registry.from_section("criterion", self.criterion))

    @cached_property
    def _scores(self) -> "Latest[list[float | None]]":
        return Latest(self._criterion.score)

    @cached_property
    def _bar(self) -> "Latest[float | None]":
        return Latest(self._quantile)
