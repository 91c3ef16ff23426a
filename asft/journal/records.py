"""What a journal holds: replies under the digest of their request, and the lines of the ledger."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from asft.types import Reply, Request

LineRole = Literal["teacher", "judge", "student"]
LineKind = Literal["reply", "refusal", "timeout", "compute"]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A reply, or the refusal of a request, as the journal keeps it."""

    request: str
    """Canonical JSON, from `request_text`."""
    reply: Reply | None
    refusal: str | None = None
    """Why the endpoint refuses the request for good; None where there is a reply."""

    @property
    def key(self) -> bytes:
        """What it is found by."""
        return key_of(self.request)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the ledger: a call, or work by the student."""

    round: int
    step: str
    role: LineRole
    purpose: str
    kind: LineKind
    key: bytes | None = None
    """That of the request; None for the student's work."""
    requests: int = 1
    input_tokens: int = 0
    cached_tokens: int = 0
    """The part of input_tokens that was served from a cache."""
    reasoning_tokens: int = 0
    """The part of output_tokens that was spent on hidden reasoning."""
    output_tokens: int = 0
    cost_usd: float | None = None
    """None where no price is known."""
    flops: float | None = None
    """None where they are not counted."""
    seconds: float = 0.0
    charged: bool = True
    """Whether the run's budget counts it."""
    paid: bool = True
    """Whether it was really spent, and not read from the journal."""
    estimated: bool = False
    """Whether the tokens are an estimate, because the endpoint told none."""


@dataclass(frozen=True, kw_only=True)
class Sum:
    """Lines of the ledger added up."""

    round: int
    step: str
    role: str
    purpose: str
    requests: int
    input_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    output_tokens: int
    cost_usd: float | None
    """None where the price of any line is unknown."""
    flops: float | None
    """None where no line has any."""
    seconds: float
    timeouts: int
    refusals: int
    estimated: int
    """How many lines hold estimated tokens."""


def request_text(endpoint: Mapping[str, Any], request: Request) -> str:
    """The whole of a request as canonical JSON: equal text, equal reply.

    `endpoint` names who is asked: its address, its model, and every field that it adds to a request.
    The purpose stays out, because an endpoint never sees it.
    """
    whole = {
        "endpoint": endpoint,
        "to": request.to,
        "messages": [[message.role, message.content] for message in request.messages],
        "sampling": asdict(request.sampling),
        "seed": request.seed,
        "draw": request.draw,
        "index": request.index,
    }
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)


def key_of(request: str) -> bytes:
    """The digest that a reply is found by."""
    return hashlib.blake2b(request.encode("ascii"), digest_size=20).digest()
