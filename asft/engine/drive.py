"""Scripts at once: which start when, and their results in order."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from asft.budget import Amount, Reservation, ceiling_of
from asft.engine.asking import Answer, Asking, Question
from asft.engine.calls import Calls
from asft.engine.charged import Charged
from asft.errors import BudgetError, CeilingError, RequestError, TeacherError
from asft.journal import Journal
from asft.types import Ceiling, Reply, Request, Script

T = TypeVar("T")

WINDOW_PER_PLACE = 64
"""Scripts that may be open or done and not handed on, for each call at once, so that memory is bounded behind
a slow one: a call can take thirty times as long as the mean, and none stands still for it."""
TOLD = 0.1
"""Seconds from one account of the progress to the next."""
OPEN_PER_PLACE = 3
"""Scripts that may be open for each call at once; those that wait to be tried again need no place."""

Ending = Literal["enough", "all done", "budget"]
"""Why a drive ended: as many accepted as wanted, no job left, or the next one could exceed the budget."""


@dataclass(frozen=True, kw_only=True)
class Job(Generic[T]):
    """A script to drive."""

    number: int
    """Its place in the order; numbers rise."""
    script: Callable[[], Script[T]]
    """Makes the script, when it is its turn."""
    ceiling: Ceiling
    """The most that it can cost. A request beyond it is thrown back as CeilingError."""


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[T]):
    """What became of a script."""

    number: int
    result: T | None
    """None where a request was refused and the script did not catch it."""
    reason: str = ""
    """Why there is no result."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a drive is."""

    accepted: int
    wanted: int | None
    done: int
    """Results handed on."""
    open: int
    """Scripts started and not handed on."""
    in_flight: int
    """Calls that wait for their reply."""
    called: int
    """Replies that came from an endpoint."""
    replayed: int
    """Replies that came from the journal."""
    seconds: float
    """Since the drive began."""
    spent: Amount
    """By the run, up to here."""
    waiting: str
    """What calls are being held up by; empty where nothing is."""


class Drive:
    """The state of one drive."""

    def __init__(
        self,
        journal: Journal,
        calls: Mapping[str, Calls],
        charged: Charged,
        at: tuple[int, str],
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._calls = calls
        self._gates = [one.gate for one in dict.fromkeys(calls.values())]
        self._account = charged.account
        self._progress = progress
        self._wake = asyncio.Event()
        self._asking = Asking(journal, calls, charged, at, self._wake.set)
        self._asked: dict[bytes, asyncio.Future[Answer]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None
        self._order: deque[int] = deque()
        self._outcomes: dict[int, Outcome[Any]] = {}
        self._running = 0
        self._fresh: set[int] = set()
        self._stopping = False
        self._loop = asyncio.get_running_loop()
        self._started = self._told_at = self._loop.time()
        self._accepted = self._done = 0
        self._wanted: int | None = None

    async def run(
        self, jobs: Iterable[Job[T]], on_result: Callable[[Outcome[T]], bool], wanted: int | None
    ) -> Ending:
        """See `Engine.drive`."""
        self._wanted = wanted
        left = iter(jobs)
        job = next(left, None)
        self._spawn(self._tick())
        try:
            while True:
                if self._failure is not None:
                    raise self._failure
                self._wake.clear()
                self._hand_on(on_result)
                while job is not None and self._has_room() and self._may_start(job):
                    self._start(job)
                    job = next(left, None)
                if not self._order:
                    self._tell()
                    if job is None:
                        return "all done"
                    return "enough" if self._is_enough() else "budget"
                await self._wake.wait()
        except (TeacherError, BudgetError, asyncio.CancelledError):
            await self._let_in()
            raise
        finally:
            await self._stop()

    # Which scripts start, and in which order results are handed on

    def _may_start(self, job: Job[Any]) -> bool:
        """Whether it would be needed and affordable were every open one accepted and charged in full."""
        return not self._is_enough() and self._account.affordable(job.ceiling)

    def _is_enough(self) -> bool:
        return self._wanted is not None and self._accepted + len(self._order) >= self._wanted

    def _has_room(self) -> bool:
        """Whether a call could be made for it now, with no call of an open script waiting for a place."""
        total = free = 0
        for gate in self._gates:
            if gate.waiting:
                return False
            total += gate.limit.at_once
            free += gate.free
        return (
            free > len(self._fresh)
            and self._running < OPEN_PER_PLACE * total
            and len(self._order) < WINDOW_PER_PLACE * total
        )

    def _start(self, job: Job[Any]) -> None:
        reservation = self._account.reserve(job.ceiling)
        self._order.append(job.number)
        self._fresh.add(job.number)
        self._running += 1
        self._spawn(self._script(job, reservation))

    def _hand_on(self, on_result: Callable[[Outcome[Any]], bool]) -> None:
        handed = False
        while self._order and self._order[0] in self._outcomes:
            outcome = self._outcomes.pop(self._order.popleft())
            self._accepted += on_result(outcome)
            self._done += 1
            handed = True
        if handed and self._loop.time() >= self._told_at + TOLD:
            self._tell()

    # One script

    async def _script(self, job: Job[T], reservation: Reservation) -> None:
        outcome: Outcome[T]
        script = job.script()
        try:
            requests = next(script)
            while True:
                try:
                    replies = await self._ask(requests, job.number, reservation)
                except RequestError as refusal:
                    requests = script.throw(refusal)
                else:
                    requests = script.send(replies)
        except StopIteration as end:
            outcome = Outcome(number=job.number, result=end.value)
        except RequestError as refusal:
            outcome = Outcome(number=job.number, result=None, reason=str(refusal))
        finally:
            script.close()
        self._account.close(reservation)
        self._fresh.discard(job.number)
        self._running -= 1
        self._outcomes[job.number] = outcome
        self._wake.set()

    async def _ask(self, requests: Sequence[Request], number: int, reservation: Reservation) -> list[Reply]:
        """The replies, in order. Raises RequestError for the first that is refused, when all have ended."""
        questions: list[Question | CeilingError] = []
        for request in requests:
            ceiling = ceiling_of(request)
            if self._account.ask(reservation, ceiling):
                questions.append(self._asking.question(request, ceiling))
            else:
                questions.append(CeilingError(_too_much(ceiling, reservation.left)))
        answers = await self._answers([one for one in questions if isinstance(one, Question)], number)
        replies = []
        refusal: RequestError | None = None
        for question in questions:
            if isinstance(question, CeilingError):
                refusal = refusal or question
                continue
            answer = next(answers)
            self._account.answered(question.ceiling, self._asking.charge(answer))
            if answer.reply is not None:
                replies.append(answer.reply)
            else:
                refusal = refusal or RequestError(answer.refusal)
        if refusal is not None:
            raise refusal
        return replies

    async def _answers(self, questions: Sequence[Question], number: int) -> Iterator[Answer]:
        """In order, asked all at once."""
        if len(questions) == 1:
            return iter([await self._answer(questions[0], number)])
        tasks = [self._spawn(self._answer(question, number)) for question in questions]
        return iter([await task for task in tasks])

    async def _answer(self, question: Question, number: int) -> Answer:
        """Two scripts that ask the same at the same time get the same answer, from one call."""
        self._fresh.discard(number)
        asked = self._asked.get(question.key)
        if asked is not None:
            return await asyncio.shield(asked)
        asked = self._asked[question.key] = self._loop.create_future()
        # Whatever it raises stops the run, and with it those that wait for the same.
        answer = await self._asking.obtain(question, number)
        del self._asked[question.key]
        asked.set_result(answer)
        return answer

    # Around it

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()
            self._wake.set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._tell()

    async def _let_in(self) -> None:
        """Make no more calls, and wait for those that were made: they are paid for."""
        self._stopping = True
        for gate in self._gates:
            gate.close()
        self._tell()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(calls.endpoint.grace for calls in self._calls.values())):
                while any(gate.in_flight for gate in self._gates):
                    self._wake.clear()
                    await self._wake.wait()

    async def _stop(self) -> None:
        """End what is open, and put on the disk what has arrived."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._asking.drain()

    def _tell(self) -> None:
        if self._progress is None:
            return
        self._told_at = self._loop.time()
        in_flight = sum(gate.in_flight for gate in self._gates)
        if self._stopping:
            waiting = f"stopping, waiting for {in_flight} calls in flight; told again, it stops at once"
        else:
            waiting = "; ".join(filter(None, (calls.waiting_for() for calls in self._calls.values())))
        self._progress(
            Progress(
                accepted=self._accepted,
                wanted=self._wanted,
                done=self._done,
                open=len(self._order),
                in_flight=in_flight,
                called=self._asking.called,
                replayed=self._asking.replayed,
                seconds=self._told_at - self._started,
                spent=self._account.spent,
                waiting=waiting,
            )
        )


def _too_much(needed: Ceiling, left: Ceiling) -> str:
    return (
        f"a request may need {needed.input_tokens} input and {needed.output_tokens} output tokens; of what "
        f"its script said that it needs at most, {left.requests} requests with {left.input_tokens} input and "
        f"{left.output_tokens} output tokens are left"
    )
