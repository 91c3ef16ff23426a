"""Writers: scripts that ask the teacher for a new example from a seed, and read its replies.

A script makes no calls: it yields requests and is sent replies, so that it can be driven by hand, and
replayed from the journal. Prompts are files that people edit; a writer reads them once, when it is made.

A draft without an example says why in one of few words, with a detail behind a colon; whoever counts
reasons counts what stands before it (`REASONS`).
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from random import Random
from typing import Annotated

from pydantic import Field

from asft import prompts
from asft.budget import ceiling_of
from asft.errors import PromptError, RequestError
from asft.prompts import Prompt
from asft.registry import plugin
from asft.types import (
    NO_REQUESTS,
    Ceiling,
    Context,
    Draft,
    Example,
    Message,
    Pick,
    Reply,
    Request,
    Sampling,
    Script,
)
from asft.writers.reading import read_both, read_question
from asft.writers.replies import (
    NoDraftError,
    read_or_ask_again,
    shown,
    vote_of,
    whole_text,
    with_example,
    without_example,
    worked_answer,
)

REASONS: Mapping[str, str] = {
    "teacher cannot": "it says so; it is not asked again",
    "no question": "no question can be found in the reply",
    "no answer": "no worked answer can be found in the reply",
    "no final answer": "the worked answer does not say what the answer is",
    "cut off": "the reply ran into max_tokens",
    "reply too long": "the question is longer than max_reply_bytes",
    "refused": "the endpoint takes no such request",
    "no solution": "the seed's worked answer is needed, and the seed has none",
    "taken before": "the seed itself is the example, and this run has taken it already",
}
"""What `Draft.reason` begins with, and what it means."""

Count = Annotated[int, Field(ge=0)]
Tokens = Annotated[int, Field(ge=1)]
Temperature = Annotated[float, Field(ge=0.0, le=2.0)]
Difficulty = Annotated[str, Field(min_length=1)] | None


@plugin
class QuestionThenAnswer:
    """Two calls: a new question from the seed, then its worked answer, and further answers for a vote."""

    question_prompt: str = "question"
    """A shipped prompt or a path; may use question, answer and solution (worked answer) of the seed, and uses
    questions, where several are shown."""
    answer_prompt: str = "answer"
    """The same; uses question, the new one."""
    seeds: Annotated[int, Field(ge=1)] = 1
    """How many seeds the first prompt shows: the one that was picked, and others drawn at random."""
    accepted: Count = 0
    """How many questions that earlier rounds accepted it shows beside them, drawn at random; seeds take the
    places of those that are not there yet. All stand in random order (Self-Instruct, arXiv 2212.10560)."""
    difficulty: Difficulty = None
    """How hard new questions are to be, in words for the first prompt, such as "two steps longer than the one
    shown"; a rule of the recipe may change it. None: the prompt says nothing of it."""
    question_temperature: Temperature = 1.0
    question_max_tokens: Tokens = 512
    answer_temperature: Temperature = 0.0
    """Of the first answer."""
    answer_max_tokens: Tokens = 1024
    """Of every answer."""
    votes: Count = 0
    """Further answers to the same question, asked for at once with the first, for a filter that compares
    them."""
    vote_temperature: Temperature = 0.7
    """Of further answers, and of an answer that is asked for again, which would else come back the same."""
    reasks: Count = 1
    """How often each call is made again where its reply cannot be read."""
    max_reply_bytes: Annotated[int, Field(ge=1)] = 4096
    """A longer question, in UTF-8 bytes, is dropped: it is the input of the second call."""

    def __post_init__(self) -> None:
        """Read the prompts. Raises PromptError for one that is missing or wants what nobody has."""
        several = ("questions",) if self.seeds + self.accepted > 1 else ()
        _check(self._question, several, self.difficulty)
        self._answer.check(("question",), ("question",))

    @cached_property
    def _question(self) -> Prompt:
        return prompts.load(self.question_prompt)

    @cached_property
    def _answer(self) -> Prompt:
        return prompts.load(self.answer_prompt)

    @cached_property
    def _longest(self) -> Ceiling:
        """One answer's ceiling where the question is as long as it may be."""
        longest = self._answer.render(question="x" * self.max_reply_bytes)
        return ceiling_of(Request(messages=longest, sampling=Sampling(max_tokens=self.answer_max_tokens)))

    def write(self, pick: Pick, context: Context, rng: Random) -> Script[Draft]:
        """Ask for a question, then for its answers; samples are told apart by their index, not by `rng`."""
        try:
            question = yield from self._write_question(pick, context)
            replies = yield [self._ask_answer(question, pick, context, i) for i in range(1 + self.votes)]
            again = range(1 + self.votes, 1 + self.votes + self.reasks)
            completion, answer = yield from read_or_ask_again(
                replies[0],
                lambda reply: worked_answer(whole_text(reply), question, pick.example, context.task),
                (self._ask_answer(question, pick, context, index) for index in again),
            )
        except (NoDraftError, RequestError) as error:
            return without_example(pick, error)
        votes = tuple(vote_of(reply, question, pick.example, context.task) for reply in replies[1:])
        beside = self._beside(pick, context)
        return with_example(pick, context, question, completion, answer, votes=votes, beside=beside)

    def ceiling(self, pick: Pick, context: Context) -> Ceiling:
        """All requests and re-asks, with a question as long as `max_reply_bytes` allows."""
        try:
            question = ceiling_of(self._ask_question(pick, context, 0))
        except NoDraftError:
            return NO_REQUESTS
        answers = 1 + self.votes + self.reasks
        return question * (1 + self.reasks) + self._longest * answers

    def _write_question(self, pick: Pick, context: Context) -> Script[str]:
        asks = (self._ask_question(pick, context, index) for index in range(1 + self.reasks))
        [reply] = yield [next(asks)]
        return (yield from read_or_ask_again(reply, lambda r: self._read(r, pick, context), asks))

    def _read(self, reply: Reply, pick: Pick, context: Context) -> str:
        question = read_question(whole_text(reply))
        if question is None:
            raise NoDraftError("no question", shown(reply.text))
        size = len(question.encode("utf-8", "surrogatepass"))
        # A template may lengthen some texts more than others; what counts is the request that it makes.
        asked = (
            ceiling_of(self._ask_answer(question, pick, context, 0)) if size <= self.max_reply_bytes else None
        )
        if asked is None or asked.input_tokens > self._longest.input_tokens:
            raise NoDraftError("reply too long", f"{size} bytes of {self.max_reply_bytes}")
        return question

    def _ask_question(self, pick: Pick, context: Context, index: int) -> Request:
        sampling = Sampling(temperature=self.question_temperature, max_tokens=self.question_max_tokens)
        beside = self._beside(pick, context)
        questions = _questions(pick, context, beside)
        messages = _from_seed(self._question, pick.example, self.difficulty, questions)
        return _request(self._question, messages, sampling, pick, context, index)

    def _beside(self, pick: Pick, context: Context) -> list[Example]:
        """What is shown beside the pick, drawn by what tells drafts apart: a re-ask shows the same."""
        if self.seeds + self.accepted == 1:
            return []
        rng = _rng(pick, context, "beside")
        earlier = rng.sample(context.accepted, min(self.accepted, len(context.accepted)))
        wanted = self.seeds + self.accepted - 1 - len(earlier)
        drawn = rng.sample(context.seeds, min(wanted + 1, len(context.seeds)))
        return [*[seed for seed in drawn if seed.id != pick.example.id][:wanted], *earlier]

    def _ask_answer(self, question: str, pick: Pick, context: Context, index: int) -> Request:
        temperature = self.vote_temperature if index else self.answer_temperature
        sampling = Sampling(temperature=temperature, max_tokens=self.answer_max_tokens)
        messages = self._answer.render(question=question)
        return _request(self._answer, messages, sampling, pick, context, index)


@plugin
class QuestionWithAnswer:
    """One call: a new question from the seed together with its worked answer."""

    prompt: str = "question_with_answer"
    """A shipped prompt or a path; may use question, answer and solution (worked answer) of the seed."""
    difficulty: Difficulty = None
    """As in question_then_answer."""
    temperature: Temperature = 0.7
    max_tokens: Tokens = 1536
    reasks: Count = 1
    """How often it is asked again where the reply cannot be read."""

    def __post_init__(self) -> None:
        """Read the prompt. Raises PromptError for one that is missing or wants what nobody has."""
        _check(self._prompt, (), self.difficulty)

    @cached_property
    def _prompt(self) -> Prompt:
        return prompts.load(self.prompt)

    def write(self, pick: Pick, context: Context, rng: Random) -> Script[Draft]:
        """Ask once, and again where it has to be; samples are told apart by their index, not by `rng`."""
        asks = (self._ask(pick, context, index) for index in range(1 + self.reasks))
        try:
            [reply] = yield [next(asks)]
            question, completion, answer = yield from read_or_ask_again(
                reply, lambda reply: self._read(reply, pick, context), asks
            )
        except (NoDraftError, RequestError) as error:
            return without_example(pick, error)
        return with_example(pick, context, question, completion, answer)

    def ceiling(self, pick: Pick, context: Context) -> Ceiling:
        """The request and its re-asks."""
        try:
            return ceiling_of(self._ask(pick, context, 0)) * (1 + self.reasks)
        except NoDraftError:
            return NO_REQUESTS

    def _ask(self, pick: Pick, context: Context, index: int) -> Request:
        sampling = Sampling(temperature=self.temperature, max_tokens=self.max_tokens)
        messages = _from_seed(self._prompt, pick.example, self.difficulty)
        return _request(self._prompt, messages, sampling, pick, context, index)

    def _read(self, reply: Reply, pick: Pick, context: Context) -> tuple[str, str, str]:
        text = whole_text(reply)
        question, worked = read_both(text)
        if question is None:
            raise NoDraftError("no question", shown(text))
        if worked is None:
            raise NoDraftError("no answer", shown(text))
        return question, *worked_answer(worked, question, pick.example, context.task)


# What is asked about a seed

_OF_SEED = ("question", "answer", "solution")


def _check(prompt: Prompt, several: Sequence[str], difficulty: str | None) -> None:
    """Raises PromptError for a prompt that wants what nobody has, or that lacks what it is to show."""
    asked = ("difficulty",) if difficulty is not None else ()
    prompt.check((*_OF_SEED, *several, *asked), several)
    if asked and "difficulty" not in {*prompt.variables, *prompt.optional}:
        raise PromptError(
            f"{prompt.path}: shows no difficulty, so `difficulty: {difficulty}` has no effect; name it under "
            "'optional' and show it, or leave the option out"
        )


def _from_seed(
    prompt: Prompt, seed: Example, difficulty: str | None, questions: str | None = None
) -> tuple[Message, ...]:
    """The prompt about a seed; it gets those of the values that it has variables for."""
    if "solution" in prompt.variables and seed.completion is None:
        raise NoDraftError("no solution", f"{prompt.name} needs that of seed {seed.id}")
    values = {
        "question": seed.prompt,
        "answer": seed.answer,
        "solution": seed.completion,
        "questions": questions,
        "difficulty": difficulty,
    }
    known = {*prompt.variables, *prompt.optional}
    return prompt.render(**{name: value for name, value in values.items() if name in known})


def _questions(pick: Pick, context: Context, beside: Sequence[Example]) -> str | None:
    """The questions of a pick and what is shown beside it, in random order; None where it is alone."""
    if not beside:
        return None
    mixed = [pick.example, *beside]
    _rng(pick, context, "order").shuffle(mixed)
    return "\n\n".join(
        f'<question number="{number}">\n{example.prompt}\n</question>'
        for number, example in enumerate(mixed, start=1)
    )


def _rng(pick: Pick, context: Context, what: str) -> Random:
    return Random(f"{context.seed} {what} {pick.draw} {pick.example.id}")


def _request(
    prompt: Prompt,
    messages: tuple[Message, ...],
    sampling: Sampling,
    pick: Pick,
    context: Context,
    index: int,
) -> Request:
    return Request(
        messages=messages,
        sampling=sampling,
        purpose=prompt.purpose,
        draw=pick.draw,
        index=index,
        seed=context.seed,
    )
