"""What is to be decoded, and what comes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from asft.decoder.chance import Chance
from asft.scorer.records import Floats, Tokens
from asft.student import Loaded
from asft.types import Answer


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """An answer, and what decoding itself says of its tokens."""

    answer: Answer
    token_ids: tuple[int, ...]
    """Those of the answer, and the one that ended it where one did: what the arrays are about."""
    tokens: Tokens | None
    """None where nobody asked, or they are not known."""
    nll: Floats | None
    """The nll alone: some decoders know this and neither entropy nor margin."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One answer that is wanted."""

    prompt: tuple[int, ...]
    """Token ids up to where the answer starts."""
    chance: Chance | None = None
    """How it is drawn; None: greedily."""
    stop: tuple[str, ...] = ()
    """Texts at which no more of it is wanted; what was written beyond is cut off by whoever asked."""


@dataclass
class Row:
    """What is written of one answer, up to its end token or beyond."""

    token_ids: list[int] = field(default_factory=list)
    nll: list[float] = field(default_factory=list)
    """Of each token, in nats; empty where it is not asked for."""
    entropy: list[float] = field(default_factory=list)
    """As nll; empty also where the decoder does not know it. So is `margin`."""
    margin: list[float] = field(default_factory=list)

    def tokens(self, count: int) -> Tokens | None:
        """Of its first tokens."""
        if not self.nll or not self.entropy:
            return None
        nll, entropy, margin = (_floats(values[:count]) for values in (self.nll, self.entropy, self.margin))
        return Tokens(nll=nll, entropy=entropy, margin=margin)

    def nlls(self, count: int) -> Floats | None:
        """Of its first tokens."""
        return _floats(self.nll[:count]) if self.nll else None


class Decoder(Protocol):
    """Whoever decodes for a student."""

    def write(
        self,
        loaded: Loaded,
        jobs: Sequence[Job],
        *,
        max_new_tokens: int,
        stats: bool,
        progress: Callable[[int], None] | None,
    ) -> list[Row]:
        """A row per job, in their order. `stats`: with what it knows exactly of the tokens that it chose.

        Jobs with equal prompts come one behind the other. `progress` gets the number of finished jobs.
        """
        ...

    def named(self) -> str:
        """What has decoded, and its version, such as "vLLM 0.32.0"; asked after `write`."""
        ...


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float32)
