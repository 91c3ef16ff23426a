"""How many calls a second the endpoint takes: a token bucket whose rate may change."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """A limit on calls a second, and how the endpoint tells it. Calls above it are answered 429."""

    phases: tuple[tuple[float, float], ...]
    """(seconds, calls a second), one after the other from the first call on; the last one stays."""
    burst: float = 1.0
    """Seconds' worth of calls that it takes at once after a pause."""
    retry_after: bool = True
    """Whether a 429 says when to come again, in whole seconds."""
    headers: bool = False
    """Whether every answer says in x-ratelimit-* headers what is left."""

    def __post_init__(self) -> None:
        """Refuse what is no limit."""
        if not self.phases or any(seconds <= 0 or rate <= 0 for seconds, rate in self.phases):
            raise ValueError(f"{self.phases} are no phases: give (seconds, calls a second), both above 0")

    @staticmethod
    def constant(per_second: float) -> "Rate":
        """Always the same."""
        return Rate(((math.inf, per_second),))

    @staticmethod
    def parse(text: str) -> "Rate":
        """From "PER_SECOND" or "SECONDS:PER_SECOND,...". Raises ValueError."""
        phases = []
        for part in text.split(","):
            seconds, _, rate = part.rpartition(":")
            phases.append((float(seconds or math.inf), float(rate)))
        return Rate(tuple(phases))

    def at(self, seconds: float) -> float:
        """The calls a second that are allowed so long after the first call."""
        for length, rate in self.phases:
            if seconds < length:
                return rate
            seconds -= length
        return self.phases[-1][1]


class Bucket:
    """What is left of a rate."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._began: float | None = None
        self._at = 0.0
        self._left = 0.0

    def take(self, now: float) -> float:
        """Take a call. 0.0 where it is allowed, else the seconds until one is."""
        if self._began is None:
            self._began, self._at = now, 0.0
            self._left = self.most
        self._fill(now - self._began)
        if self._left >= 1.0:
            self._left -= 1.0
            return 0.0
        return (1.0 - self._left) / self.rate.at(self._at)

    @property
    def most(self) -> float:
        """How many calls it takes at once when it is full."""
        return max(1.0, self.rate.burst * self.rate.at(self._at))

    def headers(self) -> dict[str, str]:
        """What is left, as x-ratelimit-* headers."""
        missing = max(0.0, self.most - self._left)
        return {
            "x-ratelimit-limit-requests": f"{self.most:.0f}",
            "x-ratelimit-remaining-requests": f"{math.floor(self._left)}",
            "x-ratelimit-reset-requests": f"{math.ceil(1000 * missing / self.rate.at(self._at))}ms",
        }

    def _fill(self, to: float) -> None:
        """Add what has come since, phase by phase."""
        begins = 0.0
        for length, rate in [*self.rate.phases[:-1], (math.inf, self.rate.phases[-1][1])]:
            ends = begins + length
            if self._at < ends and self._at < to:
                until = min(ends, to)
                self._left += rate * (until - self._at)
                self._at = until
                self._left = min(self._left, max(1.0, self.rate.burst * rate))
            begins = ends
