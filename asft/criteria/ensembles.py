"""Criteria that read how far students differ that were trained a little differently."""

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asft import needs
from asft.registry import plugin
from asft.types import Measurements, Need

Members = Annotated[int, Field(ge=2)]
Vary = Literal["seed", "bootstrap"]
Examples = Annotated[int, Field(ge=1)]


@plugin
class EnsembleVariance:
    """How far an ensemble scatters: the variance over its members of the mean nll of the own answer.

    (1/K) sum over members k of (nll_k - mean nll)^2, with nll_k in nats per token. High is hard. A member is
    a LoRA adapter on the base student, trained as the recipe trains, with a seed of its own. It is trained on
    what earlier rounds accepted, and on references of the pool before there is any.

    Cost: one answer a seed; K short training runs a round, and a forward pass for each member.
    When: what more data of this kind could still change is to be told from what is hard for good.
    Source: "Active Synthesis".
    """

    members: Members = 4
    """K, how many."""
    vary: Vary = "seed"
    """seed: all are trained on the same examples, from other adapters and in another order. bootstrap: each
    on as many drawn from them with replacement, too."""
    examples: Examples = 256
    """At most so many worked examples are drawn for training."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The members' losses."""
        return (needs.ensemble(self.members, self.vary, self.examples),)

    def score(self, measurements: Measurements) -> list[float | None]:
        """Variance of the mean nll."""
        nll = measurements.arrays.get("ensemble_nll")
        if nll is None:
            return [None] * len(measurements.examples)
        return [_finite(float(np.var(np.asarray(row, dtype=np.float64)))) for row in nll]


@plugin
class Bald:
    """What the members of an ensemble disagree about: mutual information of token and member, nats per token.

    (1/T) sum over t of H(mean over members of p_t) - mean over members of H(p_t), along the student's own
    answer, exact over the whole vocabulary. High is hard. It lies between 0 and ln(members), and is 0 where
    all members say the same, however unsure they are of it. The source draws its members from a posterior;
    here they are LoRA adapters, trained as for `ensemble_variance`.

    Cost: as `ensemble_variance`, with which it shares its measurement; two passes over the vocabulary.
    When: questions that have many good answers must not count as hard for that.
    Source: Bayesian active learning by disagreement, Houlsby 2011, arXiv 1112.5745.
    """

    members: Members = 4
    """How many."""
    vary: Vary = "seed"
    """seed: all are trained on the same examples, from other adapters and in another order. bootstrap: each
    on as many drawn from them with replacement, too."""
    examples: Examples = 256
    """At most so many worked examples are drawn for training."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What the members expect, token by token."""
        return (needs.ensemble(self.members, self.vary, self.examples),)

    def score(self, measurements: Measurements) -> list[float | None]:
        """Mutual information, per token."""
        measured = [one.signals.get("bald") for one in measurements.observations]
        return [None if value is None else _finite(value) for value in measured]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
