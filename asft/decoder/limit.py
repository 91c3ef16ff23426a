"""Where answers are cut off when nobody says where."""

import math
from collections.abc import Sequence
from typing import Any

SHARE = 0.99
"""Of the references are within the length from which the limit is made."""
MARGIN = 1.5
"""Times that length. One reference in a hundred is longer, and a student that is right may be wordier than
who wrote them; an answer that is cut off counts as wrong. Answers that end before cost nothing more: their
rows are dropped."""
WITHOUT = 256
"""Tokens where there are no references."""


def limit(tokenizer: Any, references: Sequence[str]) -> int:
    """Tokens for an answer, its end token included: 1.5 times the 99th percentile of the references."""
    if not references:
        return WITHOUT
    rows: list[list[int]] = tokenizer(list(references), add_special_tokens=False)["input_ids"]
    lengths = sorted(len(row) + 1 for row in rows)
    return math.ceil(MARGIN * lengths[math.ceil(SHARE * len(lengths)) - 1])
