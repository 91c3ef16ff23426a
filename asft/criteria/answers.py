"""Criteria that read the final answers of the student's own attempts."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from asft import needs
from asft.registry import plugin
from asft.types import Answer, Measurements, Need, Observation


@plugin
class Incorrect:
    """The share of the student's k answers that are wrong: the mean of (1 - grade), from 0 to 1.

    High is hard. As in LLM2LLM (arXiv 2403.15042), which writes from the seeds that the student gets
    wrong; there an answer is right or wrong, here a task may grade in between.
    """

    k: Annotated[int, Field(ge=1)] = 1
    """How many answers. 1: the greedy one. More: so many drawn by chance."""
    temperature: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 0.7
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
