"""rouge_l: its decisions by hand, and against the definition with a quadratic table of lengths."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.errors import PluginError
from asft.filters.likeness import Texts, longest_common
from asft.filters.words import plain_words
from asft.types import Context, Draft, Example, Filter, Verdict
from tests.filters.scripts import decided

Make = Callable[..., Filter]
Making = Callable[..., Context]
Check = Callable[..., Verdict]

TEN = "a b c d e f g h i j"


def example(prompt: str) -> Example:
    return Example.make(task="gsm8k", prompt=prompt, answer="42")


@pytest.mark.parametrize(
    ("prompt", "decision", "likeness"),
    [
        (TEN, "drop", "1.000"),
        ("A, b... C? d e f g h i j!", "drop", "1.000"),
        # 7 of 10 and 10 words are common: 2 * 7 / 20 is the threshold itself.
        ("a b c d e f g x y z", "drop", "0.700"),
        ("x a b c y d e f z g", "drop", "0.700"),
        # 6 of them are not enough.
        ("a b c d e f u v w x", "keep", ""),
        # The same words the other way round have a common subsequence of 1.
        ("j i h g f e d c b a", "keep", ""),
        # All of its 5 words are there, but 2 * 5 / 15 is 2 / 3; with 6 it is 3 / 4.
        ("a b c d e", "keep", ""),
        ("a c d e f j", "drop", "0.750"),
        # A word said twice is in the other once: 2 * 5 / (10 + 10).
        ("a a b b c c d d e e", "keep", ""),
    ],
)
def test_the_longest_common_subsequence_decides(
    check: Check, context: Making, prompt: str, decision: str, likeness: str
) -> None:
    given_context = context(seeds=["nothing of the kind", TEN])
    verdict = check("rouge_l", example(prompt), given_context)
    reason = f"like a seed: ROUGE-L {likeness} with {given_context.seeds[1].id}"
    assert (verdict.decision, verdict.reason) == (decision, reason if likeness else "like no other question")


def test_it_names_the_question_that_is_most_alike_and_of_several_the_first(
    check: Check, context: Making
) -> None:
    eight, nine, other_nine = "a b c d e f g h x y", "a b c d e f g h i x", "a b c d e f g h i y"
    for seeds, earlier, now, reason in (
        ([eight, nine, other_nine], [], [], f"like a seed: ROUGE-L 0.900 with {example(nine).id}"),
        (
            [eight],
            [nine],
            [other_nine],
            f"like one accepted in an earlier round: ROUGE-L 0.900 with {example(nine).id}",
        ),
        ([eight], [], [nine], f"like one accepted in this round: ROUGE-L 0.900 with {example(nine).id}"),
    ):
        accepted = [example(prompt) for prompt in now]
        verdict = check("rouge_l", example(TEN), context(seeds=seeds, accepted=earlier), accepted=accepted)
        assert verdict.reason == reason


def test_the_first_of_equals_is_named_also_where_another_promises_more(check: Check, context: Making) -> None:
    # 8 words are common in order to both; the second holds all 10, and is compared first.
    seen = context(seeds=["a b c d e f g h x y", "b a c d e f g h j i"])
    reason = f"like a seed: ROUGE-L 0.800 with {seen.seeds[0].id}"
    assert check("rouge_l", example(TEN), seen).reason == reason


@pytest.mark.parametrize("source", ["pool", "accepted", "round"])
def test_each_source_can_be_left_out(check: Check, make: Make, context: Making, source: str) -> None:
    seen = context(seeds=[TEN] if source == "pool" else [], accepted=[TEN] if source == "accepted" else [])
    now = [example(TEN)] if source == "round" else []
    assert check("rouge_l", example(TEN), seen, accepted=now).decision == "drop"
    assert check("rouge_l", example(TEN), seen, accepted=now, options={source: False}).decision == "keep"
    assert make("rouge_l", {source: False}).looks.ordered == (source != "round")


def test_comparing_with_nothing_is_refused(make: Make) -> None:
    with pytest.raises(PluginError, match="pool, accepted and round are all false; nothing is left"):
        make("rouge_l", {"pool": False, "accepted": False, "round": False})
    with pytest.raises(PluginError, match="threshold"):
        make("rouge_l", {"threshold": 0})


def test_a_threshold_is_the_number_as_it_is_written(check: Check, context: Making) -> None:
    # 21 common words of 23 and 37: 42 / 60 is 0.7, and in floats, by way of precision and recall, it is less.
    precision, recall = 21 / 37, 21 / 23
    assert 2 * precision * recall / (precision + recall) < 0.7
    long = " ".join(f"w{i}" for i in range(37))
    short = " ".join([*(f"w{i}" for i in range(21)), "x", "y"])
    for threshold, decision in ((0.7, "drop"), (0.7001, "keep")):
        verdict = check("rouge_l", example(short), context(seeds=[long]), options={"threshold": threshold})
        assert verdict.decision == decision


def test_a_question_without_words_is_undecided(check: Check, context: Making) -> None:
    verdict = check("rouge_l", example("?!"), context(seeds=["?!"]))
    assert verdict.decision == "undecided"
    assert verdict.reason == "no words: the question has no letter and no digit"


def test_a_seed_without_words_is_like_nothing(check: Check, context: Making) -> None:
    assert check("rouge_l", example("six"), context(seeds=["?!", "..."])).decision == "keep"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ann's 3 bags: 1,000.5 nuts!", "ann s 3 bags 1 000 5 nuts"),
        ("x_1 + y2 = 3/4", "x 1 y2 3 4"),
        ("“Ann” – 3 nuts…", "ann 3 nuts"),
        ("Café cafe\u0301", "café café"),
        ("У Ани 3 яблока.", "у ани 3 яблока"),
        # A vowel sign is part of its word.
        ("हिन्दी में", "हिन्दी में"),
        ("三只猫, 2 dogs", "三 只 猫 2 dogs"),
        ("ねこが3匹x", "ね こ が 3 匹 x"),
        ("มี 2", "มี 2"),
        ("3\ufe0f\u20e3 \u0301", "3\ufe0f\u20e3"),
        ("", ""),
    ],
)
def test_words_are_letters_and_digits_of_every_script(text: str, words: str) -> None:
    assert plain_words(text) == words.split()


@given(text=st.text(st.characters(max_codepoint=127)))
def test_ascii_is_cut_as_the_rouge_score_package_cuts_it(text: str) -> None:
    spaced = re.sub(r"[^a-z0-9]+", " ", text.lower())
    expected = [word for word in re.split(r"\s+", spaced) if re.match(r"^[a-z0-9]+$", word)]
    assert plain_words(text) == expected
    # The reading of other scripts agrees, where nothing but punctuation is beyond ASCII.
    assert plain_words(f"“{text}”") == expected


def naive(first: Sequence[str], second: Sequence[str]) -> int:
    """The textbook's table of lengths."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


FEW = st.lists(st.sampled_from("abcde"), max_size=90)
MANY = st.lists(st.sampled_from([f"w{i}" for i in range(40)]), max_size=90)
THRESHOLDS = st.sampled_from([1e-12, 0.05, 0.30000000000000004, 0.5, 0.7, 0.95, 1.0])


@given(pair=st.one_of(st.tuples(FEW, FEW), st.tuples(MANY, MANY)))
def test_bit_vectors_give_the_length_of_the_table(pair: tuple[list[str], list[str]]) -> None:
    first, second = pair
    assert longest_common(first, second) == naive(first, second) == longest_common(second, first)


@st.composite
def texts(draw: st.DrawFn) -> list[list[str]]:
    """Texts of few words or of many, some of them parts of others."""
    words = draw(st.sampled_from(["ab", "abcdefgh", [f"w{i}" for i in range(60)]]))
    made = draw(st.lists(st.lists(st.sampled_from(words), max_size=14), min_size=1, max_size=24))
    for _ in range(draw(st.integers(0, 4))):
        one = draw(st.sampled_from(made))
        made.append([word for word in one if draw(st.integers(0, 5))])
    return made


@given(made=texts(), threshold=THRESHOLDS)
def test_the_index_finds_what_comparing_with_all_finds(made: list[list[str]], threshold: float) -> None:
    least, index, added = Fraction(str(threshold)), Texts(), list[list[str]]()
    for words in made:
        likeness = [
            Fraction(2 * naive(words, other), len(words) + len(other)) if words or other else Fraction(0)
            for other in added
        ]
        best = max(likeness, default=Fraction(0))
        found = index.most_like(words, least)
        if best < least:
            assert found is None
        else:
            assert found is not None
            assert (found.likeness, found.place) == (best, likeness.index(best))
        index.add(words)
        added.append(words)


@given(made=texts(), threshold=THRESHOLDS)
def test_a_round_keeps_what_a_loop_over_all_questions_keeps(
    make: Make, context: Making, made: list[list[str]], threshold: float
) -> None:
    third = len(made) // 3
    prompts = [" ".join(words) for words in made]
    seen = context(seeds=prompts[:third], accepted=prompts[third : 2 * third])
    used, accepted, known = make("rouge_l", {"threshold": threshold}), list[Example](), made[: 2 * third]
    for words, prompt in zip(made[2 * third :], prompts[2 * third :], strict=True):
        verdict = decided(used.check(Draft(number=0, example=example(prompt)), seen, accepted))
        alike = any(
            Fraction(2 * naive(words, other), len(words) + len(other)) >= Fraction(str(threshold))
            for other in known
            if words or other
        )
        assert verdict.decision == ("undecided" if not words else "drop" if alike else "keep")
        if verdict.decision == "keep":
            accepted.append(example(prompt))
            known = [*known, words]


def test_every_question_is_read_once_however_many_drafts_there_are(make: Make, context: Making) -> None:
    read: list[str] = []

    class Noted(str):
        """A text that tells when its words are read."""

        def isascii(self) -> bool:
            read.append(str(self))
            return super().isascii()

    def noted(prompt: str) -> Example:
        return replace(example(prompt), prompt=Noted(prompt))

    seen = replace(context(), seeds=(noted("one two"), noted("three four")), accepted=(noted("five six"),))
    used, accepted = make("rouge_l"), list[Example]()
    for number in range(4):
        used.check(Draft(number=number, example=example(f"draft {number}")), seen, accepted)
        accepted.append(noted(f"accepted {number}"))
    assert read == ["one two", "three four", "five six", "accepted 0", "accepted 1", "accepted 2"]
    # A next round has the same seeds, and more that was accepted before.
    later = replace(seen, accepted=(*seen.accepted, *accepted))
    used.check(Draft(number=9, example=example("draft")), later, [])
    assert read[6:] == ["accepted 0", "accepted 1", "accepted 2", "accepted 3"]
