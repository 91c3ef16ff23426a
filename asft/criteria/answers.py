"""Criteria that read the final answers of the student's own attempts."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from asft import needs
from asft.registry import plugin
from asft.types import Answer, Measurements, Need, Observation

Temperature = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


@plugin
class Incorrect:
    """The share of the student's k answers that are wrong: the mean of (1 - grade), from 0 to 1.

    High is hard. In LLM2LLM, which writes from the seeds that the student gets wrong, an answer is right or
    wrong; here a task may grade in between.

    Cost: k answers a seed.
    When: answers can be graded by the reference; with k: 1 most seeds tie.
    Source: LLM2LLM, arXiv 2403.15042.
    """

    k: Annotated[int, Field(ge=1)] = 1
    """How many answers. 1: the greedy one. More: so many drawn by chance."""
    temperature: Temperature = 0.7
    """At which they are drawn, where there are more than one."""
    ungradable: Literal["wrong", "none"] = "wrong"
    """What an answer without a final answer, or one cut off by the limit, counts as. wrong: as wrong.
    none: as unknown, and left out of the share; a seed with no other answer has no score."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The student's answers with their grades."""
        return (needs.OWN if self.k == 1 else needs.samples(self.k, self.temperature),)

    def score(self, measurements: Measurements) -> list[float | None]:
        """Share of wrong answers."""
        return [self._share(self._answers(one)) for one in measurements.observations]

    def _answers(self, observation: Observation) -> Sequence[Answer]:
        if self.k > 1:
            return observation.samples
        return () if observation.own is None else (observation.own,)

    def _share(self, answers: Sequence[Answer]) -> float | None:
        grades = [None if answer.finish == "length" else answer.grade for answer in answers]
        if self.ungradable == "wrong":
            wrong = [1.0 if grade is None else 1.0 - grade for grade in grades]
        else:
            wrong = [1.0 - grade for grade in grades if grade is not None]
        return math.fsum(wrong) / len(wrong) if wrong else None


@plugin
class AnswerEntropy:
    """How widely the student's answers scatter: the entropy over the final answers of k samples, in nats.

    -sum over the different final answers c of n_c/k log(n_c/k), from 0 (all alike) to log k. High is hard.
    Final answers are equal where the task says so ("18." and "18" are). An answer without one, or cut off by
    the limit, is unlike every other: nobody knows that two of them would have agreed.

    Cost: k answers a seed.
    When: what the student ends up saying is to count, and not its words; it needs no reference.
    Source: the entropy criterion of "Active Synthesis"; uncertainty sampling of active learning.
    """

    k: Annotated[int, Field(ge=2)] = 8
    """How many answers are drawn."""
    temperature: Temperature = 0.7
    """At which they are drawn."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The student's answers, drawn by chance."""
        return (needs.samples(self.k, self.temperature),)

    def score(self, measurements: Measurements) -> list[float | None]:
        """Entropy over final answers; None where none were drawn."""
        shares = [_shares(one.samples) for one in measurements.observations]
        # The sum may end a rounding below zero.
        return [max(0.0, -math.fsum(p * math.log(p) for p in some)) if some else None for some in shares]


@plugin
class Disagreement:
    """How far the student is from agreeing with itself: 1 - share of the commonest final answer among k.

    From 0 (all alike) to 1 - 1/k. High is hard. The share is the confidence of self-consistency, where the
    commonest answer is the one that counts. Final answers are equal where the task says so; an answer without
    one, or cut off by the limit, agrees with none.

    Cost: k answers a seed.
    When: there is no reference, and it does not matter how the answers scatter that are not the commonest,
    as it does to `answer_entropy`.
    Source: self-consistency, arXiv 2203.11171.
    """

    k: Annotated[int, Field(ge=2)] = 8
    """How many answers are drawn."""
    temperature: Temperature = 0.7
    """At which they are drawn."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The student's answers, drawn by chance."""
        return (needs.samples(self.k, self.temperature),)

    def score(self, measurements: Measurements) -> list[float | None]:
        """1 - the largest share; None where none were drawn."""
        shares = [_shares(one.samples) for one in measurements.observations]
        return [1.0 - max(some) if some else None for some in shares]


def _shares(answers: Sequence[Answer]) -> list[float]:
    """The share of each final answer; each answer without one is by itself."""
    finals = [None if answer.finish == "length" else answer.final for answer in answers]
    counts = [*Counter(final for final in finals if final is not None).values()]
    counts += [1] * finals.count(None)
    return [count / len(finals) for count in counts]
