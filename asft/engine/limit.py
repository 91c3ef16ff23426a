"""How many calls an endpoint is given at once: the number in the recipe, or one that is found.

A number that is found starts small and doubles with each round of replies, until calls take longer than
equal ones took with fewer at once, or the endpoint says that it is asked too often; then it is cut, and
grows slowly. It grows only while it is really used: a limit that nothing reaches would grow without sense.
No clock in here: whoever uses it says when.
"""

import math
from typing import Literal

from asft.engine.pace import Sent

Concurrency = int | Literal["auto"]

FIRST = 4
"""Calls at once to begin with."""
MOST = 1000
"""More at once than clients keep connections."""
QUIET = 10.0
"""Seconds without a cut after which it may double again."""
CUT = 0.7
"""What is left of it after a refusal."""
OVERLOADED = math.log(2.0)
"""So much longer, as a logarithm, and calls wait in a queue. Answers differ in length by as much, but the
mean of many does not."""
QUEUEING = math.log(1.3)
"""So much longer, and it does not double any more."""
LONG = 0.25
"""The part of the timeout that calls may take, if that is longer than the first ones took."""
HEADROOM = 1.25
"""After a cut for overload: so much more than the endpoint works on, so that none of it falls idle."""
SAMPLES = 32
"""Replies that a mean goes back to, and that it needs to say something."""
FLOOR = 0.01
"""Seconds that are added to every latency: below that, it is not the endpoint that is measured."""


class Fixed:
    """Always the same number."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once

    def answered(self, now: float, sent: Sent, size: int, in_flight: int) -> None:
        """Nothing to learn."""

    def cut(self, now: float, in_flight: int) -> None:
        """Nothing to cut."""


class Found:
    """A number that follows what the endpoint bears."""

    def __init__(self, timeout: float) -> None:
        """`timeout`: the seconds after which a call is given up."""
        self._limit = float(FIRST)
        self._doubling = True
        self._cut_at = -math.inf
        self._rise = Rise()
        self._above = _Mean(SAMPLES)
        self._long = math.log(timeout * LONG)
        self._first, self._latest = _Mean(FIRST), _Mean(2 * FIRST)
        self._used = 0.0

    @property
    def at_once(self) -> int:
        """Calls that may be in flight now."""
        return int(self._limit)

    def answered(self, now: float, sent: Sent, size: int, in_flight: int) -> None:
        """A reply came, with an answer of so many tokens; `in_flight` are so many, itself included."""
        seconds = now - sent.at
        above = self._rise.add(sent.in_flight, size, seconds)
        # As many as there were at most in about the last round of replies.
        self._used = max(in_flight, self._used + (in_flight - self._used) / self._limit)
        if self._first.count < FIRST:
            self._first.add(math.log(seconds + FLOOR))
        if sent.at <= self._cut_at:
            # It went out before the last cut, and says nothing of what came of that.
            return
        self._latest.add(math.log(seconds + FLOOR))
        if above is not None:
            self._above.add(above)
        rise = self._above.value if self._above.count >= SAMPLES else 0.0
        if rise > OVERLOADED:
            self._shrink(now, max(0.5, HEADROOM * math.exp(-rise)))
        elif self._is_long():
            self._shrink(now, CUT)
        else:
            self._grow(now, rise > QUEUEING)

    def _is_long(self) -> bool:
        """Whether what is queued would soon be given up, and paid for; a few calls are enough to see that."""
        latest, first = self._latest.value, self._first.value
        return self._latest.count >= FIRST and latest > self._long and latest - first > OVERLOADED

    def _grow(self, now: float, queueing: bool) -> None:
        if queueing:
            self._doubling = False
        elif now - self._cut_at >= QUIET:
            self._doubling = True
        # One more for each reply doubles it in a round of them.
        if self._doubling and 2 * self._used > self._limit:
            self._limit = min(MOST, self._limit + 1.0)
        elif self._used >= 0.9 * self._limit:
            self._limit = min(MOST, self._limit + max(1.0, self._limit / 20) / self._limit)

    def cut(self, now: float, in_flight: int) -> None:
        """The endpoint says that it is asked too often."""
        if in_flight >= 0.9 * self._limit:
            self._shrink(now, CUT)
        else:
            # It is not this limit that let too much through.
            self._doubling, self._cut_at = False, now

    def _shrink(self, now: float, share: float) -> None:
        self._limit = max(float(FIRST), self._limit * share)
        self._doubling, self._cut_at = False, now
        self._above = _Mean(SAMPLES)
        self._latest = _Mean(2 * FIRST)


class Rise:
    """How much longer calls take than equal ones did with fewer at once.

    Latencies are heavy-tailed, so what is averaged is their logarithm. Equal: the lengths of their answers
    have as many binary digits. Fewer at once: the number in flight had fewer binary digits; the quickest of
    these levels counts, for a queue may have begun in any of the others.
    """

    def __init__(self) -> None:
        self._means: dict[int, dict[int, _Mean]] = {}

    def add(self, in_flight: int, size: int, seconds: float) -> float | None:
        """Take a call in: how much longer it took, as a logarithm; None where nothing is known of fewer."""
        value = math.log(seconds + FLOOR)
        levels = self._means.setdefault(size.bit_length(), {})
        level = in_flight.bit_length()
        fewer = [mean.value for at, mean in levels.items() if at < level and mean.count >= SAMPLES // 2]
        levels.setdefault(level, _Mean(2 * SAMPLES)).add(value)
        return value - min(fewer) if fewer else None


class _Mean:
    """Of all values at first, then of about the latest so many."""

    __slots__ = ("_most", "count", "value")

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0
        self.value = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.value += (value - self.value) / min(self.count, self._most)
