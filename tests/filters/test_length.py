"""length: bounds of questions and answers, in words and in characters."""

from collections.abc import Callable, Mapping

import pytest

from asft.errors import PluginError
from asft.types import Example, Filter, Verdict

Make = Callable[..., Filter]
Check = Callable[..., Verdict]


def example(prompt: str, answer: str = "42", completion: str | None = None) -> Example:
    return Example.make(task="gsm8k", prompt=prompt, answer=answer, completion=completion)


@pytest.mark.parametrize(
    ("options", "decision", "reason"),
    [
        # The question has 4 words and 15 characters, the worked answer 5 words and 19 characters.
        ({"min_question": 4, "max_question": 4}, "keep", "within bounds"),
        ({"min_question": 5}, "drop", "question too short: 4 words, not at least 5"),
        ({"max_question": 3}, "drop", "question too long: 4 words, not at most 3"),
        ({"min_answer": 5, "max_answer": 5}, "keep", "within bounds"),
        ({"min_answer": 6}, "drop", "answer too short: 5 words, not at least 6"),
        ({"max_answer": 4}, "drop", "answer too long: 5 words, not at most 4"),
        ({"unit": "characters", "min_question": 15, "max_question": 15}, "keep", "within bounds"),
        (
            {"unit": "characters", "max_question": 14},
            "drop",
            "question too long: 15 characters, not at most 14",
        ),
        (
            {"unit": "characters", "min_answer": 20},
            "drop",
            "answer too short: 19 characters, not at least 20",
        ),
        ({"min_answer": 6, "max_question": 3}, "drop", "question too long: 4 words, not at most 3"),
    ],
)
def test_what_is_out_of_bounds_is_dropped_the_question_first(
    check: Check, options: Mapping[str, object], decision: str, reason: str
) -> None:
    made = example(" Ann has 3 nuts?\n", completion="3 + 3 are 6.\n#### 6")
    verdict = check("length", made, options=options)
    assert (verdict.decision, verdict.reason) == (decision, reason)


def test_without_a_worked_answer_the_final_answer_is_counted(check: Check) -> None:
    verdict = check("length", example("How many?", answer="42 nuts"), options={"min_answer": 3})
    assert verdict.reason == "answer too short: 2 words, not at least 3"


def test_in_scripts_without_spaces_every_letter_is_a_word(check: Check) -> None:
    assert check("length", example("小明有三只猫。"), options={"min_question": 6}).decision == "keep"
    assert check("length", example("小明有三只猫。"), options={"min_question": 7}).decision == "drop"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "there is no bound; give one of min_question, max_question, min_answer, max_answer"),
        ({"unit": "characters"}, "there is no bound"),
        (
            {"min_question": 5, "max_question": 4},
            "min_question = 5 is more than max_question = 4; no question would pass",
        ),
        ({"min_answer": 5, "max_answer": 4}, "min_answer = 5 is more than max_answer = 4; no answer would"),
        ({"max_answer": 0}, "max_answer"),
        ({"unit": "tokens", "max_answer": 5}, "unit"),
    ],
)
def test_bounds_that_say_nothing_or_allow_nothing_are_refused(
    make: Make, options: Mapping[str, object], message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        make("length", options)
