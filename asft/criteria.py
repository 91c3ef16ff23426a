"""Criteria: how hard a seed is for the student. Higher is harder, for every one of them.

A criterion is a pure function of measurements: it scores all seeds in their order, and gives None where
what it needs was not measured or is no number. None is not zero: such a seed is never picked by rank.
"""

import math
from collections.abc import Sequence
from typing import Literal

from asft.registry import plugin
from asft.types import Answer, Measurements, Need, Observation, TokenStats

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
        return (Need(name=self.of),)

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
        return (Need(name=self.of),)

    def score(self, measurements: Measurements) -> list[float | None]:
        """Mean predictive entropy."""
        measured = [_stats(observation, self.of) for observation in measurements.observations]
        return [None if stats is None else _finite(stats.entropy) for stats in measured]


@plugin
class Incorrect:
    """The share of the student's own answers that are wrong: the mean of (1 - grade), from 0 to 1.

    High is hard. As in LLM2LLM (arXiv 2403.15042), which writes from the seeds that the student gets
    wrong; there an answer is right or wrong, here a task may grade in between.
    """

    ungradable: Literal["wrong", "none"] = "wrong"
    """What an answer without a final answer, or one cut off by the limit, counts as. wrong: as wrong.
    none: as unknown, and left out of the share; a seed with no other answer has no score."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The student's own answers with their grades."""
        return (Need(name="own"),)

    def score(self, measurements: Measurements) -> list[float | None]:
        """Share of wrong answers."""
        return [self._share(observation.answers) for observation in measurements.observations]

    def _share(self, answers: Sequence[Answer]) -> float | None:
        grades = [None if answer.finish == "length" else answer.grade for answer in answers]
        if self.ungradable == "wrong":
            wrong = [1.0 if grade is None else 1.0 - grade for grade in grades]
        else:
            wrong = [1.0 - grade for grade in grades if grade is not None]
        return math.fsum(wrong) / len(wrong) if wrong else None


def _stats(observation: Observation, of: Of) -> TokenStats | None:
    """The statistics of the reference, or of the first own answer; None where no token was measured."""
    if of == "gold":
        stats = observation.gold
    else:
        stats = observation.answers[0].stats if observation.answers else None
    return stats if stats is not None and stats.tokens > 0 else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
