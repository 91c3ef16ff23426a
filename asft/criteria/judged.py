"""A criterion that has an LLM judge the student's own answers."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Literal, cast

from asft import needs, prompts
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
from asft.errors import PluginError, PromptError
from asft.grades import Scale, read_grade, read_grades, read_text
from asft.prompts import Prompt
from asft.registry import plugin
from asft.types import Example, Inquiry, Measurements, Need, Request, Sampling, Script

Said = Mapping[str, float | None]


@plugin
class Judge:
    """How badly the student answers, in the eyes of an LLM: the judge of the recipe, or else its teacher.

    absolute: it grades the student's greedy answer on the prompt's scale; the score is
    (best - grade) / (best - worst), from 0 to 1. pairwise: the teacher answers the question too, the judge
    grades both answers side by side, once in either order, and the score is the mean over the orders of
    (teacher's grade - student's grade) / (best - worst), from -1 to 1. High is hard. A reply without a
    grade is asked for again; failing that, the seed has no score. Nor has it one where one of the two
    orders has none, because the mean is there to cancel what the order does.

    pairwise is the gap of Lion, where the teacher is the judge, no reference is shown, and seeds with a gap
    of 1 point or more, on a scale from 1 to 10, are hard: here, 1/9 or more.

    Cost: one answer and one request a seed; pairwise, three requests. An answer that is the same as in the
    round before is not paid for again.
    When: answers cannot be compared with a reference.
    Source: LLM-as-a-judge, arXiv 2306.05685; pairwise, Lion, arXiv 2305.12870.
    """

    mode: Literal["absolute", "pairwise"] = "absolute"
    """absolute: the answer by itself. pairwise: beside the teacher's."""
    prompt: str | None = None
    """A shipped prompt or a path, with a `scale`; uses question and answer, or question, answer_a and
    answer_b, and reference. None: judge_answer or judge_pair."""
    reference: bool = True
    """Whether a prompt that can show the seed's reference answer does."""
    max_tokens: Tokens = 1024
    """Of a judge's reply."""
    temperature: Temperature = 0.0
    """Of the first reply."""
    reask_temperature: Temperature = 0.7
    """Of a grade that is asked for again, which would else come back the same."""
    reasks: Count = 1
    """How often each request is made again where its reply cannot be read."""
    max_answer_bytes: Bytes = 4096
    """Of a longer answer, in UTF-8 bytes, the middle is left out, so that the cost has a bound."""
    answer_prompt: str | None = None
    """pairwise: what the teacher is asked, a shipped prompt or a path; uses question. None: answer."""
    answer_max_tokens: Tokens | None = None
    """pairwise: of the teacher's answer. None: 1024."""

    def __post_init__(self) -> None:
        """Read the prompts. Raises PromptError for one that cannot be filled in or has no scale."""
        shown = ("question", "answer") if self.mode == "absolute" else ("question", "answer_a", "answer_b")
        self._prompt.check((*shown, "reference"), shown)
        if self._prompt.scale is None:
            raise PromptError(
                f"{self._prompt.path}: its front matter must say what the worst and the best grade are, such "
                "as scale: [1, 10]"
            )
        if self.mode == "pairwise":
            self._answer.check(("question",), ("question",))
            return
        for name in ("answer_prompt", "answer_max_tokens"):
            if getattr(self, name) is not None:
                raise PluginError(f"option {name!r} has an effect in mode: pairwise alone; leave it out")

    @cached_property
    def _prompt(self) -> Prompt:
        return prompts.load(self.prompt or ("judge_answer" if self.mode == "absolute" else "judge_pair"))

    @cached_property
    def _answer(self) -> Prompt:
        return prompts.load(self.answer_prompt or "answer")

    @property
    def _scale(self) -> Scale:
        return cast(Scale, self._prompt.scale)

    @property
    def needs(self) -> tuple[Need, ...]:
        """What the judge says of the student's own answer: its grade, or the gap to the teacher's."""
        options = {
            "prompt": known_by(self._prompt),
            "scale": list(self._scale),
            "reference": self.reference,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "reask_temperature": self.reask_temperature,
            "reasks": self.reasks,
            "max_answer_bytes": self.max_answer_bytes,
        }
        if self.mode == "pairwise":
            options |= {"answer_prompt": known_by(self._answer), "answer_max_tokens": self._answer_tokens}
        return (Need(name=self._name, kind="script", options=options, asker=self, reads=(needs.OWN,)),)

    @property
    def _name(self) -> str:
        return "judge" if self.mode == "absolute" else "judge_pair"

    def score(self, measurements: Measurements) -> list[float | None]:
        """The share of the scale that is missing to the best grade, or to the teacher's."""
        worst, best = self._scale
        said = [one.signals.get(self._name) for one in measurements.observations]
        if self.mode == "absolute":
            return [None if grade is None else (best - grade) / (best - worst) for grade in said]
        return [None if gap is None else gap / (best - worst) for gap in said]

    def inquiries(self, measurements: Measurements, seed: int) -> Iterator[Inquiry]:
        """A script for each seed that the student has answered."""
        for example, observation in zip(measurements.examples, measurements.observations, strict=True):
            if observation.own is None:
                continue
            answer = shortened(observation.own.text, self.max_answer_bytes)
            if self.mode == "absolute":
                asks = [partial(self._grade, example, {"answer": answer}, seed)]
                yield Inquiry(
                    script=partial(self._absolute, example, asks), ceiling=at_most(asks, self.reasks)
                )
            else:
                longest = self._both_orders(example, "x" * self.max_answer_bytes, answer, seed)
                answered = at_most([partial(self._ask_teacher, example, seed)], self.reasks)
                yield Inquiry(
                    script=partial(self._pairwise, example, answer, seed),
                    ceiling=answered + at_most(longest, self.reasks),
                )

    def _absolute(self, example: Example, asks: Sequence[Ask]) -> Script[Said]:
        [grade] = yield from until_read(asks, lambda reply: read_grade(reply, self._scale), self.reasks)
        return {example.id: grade}

    def _pairwise(self, example: Example, own: str, seed: int) -> Script[Said]:
        """The gap in points; both orders are asked at once."""
        [taught] = yield from until_read([partial(self._ask_teacher, example, seed)], read_text, self.reasks)
        if taught is None:
            return {example.id: None}
        asks = self._both_orders(example, shortened(taught, self.max_answer_bytes), own, seed)
        graded = yield from until_read(asks, lambda reply: read_grades(reply, self._scale), self.reasks)
        first, second = graded
        if first is None or second is None:
            return {example.id: None}
        return {example.id: ((first[0] - first[1]) + (second[1] - second[0])) / 2}

    def _both_orders(self, example: Example, teachers: str, own: str, seed: int) -> list[Ask]:
        """The teacher's answer first, then the student's."""
        return [
            partial(self._grade, example, {"answer_a": a, "answer_b": b}, seed)
            for a, b in ((teachers, own), (own, teachers))
        ]

    def _grade(self, example: Example, answers: Mapping[str, str], seed: int, index: int) -> Request:
        reference = (example.completion or example.answer) if self.reference else None
        return Request(
            to="judge",
            messages=rendered(self._prompt, question=example.prompt, **answers, reference=reference),
            sampling=Sampling(temperature=self._temperature(index), max_tokens=self.max_tokens),
            purpose=self._prompt.purpose,
            index=index,
            seed=seed,
        )

    def _ask_teacher(self, example: Example, seed: int, index: int) -> Request:
        return Request(
            messages=rendered(self._answer, question=example.prompt),
            sampling=Sampling(temperature=self._temperature(index), max_tokens=self._answer_tokens),
            purpose=self._answer.purpose,
            index=index,
            seed=seed,
        )

    def _temperature(self, index: int) -> float:
        return self.reask_temperature if index else self.temperature

    @property
    def _answer_tokens(self) -> int:
        return self.answer_max_tokens or 1024
