"""Tokens drawn by chance, where chance is a function of who is asked and never of how it is computed.

Each answer has a stream of its own, keyed by seed, example and number; its token at position t is drawn by
the t-th number of that stream. So the same logits give the same tokens in any batch and any order. Sums in
another batch differ in their last bits: a number that falls that close to the border between two tokens may
give the other one, as a tie between two likeliest tokens may in greedy decoding.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

PIECE = 2**22
"""Probabilities that exist at once, in float64: 32 MB."""
NUCLEUS = 256
"""So many of the likeliest tokens are looked at first for those that `top_p` leaves."""


@dataclass(frozen=True, kw_only=True)
class Chance:
    """How one answer is drawn."""

    seed: int
    """The run's."""
    example_id: str
    index: int
    """Which sample of that example."""
    temperature: float
    """Above 0."""
    top_p: float = 1.0
    """Of the likeliest tokens as few as have this probability together; those as likely as the last, too."""

    def __post_init__(self) -> None:
        """Refuse what is no law of chance."""
        if not self.temperature > 0.0:
            raise ValueError(
                f"temperature = {self.temperature}: it must be above 0; take the greedy answer for 0"
            )
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p = {self.top_p}: it must be above 0 and at most 1")

    @property
    def number(self) -> int:
        """63 bits that stand for this stream, for a decoder that has a generator of its own."""
        return self._key >> 65

    def uniforms(self, count: int) -> npt.NDArray[np.float64]:
        """The first numbers of the stream, in [0, 1); a longer beginning begins with the shorter."""
        raw = np.random.Philox(key=self._key).random_raw(count)
        # 53 bits are what a float64 holds. The bits of a generator are the same in all versions of numpy.
        return np.asarray(raw >> np.uint64(11), dtype=np.float64) * 2.0**-53

    @property
    def _key(self) -> int:
        name = f"{self.seed}\n{self.index}\n{self.example_id}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(name, digest_size=16, person=b"asft sample").digest(), "big")


@dataclass(frozen=True, kw_only=True)
class Lots:
    """What decides the tokens of the rows of a batch."""

    uniform: Tensor
    """`[b, t]` float64: a number for each row and position."""
    temperature: Tensor
    """`[b]` float64."""
    top_p: Tensor
    """`[b]` float64."""

    @staticmethod
    def of(chances: Sequence[Chance], count: int, device: torch.device) -> "Lots":
        """For so many positions of these rows."""
        return Lots(
            uniform=torch.from_numpy(np.stack([chance.uniforms(count) for chance in chances])).to(device),
            temperature=torch.tensor(
                [one.temperature for one in chances], dtype=torch.float64, device=device
            ),
            top_p=torch.tensor([one.top_p for one in chances], dtype=torch.float64, device=device),
        )

    def kept(self, rows: Tensor) -> "Lots":
        """Of these rows alone."""
        return replace(
            self, uniform=self.uniform[rows], temperature=self.temperature[rows], top_p=self.top_p[rows]
        )

    def drawn(self, logits: Tensor, position: int) -> Tensor:
        """The tokens `[b]` for logits `[b, vocab]` at a position of the answers."""
        rows = max(1, PIECE // logits.shape[1])
        parts = (
            draw(logits[at], self.uniform[at, position], self.temperature[at], self.top_p[at])
            for at in (slice(start, start + rows) for start in range(0, len(logits), rows))
        )
        return torch.cat(list(parts))


def draw(logits: Tensor, uniform: Tensor, temperature: Tensor, top_p: Tensor) -> Tensor:
    """The token of each row whose part of [0, 1) holds the row's number: the inverse of the distribution.

    logits `[b, vocab]`, of any precision; the others `[b]` float64. One number per row does, where a number
    per token of the vocabulary would cost more than the model's head.
    """
    tempered = logits.double() / temperature[:, None]
    best = tempered.amax(-1, keepdim=True)
    p = (tempered - best).exp()
    if bool((top_p < 1.0).any()):
        p = p.where(logits >= _least(logits, p, best, temperature, top_p), 0.0)
    sums = p.cumsum(-1)
    return torch.searchsorted(sums, uniform[:, None] * sums[:, -1:], right=True)[:, 0]


def _least(logits: Tensor, p: Tensor, best: Tensor, temperature: Tensor, top_p: Tensor) -> Tensor:
    """The least logit of each row that is not cut off: `[b, 1]`.

    A vocabulary is not sorted as a whole: the likeliest tokens of most distributions are few.
    """
    whole = (top_p >= 1.0)[:, None]
    wanted = p.sum(-1, keepdim=True) * top_p[:, None]
    count = min(NUCLEUS, p.shape[1])
    while True:
        top = logits.topk(count, dim=-1).values
        sums = (top.double() / temperature[:, None] - best).exp().cumsum(-1)
        if count == p.shape[1] or bool((whole | (sums[:, -1:] >= wanted)).all()):
            break
        count = min(8 * count, p.shape[1])
    last = (sums < wanted).sum(-1, keepdim=True).clamp(max=count - 1)
    return top.gather(-1, last).masked_fill(whole, -torch.inf)
