"""FLOPs of a model that reads, writes or is trained on token sequences; a multiplication and an addition are
two.

Tokens are real ones: padding, rows that go on because their batch does, and what is computed twice to save
memory elsewhere than in gradient checkpointing are not counted, so that the figure is the same in any batch
and on any machine. Attention is counted between a token and those that it sees; `square` counts it between
all positions of a sequence, masked ones too, as eager attention computes it and torch's counter counts it.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from asft.flops.shape import Adapter, Attention, Work

Row = tuple[int, int]
"""Tokens of a prompt, and of an answer to it with the token that ends it."""
Method = Literal["lora", "full"]
"""What is trained: an adapter, on a base that may be quantized, or all weights."""

NO_ADAPTER = Adapter(weights=0)


def read(
    work: Work,
    lengths: Iterable[int],
    *,
    head: int,
    past: int = 0,
    adapter: Adapter | None = None,
    square: bool = False,
) -> int:
    """Sequences of new tokens, each behind `past` tokens that are in a cache already.

    `head`: positions whose logits are made, in all sequences together.
    """
    lengths = list(lengths)
    weights = work.body + (adapter or NO_ADAPTER).weights
    return 2 * (weights * sum(lengths) + work.head * head) + _attention(work, lengths, past, square)


def scored(
    work: Work,
    rows: Sequence[Row],
    *,
    prefix: int = 0,
    adapter: Adapter | None = None,
    square: bool = False,
) -> int:
    """Answers, scored token by token: all but the last token of a row are read, the head is on the answer.

    `prefix`: first tokens that all rows share, and that are read once.
    """
    begun = read(work, [prefix], head=0, adapter=adapter, square=square) if prefix and rows else 0
    lengths = [prompt + answer - 1 - prefix for prompt, answer in rows]
    head = sum(answer for _, answer in rows)
    return begun + read(work, lengths, head=head, past=prefix, adapter=adapter, square=square)


def written(
    work: Work,
    prompt: int,
    answers: Sequence[int],
    *,
    adapter: Adapter | None = None,
    square: bool = False,
) -> int:
    """Answers to one prompt, token by token with a cache of keys and values; the prompt is read once.

    The last token of an answer is written and not read, so an answer costs the same to write as to score.
    """
    if not answers:
        return 0
    begun = read(work, [prompt], head=1, adapter=adapter, square=square)
    lengths = [answer - 1 for answer in answers]
    return begun + read(work, lengths, head=sum(lengths), past=prompt, adapter=adapter)


def trained(
    work: Work,
    lengths: Iterable[int],
    *,
    head: int,
    method: Method = "lora",
    adapter: Adapter | None = None,
    checkpointing: bool = False,
    square: bool = False,
) -> int:
    """Forward and backward over sequences. What the optimizer does with each weight is not counted.

    Of each matrix the gradient by its input costs as much as going forward, and that by its weights as much
    again: the second is there for weights that are trained alone. Of attention both products have two
    gradients. `checkpointing` goes forward through the body a second time. A base that is quantized is
    computed with in full; making it so is not counted.
    """
    lengths = list(lengths)
    tokens, adapter = sum(lengths), adapter or NO_ADAPTER
    attention = _attention(work, lengths, 0, square)
    body = 2 * tokens * (work.body + adapter.weights) + attention
    forward = body + 2 * work.head * head
    backward = 2 * tokens * (work.body + 2 * adapter.weights - adapter.idle) + 2 * work.head * head
    if method == "full":
        backward = 2 * (2 * tokens * work.body + 2 * work.head * head)
    return forward + backward + 2 * attention + (body if checkpointing else 0)


def asked(active_params: float, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> int:
    """A call of a model of which nothing but its size is known: 2 for each parameter and token.

    Attention is not in it. Cached tokens, a part of the input, were computed before.
    """
    # A whole number first: products of fractions would be rounded.
    return 2 * round(active_params) * (input_tokens - cached_tokens + output_tokens)


def _attention(work: Work, lengths: Sequence[int], past: int, square: bool) -> int:
    """Scores of queries with keys, and their sums of values: two products of `width` for each pair."""
    return sum(
        4 * one.layers * one.width * sum(_pairs(one, past, length, square) for length in lengths)
        for one in work.attention
    )


def _pairs(one: Attention, past: int, length: int, square: bool) -> int:
    """Pairs of a new token and one that it sees."""
    if square:
        return length * (past + length)
    return _seen(one.window, past + length) - _seen(one.window, past)


def _seen(window: int | None, length: int) -> int:
    """How many tokens those of a sequence see, in all."""
    narrow = length if window is None else min(length, window)
    return narrow * (narrow + 1) // 2 + (length - narrow) * narrow
