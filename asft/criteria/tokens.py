"""Criteria that read what the student makes of each token of an answer."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from asft import needs
from asft.registry import plugin
from asft.types import Measurements, Need, Observation, TokenStats

Of = Literal["own", "gold"]
Reduce = Literal["mean", "worst"]
Floats = npt.NDArray[np.float64]


@plugin
class Loss:
    """The student's loss on its own answer, or on the reference: -log p(answer | question).

    mean: -(1/T) sum over t of log p(a_t | question, a_<t), nats per token; sum: without the 1/T, nats.
    High is hard. The own answer is the greedy one, its end token included.

    Cost: one answer a seed; of the reference, one forward pass.
    When: to begin with. The paper finds the own answer's loss, high first, the best choice of seeds.
    Source: arXiv 2512.00884.
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

    -(1/T) sum over t, and over all tokens v, of p_t(v) log p_t(v), nats per token. High is hard. The entropy
    over whole final answers is the criterion `answer_entropy`: it has options of its own, which would mean
    nothing here.

    Cost: one answer a seed; of the reference, one forward pass.
    When: all that might have been said is to count, where `loss` looks at what was.
    Source: uncertainty sampling of active learning, for sequences (Settles 2009, section 3.1).
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


@plugin
class LeastConfidence:
    """How little the student trusts the tokens that it chooses: 1 - p(a_t | question, a_<t), from 0 to 1.

    mean: (1/T) sum over t; worst: the largest, that of the token it was least sure of. High is hard. It goes
    token by token: of the whole answer, 1 - product of the p_t is almost 1 for every long answer, and ranks
    by `loss` with reduce: sum. The own answer is the greedy one, so that a_t is the likeliest token, and its
    end token counts.

    Cost: one answer a seed.
    When: with reduce: worst, to find the one step at which an answer might have gone another way, which a
    mean over a long answer hides.
    Source: Lewis and Gale 1994; Settles 2009.
    """

    reduce: Reduce = "mean"
    """Over the tokens; worst: the least confident one decides."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The tokens of the student's answer."""
        return (needs.OWN,)

    def score(self, measurements: Measurements) -> list[float | None]:
        """1 - p of the chosen token, the mean or the largest."""
        return _reduced(measurements, lambda nll, _: -np.expm1(-nll), self.reduce)


@plugin
class Margin:
    """How close the runner-up is: the log-probability of the likeliest token less that of the second.

    Its mean over the own answer's tokens, or its smallest, in nats and with the sign turned: small margins
    are hard, and high is hard for every criterion. The difference of logarithms is that of the two logits,
    exact at any size; p1 - p2, of margin sampling, is 1 to within rounding for most tokens of a greedy
    answer, and tells nothing apart there. It has no bound: where one sure token must not outweigh many
    others, take reduce: worst.

    Cost: one answer a seed.
    When: it matters whether another token was nearly chosen, and not how the rest is spread.
    Source: Scheffer et al. 2001, with p1 - p2.
    """

    reduce: Reduce = "mean"
    """Over the tokens; worst: the smallest margin decides."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The tokens of the student's answer."""
        return (needs.OWN,)

    def score(self, measurements: Measurements) -> list[float | None]:
        """Minus the margin, the mean or the smallest."""
        return _reduced(measurements, lambda _, margin: -margin, self.reduce)


def _reduced(
    measurements: Measurements, hardness: Callable[[Floats, Floats], Floats], reduce: Reduce
) -> list[float | None]:
    """Per example the mean or the largest hardness of its own answer's tokens, which is made from their nll
    and margins; None without tokens."""
    tokens = measurements.tokens.get("own")
    if tokens is None:
        return [None] * len(measurements.examples)
    scores = []
    for number in range(len(measurements.examples)):
        at = tokens.of(number)
        hard = hardness(tokens.nll[at].astype(np.float64), tokens.margin[at].astype(np.float64))
        value = math.nan if not len(hard) else hard.mean() if reduce == "mean" else hard.max()
        scores.append(_finite(float(value)))
    return scores


def _stats(observation: Observation, of: Of) -> TokenStats | None:
    """The statistics of the reference, or of the own answer; None where no token was measured."""
    own = observation.own
    stats = observation.gold if of == "gold" else own.stats if own else None
    return stats if stats is not None and stats.tokens > 0 else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
