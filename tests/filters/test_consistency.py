"""consistency: the share of further answers that are equal to the draft's, by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from asft import needs
from asft.errors import PluginError, PromptError
from asft.types import Answer, Context, Draft, Example, Filter, Finish, Measured, Measurements, Observation
from tests.filters.scripts import Driven, decided, said

Make = Callable[..., Filter]
Making = Callable[..., Context]

DRAFT = Draft(
    number=7,
    example=Example.make(
        task="gsm8k", prompt="What is 6 times 7?", answer="42", completion="6*7 = 42\n#### 42"
    ),
)


def sampled(grades: Sequence[float | None], finish: Finish = "stop") -> Measured:
    answers = tuple(Answer(text="", token_ids=(), finish=finish, grade=grade) for grade in grades)
    observation = Observation(example_id="x", samples=answers)
    return Measured(wave=Measurements(round=2, examples=(), observations=(observation,)), row=0)


@pytest.mark.parametrize(
    ("grades", "decision", "reason"),
    [
        ((1.0, 1.0, 0.0, 0.0), "keep", "the student agrees: 2 of 4"),
        ((1.0, 0.0, 0.0, 0.0), "drop", "the student agrees too seldom: 1 of 4"),
        # What has no final answer is equal to none, and still one of the four.
        ((1.0, None, None, None), "drop", "the student agrees too seldom: 1 of 4"),
        ((0.0, None, None, None), "drop", "the student agrees too seldom: 0 of 4"),
        ((None, None, None, None), "undecided", "no answers: none of 4 can be read"),
    ],
)
def test_the_students_answers_decide(
    make: Make, context: Making, grades: Sequence[float | None], decision: str, reason: str
) -> None:
    used = make("consistency", {"k": 4, "at_least": 0.5})
    assert used.looks.needs == (needs.samples(4, 0.7),)
    verdict = decided(used.check(DRAFT, context(), (), sampled(grades)))
    assert (verdict.decision, verdict.reason) == (decision, reason)


def test_an_answer_that_was_cut_off_agrees_with_nothing(make: Make, context: Making) -> None:
    verdict = decided(
        make("consistency", {"k": 2}).check(DRAFT, context(), (), sampled((1.0, 1.0), "length"))
    )
    assert verdict.decision == "undecided"


@pytest.mark.parametrize("by", ["teacher", "judge"])
def test_another_model_is_asked_k_times_at_once(make: Make, context: Making, by: str) -> None:
    used = make("consistency", {"by": by, "k": 3, "at_least": 0.6, "temperature": 0.5})
    driven = Driven(["6*7 = 42\n#### 42", "<think>#### 42</think>\n#### 41", "It is \\boxed{42.0}"])
    verdict = driven.decide(used.check(DRAFT, context(), ()))
    assert (verdict.decision, verdict.reason) == ("keep", f"the {by} agrees: 2 of 3")
    assert [(one.to, one.index, one.sampling.temperature) for one in driven.asked] == [
        (by, index, 0.5) for index in range(3)
    ]
    assert "What is 6 times 7?" in driven.asked[0].messages[-1].content
    assert "42" not in driven.asked[0].messages[-1].content.replace("<<6*7=42>>42", "")
    assert used.looks.needs == ()


def test_replies_without_an_answer_are_none(make: Make, context: Making) -> None:
    used = make("consistency", {"by": "teacher", "k": 2})
    cut = [said("6*7 = 42\n#### 42", "length"), said("I cannot do this.")]
    assert decided(used.check(DRAFT, context(), ()), *cut).decision == "undecided"


def test_a_question_that_is_too_long_is_not_asked(make: Make, context: Making) -> None:
    used = make("consistency", {"by": "teacher", "max_bytes": 17})
    verdict = decided(used.check(DRAFT, context(), ()))
    assert (verdict.decision, verdict.reason) == ("undecided", "too long to be asked: more than 17 bytes")
    assert decided(
        make("consistency", {"by": "teacher", "max_bytes": 18, "k": 1}).check(DRAFT, context(), ()), "42"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"prompt": "judge_answer"}, "needs a value for 'answer'"), ({"k": 0}, "greater than or equal to 1")],
)
def test_what_cannot_be_meant_is_refused(make: Make, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises((PluginError, PromptError), match=sentence):
        make("consistency", {"by": "teacher", **options})
