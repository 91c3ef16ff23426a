"""Writers: scripts that ask the teacher for a new example from a seed, and read its replies.

A script makes no calls: it yields requests and is sent replies, so that it can be driven by hand, and
replayed from the journal. Prompts are files that people edit; a writer reads them once, when it is made.

A draft without an example says why in one of few words, with a detail behind a colon; whoever counts
reasons counts what stands before it (`REASONS`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from random import Random
from typing import Annotated, TypeVar

from pydantic import Field

from asft import prompts
from asft.budget import ceiling_of
from asft.errors import RequestError
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
    Task,
)
from asft.writers.reading import read_answer, read_both, read_question, says_that_it_cannot

REASONS: Mapping[str, str] = {
    "teacher cannot": "it says so; it is not asked again",
    "no question": "no question can be found in the reply",
    "no answer": "no worked answer can be found in the reply",
    "no final answer": "the worked answer does not say what the answer is",
    "cut off": "the reply ran into max_tokens",
    "reply too long": "the question is longer than max_reply_bytes",
    "refused": "the endpoint takes no such request",
    "no solution": "the prompt needs the seed's worked answer, and the seed has none",
}
"""What `Draft.reason` begins with, and what it means."""

T = TypeVar("T")
Count = Annotated[int, Field(ge=0)]
Tokens = Annotated[int, Field(ge=1)]
Temperature = Annotated[float, Field(ge=0.0, le=2.0)]


@plugin
class QuestionThenAnswer:
    """Two calls: a new question from the seed, then its worked answer, and further answers for a vote."""

    question_prompt: str = "question"
    """A shipped prompt or a path; may use question, answer and solution (worked answer) of the seed."""
    answer_prompt: str = "answer"
    """The same; uses question, the new one."""
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
        self._question.check(_OF_SEED, ())
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
            completion, answer = yield from _read_or_ask_again(
                replies[0],
                lambda reply: _worked(_whole(reply), question, pick.example, context.task),
                (self._ask_answer(question, pick, context, index) for index in again),
            )
        except (_NoDraftError, RequestError) as error:
            return _without_example(pick, error)
        votes = tuple(_vote(reply, question, pick.example, context.task) for reply in replies[1:])
        return _with_example(pick, context, question, completion, answer, votes)

    def ceiling(self, pick: Pick, context: Context) -> Ceiling:
        """All requests and re-asks, with a question as long as `max_reply_bytes` allows."""
        try:
            question = ceiling_of(self._ask_question(pick, context, 0))
        except _NoDraftError:
            return NO_REQUESTS
        answers = 1 + self.votes + self.reasks
        return question * (1 + self.reasks) + self._longest * answers

    def _write_question(self, pick: Pick, context: Context) -> Script[str]:
        asks = (self._ask_question(pick, context, index) for index in range(1 + self.reasks))
        [reply] = yield [next(asks)]
        return (yield from _read_or_ask_again(reply, lambda r: self._read(r, pick, context), asks))

    def _read(self, reply: Reply, pick: Pick, context: Context) -> str:
        question = read_question(_whole(reply))
        if question is None:
            raise _NoDraftError("no question", _shown(reply.text))
        size = len(question.encode("utf-8", "surrogatepass"))
        # A template may lengthen some texts more than others; what counts is the request that it makes.
        asked = (
            ceiling_of(self._ask_answer(question, pick, context, 0)) if size <= self.max_reply_bytes else None
        )
        if asked is None or asked.input_tokens > self._longest.input_tokens:
            raise _NoDraftError("reply too long", f"{size} bytes of {self.max_reply_bytes}")
        return question

    def _ask_question(self, pick: Pick, context: Context, index: int) -> Request:
        sampling = Sampling(temperature=self.question_temperature, max_tokens=self.question_max_tokens)
        return _request(
            self._question, _from_seed(self._question, pick.example), sampling, pick, context, index
        )

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
    temperature: Temperature = 0.7
    max_tokens: Tokens = 1536
    reasks: Count = 1
    """How often it is asked again where the reply cannot be read."""

    def __post_init__(self) -> None:
        """Read the prompt. Raises PromptError for one that is missing or wants what nobody has."""
        self._prompt.check(_OF_SEED, ())

    @cached_property
    def _prompt(self) -> Prompt:
        return prompts.load(self.prompt)

    def write(self, pick: Pick, context: Context, rng: Random) -> Script[Draft]:
        """Ask once, and again where it has to be; samples are told apart by their index, not by `rng`."""
        asks = (self._ask(pick, context, index) for index in range(1 + self.reasks))
        try:
            [reply] = yield [next(asks)]
            question, completion, answer = yield from _read_or_ask_again(
                reply, lambda reply: self._read(reply, pick, context), asks
            )
        except (_NoDraftError, RequestError) as error:
            return _without_example(pick, error)
        return _with_example(pick, context, question, completion, answer)

    def ceiling(self, pick: Pick, context: Context) -> Ceiling:
        """The request and its re-asks."""
        try:
            return ceiling_of(self._ask(pick, context, 0)) * (1 + self.reasks)
        except _NoDraftError:
            return NO_REQUESTS

    def _ask(self, pick: Pick, context: Context, index: int) -> Request:
        sampling = Sampling(temperature=self.temperature, max_tokens=self.max_tokens)
        return _request(self._prompt, _from_seed(self._prompt, pick.example), sampling, pick, context, index)

    def _read(self, reply: Reply, pick: Pick, context: Context) -> tuple[str, str, str]:
        text = _whole(reply)
        question, worked = read_both(text)
        if question is None:
            raise _NoDraftError("no question", _shown(text))
        if worked is None:
            raise _NoDraftError("no answer", _shown(text))
        return question, *_worked(worked, question, pick.example, context.task)


# ------------------------------------------------------------------------------------------- requests

_OF_SEED = ("question", "answer", "solution")


def _from_seed(prompt: Prompt, seed: Example) -> tuple[Message, ...]:
    """The prompt about a seed; it gets those of the seed's values that it has variables for."""
    if "solution" in prompt.variables and seed.completion is None:
        raise _NoDraftError("no solution", f"{prompt.name} needs that of seed {seed.id}")
    values = {"question": seed.prompt, "answer": seed.answer, "solution": seed.completion}
    known = {*prompt.variables, *prompt.optional}
    return prompt.render(**{name: value for name, value in values.items() if name in known})


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


# -------------------------------------------------------------------------------------------- replies


class _NoDraftError(Exception):
    """Why there is no draft: a word of `REASONS`, and a detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.may_be_asked_again = reason not in ("teacher cannot", "no solution")


def _read_or_ask_again(reply: Reply, read: Callable[[Reply], T], again: Iterator[Request]) -> Script[T]:
    """What `read` makes of the reply, or of the first later one that can be read."""
    while True:
        try:
            return read(reply)
        except _NoDraftError as unread:
            request = next(again, None) if unread.may_be_asked_again else None
            if request is None:
                raise
        [reply] = yield [request]


def _whole(reply: Reply) -> str:
    """The text of a reply that came to its end and is no apology; hidden reasoning that shows is left out."""
    if reply.finish == "length":
        raise _NoDraftError("cut off", f"after {reply.output_tokens} tokens")
    text = reply.text.rpartition("</think>")[2].strip()
    if says_that_it_cannot(text):
        raise _NoDraftError("teacher cannot", _shown(text))
    return text


def _worked(text: str, question: str, seed: Example, task: Task) -> tuple[str, str]:
    """A worked answer and the final answer in it."""
    completion = read_answer(text)
    if completion is None:
        raise _NoDraftError("no answer", _shown(text))
    # A task may read from the question what an answer can be: the choices that it names.
    answer = _final(completion, replace(seed, prompt=question), task)
    if answer is None:
        raise _NoDraftError("no final answer", _shown(completion[-80:]))
    return completion, answer


def _final(text: str, asked: Example, task: Task) -> str | None:
    """The final answer, found as the task finds it; what stands last in a text without a mark is none.

    A student is given credit for that number or word. In a teacher's answer it may be anything, and it would
    be trained on.
    """
    grade = task.grade(asked, text)
    unmarked = grade.note.startswith("last ")
    return None if grade.extracted is None or unmarked else grade.extracted.strip() or None


def _vote(reply: Reply, question: str, seed: Example, task: Task) -> str | None:
    try:
        return _worked(_whole(reply), question, seed, task)[1]
    except _NoDraftError:
        return None


def _with_example(
    pick: Pick,
    context: Context,
    question: str,
    completion: str,
    answer: str,
    votes: tuple[str | None, ...] = (),
) -> Draft:
    example = Example.make(
        task=pick.example.task,
        prompt=question,
        answer=answer,
        completion=completion,
        parents=(pick.example.id,),
        round=context.round,
    )
    return Draft(number=pick.number, example=example, votes=votes)


def _without_example(pick: Pick, error: _NoDraftError | RequestError) -> Draft:
    reason = str(error) if isinstance(error, _NoDraftError) else f"refused: {_shown(str(error), 200)}"
    return Draft(number=pick.number, example=None, reason=reason)


def _shown(text: str, most: int = 80) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= most else line[: most - 3] + "...")
