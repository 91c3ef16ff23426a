"""How fast an endpoint is asked: as the recipe allows, as its replies tell, and as its refusals teach.

Calls are let out one by one at even distances. A rate limit is one of calls in time, which no number of
calls at once can keep well, so what refusals teach is a rate: a little less than what was taken in up to
then, and from there slowly more. One call refused among many that are taken in is chance, and teaches
nothing. No clock in here: whoever uses it says when.
"""

import math
from collections import deque
from dataclasses import dataclass

from asft.types import RateLimits

SLACK = 0.1
"""Seconds that a call which could have gone out earlier makes up for: timers are late by some."""
LATEST = 50
"""Calls whose share of refusals counts; those of a second, once it is known that there is a limit, but at
least so many:"""
LATEST_PACED = 20
SHARE = 0.2
"""The share of refusals that is no chance, if it is far above that of the calls before."""
LEAST = 4
"""Refusals that are too few to say anything."""
MEMORY = 5.0
"""Seconds over which it is counted what the endpoint takes in."""
BELOW = 0.9
"""The rate after refusals: so much of what was taken in."""
SLOWEST = 0.1
"""Calls a second, whatever was refused."""
GROWTH = 0.02
"""A second; the rate after a refusal, while it is that which holds calls up."""
USED = 0.8
"""The rate grows only where so much of it is really used."""
QUIET = 10.0
"""Seconds without a refusal after which the limit may have moved, and the rate grows faster."""
GROWTH_WHEN_QUIET = 0.2
UNUSED = 30.0
"""Seconds for which a rate held nothing up, after which it is forgotten."""
PAUSE = 1.0
"""Seconds without a call after refusals that do not say how long to wait."""


@dataclass(eq=False, slots=True)
class Sent:
    """A call that was let out."""

    at: float
    tokens: int
    """The most that it can use."""
    in_flight: int = 1
    """Calls in flight when it went out, itself included."""
    refused: bool = False


class Pace:
    """When the next call may go out."""

    def __init__(
        self, requests_per_minute: float | None = None, tokens_per_minute: float | None = None
    ) -> None:
        self._allowed = math.inf if requests_per_minute is None else requests_per_minute / 60
        self._tokens = math.inf if tokens_per_minute is None else tokens_per_minute / 60
        self._next = self._next_by_tokens = self._held = -math.inf
        self._learnt = math.inf
        self._grown_at = self._cut_at = -math.inf
        self._sent: deque[Sent] = deque()
        self._counted_from = math.inf
        self._count = self._refusals = 0
        self._told = math.inf
        self._told_by = self._told_until = -math.inf
        self._tokens_per_call = 0.0

    @property
    def ready_at(self) -> float:
        """When the next call may go out; at once where that is past."""
        return max(self._held, self._next, self._next_by_tokens)

    def rate(self, now: float) -> float:
        """Calls a second."""
        return min(self._allowed, self._learnt, self._told if now < self._told_until else math.inf)

    @property
    def learnt(self) -> float | None:
        """Calls a second that refusals have taught; None where none did."""
        return None if self._learnt == math.inf else self._learnt

    @property
    def held_until(self) -> float:
        """Until when no call goes out, because the endpoint has refused too many."""
        return self._held

    def send(self, now: float, sent: Sent) -> None:
        """A call goes out."""
        self._grow(now)
        rate = self.rate(now)
        self._next = -math.inf if rate == math.inf else max(self._next, now - SLACK) + 1.0 / rate
        if self._tokens < math.inf:
            # What one call did not use, another may use later.
            cost = sent.tokens / self._tokens
            self._next_by_tokens = max(self._next_by_tokens, now - max(SLACK, cost)) + cost
        self._sent.append(sent)
        self._count += 1
        self._counted_from = min(self._counted_from, now)
        while self._sent[0].at < now - MEMORY:
            self._sent.popleft()

    def ended(self, now: float, sent: Sent, tokens: int, limits: RateLimits | None = None) -> None:
        """A call has ended, and used so many tokens."""
        if self._tokens < math.inf:
            # What it did not use is there again.
            self._next_by_tokens -= (sent.tokens - tokens) / self._tokens
        if tokens:
            latest = 0.1 if self._tokens_per_call else 1.0
            self._tokens_per_call += latest * (tokens - self._tokens_per_call)
        # A call that took long tells how things were when others had not gone out.
        if limits is not None and sent.at >= self._told_by:
            self._told_by = sent.at
            self._heed(now, limits)

    def refused(self, now: float, sent: Sent, asked: float | None) -> bool:
        """A call was refused for being one too many; whether it is one of many, so that the rate is cut.

        `asked`: the seconds that the endpoint asks to wait. No call goes out before, if it is cut: others
        would be refused too.
        """
        sent.refused = True
        if sent.at <= self._cut_at:
            # It went out before the last cut. What it asks for holds for all the same.
            self._held = max(self._held, now + (asked or 0.0))
            return False
        self._refusals += 1
        # How those fare that went out after it is not known yet.
        known = [one for one in self._sent if one.at <= sent.at]
        if not self._is_limited(known):
            return False
        taken = sum(not one.refused for one in known)
        seconds = min(MEMORY, max(1.0, sent.at - self._counted_from))
        self._learnt = max(SLOWEST, BELOW * min(self._learnt, taken / seconds))
        self._held = max(self._held, now + (PAUSE if asked is None else asked))
        self._next = self._held
        self._cut_at = self._grown_at = self._counted_from = now
        self._sent.clear()
        self._count = self._refusals = 0
        return True

    def _is_limited(self, known: list[Sent]) -> bool:
        """Whether so many of the latest are refused that it is no chance."""
        if len(known) >= LEAST and all(one.refused for one in known[-LEAST:]):
            return True
        latest = known[-int(min(LATEST, max(LATEST_PACED, self._learnt))) :]
        refused = sum(one.refused for one in latest)
        share = refused / len(latest)
        if refused < LEAST or share < SHARE:
            return False
        # Refusals that come at any rate came before as well.
        before = self._count - len(self._sent) + len(known) - len(latest)
        return before < len(latest) or self._refusals - refused < share / 5 * before

    def _grow(self, now: float) -> None:
        if self._learnt == math.inf:
            return
        since = now - max(self._grown_at, self._held)
        seconds = min(MEMORY, now - max(self._counted_from, self._held))
        if since > max(UNUSED, 2.0 / self._learnt):
            self._learnt = math.inf
        elif len(self._sent) >= USED * self._learnt * seconds:
            quiet = now - max(self._cut_at, self._held) >= QUIET
            self._learnt *= math.exp((GROWTH_WHEN_QUIET if quiet else GROWTH) * since)
            self._grown_at = now

    def _heed(self, now: float, limits: RateLimits) -> None:
        """Spread what is left over the time until all is there again, instead of running into refusals."""
        self._told, empty = math.inf, False
        for left, reset, size in (
            (limits.requests_left, limits.requests_reset, 1.0),
            (limits.tokens_left, limits.tokens_reset, self._tokens_per_call),
        ):
            if left is not None and reset and size:
                rate = max(1.0, left / size) / reset
                if rate < self._told:
                    self._told, self._told_until, empty = rate, now + reset, left < size
        if self._told < math.inf:
            at = now + 1.0 / self.rate(now)
            # Where nothing is left, one call when all is there again.
            self._next = max(self._next, at) if empty else min(self._next, at)
