"""Which rows share a batch: decided from the rows alone, so that the same ones are scored the same way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

Row = tuple[Sequence[int], Sequence[int]]
"""Token ids of a prompt, and of the answer to it."""

WORTH = 0.1
"""A prefix is run once only where that spares at least this share of all tokens: a batch that goes on from
one needs a mask, and its rows each a copy."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How rows are scored. Another plan gives the same statistics but for rounding."""

    prefix: int
    """So many tokens, with which every row begins, are run once for all."""
    batches: tuple[tuple[int, ...], ...]
    """Rows by their number, those with most tokens first."""

    @classmethod
    def of(cls, rows: Sequence[Row], *, budget: int, start: int, prefix: int = 0) -> "Plan":
        """Batches of at most `budget` tokens, padding included; a longer row has one to itself.

        `start` is what a batch costs beyond its tokens, in tokens: the more, the more padding is put up with.
        """
        return cls(prefix=prefix, batches=_cut(rows, range(len(rows)), prefix, budget, start))

    def halved(self, rows: Sequence[Row], failed: int) -> "Plan":
        """The same before a batch for which there was no room; from there on, batches of half its size."""
        done, left = self.batches[:failed], [i for batch in self.batches[failed:] for i in batch]
        size = sum(tokens(rows[i]) - self.prefix for i in self.batches[failed])
        return replace(self, batches=(*done, *_cut(rows, left, self.prefix, size // 2, size // 2)))

    def fits(self, rows: Sequence[Row]) -> bool:
        """Whether it is about these rows: each is in one batch, and all begin with the prefix."""
        placed = sorted(i for batch in self.batches for i in batch)
        return placed == list(range(len(rows))) and 0 <= self.prefix <= common(rows)


def tokens(row: Row) -> int:
    """How many tokens are run through the model: all but the last, as nobody asks what follows that."""
    return len(row[0]) + len(row[1]) - 1


def common(rows: Sequence[Row]) -> int:
    """How many first tokens all rows share. The last of a prompt never counts: it predicts the answer."""
    prompts = [list(prompt) for prompt, _ in rows]
    first, last = min(prompts, default=[0]), max(prompts, default=[0])
    most = min(map(len, prompts), default=1) - 1
    return next((i for i in range(most) if first[i] != last[i]), most)


def worth(prefix: int, rows: Sequence[Row]) -> bool:
    """Whether it pays to run so many first tokens once."""
    return prefix * (len(rows) - 1) >= WORTH * sum(map(tokens, rows)) > 0


def _cut(
    rows: Sequence[Row], which: Iterable[int], prefix: int, budget: int, start: int
) -> tuple[tuple[int, ...], ...]:
    """The cheapest cut of some rows, sorted by length, into batches."""
    # Ties are broken by content, so that the order in which rows come changes nothing.
    order = sorted(which, key=lambda i: (-tokens(rows[i]), list(rows[i][0]), list(rows[i][1])))
    widths = [tokens(rows[i]) - prefix for i in order]
    # The best cut of the first j rows costs cost[j]; its last batch begins at begin[j], with its widest row.
    cost = np.full(len(order) + 1, np.inf)
    cost[0] = 0.0
    begin = np.zeros(len(order) + 1, dtype=int)
    for first, width in enumerate(widths):
        size = np.arange(1, min(len(order) - first, max(1, budget // width)) + 1)
        found = cost[first] + start + width * size
        better = size[found < cost[first + size]]
        cost[first + better] = found[better - 1]
        begin[first + better] = first
    batches, end = [], len(order)
    while end:
        batches.append(tuple(order[begin[end] : end]))
        end = int(begin[end])
    return tuple(reversed(batches))
