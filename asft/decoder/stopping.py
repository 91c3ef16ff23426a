"""Where an answer ends because of a text in it."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Cut:
    """An answer up to the first stop string."""

    text: str
    kept: int
    """So many tokens lie before the stop string as a whole."""
    written: int
    """So many tokens were written when it was complete."""


def cut(tokenizer: Any, token_ids: Sequence[int], text: str, stop: Sequence[str]) -> Cut | None:
    """`text`, that of the tokens, before the stop string that begins first; None where it has none."""
    starts = [start for string in stop if (start := text.find(string)) >= 0]
    if not starts:
        return None
    begin = min(starts)
    lengths = range(len(token_ids) + 1)

    def of_first(count: int) -> str:
        found: str = tokenizer.decode(list(token_ids[:count]), skip_special_tokens=True)
        return found

    return Cut(
        text=text[:begin],
        kept=bisect_right(lengths, begin, key=lambda count: len(of_first(count))) - 1,
        written=bisect_left(
            lengths, True, key=lambda count: any(string in of_first(count) for string in stop)
        ),
    )


def reached(tokenizer: Any, token_ids: Sequence[int], stop: Sequence[str], lately: int) -> bool:
    """Whether a stop string was completed within the last `lately` tokens; no more than it needs is read."""
    longest = max((len(string.encode()) for string in stop), default=0)
    tail = list(token_ids[-(lately + longest) :])
    text: str = tokenizer.decode(tail, skip_special_tokens=True) if longest else ""
    return any(string in text for string in stop)


def end_ids(tokenizer: Any, stop: Sequence[str]) -> frozenset[int]:
    """The stop strings that are special tokens, which the text of an answer does not show."""
    special = (item for item in tokenizer.added_tokens_decoder.items() if item[1].special)
    return frozenset(number for number, token in special if token.content in stop)
