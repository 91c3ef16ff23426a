"""What a probe finds."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["yes", "no", "ignored", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that an endpoint can or cannot do."""

    name: str
    verdict: Verdict
    """ignored: it was taken without a word, and without effect."""
    detail: str


@dataclass(frozen=True, kw_only=True)
class Level:
    """How fast it is at so many calls at once."""

    at_once: int
    calls: int
    answered: int
    median: float
    """Seconds of a call, of those that were answered; 0.0 where none was."""
    slowest: float
    seconds: float
    """Of all together."""
    output_tokens: int
    rate_limited: int
    """How many were answered 429."""
    failed: str
    """What the first other failure was; empty where there was none."""

    @property
    def speed(self) -> float:
        """Output tokens per second, of all calls together."""
        return self.output_tokens / self.seconds if self.seconds else 0.0
