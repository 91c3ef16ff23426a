"""Exact statistics of given token ids under the student: nll, entropy and margin of each token.

The head runs on answer positions only, over one piece of the vocabulary at a time, and each piece is folded
into the statistics at once: the logits of a whole batch, gigabytes with the vocabularies of today, never
exist. Rows are padded on the right, where causal attention sees nothing of it, so that no mask is needed.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from asft.scorer.body import Apart, Whole, network, statistics
from asft.scorer.plan import Plan, Row, common, tokens, worth
from asft.scorer.records import Tokens
from asft.student import Loaded
from asft.types import TokenStats

__all__ = ["Plan", "Row", "Scored", "Tokens", "in_batches", "per_token", "score"]

T = TypeVar("T")

BUDGET = {"cpu": 2048, "cuda": 32768}
"""Tokens of a batch by default, padding included. The caches of a CPU hold no more."""
START = {"cpu": 64, "cuda": 4096}
"""What a batch costs beyond its tokens, in tokens: reading the weights, and starting each computation."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What was found, and how."""

    tokens: tuple[Tokens, ...]
    """In the order of the rows."""
    plan: Plan
    """As it was carried out: with smaller batches than planned where memory ran out."""


def score(
    loaded: Loaded,
    rows: Sequence[Row],
    *,
    batch_tokens: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[TokenStats]:
    """Sums and means over each row's answer; else as `per_token`."""
    found = per_token(loaded, rows, batch_tokens=batch_tokens, progress=progress)
    return [one.stats for one in found.tokens]


@torch.inference_mode()
def per_token(
    loaded: Loaded,
    rows: Sequence[Row],
    *,
    batch_tokens: int | None = None,
    plan: Plan | None = None,
    progress: Callable[[int], None] | None = None,
) -> Scored:
    """Statistics of each row's answer tokens given its prompt, under the student with its adapter on.

    Rows of like length share a batch of at most `batch_tokens` tokens, long ones first; where memory runs
    out, half as many from there on. What all rows begin with is run once, where that pays. The logits have
    the model's own precision, what is made of them float32 at least. The same rows in any order, and the same
    settings, give the same bytes on the same machine with the same number of threads. `plan`: an earlier one
    for the same rows. `progress` gets the number of finished rows. Raises ValueError for a row without
    tokens of prompt or answer, and for a plan of other rows.
    """
    found, carried_out = in_batches(
        loaded, rows, statistics, batch_tokens=batch_tokens, plan=plan, progress=progress
    )
    return Scored(tokens=tuple(found), plan=carried_out)


@torch.inference_mode()
def in_batches(
    loaded: Loaded,
    rows: Sequence[Row],
    work: Callable[[Apart | Whole, Sequence[Row]], Sequence[T]],
    *,
    share: bool = True,
    batch_tokens: int | None = None,
    plan: Plan | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[T], Plan]:
    """What `work` makes of each row, by batches, and the plan as it was carried out; else as `per_token`.

    `work` gets the model, which has read what all rows begin with, and the rows of a batch without that; it
    gives one result per row. Where it runs out of memory it is called again with fewer rows. `share`: whether
    what all rows begin with may be run apart from them.
    """
    if any(not len(prompt) or not len(answer) for prompt, answer in rows):
        raise ValueError("every row needs at least one token of prompt and one of answer")
    if plan is not None and not plan.fits(rows):
        raise ValueError(f"the plan is not for these {len(rows)} rows; leave it out to have one made")
    if not rows:
        return [], Plan(prefix=0, batches=())
    row = min(rows, key=tokens)
    model = network(loaded.model, row)
    prefix = plan.prefix if plan else common(rows) if share else 0
    after = model.after(row[0][:prefix], row) if prefix and (plan or worth(prefix, rows)) else None
    if plan is None:
        device = loaded.model.device.type
        budget = min(batch_tokens or BUDGET.get(device, BUDGET["cuda"]), model.most_tokens or sys.maxsize)
        start = START.get(device, START["cuda"])
        plan = Plan.of(rows, budget=budget, start=start, prefix=prefix if after else 0)
    elif plan.prefix and after is None:
        raise ValueError(
            f"the plan has a prefix, and {loaded.student.base} cannot go on from one; leave it out"
        )
    return _carried_out(plan, after or model, rows, work, progress)


def _carried_out(
    plan: Plan,
    model: Apart | Whole,
    rows: Sequence[Row],
    work: Callable[[Apart | Whole, Sequence[Row]], Sequence[T]],
    progress: Callable[[int], None] | None,
) -> tuple[list[T], Plan]:
    found: dict[int, T] = {}
    number = 0
    while number < len(plan.batches):
        batch = plan.batches[number]
        try:
            made = work(model, [(rows[i][0][plan.prefix :], rows[i][1]) for i in batch])
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
            plan = plan.halved(rows, number)
            # What is left of the attempt lies about in pieces that fit nothing.
            torch.cuda.empty_cache()
            continue
        found.update(zip(batch, made, strict=True))
        number += 1
        if progress:
            progress(len(found))
    return [found[i] for i in range(len(rows))], plan
