"""Questions as their words: case, punctuation and spacing do not count.

Numbers and signs of arithmetic do, so that "3 + 4" and "3 - 4" are two questions, and thousands separators do
not.
"""

import re
import unicodedata

RUN = 8
"""Words in a run."""

"""Words in a run."""
_WORD = re.compile(
    r"[0-9]+(?:\.[0-9]+)?|[^\W\d_]+|[+*/=<>^%×÷√]"
    # A minus stands beside a number, a bracket or a single letter; any other hyphen is punctuation.
    r"|(?:(?<=[0-9)])|(?<=[0-9)]\s))-(?!-)|(?<!-)-(?=\s?(?:[0-9(.]|[^\W\d_](?![^\W\d_])))"
)
_GROUPED = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")


def words_of(text: str) -> tuple[str, ...]:
    """Words, numbers and signs of a text."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("−", "-")
    return tuple(_WORD.findall(_GROUPED.sub("", text)))


def runs_of(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All runs of RUN words in their order; none of fewer words."""
    return [words[at : at + RUN] for at in range(len(words) - RUN + 1)]
