"""A criterion that has an LLM rank the seeds."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Annotated, Literal

from pydantic import Field

from asft import prompts
from asft.criteria.asking import (
    Ask,
    Bytes,
    Count,
    Temperature,
    Tokens,
    at_most,
    known_by,
    rendered,
    shortened,
    until_read,
)
from asft.grades import read_ranking
from asft.prompts import Prompt
from asft.registry import plugin
from asft.types import Example, Inquiry, Measurements, Need, Request, Sampling, Script


@plugin
class LLMPick:
    """Where an LLM ranks a seed among others: the judge of the recipe, or else its teacher.

    It is shown batches of seeds and asked to rank each by informativeness, difficulty or diversity. The
    seed at place r of m, from 0, gets (m - 1 - r) / (m - 1): 1 is the first, 0 the last; its score is the
    mean over `passes`. High is what was asked for. The LLM sees the questions, and not what the student
    makes of them. Batches are put together anew in each pass and round, by the run's seed, so that a seed
    is compared with others each time; their sizes differ by at most one. A ranking that leaves a seed out
    or names one twice is asked for again; failing that, it says nothing of its batch.

    Cost: `passes` / `batch` requests a seed, anew in each round, and nothing of the student.
    When: the student cannot be run over the pool, or as a baseline that does not look at it.
    Source: LLM-based selection, as common practice has it; the passes are ours.
    """

    by: Literal["informativeness", "difficulty", "diversity"] = "informativeness"
    """diversity: within the batch, so larger batches say more."""
    prompt: str = "rank_questions"
    """A shipped prompt or a path; uses questions, and count and by."""
    batch: Annotated[int, Field(ge=2)] = 10
    """Seeds that are ranked together, at most; one more where a single one would be left."""
    passes: Annotated[int, Field(ge=1)] = 2
    """How many batches each seed is in."""
    max_tokens: Tokens = 512
    """Of a reply."""
    temperature: Temperature = 0.0
    """Of the first reply."""
    reask_temperature: Temperature = 0.7
    """Of a ranking that is asked for again, which would else come back the same."""
    reasks: Count = 1
    """How often a ranking is asked for again where it cannot be read."""
    max_question_bytes: Bytes = 4096
    """Of a longer question, in UTF-8 bytes, the middle is left out, so that the cost has a bound."""

    def __post_init__(self) -> None:
        """Read the prompt. Raises PromptError for one that cannot be filled in."""
        self._prompt.check(("questions", "count", "by"), ("questions",))

    @cached_property
    def _prompt(self) -> Prompt:
        return prompts.load(self.prompt)

    @property
    def needs(self) -> tuple[Need, ...]:
        """The mean place that an LLM gives a seed."""
        options = {
            "prompt": known_by(self._prompt),
            "by": self.by,
            "batch": self.batch,
            "passes": self.passes,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "reask_temperature": self.reask_temperature,
            "reasks": self.reasks,
            "max_question_bytes": self.max_question_bytes,
        }
        return (Need(name="llm_pick", kind="script", options=options, asker=self),)

    def score(self, measurements: Measurements) -> list[float | None]:
        """The mean place, from 0 (last) to 1 (first)."""
        return [one.signals.get("llm_pick") for one in measurements.observations]

    def inquiries(self, measurements: Measurements, seed: int) -> Iterator[Inquiry]:
        """A script for each batch of each pass; none where there are no two seeds to compare."""
        for number in range(self.passes):
            order = sorted(measurements.examples, key=lambda example: example.id)
            random.Random(f"{seed} llm_pick {measurements.round} {number}").shuffle(order)
            for batch in self._batches(order):
                ask = partial(self._ask, batch, seed)
                yield Inquiry(script=partial(self._ranked, batch, ask), ceiling=at_most([ask], self.reasks))

    def _batches(self, order: Sequence[Example]) -> Iterator[Sequence[Example]]:
        count = min(-(-len(order) // self.batch), len(order) // 2)
        for number in range(count):
            yield order[number * len(order) // count : (number + 1) * len(order) // count]

    def _ranked(self, batch: Sequence[Example], ask: Ask) -> Script[Mapping[str, float | None]]:
        [ranking] = yield from until_read([ask], lambda reply: read_ranking(reply, len(batch)), self.reasks)
        if ranking is None:
            return dict.fromkeys((example.id for example in batch), None)
        last = len(batch) - 1
        return {batch[number].id: (last - place) / last for place, number in enumerate(ranking)}

    def _ask(self, batch: Sequence[Example], seed: int, index: int) -> Request:
        shown = [
            f'<question number="{number}">\n{shortened(example.prompt, self.max_question_bytes)}\n</question>'
            for number, example in enumerate(batch, start=1)
        ]
        questions = "\n\n".join(shown)
        return Request(
            to="judge",
            messages=rendered(self._prompt, questions=questions, count=len(batch), by=self.by),
            sampling=Sampling(
                temperature=self.reask_temperature if index else self.temperature, max_tokens=self.max_tokens
            ),
            purpose=self._prompt.purpose,
            index=index,
            seed=seed,
        )
