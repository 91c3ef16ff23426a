"""well_formed: what is whole, and the first fault of what is not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from asft.errors import PluginError
from asft.tasks.pocket.task import Pocket
from asft.tasks.qa import QA
from asft.types import Context, Example, Filter, Verdict

Make = Callable[..., Filter]
Making = Callable[..., Context]
Check = Callable[..., Verdict]


def example(prompt: str, answer: str = "42", completion: str | None = "So 6*7 = 42.\n#### 42") -> Example:
    return Example.make(task="gsm8k", prompt=prompt, answer=answer, completion=completion)


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
def test_a_whole_question_with_its_answer_is_well_formed(check: Check, prompt: str) -> None:
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
def test_what_is_not_well_formed_is_dropped_for_its_first_fault(
    check: Check, made: Example, reason: str
) -> None:
    verdict = check("well_formed", made)
    assert (verdict.decision, verdict.reason) == ("drop", reason)


def test_final_answers_are_compared_as_the_task_compares_them(check: Check, context: Making) -> None:
    # "$42.00" is 42 for a number; for a choice "(B) nuts" is B.
    assert check("well_formed", example("How many nuts?", completion="#### $42.00")).decision == "keep"
    choice = context(task=QA(format="choice", seed="unused"))
    made = example("Which?\n(A) one\n(B) two", answer="B", completion="It is two. The answer is (B).")
    assert check("well_formed", made, choice).decision == "keep"
    assert check("well_formed", replace(made, answer="A"), choice).decision == "drop"


def test_without_a_worked_answer_the_answer_alone_is_checked(check: Check) -> None:
    verdict = check("well_formed", example("How many nuts?", completion=None))
    assert verdict.decision == "keep"
    assert verdict.reason == "well formed: there is no worked answer to check"


def test_every_pocket_problem_is_well_formed(check: Check, context: Making) -> None:
    task = Pocket(seeds=100)
    for seed in task.load("seed"):
        assert check("well_formed", seed, context(task=task)).decision == "keep"


def test_bounds_are_options(check: Check, make: Make) -> None:
    made = example("Six?")
    assert check("well_formed", made, options={"min_question": 4}).decision == "keep"
    assert check("well_formed", made, options={"min_question": 1, "max_question": 3}).decision == "drop"
    assert check("well_formed", made, options={"min_question": 1, "max_completion": 5}).decision == "drop"
    with pytest.raises(PluginError, match="min_question = 10 is more than max_question = 9; no question"):
        make("well_formed", {"max_question": 9})
