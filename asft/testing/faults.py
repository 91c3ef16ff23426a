"""What goes wrong: drawn from the messages and from how often they were asked before."""

from dataclasses import dataclass, fields
from typing import Literal, cast, get_args

from asft.testing.content import uniform

Fault = Literal[
    "refused", "error_500", "error_429", "reset", "silent", "cut", "broken", "no_usage", "slow_headers"
]
"""`refused` is a 400; `error_429` has a Retry-After; a `reset` breaks the connection off; `silent` takes the
request and never answers; `cut` gives half of the text and says "length"; `broken` gives a body that is
no JSON; `no_usage` leaves the token counts out; `slow_headers` pauses in the middle of the head."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Shares of calls, each from 0 to 1, that go wrong; a call goes wrong in one way at most."""

    refused: float = 0.0
    """Of messages: they are refused however often they are asked. All others are shares of calls."""
    error_500: float = 0.0
    error_429: float = 0.0
    reset: float = 0.0
    silent: float = 0.0
    cut: float = 0.0
    broken: float = 0.0
    no_usage: float = 0.0
    slow_headers: float = 0.0
    retry_after: float = 1.0
    """Seconds that an `error_429` asks to wait."""
    pause: float = 5.0
    """Seconds that `slow_headers` pauses."""

    def __post_init__(self) -> None:
        """Refuse what are no shares."""
        shares = [getattr(self, name) for name in get_args(Fault)]
        if min(shares) < 0 or sum(shares[1:]) > 1 or shares[0] > 1:
            raise ValueError(f"{self} are no shares: give numbers from 0 to 1 with a sum of 1 at most")

    @staticmethod
    def parse(text: str) -> "Faults":
        """From "NAME=NUMBER,...", by the names of the fields. Raises ValueError."""
        known = [field.name for field in fields(Faults)]
        values = {}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            if name not in known:
                raise ValueError(f"{name!r} is no fault; known: {', '.join(known)}")
            values[name] = float(value)
        return Faults(**values)

    def drawn(self, known_by: bytes, attempt: int) -> Fault | None:
        """What goes wrong with this attempt (0 is the first) at messages with this digest."""
        if self.refused and uniform(known_by, "refused") < self.refused:
            return "refused"
        left = uniform(known_by, f"fault {attempt}")
        for name in get_args(Fault)[1:]:
            left -= getattr(self, name)
            if left < 0:
                return cast(Fault, name)
        return None
