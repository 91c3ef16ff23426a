"""How long the endpoint takes: drawn from the messages, so that every client meets the same."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from asft.testing.content import Messages, digest, uniform

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Latency:
    """A law of latencies: lognormal, cut off at a cap."""

    median: float
    """Seconds."""
    log_sd: float = 0.0
    """The standard deviation of its logarithm; 0: always the median."""
    cap: float = math.inf
    """Seconds; what is drawn beyond takes so long."""

    @staticmethod
    def constant(seconds: float) -> "Latency":
        """Always the same."""
        return Latency(median=seconds)

    @staticmethod
    def lognormal(median: float = 0.5, log_sd: float = 0.6, cap: float = 20.0) -> "Latency":
        """A heavy tail; the defaults are like those of hosted models."""
        return Latency(median=median, log_sd=log_sd, cap=cap)

    @staticmethod
    def parse(text: str) -> "Latency":
        """From "constant:SECONDS" or "lognormal[:MEDIAN[:LOG_SD[:CAP]]]". Raises ValueError."""
        law, *numbers = text.split(":")
        laws: dict[str, Callable[..., Latency]] = {
            "constant": Latency.constant,
            "lognormal": Latency.lognormal,
        }
        if law in laws:
            with contextlib.suppress(TypeError, ValueError):
                return laws[law](*map(float, numbers))
        raise ValueError(f"{text!r} is no latency; give constant:SECONDS or lognormal:MEDIAN:LOG_SD:CAP")

    def seconds(self, messages: Messages) -> float:
        """What these messages take, queueing not counted."""
        return self.drawn(digest(messages))

    def drawn(self, known_by: bytes) -> float:
        """As `seconds`, from the digest of the messages."""
        if not self.log_sd or not self.median:
            return min(self.median, self.cap)
        z = _NORMAL.inv_cdf(uniform(known_by, "latency"))
        return min(self.median * math.exp(self.log_sd * z), self.cap)
