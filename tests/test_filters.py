"""What every filter promises, and each one's decisions worked out by hand."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft import registry
from asft.errors import PluginError
from asft.tasks.gsm8k import GSM8K
from asft.tasks.pocket.task import Pocket
from asft.tasks.qa import QA
from asft.types import Context, Draft, Example, Filter, Grade, Task, Verdict

CASES = [
    ("well_formed", {}),
    ("duplicate", {}),
    ("not_in_test", {}),
    ("agrees", {}),
    ("agrees", {"mode": "task"}),
]

TASK = GSM8K()


def make(name: str, options: Mapping[str, object] | None = None) -> Filter:
    made = registry.make("filter", name, options)
    assert isinstance(made, Filter)
    return made


def example(prompt: str, answer: str = "42", completion: str | None = "So 6*7 = 42.\n#### 42") -> Example:
    return Example.make(task="gsm8k", prompt=prompt, answer=answer, completion=completion)


def context(
    *,
    task: Task = TASK,
    seeds: Sequence[str] = (),
    accepted: Sequence[str] = (),
    test: Sequence[str] = (),
) -> Context:
    pool, earlier, held_out = (tuple(map(example, prompts)) for prompts in (seeds, accepted, test))
    return Context(task=task, seeds=pool, accepted=earlier, test=held_out, round=2, seed=0)


def check(
    name: str,
    made: Example,
    given: Context | None = None,
    *,
    options: Mapping[str, object] | None = None,
    accepted: Sequence[Example] = (),
    votes: tuple[str | None, ...] = (),
) -> Verdict:
    draft = Draft(number=7, example=made, votes=votes)
    return make(name, options).check(draft, given or context(), accepted)


# What every filter promises

POOL = context(
    seeds=["Ann has 6 bags of 7 nuts. How many nuts?"],
    accepted=["Bob has 2 cats. How many legs?"],
    test=["Cy buys 3 pens for $4 each and pays with a $20 bill. How much change does he get back?"],
)

DRAFTS = st.builds(
    Draft,
    number=st.integers(0, 99),
    example=st.one_of(
        st.none(),
        st.builds(
            example,
            prompt=st.one_of(st.text(max_size=60), st.just("Ann has 6 bags of 7 nuts. How many nuts?")),
            answer=st.sampled_from(["", "42", "x", "1,000"]),
            completion=st.one_of(st.none(), st.text(max_size=20), st.just("#### 42")),
        ),
    ),
    reason=st.just("no answer"),
    votes=st.lists(st.sampled_from(["42", "43", "", None]), max_size=4).map(tuple),
)


def test_every_built_in_is_under_contract() -> None:
    assert {name for name, _ in CASES} == set(registry.BUILT_IN["filter"])


@pytest.mark.parametrize(("name", "options"), CASES)
class TestEveryFilter:
    @given(draft=DRAFTS)
    def test_every_draft_gets_a_verdict_with_a_reason(
        self, name: str, options: dict[str, object], draft: Draft
    ) -> None:
        verdict = make(name, options).check(draft, POOL, ())
        assert (verdict.number, verdict.filter) == (draft.number, name)
        assert verdict.decision in ("keep", "drop", "undecided")
        assert verdict.reason.strip()

    @given(drafts=st.lists(DRAFTS, min_size=2, max_size=5), seed=st.integers(0, 9))
    def test_what_it_checked_before_does_not_matter(
        self, name: str, options: dict[str, object], drafts: list[Draft], seed: int
    ) -> None:
        used = make(name, options)
        others = [context(test=["Who?"]), POOL, replace(POOL, test=())]
        for draft in drafts:
            used.check(draft, random.Random(seed).choice(others), ())
        assert used.check(drafts[0], POOL, ()) == make(name, options).check(drafts[0], POOL, ())

    def test_only_an_ordered_filter_reads_what_was_accepted(
        self, name: str, options: dict[str, object]
    ) -> None:
        draft = Draft(number=0, example=example("Dee has 6 rows of 7 trees. How many trees?"), votes=("42",))
        used = make(name, options)
        alone = used.check(draft, POOL, ())
        assert draft.example is not None
        beside = used.check(draft, POOL, (draft.example,))
        assert (alone != beside) == used.ordered

    def test_a_draft_without_an_example_is_dropped(self, name: str, options: dict[str, object]) -> None:
        verdict = make(name, options).check(Draft(number=1, example=None, reason="cut off"), POOL, ())
        assert (verdict.decision, verdict.reason) == ("drop", "no example: cut off")

    def test_making_it_remembers_nothing_of_another(self, name: str, options: dict[str, object]) -> None:
        assert make(name, options) == make(name, options)
        used = make(name, options)
        used.check(Draft(number=0, example=example("Who has 42 nuts?")), POOL, ())
        assert vars(make(name, options)).keys() <= vars(used).keys()
        assert used == make(name, options)


# well_formed


@pytest.mark.parametrize(
    "prompt",
    [
        "How many nuts are 6 times 7?",
        "Find the number of nuts in 6 bags of 7.",
        'Ann says: "How many nuts are 6 times 7?"',
        "**How many nuts are 6 times 7?**",
        "How many nuts are 6 times 7? (A bag holds 7 nuts.)",
        "How many nuts are 6 times 7? (in whole nuts)",
        "How many nuts are 6 times 7?\n(A) 41\n(B) 42",
        "Count them!",
    ],
)
def test_a_whole_question_with_its_answer_is_well_formed(prompt: str) -> None:
    verdict = check("well_formed", example(prompt))
    assert (verdict.decision, verdict.reason) == ("keep", "well formed")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (example(" \n"), "no question"),
        (example("Six?"), "length of the question: 4 characters, not 10 to 2000"),
        (example("6" * 2000 + "?"), "length of the question: 2001 characters, not 10 to 2000"),
        (example("Ann has 6 bags of 7 nuts and"), "question without an end: 'Ann has 6 bags of 7 nuts and'"),
        (example("Ann has 6 bags of 7 nuts..."), "question without an end: 'Ann has 6 bags of 7 nuts...'"),
        (example("Ann has bags (six)"), "question without an end: 'Ann has bags (six)'"),
        (example("Ann has 6 bags,"), "question without an end: 'Ann has 6 bags,'"),
        (example("How many nuts?", answer="?"), "answer cannot be graded: '?'"),
        (example("How many nuts?", answer=""), "answer cannot be graded: ''"),
        (
            example("How many nuts?", completion="So 6*7 = 43.\n#### 43"),
            "worked answer arrives at another answer: '43', not '42'",
        ),
        (
            example("How many nuts?", completion="I do not know."),
            "worked answer arrives at another answer: None, not '42'",
        ),
        (
            example("How many nuts?", completion="x" * 3999 + "\n#### 42"),
            "length of the answer: 4007 characters, not at most 4000",
        ),
    ],
)
def test_what_is_not_well_formed_is_dropped_for_its_first_fault(made: Example, reason: str) -> None:
    verdict = check("well_formed", made)
    assert (verdict.decision, verdict.reason) == ("drop", reason)


def test_final_answers_are_compared_as_the_task_compares_them() -> None:
    # "$42.00" is 42 for a number; for a choice "(B) nuts" is B.
    assert check("well_formed", example("How many nuts?", completion="#### $42.00")).decision == "keep"
    choice = context(task=QA(format="choice", seed="unused"))
    made = example("Which?\n(A) one\n(B) two", answer="B", completion="It is two. The answer is (B).")
    assert check("well_formed", made, choice).decision == "keep"
    assert check("well_formed", replace(made, answer="A"), choice).decision == "drop"


def test_without_a_worked_answer_the_answer_alone_is_checked() -> None:
    verdict = check("well_formed", example("How many nuts?", completion=None))
    assert verdict.decision == "keep"
    assert verdict.reason == "well formed: there is no worked answer to check"


def test_every_pocket_problem_is_well_formed() -> None:
    task = Pocket(seeds=100)
    for seed in task.load("seed"):
        assert check("well_formed", seed, context(task=task)).decision == "keep"


def test_bounds_are_options() -> None:
    made = example("Six?")
    assert check("well_formed", made, options={"min_question": 4}).decision == "keep"
    assert check("well_formed", made, options={"min_question": 1, "max_question": 3}).decision == "drop"
    assert check("well_formed", made, options={"min_question": 1, "max_completion": 5}).decision == "drop"
    with pytest.raises(PluginError, match="min_question = 10 is more than max_question = 9; no question"):
        make("well_formed", {"max_question": 9})


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
def test_equal_words_and_numbers_are_one_question(first: str, second: str) -> None:
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
def test_other_numbers_or_signs_are_another_question(first: str, second: str) -> None:
    assert check("duplicate", example(first), context(seeds=[second])).decision == "keep"


def test_a_duplicate_says_of_what() -> None:
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


def test_another_answer_does_not_make_another_question() -> None:
    made = example("Ann has 6 bags?", answer="6")
    assert check("duplicate", made, context(seeds=["Ann has 6 bags?"])).decision == "drop"


def test_a_test_question_is_no_matter_of_duplicate() -> None:
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
def test_half_of_the_runs_of_eight_words_are_too_many(prompt: str, decision: str, reason: str) -> None:
    split = context(test=["nothing of the kind", LETTERS])
    verdict = check("not_in_test", example(prompt), split)
    assert (verdict.decision, verdict.reason) == (decision, reason.format(id=split.test[1].id))


def test_two_test_questions_are_not_added_up() -> None:
    # Of the 9 runs of the draft the first test question holds the first 3, the second the last 3.
    split = context(test=["a b c d e f g h i j 1 2", "3 4 g h i j k l m n o p"])
    assert check("not_in_test", example(LETTERS), split).decision == "keep"


def test_the_share_is_an_option() -> None:
    made, split = example("a b c d e f g h i j k 1 2 3 4 5"), context(test=[LETTERS])
    assert check("not_in_test", made, split, options={"share": 4 / 9}).decision == "drop"
    with pytest.raises(PluginError, match="share"):
        make("not_in_test", {"share": 0})


WORDS = st.lists(st.sampled_from(["a", "b", "1", "2", "x"]), max_size=25)


@given(prompt=WORDS, test=st.lists(WORDS, max_size=4))
def test_it_decides_as_the_definition_read_aloud(prompt: list[str], test: list[list[str]]) -> None:
    def runs(words: list[str]) -> set[str]:
        return {" ".join(words[i : i + 8]) for i in range(len(words)) if i + 8 <= len(words)}

    mine = runs(prompt)
    bad = any(item == prompt or (mine and len(mine & runs(item)) >= len(mine) / 2) for item in test)
    split = context(test=[" ".join(item) for item in test])
    verdict = check("not_in_test", example(" ".join(prompt)), split)
    assert verdict.decision == ("drop" if bad else "keep")


def test_the_index_of_the_test_split_is_made_once() -> None:
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


def test_problems_of_the_same_families_are_seldom_taken_for_test_problems() -> None:
    task = Pocket(seeds=300, tests=300)
    split = replace(context(task=task), test=tuple(task.load("test")))
    used = make("not_in_test")
    decisions = [used.check(Draft(number=0, example=seed), split, ()).decision for seed in task.load("seed")]
    assert decisions.count("drop") < 30


def test_gsm8k_is_searched_fast_and_finds_its_own_test_split(gsm8k: Path) -> None:
    task = GSM8K(source=str(gsm8k))
    split = replace(context(task=task), test=tuple(task.load("test")))
    used = make("not_in_test")
    start = time.process_time()
    found = [used.check(Draft(number=0, example=item), split, ()).decision for item in split.test]
    assert set(found) == {"drop"}
    train = [
        used.check(Draft(number=0, example=item), split, ()).decision for item in task.load("seed")[:2000]
    ]
    assert train.count("drop") < 40
    assert time.process_time() - start < 5


# agrees


@pytest.mark.parametrize(
    ("votes", "decision", "reason"),
    [
        (("42", "42", "43"), "keep", "majority: 3 of 4"),
        (("42.0", "$42", "7"), "keep", "majority: 3 of 4"),
        (("43", "44", "42"), "keep", "majority: 2 of 4"),
        (("43",), "drop", "tie: 1 of 2 for '42', as many for '43'"),
        (("42", "43", "43.00"), "drop", "tie: 2 of 4 for '42', as many for '43'"),
        (("43", "43", "42", "43"), "drop", "minority: 2 of 5 for '42', 3 for '43'"),
        (("43", "44"), "drop", "tie: 1 of 3 for '42', as many for '43'"),
        # One that cannot be read is no vote, for nor against.
        ((None, "42", None), "keep", "majority: 2 of 2"),
        ((None, None), "undecided", "no votes: none of 2 can be read"),
        ((), "undecided", "no votes: the writer asks for none"),
    ],
)
def test_the_majority_of_the_answers_decides(
    votes: tuple[str | None, ...], decision: str, reason: str
) -> None:
    verdict = check("agrees", example("How many?"), votes=votes)
    assert (verdict.decision, verdict.reason) == (decision, reason)


def test_votes_are_compared_as_the_task_compares_answers() -> None:
    choice = context(task=QA(format="choice", seed="unused"))
    made = example("Which?", answer="B")
    assert check("agrees", made, choice, votes=("(B)", "b", "A")).decision == "keep"


@dataclass(frozen=True)
class Solver:
    """GSM8K's grading, and an answer to every question."""

    answer: str | None

    def load(self, split: str) -> Sequence[Example]:
        return ()

    def grade(self, example: Example, text: str) -> Grade:
        return TASK.grade(example, text)

    def solve(self, prompt: str) -> str | None:
        return self.answer if prompt == "How many?" else None


@pytest.mark.parametrize(
    ("task", "decision", "reason"),
    [
        (Solver("42.0"), "keep", "the task agrees"),
        (Solver("43"), "drop", "the task disagrees: '43', not '42'"),
        (Solver(None), "undecided", "the task cannot solve this question"),
        (TASK, "undecided", "the task solves no questions"),
    ],
)
def test_a_task_that_can_solve_a_question_decides(task: Task, decision: str, reason: str) -> None:
    verdict = check("agrees", example("How many?"), context(task=task), options={"mode": "task"})
    assert (verdict.decision, verdict.reason) == (decision, reason)
