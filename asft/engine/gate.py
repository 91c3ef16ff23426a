"""Who may call next, and when: one queue in front of an endpoint, in the order of the drafts."""

import asyncio
import heapq
import math

from asft.engine.breaker import Breaker
from asft.engine.limit import Fixed, Found
from asft.engine.pace import Pace, Sent
from asft.errors import RetryableError
from asft.types import Reply


class Gate:
    """Lets calls out as its limit, pace and breaker allow, and tells them what became of each."""

    def __init__(self, limit: Fixed | Found, pace: Pace, breaker: Breaker) -> None:
        self.limit = limit
        self.pace = pace
        self.breaker = breaker
        self.in_flight = 0
        """Calls that wait for their reply."""
        self._keeping = 0
        """Replies that are not on the disk yet. Each has its call's place, so that a kill costs no more calls
        than may be made at once."""
        self._closed = False
        self._queue: list[tuple[int, int, int, asyncio.Future[Sent]]] = []
        self._arrivals = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def free(self) -> int:
        """How many calls could be made at once besides those in flight."""
        return 0 if self._closed else max(0, self.limit.at_once - self.in_flight - self._keeping)

    @property
    def waiting(self) -> int:
        """How many wait to be let out."""
        return len(self._queue)

    def close(self) -> None:
        """Let no call out any more: who asks waits until it is cancelled."""
        self._closed = True

    async def enter(self, number: int, tokens: int) -> Sent:
        """Wait until a call that can use so many tokens may be made; a lower number goes first."""
        if not self._queue and self._opens_at() <= self._loop.time():
            return self._send(tokens)
        granted: asyncio.Future[Sent] = self._loop.create_future()
        self._arrivals += 1
        heapq.heappush(self._queue, (number, self._arrivals, tokens, granted))
        self._let_out()
        try:
            return await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.abandoned(granted.result())
            raise

    def answered(self, sent: Sent, reply: Reply) -> None:
        """The call was answered, and its reply is to be put on the disk; then it is `kept`."""
        now = self._loop.time()
        self.breaker.answered()
        self.limit.answered(now, sent, reply.output_tokens, self.in_flight)
        self._keeping += 1
        self._left(now, sent, reply.input_tokens + reply.output_tokens, reply)

    def kept(self) -> None:
        """A reply is on the disk, or never will be."""
        self._keeping -= 1
        self._let_out()

    def turned_down(self, sent: Sent) -> None:
        """The request was refused for good: the endpoint is there, and it costs nothing."""
        self.breaker.answered()
        self._left(self._loop.time(), sent, 0)

    def failed(self, sent: Sent, number: int, error: RetryableError) -> None:
        """The call failed, and may be made again."""
        now = self._loop.time()
        if error.rate_limited:
            self.breaker.answered()
            if self.pace.refused(now, sent, error.retry_after):
                self.limit.cut(now, self.in_flight)
        else:
            self.breaker.failed(now, number, error.retry_after, str(error))
        self._left(now, sent, sent.tokens if error.charged else 0)

    def abandoned(self, sent: Sent) -> None:
        """The call was not made, or was broken off here."""
        self._left(self._loop.time(), sent, 0)

    def _left(self, now: float, sent: Sent, tokens: int, reply: Reply | None = None) -> None:
        self.in_flight -= 1
        self.pace.ended(now, sent, tokens, None if reply is None else reply.limits)
        self._let_out()

    def _opens_at(self) -> float:
        """When the next call may go out; never: until something ends."""
        if self._closed or self.in_flight + self._keeping >= self.limit.at_once:
            return math.inf
        ready = self.pace.ready_at
        return max(ready, self.breaker.probe_at) if self.breaker.is_open else ready

    def _send(self, tokens: int) -> Sent:
        now = self._loop.time()
        self.in_flight += 1
        sent = Sent(now, tokens, self.in_flight)
        self.breaker.sent(now)
        self.pace.send(now, sent)
        return sent

    def _let_out(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue:
            at = self._opens_at()
            if at > self._loop.time():
                if at < math.inf:
                    self._timer = self._loop.call_at(at, self._let_out)
                return
            _, _, tokens, granted = heapq.heappop(self._queue)
            if not granted.done():
                granted.set_result(self._send(tokens))
