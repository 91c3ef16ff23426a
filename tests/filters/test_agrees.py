"""agrees: votes of the teacher, and tasks that solve questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from asft.tasks.gsm8k import GSM8K
from asft.tasks.qa import QA
from asft.types import Context, Example, Grade, Task, Verdict

TASK = GSM8K()

Making = Callable[..., Context]
Check = Callable[..., Verdict]


def example(prompt: str, answer: str = "42", completion: str | None = "So 6*7 = 42.\n#### 42") -> Example:
    return Example.make(task="gsm8k", prompt=prompt, answer=answer, completion=completion)


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
    check: Check, votes: tuple[str | None, ...], decision: str, reason: str
) -> None:
    verdict = check("agrees", example("How many?"), votes=votes)
    assert (verdict.decision, verdict.reason) == (decision, reason)


def test_votes_are_compared_as_the_task_compares_answers(check: Check, context: Making) -> None:
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
def test_a_task_that_can_solve_a_question_decides(
    check: Check, context: Making, task: Task, decision: str, reason: str
) -> None:
    verdict = check("agrees", example("How many?"), context(task=task), options={"mode": "task"})
    assert (verdict.decision, verdict.reason) == (decision, reason)
