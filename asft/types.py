"""The records that travel along the line, and the roles that make them. Standard library only; numpy's
arrays appear as types.

Records are frozen and keyword-only, so that nothing that was measured or paid for changes after the
fact. **None is not zero**: ungradable, unknown and unparsed are values of their own.
"""

import hashlib
import random
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


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
    """How it was read or why it was not ("boxed", "no final answer", ...); "last number", "last word" and so
    on for what stands last in a text that marks no answer, which is none in a teacher's."""


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
    grade: float | None = None
    """1.0 right ... 0.0 wrong; None where no final answer can be found, or before it is graded."""
    final: str | None = None
    """The final answer, written alike in all of the student's answers to a question that the task holds for
    equal; None where none can be found, or before it is graded."""
    stats: TokenStats | None = None
    """Of its own tokens, the end token included where it came; None where they are not measured."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What was measured of the student on one example."""

    example_id: str
    gold: TokenStats | None = None
    """Of the reference's worked answer."""
    own: Answer | None = None
    """The student's own answer, the greedy one."""
    samples: tuple[Answer, ...] = ()
    """Answers by the student that were drawn with a temperature."""
    signals: Mapping[str, float | None] = field(default_factory=dict)
    """Other numbers by the name of their need (a judge's grade, a reward, ...)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenArrays:
    """Statistics of each token of one answer per example, ragged; in nats.

    The tokens of example i are `offsets[i]` up to `offsets[i + 1]`; it has none where it was not measured.
    """

    offsets: "npt.NDArray[np.int64]"
    """`[n + 1]`, for n examples."""
    nll: "npt.NDArray[np.float32]"
    """`[offsets[n]]`: negative log-likelihood of the token."""
    entropy: "npt.NDArray[np.float32]"
    """`[offsets[n]]`: entropy of the distribution that the token was drawn from, or could have been."""
    margin: "npt.NDArray[np.float32]"
    """`[offsets[n]]`: log-probability of the likeliest token less that of the second likeliest."""

    def of(self, number: int) -> slice:
        """Where the tokens of an example stand."""
        return slice(int(self.offsets[number]), int(self.offsets[number + 1]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurements:
    """The whole pool as the student sees it before a round; criteria and selectors read nothing else."""

    round: int
    examples: tuple[Example, ...]
    observations: tuple[Observation, ...]
    """One per example, in the same order."""
    tokens: Mapping[str, TokenArrays] = field(default_factory=dict)
    """Of the answers "own" and "gold", where they were measured."""
    arrays: Mapping[str, "npt.NDArray[np.float32]"] = field(default_factory=dict)
    """Other arrays by name. Row i is about example i, but where the need that is measured says otherwise."""
    history: Mapping[str, int] = field(default_factory=dict)
    """Example id -> how often it was picked in earlier rounds."""


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A seed that was chosen, and its place in the round."""

    number: int
    """0, 1, 2, ... in the order in which seeds are used in the round."""
    example: Example
    observation: Observation | None
    score: float | None
    draw: int
    """How often this run has asked about this seed before."""


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
    """A recipe without a judge has its teacher do both."""
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
class RateLimits:
    """What an endpoint says that it still takes, in the headers of a reply; None where it says nothing."""

    requests_left: int | None = None
    requests_reset: float | None = None
    """Seconds until all of its requests are there again."""
    tokens_left: int | None = None
    tokens_reset: float | None = None
    """Seconds until all of its tokens are there again."""


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
    estimated: bool = False
    """Whether the token counts are estimates, because the endpoint told none."""
    reasoning: str = ""
    """What the model thought aloud before the answer, where the endpoint keeps that apart."""
    limits: RateLimits | None = None
    """Not kept in the journal."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a writer made of a pick: a new example, or why there is none."""

    number: int
    """That of its pick."""
    example: Example | None
    reason: str = ""
    """Why there is no example; empty where there is one."""
    votes: tuple[str | None, ...] = ()
    """The final answers of the teacher's further replies to the same question, for filters that compare
    them; None for a reply that has none."""


Decision = Literal["keep", "drop", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a filter says of a draft."""

    number: int
    """That of the draft."""
    decision: Decision
    filter: str
    """The name of the filter; empty where all of them keep it."""
    reason: str = ""
    place: int | None = None
    """Where the filter stands in the recipe, from 0, so that two of one kind are told apart."""


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The most that a script can cost: reserved before it starts, settled when it ends."""

    requests: int
    input_tokens: int
    output_tokens: int

    def __add__(self, other: "Ceiling") -> "Ceiling":
        """That of two together."""
        return Ceiling(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )

    def __mul__(self, count: int) -> "Ceiling":
        """That of so many."""
        return Ceiling(
            requests=count * self.requests,
            input_tokens=count * self.input_tokens,
            output_tokens=count * self.output_tokens,
        )


NO_REQUESTS = Ceiling(requests=0, input_tokens=0, output_tokens=0)
"""Of a script that asks nobody; and what sums of ceilings begin with."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a round starts from; it does not change while the round runs, so that replay asks the same."""

    task: "Task"
    seeds: tuple[Example, ...]
    accepted: tuple[Example, ...]
    """What earlier rounds accepted."""
    test: tuple[Example, ...]
    """The test split, for filters that keep it out of the training set; writers must not read it."""
    round: int
    seed: int
    """The run's seed."""


T = TypeVar("T")
Script = Generator[Sequence[Request], Sequence[Reply], T]
"""Yields the requests that it wants answered now, is sent their replies in order, returns its result.

A request that is refused for good is thrown in as RequestError; a script that does not catch it ends."""


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """One script of a need: it gives a number, or None, for examples by their id."""

    script: Callable[[], Script[Mapping[str, float | None]]]
    """Makes the script, when it is its turn. The same measurements and replies give the same requests."""
    ceiling: Ceiling
    """The most that it can cost, re-asks included."""


@runtime_checkable
class Asker(Protocol):
    """What a need asks a teacher or judge about the examples."""

    def inquiries(self, measurements: Measurements, seed: int) -> Iterator[Inquiry]:
        """The scripts, in an order that is always the same. Pure; `seed` is the run's.

        Where several say something of an example, their mean is what counts. A script that ends because its
        request is refused says nothing.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Need:
    """A measurement by name, and how it is to be made; `asft.needs` lists those of the student.

    Parts of a recipe that need the same name share one measurement, and must agree on its options.
    """

    name: str
    """Numbers stand in `Observation.signals` and arrays in `Measurements.arrays` under it."""
    kind: Literal["student", "training", "script"] = "student"
    """Who makes it: the student as it is; students that are trained for it; a teacher or judge, asked."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Plain data, as the manifest of the step holds it."""
    asker: Asker | None = field(default=None, compare=False, repr=False)
    """Who asks, for a need of kind "script", after the student was measured."""
    reads: tuple["Need", ...] = ()
    """What must be measured before, because this is made from it."""


@runtime_checkable
class Criterion(Protocol):
    """How hard a seed is for the student."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What has to be measured for it."""
        ...

    def score(self, measurements: Measurements) -> list[float | None]:
        """A score per example, in their order; higher is harder; None where there is none. Pure."""
        ...


@runtime_checkable
class Selector(Protocol):
    """Which seeds a round uses, and in which order."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What has to be measured for it, besides what the criterion needs."""
        ...

    def select(
        self, measurements: Measurements, scores: Sequence[float | None], n: int, rng: random.Random
    ) -> Iterator[Example]:
        """Distinct seeds, best first, at least n of them if there are as many. Depends on nothing else.

        n is how many examples the round wants; more seeds are used where drafts are dropped, and where no
        more are given, the order is gone round again.
        """
        ...


@runtime_checkable
class Writer(Protocol):
    """Turns a pick into a draft by asking the teacher."""

    def write(self, pick: Pick, context: Context, rng: random.Random) -> Script[Draft]:
        """The script for one pick. No I/O; the same arguments and replies give the same requests."""
        ...

    def ceiling(self, pick: Pick, context: Context) -> Ceiling:
        """The most that the script for this pick can cost, re-asks included."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What was measured of a draft, and what it may be compared with; of the student of the round before."""

    wave: Measurements
    """Of the drafts that were measured together; their examples have the final answer as the reference."""
    row: int
    """The draft's own row in it."""
    pool: Measurements | None = None
    """Of the pool, where a filter has `pool_needs` (see `Looks`)."""
    accepted: Sequence[tuple[Measurements, int]] = ()
    """Of what this round has accepted before it, in order: wave and row of each; empty for a filter that is
    not ordered."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What a filter looks at besides the draft, and so when it runs and what it costs.

    One that looks at the draft alone may ask a teacher or judge; one that is ordered, or that has needs, asks
    nobody.
    """

    needs: tuple[Need, ...] = ()
    """What has to be measured of the student on the drafts; needs of kind "student" alone."""
    pool_needs: tuple[Need, ...] = ()
    """What has to be measured of the pool; nothing where `needs` is empty."""
    ordered: bool = False
    """Whether the verdict depends on what was accepted before."""
    ceiling: Ceiling = NO_REQUESTS
    """The most that the script for one draft can cost, re-asks included."""


AT_THE_DRAFT = Looks()
"""Of a filter that looks at the draft alone, and asks nobody."""


@runtime_checkable
class Filter(Protocol):
    """Keeps bad drafts out of the training set."""

    @property
    def looks(self) -> Looks:
        """What it looks at."""
        ...

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict | Script[Verdict]:
        """A verdict on a draft that has an example, or the script that finds one.

        `accepted` is what this round has accepted before it, in order, where the filter is ordered, else it
        is empty. `measured` is None where no filter of the recipe has needs. Pure.
        """
        ...


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
class Chooses(Protocol):
    """What a task may offer beside its role: the answers among which a student chooses."""

    def choices(self, example: Example) -> tuple[str, ...]:
        """As the student is to write them; each has a grade, one alone is right. Empty where none are known.

        In an order that never changes, so that a tie between likelihoods is settled alike.
        """
        ...


@runtime_checkable
class Teacher(Protocol):
    """An endpoint that answers one request. No retries and no batching in here."""

    async def reply(self, request: Request) -> Reply:
        """Answer the request. Raises RequestError where the same request can never succeed."""
        ...


@runtime_checkable
class Sleeper(Protocol):
    """A teacher that lives on this machine, and takes turns with the student.

    It is woken before a write step and sleeps after it; all three may be called from any event loop, one at a
    time, and do nothing where there is nothing to do. Raise FatalError.
    """

    @property
    def takes_turns(self) -> bool:
        """Whether there is anything to wake."""
        ...

    @property
    def shares_device(self) -> bool:
        """Whether the student must be off its device while this teacher is awake."""
        ...

    async def wake(self, logs: Path | None) -> None:
        """Be ready to answer. `logs` is a folder for what it logs; None: it keeps no log for the caller."""
        ...

    async def sleep(self) -> None:
        """Leave the device to the student; it is woken again, or stopped."""
        ...

    async def stop(self) -> None:
        """End, and leave nothing behind."""
        ...
