"""Calls of one endpoint: so many at once, again where it may help, never without end.

A call that waits before it is made again gives its place to others. Its tries are its own: one bad request
holds nobody up.
"""

import asyncio
import dataclasses
import heapq
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asft.budget import Prices
from asft.errors import GaveUpError, RetryableError
from asft.types import Reply, Request, Teacher

LONGEST_BACKOFF = 60.0
"""Seconds; what an endpoint asks for may be longer."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Who is asked, and how."""

    teacher: Teacher
    identity: Mapping[str, Any]
    """What the journal knows it by: address, model, and every field that it adds to a request; JSON."""
    prices: Prices | None
    """None where they are unknown."""
    concurrency: int = 16
    """Calls at once."""
    tries: int = 6
    """How often a request is sent at most."""
    timeout: float = 120.0
    """Seconds for one call."""
    longest_wait: float = 600.0
    """Seconds; an endpoint that asks to wait longer stops the run."""
    backoff: float = 0.5
    """Seconds that the wait before the second try is at most; each further one is at most twice as long."""

    @staticmethod
    def of(teacher: Teacher, **settings: Any) -> "Endpoint":
        """An endpoint from what the teacher says of itself.

        Its `identity` and `prices`, where it has them; else it is known by its class and fields, and its
        prices are unknown.
        """
        identity = getattr(teacher, "identity", None)
        if identity is None:
            kind = type(teacher)
            fields = getattr(kind, "__dataclass_fields__", {})
            options = json.loads(json.dumps({name: getattr(teacher, name) for name in fields}, default=str))
            identity = {"plugin": f"{kind.__module__}:{kind.__qualname__}", **options}
        prices = getattr(teacher, "prices", None)
        return Endpoint(teacher=teacher, identity=identity, prices=prices, **settings)


class Places:
    """A number of places; whoever comes first in the order of the drafts gets the next."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._closed = False
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = 0

    @property
    def free(self) -> int:
        """How many are free now."""
        return self._free

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._queue)

    def close(self) -> None:
        """Give out no place any more: who asks for one waits until it is cancelled."""
        self._closed = True

    async def take(self, number: int) -> None:
        """Wait for a place; a lower number goes first."""
        if self._free and not self._closed:
            self._free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._queue, (number, self._arrivals, place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """Give a place back."""
        while self._queue and not self._closed:
            _, _, place = heapq.heappop(self._queue)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


class Calls:
    """The calls of one endpoint."""

    def __init__(self, endpoint: Endpoint, teacher: Teacher, rng: random.Random) -> None:
        """`teacher` is the endpoint's, opened. `rng` spreads the waits and nothing else."""
        self.endpoint = endpoint
        self.places = Places(endpoint.concurrency)
        self.in_flight = 0
        self.answered = 0
        """How many requests were answered, from the journal or by a call."""
        self.refused: list[bytes] = []
        """The keys of those that were refused, until the first answer."""
        self._teacher = teacher
        self._rng = rng
        self._waits: dict[object, tuple[float, str]] = {}

    async def make(
        self,
        request: Request,
        number: int,
        *,
        sending: Callable[[], None],
        failed: Callable[[bool, float], Awaitable[None]],
    ) -> Reply:
        """Send the request until it is answered. `number` says who goes first.

        `sending` is called before each try, and `failed` after each that failed: whether it was charged,
        and its seconds. Raises RequestError, FatalError, GaveUpError, and whatever those two raise.
        """
        for tried in range(1, self.endpoint.tries + 1):
            await self.places.take(number)
            started = time.monotonic()
            try:
                sending()
                self.in_flight += 1
                try:
                    async with asyncio.timeout(self.endpoint.timeout):
                        reply = await self._teacher.reply(request)
                    return dataclasses.replace(reply, seconds=reply.seconds or time.monotonic() - started)
                finally:
                    self.in_flight -= 1
            except TimeoutError:
                error = RetryableError(f"no reply within {self.endpoint.timeout:g} s", charged=True)
            except RetryableError as caught:
                error = caught
            finally:
                self.places.give()
            await failed(error.charged, time.monotonic() - started)
            if tried < self.endpoint.tries:
                await self._wait(tried, error)
        raise GaveUpError(
            f"the {request.to} did not answer a request in {self.endpoint.tries} tries; the last time: "
            f"{error}. Nothing is lost: run the same command again to continue"
        ) from error

    def waiting_for(self) -> str:
        """What calls are being held up by, for people; empty where nothing is."""
        if not self._waits:
            return ""
        until, why = min(self._waits.values())
        seconds = max(0.0, until - time.monotonic())
        return f"{len(self._waits)} to be tried again, the next in {seconds:.0f} s ({why})"

    async def _wait(self, tried: int, error: RetryableError) -> None:
        asked = error.retry_after or 0.0
        if asked > self.endpoint.longest_wait:
            raise GaveUpError(
                f"an endpoint asks to wait {asked:.0f} s, more than {self.endpoint.longest_wait:.0f} s: "
                f"{error}. Nothing is lost: run the same command again later to continue"
            ) from error
        longest = min(LONGEST_BACKOFF, self.endpoint.backoff * 2 ** (tried - 1))
        # Full jitter, so that calls that failed together do not come back together.
        seconds = asked + self._rng.uniform(0.0, longest)
        me = object()
        self._waits[me] = (time.monotonic() + seconds, str(error))
        try:
            await asyncio.sleep(seconds)
        finally:
            del self._waits[me]
