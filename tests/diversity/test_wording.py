import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.diversity import bigrams_per_text, distinct, diversity, self_rouge_l

FOUR = ["A cat, a dog.", "a cat and a dog", "", "Dog?"]
"""Words: a cat a dog | a cat and a dog | | dog."""


def test_distinct_n_by_hand() -> None:
    # 10 words, 4 different; 7 pairs: a cat, cat a, a dog | a cat, cat and, and a, a dog: 5 different; 2 + 3
    # triples, all different.
    assert distinct(FOUR, 1) == 4 / 10
    assert distinct(FOUR, 2) == 5 / 7
    assert distinct(FOUR, 3) == 1.0
    assert distinct(FOUR, 6) is None
    assert distinct([], 1) is None


def test_no_run_of_words_goes_from_one_text_into_the_next() -> None:
    assert distinct(["a b", "b c", "c a"], 3) is None
    assert bigrams_per_text(["a", "b"]) == 0.0


def test_different_pairs_of_neighbours_are_counted_over_all_texts() -> None:
    assert bigrams_per_text(FOUR) == 5 / 4
    assert bigrams_per_text([]) is None


def test_self_rouge_l_by_hand() -> None:
    # The first two share 4 of 4 and 5 words: 8 / 9. "dog" shares 1 with 4: 2 / 5. The empty text shares none.
    assert self_rouge_l(FOUR) == pytest.approx((8 / 9 + 8 / 9 + 0 + 2 / 5) / 4)


def test_self_rouge_l_of_copies_is_1_and_of_strangers_0() -> None:
    assert self_rouge_l(["one two three"] * 3) == 1.0
    assert self_rouge_l(["one two", "three four"]) == 0.0
    assert self_rouge_l(["one two"]) is None


def longest(first: list[str], second: list[str]) -> int:
    """The longest common subsequence by the quadratic table of lengths."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, two in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if one == two else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


texts = st.lists(st.lists(st.sampled_from("abcd"), max_size=6), min_size=2, max_size=6)


@given(texts)
def test_self_rouge_l_is_the_mean_of_the_highest_with_any_other_text(words: list[list[str]]) -> None:
    highest = []
    for at, one in enumerate(words):
        others = [two for place, two in enumerate(words) if place != at]
        pairs = [2 * longest(one, two) / (len(one) + len(two)) for two in others if one or two]
        highest.append(max(pairs, default=0.0))
    found = self_rouge_l([" ".join(text) for text in words])
    assert found == pytest.approx(math.fsum(highest) / len(words))


@given(texts, st.randoms(use_true_random=False))
def test_the_order_of_the_texts_does_not_count(words: list[list[str]], chance: random.Random) -> None:
    given_texts = [" ".join(text) for text in words]
    assert diversity(chance.sample(given_texts, len(given_texts))) == diversity(given_texts)


def test_diversity_has_all_figures_of_wording() -> None:
    found = diversity(FOUR)
    assert (found.texts, found.distinct_1, found.distinct_2, found.distinct_3) == (4, 0.4, 5 / 7, 1.0)
    assert (found.bigrams_per_text, found.self_rouge_l) == (bigrams_per_text(FOUR), self_rouge_l(FOUR))
    assert diversity([]).self_rouge_l is None
