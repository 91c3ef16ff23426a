"""Which of many texts shares the longest common subsequence of words with another text, relative to length.

Exact, and fast because most texts are never compared: what a text shares with another at most is known from
how many of its words, whatever their order, stand in it too. The longest common subsequence of two texts is
then computed bit by bit in parallel: Hyyrö, "Bit-parallel LCS-length computation revisited" (2004), after
Crochemore et al. (2001), with Python's integers as bit vectors of any length.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

_COMMON = 4
"""A word that stands in more than one in so many of the texts is counted last."""


@dataclass(frozen=True)
class Match:
    """A text that is like the one that was asked about."""

    place: int
    """0, 1, 2, ... in the order in which the texts were added."""
    likeness: Fraction
    """ROUGE-L's F1: 2 l / (m + n), with m and n words in the two texts and l in their longest common
    subsequence."""


class Texts:
    """Texts as their words; more can be added at any time."""

    def __init__(self) -> None:
        self._texts: list[Sequence[str]] = []
        self._sizes = array("i")
        self._holders: dict[tuple[str, int], array[int]] = {}
        """The second "the" of a text is ("the", 1) -> the places of the texts that hold it."""

    def add(self, words: Sequence[str]) -> None:
        """Add a text."""
        for word in _numbered(words):
            self._holders.setdefault(word, array("i")).append(len(self._texts))
        self._sizes.append(len(words))
        self._texts.append(words)

    def most_like(self, words: Sequence[str], least: Fraction) -> Match | None:
        """The text with the highest likeness, if that is at least `least`, which is above 0.

        Of several the first; None where there is none.
        """
        # A text is like enough where 2 l >= least (m + n); as n >= l, it shares so many words then, or more.
        size = len(words)
        counted, uncounted = self._holders_of(words, math.ceil(least * size / (2 - least)))
        if not counted:
            return None
        sizes = np.frombuffer(self._sizes, np.intc).astype(np.int64)
        places = np.concatenate([np.frombuffer(holders, np.intc) for holders in counted])
        bounds = np.bincount(places, minlength=len(sizes)) + uncounted
        # Rounding may let one too many pass; what passes is compared exactly.
        found = np.flatnonzero(2 * bounds >= (float(least) - 1e-9) * (size + sizes))
        return self._first_of_best(words, least, found, 2 * bounds[found], size + sizes[found])

    def _holders_of(self, words: Sequence[str], needed: int) -> tuple[list["array[int]"], int]:
        """The texts that hold the words, but for the commonest; and how many words were left out so.

        Those are taken for shared, which only costs some comparisons. Fewer are left out than a text needs to
        be like enough, so that every such text stands under one of the others.
        """
        known = [self._holders[word] for word in _numbered(words) if word in self._holders]
        known.sort(key=len)
        rare = sum(_COMMON * len(holders) <= len(self._texts) for holders in known)
        counted = max(rare, len(known) - max(needed - 1, 0))
        return known[:counted], len(known) - counted

    def _first_of_best(
        self,
        words: Sequence[str],
        least: Fraction,
        found: NDArray[np.intp],
        bounds: NDArray[np.int64],
        sums: NDArray[np.int64],
    ) -> Match | None:
        """Compare those with the highest bounds first, for as long as they may be better than the best."""
        masks = _masks(words)
        best: Match | None = None
        for at in np.argsort(-bounds / sums, kind="stable").tolist():
            place, both = int(found[at]), int(sums[at])
            if best is not None and Fraction(int(bounds[at]), both) < best.likeness:
                break
            likeness = Fraction(2 * _common(masks, len(words), self._texts[place]), both)
            rank = (likeness, -place)
            if likeness >= least and (best is None or rank > (best.likeness, -best.place)):
                best = Match(place, likeness)
        return best


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """How many words the longest common subsequence of two texts has."""
    return _common(_masks(first), len(first), second)


def _masks(words: Sequence[str]) -> dict[str, int]:
    """Word -> the places where it stands, as bits."""
    masks: dict[str, int] = {}
    for at, word in enumerate(words):
        masks[word] = masks.get(word, 0) | 1 << at
    return masks


def _common(masks: Mapping[str, int], size: int, words: Sequence[str]) -> int:
    """The length of the longest common subsequence; `masks` and `size` are of the other text.

    In column j of the table of lengths, bit i is 0 where the length grows from row i to row i + 1; what the
    sum carries beyond `size` bits never comes back.
    """
    everywhere = (1 << size) - 1
    column = everywhere
    for word in words:
        if word in masks:
            here = column & masks[word]
            column = (column + here) | (column - here)
    return size - (column & everywhere).bit_count()


def _numbered(words: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each word with how often it stood before, so that a text is a set and its overlaps are exact."""
    seen: Counter[str] = Counter()
    for word in words:
        yield word, seen[word]
        seen[word] += 1
