"""duplicate and not_in_test: questions that are there already, word for word."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.errors import PluginError
from asft.tasks.gsm8k import GSM8K
from asft.tasks.pocket.task import Pocket
from asft.types import Context, Draft, Example, Filter, Verdict
from tests.filters.scripts import decided

Make = Callable[..., Filter]
Making = Callable[..., Context]
Check = Callable[..., Verdict]


def example(prompt: str, answer: str = "42", completion: str | None = "So 6*7 = 42.\n#### 42") -> Example:
    return Example.make(task="gsm8k", prompt=prompt, answer=answer, completion=completion)


# duplicate


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Ann has 6 bags. How many?", "ann has 6 bags -- how  many"),
        ("It costs $1,000.50!", "It costs 1000.50"),
        ("A well-known café?", "A well known CAFE\u0301?"),
        ("３ cats?", "3 cats?"),
        ("x − 3 = 4", "x - 3 = 4"),
    ],
)
def test_equal_words_and_numbers_are_one_question(
    check: Check, context: Making, first: str, second: str
) -> None:
    assert check("duplicate", example(first), context(seeds=[second])).decision == "drop"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Ann has 6 bags.", "Ann has 7 bags."),
        ("What is 3 + 4?", "What is 3 - 4?"),
        ("What is -5 squared?", "What is 5 squared?"),
        ("What is x - y?", "What is x y?"),
        ("What is (3)-(4)?", "What is (3)(4)?"),
        ("It costs 1.5.", "It costs 15."),
        ("It costs 1,5.", "It costs 15."),
        ("What is 2^3?", "What is 2 3?"),
        ("What is 1,0000?", "What is 10000?"),
    ],
)
def test_other_numbers_or_signs_are_another_question(
    check: Check, context: Making, first: str, second: str
) -> None:
    assert check("duplicate", example(first), context(seeds=[second])).decision == "keep"


def test_a_duplicate_says_of_what(check: Check, context: Making) -> None:
    made = example("Ann has 6 bags?")
    same = replace(made, id="other")
    for given_context, accepted, reason in (
        (replace(context(), seeds=(same,)), (), "in the pool: other"),
        (replace(context(), accepted=(same,)), (), "accepted in an earlier round: other"),
        (context(), (same,), "accepted in this round: other"),
    ):
        verdict = check("duplicate", made, given_context, accepted=accepted)
        assert (verdict.decision, verdict.reason) == ("drop", reason)
    verdict = check("duplicate", made, context(seeds=["Bob?"]), accepted=[example("Cy?")])
    assert (verdict.decision, verdict.reason) == ("keep", "new question")


def test_another_answer_does_not_make_another_question(check: Check, context: Making) -> None:
    made = example("Ann has 6 bags?", answer="6")
    assert check("duplicate", made, context(seeds=["Ann has 6 bags?"])).decision == "drop"


def test_a_test_question_is_no_matter_of_duplicate(check: Check, context: Making) -> None:
    assert check("duplicate", example("Ann?"), context(test=["Ann?"])).decision == "keep"


# not_in_test

LETTERS = "a b c d e f g h i j k l m n o p"  # 16 words, 9 runs of 8


@pytest.mark.parametrize(
    ("prompt", "decision", "reason"),
    [
        (LETTERS, "drop", "equal to a test question: {id}"),
        (LETTERS.upper() + "!", "drop", "equal to a test question: {id}"),
        # 15 of its words in order: 8 of 9 runs, all but the one with the last word.
        (LETTERS[:-1] + "z", "drop", "like a test question: 8 of 9 runs of 8 words are in {id}"),
        # The first 12 words and 4 others: runs 0 to 4 of 9.
        (
            "a b c d e f g h i j k l 1 2 3 4",
            "drop",
            "like a test question: 5 of 9 runs of 8 words are in {id}",
        ),
        # The first 11 words and 4 others: runs 0 to 3 of 8, which is half.
        (
            "a b c d e f g h i j k 1 2 3 4",
            "drop",
            "like a test question: 4 of 8 runs of 8 words are in {id}",
        ),
        # The first 11 words and 5 others: 4 of 9, less than half.
        ("a b c d e f g h i j k 1 2 3 4 5", "keep", "not in the test split"),
        # A number in the place of the eighth word leaves one run whole, the last.
        ("a b c d e f g 1 i j k l m n o p", "keep", "not in the test split"),
        # Fewer than 8 words have no run.
        ("a b c d e f g", "keep", "not in the test split"),
        ("", "keep", "not in the test split"),
    ],
)
def test_half_of_the_runs_of_eight_words_are_too_many(
    check: Check, context: Making, prompt: str, decision: str, reason: str
) -> None:
    split = context(test=["nothing of the kind", LETTERS])
    verdict = check("not_in_test", example(prompt), split)
    assert (verdict.decision, verdict.reason) == (decision, reason.format(id=split.test[1].id))


def test_two_test_questions_are_not_added_up(check: Check, context: Making) -> None:
    # Of the 9 runs of the draft the first test question holds the first 3, the second the last 3.
    split = context(test=["a b c d e f g h i j 1 2", "3 4 g h i j k l m n o p"])
    assert check("not_in_test", example(LETTERS), split).decision == "keep"


def test_the_share_is_an_option(check: Check, context: Making, make: Make) -> None:
    made, split = example("a b c d e f g h i j k 1 2 3 4 5"), context(test=[LETTERS])
    assert check("not_in_test", made, split, options={"share": 4 / 9}).decision == "drop"
    with pytest.raises(PluginError, match="share"):
        make("not_in_test", {"share": 0})


WORDS = st.lists(st.sampled_from(["a", "b", "1", "2", "x"]), max_size=25)


@given(prompt=WORDS, test=st.lists(WORDS, max_size=4))
def test_it_decides_as_the_definition_read_aloud(
    check: Check, context: Making, prompt: list[str], test: list[list[str]]
) -> None:
    def runs(words: list[str]) -> set[str]:
        return {" ".join(words[i : i + 8]) for i in range(len(words)) if i + 8 <= len(words)}

    mine = runs(prompt)
    bad = any(item == prompt or (mine and len(mine & runs(item)) >= len(mine) / 2) for item in test)
    split = context(test=[" ".join(item) for item in test])
    verdict = check("not_in_test", example(" ".join(prompt)), split)
    assert verdict.decision == ("drop" if bad else "keep")


def test_the_index_of_the_test_split_is_made_once(context: Making, make: Make) -> None:
    class Counted(tuple[Example, ...]):
        read = 0

        def __iter__(self) -> Iterator[Example]:
            Counted.read += 1
            return super().__iter__()

    split = replace(context(), test=Counted(map(example, ["Ann has 6 nuts?", "Bob has 7 nuts?"])))
    used = make("not_in_test")
    Counted.read = 0
    used.check(Draft(number=0, example=example("Who has 8 nuts?")), split, ())
    once = Counted.read
    for number in range(5):
        used.check(Draft(number=number, example=example("Who has 8 nuts?")), replace(split, round=number), ())
    assert Counted.read == once > 0


def test_problems_of_the_same_families_are_seldom_taken_for_test_problems(
    context: Making, make: Make
) -> None:
    task = Pocket(seeds=300, tests=300)
    split = replace(context(task=task), test=tuple(task.load("test")))
    used = make("not_in_test")
    drafts = [Draft(number=0, example=seed) for seed in task.load("seed")]
    decisions = [decided(used.check(draft, split, ())).decision for draft in drafts]
    assert decisions.count("drop") < 30


def test_gsm8k_is_searched_fast_and_finds_its_own_test_split(
    context: Making, make: Make, gsm8k: Path
) -> None:
    task = GSM8K(source=str(gsm8k))
    split = replace(context(task=task), test=tuple(task.load("test")))
    used = make("not_in_test")
    start = time.process_time()
    found = [decided(used.check(Draft(number=0, example=item), split, ())).decision for item in split.test]
    assert set(found) == {"drop"}
    drafts = [Draft(number=0, example=item) for item in task.load("seed")[:2000]]
    train = [decided(used.check(draft, split, ())).decision for draft in drafts]
    assert train.count("drop") < 40
    assert time.process_time() - start < 5
