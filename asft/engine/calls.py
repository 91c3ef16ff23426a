"""Calls of one endpoint: as many and as fast as it bears, again where it may help, never without end.

A call that waits before it is made again gives its place to others. Its tries are its own: one bad request
holds nobody up. While the endpoint is gone no tries are used up; the breaker says how long that may last.
"""

import asyncio
import dataclasses
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from asft.budget import Prices
from asft.engine.breaker import Breaker
from asft.engine.gate import Gate
from asft.engine.limit import Concurrency, Fixed, Found
from asft.engine.pace import Pace, Sent
from asft.errors import GaveUpError, RequestError, RetryableError
from asft.types import Reply, Request, Teacher

T = TypeVar("T")

LONGEST_BACKOFF = 60.0
"""Seconds; what an endpoint asks for may be longer."""
KEPT = "Nothing is lost: run the same command again to continue"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Who is asked, and how."""

    teacher: Teacher
    identity: Mapping[str, Any]
    """What the journal knows it by: address, model, and every field that it adds to a request; JSON."""
    prices: Prices | None
    """None where they are unknown."""
    active_params: float | None = None
    """Parameters that a token meets; None where they are unknown."""
    concurrency: Concurrency = "auto"
    """Calls at once; "auto": as many as it bears, found while it is asked."""
    requests_per_minute: float | None = None
    """The most that are sent; None: as many as it takes."""
    tokens_per_minute: float | None = None
    """The most that are used, input and output together; None: as many as it takes."""
    tries: int = 6
    """How often a request is sent at most; what it is refused for as one too many (429) does not count."""
    retry_time: float = 900.0
    """Seconds that the tries of a request, and the waits between them, may take together."""
    timeout: float = 120.0
    """Seconds for one call."""
    longest_wait: float = 600.0
    """Seconds; an endpoint that asks to wait longer stops the run."""
    patience: float = 300.0
    """Seconds that an endpoint that goes away is waited for; one that was never there, 8 at most."""
    grace: float = 20.0
    """Seconds that calls in flight have to end when the run is stopped."""
    backoff: float = 0.5
    """Seconds that the wait before the second try is at most; each further one is at most twice as long."""

    @staticmethod
    def of(teacher: Teacher, **settings: Any) -> "Endpoint":
        """An endpoint from what the teacher says of itself.

        Its `identity`, `prices` and `active_params`, where it has them; else it is known by its class and
        fields, and its prices and size are unknown.
        """
        identity = getattr(teacher, "identity", None)
        if identity is None:
            kind = type(teacher)
            fields = getattr(kind, "__dataclass_fields__", {})
            options = json.loads(json.dumps({name: getattr(teacher, name) for name in fields}, default=str))
            identity = {"plugin": f"{kind.__module__}:{kind.__qualname__}", **options}
        return Endpoint(
            teacher=teacher,
            identity=identity,
            prices=getattr(teacher, "prices", None),
            active_params=getattr(teacher, "active_params", None),
            **settings,
        )


class Calls:
    """The calls of one endpoint in one step; made in the loop that makes them."""

    def __init__(self, endpoint: Endpoint, teacher: Teacher, rng: random.Random) -> None:
        """`teacher` is the endpoint's, opened. `rng` spreads the waits and nothing else."""
        self.endpoint = endpoint
        concurrency = endpoint.concurrency
        limit = Found(endpoint.timeout) if concurrency == "auto" else Fixed(concurrency)
        pace = Pace(endpoint.requests_per_minute, endpoint.tokens_per_minute)
        self.gate = Gate(limit, pace, Breaker(endpoint.patience))
        self.answered = 0
        """How many requests were answered, from the journal or by a call."""
        self.refused: list[bytes] = []
        """The keys of those that were refused, until the first answer."""
        self._teacher = teacher
        self._rng = rng
        self._waits: dict[object, tuple[float, str]] = {}
        self._loop = asyncio.get_running_loop()

    async def make(
        self,
        request: Request,
        number: int,
        tokens: int,
        *,
        sending: Callable[[], None],
        failed: Callable[[bool, float], Awaitable[None]],
        keep: Callable[[Reply], Awaitable[T]],
    ) -> T:
        """Send the request until it is answered. `number` says who goes first; it can use so many `tokens`.

        `sending` is called before each try, and `failed` after each that failed: whether it was charged,
        and its seconds. `keep` puts the reply on the disk; what it returns is returned. Raises RequestError,
        FatalError, GaveUpError, and whatever those three raise.
        """
        failures = tried = 0
        taken = 0.0
        while True:
            sent = await self.gate.enter(number, tokens)
            made = await self._send(request, number, sent, sending)
            if isinstance(made, Reply):
                try:
                    return await keep(made)
                finally:
                    self.gate.kept()
            seconds = self._loop.time() - sent.at
            await failed(made.charged, seconds)
            failures += 1
            tried += not made.rate_limited and not self.gate.breaker.is_open
            taken += seconds
            self._check(request, made, tried, taken)
            taken += await self._wait(failures, made)

    async def _send(
        self, request: Request, number: int, sent: Sent, sending: Callable[[], None]
    ) -> Reply | RetryableError:
        """One try."""
        gate = self.gate
        try:
            sending()
            async with asyncio.timeout(self.endpoint.timeout):
                reply = await self._teacher.reply(request)
        except TimeoutError:
            error = RetryableError(f"no reply within {self.endpoint.timeout:g} s", charged=True)
        except RetryableError as caught:
            error = caught
        except RequestError:
            gate.turned_down(sent)
            raise
        except BaseException:
            # Whatever it is, the run stops.
            gate.close()
            gate.abandoned(sent)
            raise
        else:
            gate.answered(sent, reply)
            if not reply.seconds:
                reply = dataclasses.replace(reply, seconds=self._loop.time() - sent.at)
            return reply
        gate.failed(sent, number, error)
        return error

    def _check(self, request: Request, error: RetryableError, tried: int, taken: float) -> None:
        """Stop where trying again has no sense. Raises GaveUpError."""
        endpoint, breaker = self.endpoint, self.gate.breaker
        now = self._loop.time()
        asked = error.retry_after or 0.0
        if breaker.gives_up(now) and not breaker.has_answered:
            raise GaveUpError(
                f"the {request.to} does not answer: {error}. See that it runs and that its address is right, "
                "and run the same command again to continue"
            ) from error
        if breaker.gives_up(now):
            raise GaveUpError(
                f"the {request.to} went away, and was not back within {breaker.seconds_gone(now):.0f} s: "
                f"{error}. See what ails it. {KEPT}"
            ) from error
        if asked > endpoint.longest_wait:
            raise GaveUpError(
                f"an endpoint asks to wait {asked:.0f} s, more than {endpoint.longest_wait:.0f} s: {error}. "
                "Nothing is lost: run the same command again later to continue"
            ) from error
        if tried >= endpoint.tries or taken + asked > endpoint.retry_time:
            how = f"{tried} tries" if tried >= endpoint.tries else f"{endpoint.retry_time:.0f} s of trying"
            raise GaveUpError(
                f"the {request.to} did not answer a request in {how}; the last time: {error}. {KEPT}"
            ) from error

    async def _wait(self, failures: int, error: RetryableError) -> float:
        """Wait before the next try; the seconds that it took."""
        if self.gate.breaker.is_open:
            # When the next one goes is the breaker's to say.
            return 0.0
        longest = min(LONGEST_BACKOFF, self.endpoint.backoff * 2.0 ** min(failures - 1, 30))
        # Full jitter, so that calls that failed together do not come back together.
        seconds = (error.retry_after or 0.0) + self._rng.uniform(0.0, longest)
        me = object()
        self._waits[me] = (self._loop.time() + seconds, str(error))
        try:
            await asyncio.sleep(seconds)
        finally:
            del self._waits[me]
        return seconds

    def waiting_for(self) -> str:
        """What calls are being held up by, for people; empty where nothing is."""
        gate, now = self.gate, self._loop.time()
        held = []
        if gate.breaker.is_open:
            left = max(0.0, gate.breaker.deadline - now)
            gone = gate.breaker.seconds_gone(now)
            held.append(f"no answer for {gone:.0f} s, waited for {left:.0f} s more ({gate.breaker.error})")
        elif gate.pace.held_until > now:
            held.append(f"asked too often, next call in {gate.pace.held_until - now:.0f} s")
        elif gate.waiting and gate.pace.ready_at > now:
            held.append(f"held to {60 * gate.pace.rate(now):.0f} calls a minute")
        if self._waits:
            until, why = min(self._waits.values())
            seconds = max(0.0, until - now)
            held.append(f"{len(self._waits)} to be tried again, the next in {seconds:.0f} s ({why})")
        if self.endpoint.concurrency == "auto" and gate.in_flight and not gate.free:
            held.append(f"{gate.limit.at_once} at once")
        return "; ".join(held)
