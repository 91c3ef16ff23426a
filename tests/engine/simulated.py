"""Time that passes only when nothing else can happen: minutes of calls take a second, always alike."""

import asyncio
import concurrent.futures
import contextlib
import itertools
import math
import random
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from asft.engine.calls import Calls, Endpoint
from asft.errors import RetryableError
from asft.testing.rate import Bucket, Rate
from asft.types import Message, RateLimits, Reply, Request

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Waits by moving the clock on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise RuntimeError("nothing is left that could happen: something waits for ever")
        if not found and timeout:
            self.now += timeout
        return found


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own; what is given to threads is done at once."""

    def __init__(self) -> None:
        self._simulated = _Selector()
        super().__init__(self._simulated)

    def time(self) -> float:
        return self._simulated.now

    def run_in_executor(  # type: ignore[override]
        self, executor: concurrent.futures.Executor | None, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  as an executor does
            done.set_exception(error)
        return done


def simulate(work: Coroutine[Any, Any, T]) -> T:
    """Run it in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work)


def now() -> float:
    return asyncio.get_running_loop().time()


Latency = Callable[[random.Random], float]


def lognormal(median: float = 0.5, log_sd: float = 0.6, cap: float = 20.0) -> Latency:
    """Seconds, as the endpoint of `asft.testing` draws them."""
    return lambda rng: min(cap, median * math.exp(log_sd * rng.gauss(0.0, 1.0)))


def constant(seconds: float) -> Latency:
    return lambda rng: seconds


def reply(**more: Any) -> Reply:
    return Reply(text="", finish="stop", **{"input_tokens": 50, "output_tokens": 100, **more})


@dataclass
class Server:
    """Answers after a while; keeps when it was asked, and when it answered."""

    latency: Latency = field(default_factory=lognormal)
    places: float = math.inf
    """Calls that it works on at once; the others wait in a queue."""
    rate: Rate | None = None
    refusal: float = 0.002
    """Seconds until it refuses."""
    down: Callable[[float], bool] = lambda at: False
    chance: float = 0.0
    """Share of calls that it refuses at any rate."""
    faults: float = 0.0
    """Share of calls that end in a 500."""

    def __post_init__(self) -> None:
        self.asked: list[float] = []
        self.refused: list[float] = []
        self.answered: list[float] = []
        self.at_once = self.most_at_once = 0
        self._rng = random.Random(0)
        self._bucket = None if self.rate is None else Bucket(self.rate)
        self._free = asyncio.Semaphore(int(self.places)) if self.places < math.inf else None

    async def reply(self, request: Request) -> Reply:
        self.asked.append(now())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._reply()
        finally:
            self.at_once -= 1

    async def _reply(self) -> Reply:
        if self.down(now()):
            raise RetryableError("connection refused")
        asks = 0.0 if self._bucket is None else self._bucket.take(now())
        if asks or self._rng.random() < self.chance:
            self.refused.append(now())
            await asyncio.sleep(self.refusal)
            raise RetryableError("429", retry_after=math.ceil(asks) or 1.0, rate_limited=True)
        async with self._free or contextlib.nullcontext():
            await asyncio.sleep(self.latency(self._rng))
        if self.down(now()) or self._rng.random() < self.faults:
            raise RetryableError("500")
        self.answered.append(now())
        limits = None
        if self._bucket is not None and self._bucket.rate.headers:
            told = self._bucket.headers()
            limits = RateLimits(
                requests_left=int(told["x-ratelimit-remaining-requests"]),
                requests_reset=float(told["x-ratelimit-reset-requests"].removesuffix("ms")) / 1000,
            )
        return reply(limits=limits)

    def goodput(self, begin: float, end: float) -> float:
        """Calls a second that were taken in and answered, by when they were asked or answered."""
        return sum(begin <= at < end for at in self.answered) / (end - begin)

    @property
    def share_refused(self) -> float:
        return len(self.refused) / len(self.asked)


@dataclass
class Demand:
    """More to ask than any endpoint bears, for so many seconds."""

    server: Server
    seconds: float
    settings: dict[str, Any] = field(default_factory=dict)
    at_once: list[int] = field(default_factory=list)
    """The limit, twice a second."""
    told: list[str] = field(default_factory=list)
    """What was waited for, twice a second."""

    async def run(self) -> None:
        endpoint = Endpoint(teacher=self.server, identity={}, prices=None, **self.settings)
        calls = Calls(endpoint, self.server, random.Random(1))
        numbers = itertools.count()
        tasks: set[asyncio.Task[None]] = set()
        try:
            while now() < self.seconds:
                self.at_once.append(calls.gate.limit.at_once)
                self.told.append(calls.waiting_for())
                for task in [task for task in tasks if task.done()]:
                    tasks.discard(task)
                    await task
                # As many as a drive keeps open.
                while len(tasks) < 3 * calls.gate.limit.at_once:
                    tasks.add(asyncio.create_task(self._ask(calls, numbers)))
                await asyncio.sleep(0.5)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, calls: Calls, numbers: "itertools.count[int]") -> None:
        request = Request(messages=(Message(role="user", content="q"),))

        async def failed(charged: bool, seconds: float) -> None:
            pass

        async def keep(reply: Reply) -> None:
            pass

        while now() < self.seconds:
            await calls.make(request, next(numbers), 400, sending=lambda: None, failed=failed, keep=keep)


def demand(server: Server, seconds: float, **settings: Any) -> Demand:
    """Ask all the time, in simulated time."""
    asking = Demand(server, seconds, settings)
    simulate(asking.run())
    return asking
