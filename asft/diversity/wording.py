"""How varied the wording of a data set is.

Words are those of ROUGE (see `asft.filters.words.plain_words`). Each of these figures depends on how many
texts there are and how long they are: compare data sets of as many.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain

from asft.filters.likeness import Texts
from asft.filters.words import plain_words

_ANY = Fraction(1, 10**9)
"""A likeness that any word in common exceeds, in texts of fewer than 10^9 words."""


def distinct(texts: Sequence[str], n: int) -> float | None:
    """distinct-n: different runs of n words / all runs of n words, over all texts (Li et al. 2016).

    1 where none comes twice. No run goes from one text into the next; None where there is none.
    """
    runs = list(chain.from_iterable(_runs(text, n) for text in texts))
    return len(set(runs)) / len(runs) if runs else None


def bigrams_per_text(texts: Sequence[str]) -> float | None:
    """Different pairs of neighbouring words in all texts together / texts; None of no texts."""
    pairs = set(chain.from_iterable(_runs(text, 2) for text in texts))
    return len(pairs) / len(texts) if texts else None


def self_rouge_l(texts: Sequence[str]) -> float | None:
    """The mean over texts of the highest ROUGE-L that each has with another one. 1: each stands there twice.

    The highest tells of near copies, which a mean over all pairs drowns in pairs that have nothing in common;
    Self-Instruct (arXiv 2212.10560) looks at its data by it, against the seeds. ROUGE-L as F1, exact, by the
    code of the filter `rouge_l`. None for fewer than two texts.
    """
    if len(texts) < 2:
        return None
    words = [plain_words(text) for text in texts]
    before, after = _highest(words), _highest(reversed(words))
    highest = [max(pair) for pair in zip(before, reversed(after), strict=True)]
    return float(sum(highest, Fraction()) / len(texts))


def _highest(words: Iterable[list[str]]) -> list[Fraction]:
    """The highest likeness of each text with one that comes before it."""
    earlier, found = Texts(), []
    for text in words:
        match = earlier.most_like(text, _ANY)
        found.append(match.likeness if match else Fraction())
        earlier.add(text)
    return found


def _runs(text: str, n: int) -> list[tuple[str, ...]]:
    words = plain_words(text)
    return [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
