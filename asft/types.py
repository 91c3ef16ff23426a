"""The records that travel along the line, and the roles that make them. Standard library only.

Records are frozen and keyword-only, so that nothing that was measured or paid for changes after the
fact. **None is not zero**: ungradable, unknown and unparsed are values of their own.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Example:
    """One question with its reference answer: a seed, a test item, or what a teacher wrote."""

    id: str
    """`Example.make` derives it from task, prompt and answer: equal content, equal id."""
    task: str
    prompt: str
    answer: str
    """The final answer alone, as the task compares it ("72")."""
    completion: str | None = None
    """The worked answer, final answer included; None where only the final answer is known."""
    parents: tuple[str, ...] = ()
    """Ids of the examples that this one was written from."""
    round: int = 0
    """The round that wrote it; 0 for given examples."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """For reports by group, e.g. {"steps": "3", "split": "test"}."""

    @staticmethod
    def make(
        *,
        task: str,
        prompt: str,
        answer: str,
        completion: str | None = None,
        parents: tuple[str, ...] = (),
        round: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> "Example":
        """Build an example whose id is a hash of (task, prompt, answer)."""
        digest = hashlib.blake2b(digest_size=8)
        for part in (task, prompt, answer):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
        return Example(
            id=digest.hexdigest(),
            task=task,
            prompt=prompt,
            answer=answer,
            completion=completion,
            parents=parents,
            round=round,
            tags=dict(tags or {}),
        )


@dataclass(frozen=True, kw_only=True)
class Grade:
    """How an answer compares with the reference answer."""

    value: float | None
    """1.0 right ... 0.0 wrong; None where no final answer can be found."""
    extracted: str | None
    """The final answer that was read from the text, as written there."""
    note: str = ""
    """How it was read or why it was not ("boxed", "last number", "no final answer", ...)."""


@dataclass(frozen=True, kw_only=True)
class TokenStats:
    """What a student makes of the tokens of one answer."""

    tokens: int
    """How many tokens are counted; the prompt's are not."""
    nll: float
    """Mean negative log-likelihood, nats per token."""
    nll_sum: float
    """Its sum over the tokens, nats."""
    entropy: float
    """Mean entropy of the predictive distributions at these tokens, nats per token."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer by the student."""

    text: str
    token_ids: tuple[int, ...]
    """Without the token that ends it."""
    finish: "Finish"
    """"length" where the limit cut it off."""


Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a reply is to be sampled; the names are those of the chat completions API."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of a teacher or judge. Equal requests get equal answers from the journal."""

    to: Literal["teacher", "judge"] = "teacher"
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    purpose: str = ""
    """What it is for ("question", "answer", "judge", ...); the ledger adds up by it."""
    draw: int = 0
    """How often this run has asked about the same seed before."""
    index: int = 0
    """Which sample of the same request; asking again takes the next."""
    seed: int = 0
    """The run's seed; with draw and index it makes repeated requests differ."""


Finish = Literal["stop", "length"]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back. Token counts are as the endpoint reports them."""

    text: str
    finish: Finish
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    """The part of input_tokens that was served from a cache."""
    reasoning_tokens: int = 0
    """The part of output_tokens that was spent on hidden reasoning."""
    cost_usd: float | None = None
    """None where no price is known; a free endpoint says 0.0."""
    seconds: float = 0.0


@runtime_checkable
class Task(Protocol):
    """Where questions come from, and how answers to them are graded."""

    def load(self, split: str) -> Sequence[Example]:
        """All examples of a split, in an order that never changes. Raises DataError."""
        ...

    def grade(self, example: Example, text: str) -> Grade:
        """Compare a text with the example's answer. Pure; any text at all is taken, none raises."""
        ...


@runtime_checkable
class Teacher(Protocol):
    """An endpoint that answers one request. No retries and no batching in here."""

    async def reply(self, request: Request) -> Reply:
        """Answer the request. Raises RequestError where the same request can never succeed."""
        ...
