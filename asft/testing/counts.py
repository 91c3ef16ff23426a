"""What became of the calls."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asft.testing.faults import Fault


@dataclass(frozen=True, slots=True)
class Call:
    """One chat completion that was asked for, and what became of it."""

    prompt: str
    """The text of the last message."""
    digest: bytes
    """What the messages are known by."""
    attempt: int
    """How often they were asked before."""
    fault: Fault | None
    status: int | None
    """None where no answer was given: it was broken off, or the other side went away before."""
    gone: bool
    """Whether the other side went away before its answer."""
    at: float
    """When it came, in seconds since the endpoint opened."""
    seconds: float
    """Until its end."""
    body: Mapping[str, Any] = field(repr=False)
    """The request as it came."""
    headers: Mapping[str, str] = field(repr=False)
    """By names in lower case; the key is in here."""

    @property
    def good(self) -> bool:
        """Whether the whole text was given."""
        return self.status == 200 and self.fault not in ("cut", "broken")


class Counts:
    """Counts of calls, whose memory does not grow with them but with the prompts."""

    def __init__(self) -> None:
        self._asked: Counter[bytes] = Counter()
        self._good: Counter[bytes] = Counter()
        self._by_status: Counter[str] = Counter()
        self._by_fault: Counter[str] = Counter()
        self._gone = 0
        self._open = self._peak = 0
        self._first_answer: float | None = None

    def came(self, digest: bytes) -> int:
        """A call has come. How often its messages were asked before."""
        attempt = self._asked[digest]
        self._asked[digest] = attempt + 1
        self._open += 1
        self._peak = max(self._peak, self._open)
        return attempt

    def ended(self, call: Call) -> None:
        """A call has ended."""
        self._open -= 1
        self._by_status[str(call.status)] += 1
        if call.fault is not None:
            self._by_fault[call.fault] += 1
        self._gone += call.gone
        if call.good:
            self._good[call.digest] += 1
            if self._first_answer is None:
                self._first_answer = time.time()

    def told(self) -> dict[str, Any]:
        """The counts, as JSON takes them.

        `prompts`: how many different messages were asked; `answered`: how many of them were given their
        whole text; `answered_again`: how many whole texts were given beyond one for each; `first_answer`:
        when the first was, in seconds since 1970.
        """
        again = Counter(self._asked.values())
        return {
            "calls": self._asked.total(),
            "prompts": len(self._asked),
            "calls_per_prompt": {str(calls): prompts for calls, prompts in sorted(again.items())},
            "answered": len(self._good),
            "answered_again": self._good.total() - len(self._good),
            "by_status": dict(sorted(self._by_status.items())),
            "by_fault": dict(sorted(self._by_fault.items())),
            "gone": self._gone,
            "open": self._open,
            "peak_open": self._peak,
            "first_answer": self._first_answer,
        }
