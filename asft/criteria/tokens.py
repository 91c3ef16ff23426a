"""Criteria that read what the student makes of each token of an answer."""

import math
from typing import Literal

from asft import needs
from asft.registry import plugin
from asft.types import Measurements, Need, Observation, TokenStats

Of = Literal["own", "gold"]


@plugin
class Loss:
    """The student's loss on its own answer, or on the reference: -log p(answer | question).

    mean: -(1/T) sum over t of log p(a_t | question, a_<t), nats per token; sum: without the 1/T, nats.
    High is hard. arXiv 2512.00884 finds the loss of the student's own answer, high first, the best choice
    of seeds for synthetic data. The own answer is the greedy one, its end token included.
    """

    of: Of = "own"
    """own: the student's greedy answer. gold: the worked reference, for seeds that have one."""
    reduce: Literal["mean", "sum"] = "mean"
    """mean: nats per token. sum: nats; long answers are harder then."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The statistics of that answer."""
        return (needs.OWN if self.of == "own" else needs.GOLD,)

    def score(self, measurements: Measurements) -> list[float | None]:
        """Negative log-likelihood, per token or in all."""
        measured = [_stats(observation, self.of) for observation in measurements.observations]
        return [
            None if stats is None else _finite(stats.nll if self.reduce == "mean" else stats.nll_sum)
            for stats in measured
        ]


@plugin
class Entropy:
    """How unsure the student is, token by token: the mean entropy of its predictions along an answer.

    -(1/T) sum over t, and over all tokens v, of p_t(v) log p_t(v), nats per token: uncertainty sampling of
    active learning, for sequences. High is hard.
    """

    of: Of = "own"
    """own: along the student's greedy answer. gold: along the worked reference."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The statistics of that answer."""
        return (needs.OWN if self.of == "own" else needs.GOLD,)

    def score(self, measurements: Measurements) -> list[float | None]:
        """Mean predictive entropy."""
        measured = [_stats(observation, self.of) for observation in measurements.observations]
        return [None if stats is None else _finite(stats.entropy) for stats in measured]


def _stats(observation: Observation, of: Of) -> TokenStats | None:
    """The statistics of the reference, or of the own answer; None where no token was measured."""
    own = observation.own
    stats = observation.gold if of == "gold" else own.stats if own else None
    return stats if stats is not None and stats.tokens > 0 else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
