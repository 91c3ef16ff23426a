"""Criteria of final answers, each formula worked out by hand, and what makes final answers equal."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.measure.answers import graded
from asft.tasks.gsm8k import GSM8K
from asft.tasks.qa import QA
from asft.types import Answer, Example, Measurements, Observation, Task
from tests.criteria.contract import make


def answer(grade: float | None = None, *, final: str | None = None, cut_off: bool = False) -> Answer:
    return Answer(text="", token_ids=(), finish="length" if cut_off else "stop", grade=grade, final=final)


def score(name: str, options: dict[str, object], samples: Sequence[Answer]) -> float | None:
    example = Example(id="a", task="t", prompt="a", answer="1")
    observation = Observation(example_id="a", samples=tuple(samples))
    measurements = Measurements(round=1, examples=(example,), observations=(observation,))
    [found] = make(name, options).score(measurements)
    return found


@pytest.mark.parametrize(
    ("answers", "as_wrong", "as_unknown"),
    [
        ([answer(1.0)], 0.0, 0.0),
        ([answer(0.0)], 1.0, 1.0),
        ([answer(1.0), answer(0.0), answer(0.0), answer(1.0)], 0.5, 0.5),
        # An answer that is right by three quarters and one that is wrong: (0.25 + 1) / 2.
        ([answer(0.75), answer(0.0)], 0.625, 0.625),
        # One right, one without a final answer: half wrong, or nothing but right.
        ([answer(1.0), answer(None)], 0.5, 0.0),
        # Cut off: the number that it broke off at may look right.
        ([answer(1.0, cut_off=True), answer(1.0)], 0.5, 0.0),
        ([answer(None), answer(0.0, cut_off=True)], 1.0, None),
        ([], None, None),
    ],
)
def test_incorrect_is_the_share_of_wrong_answers(
    answers: list[Answer], as_wrong: float | None, as_unknown: float | None
) -> None:
    assert score("incorrect", {"k": 4}, answers) == as_wrong
    assert score("incorrect", {"k": 4, "ungradable": "none"}, answers) == as_unknown


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=9))
def test_incorrect_is_a_share_and_unknown_answers_never_raise_it(grades: list[float | None]) -> None:
    answers = [answer(grade) for grade in grades]
    as_wrong = score("incorrect", {"k": 9}, answers)
    as_unknown = score("incorrect", {"k": 9, "ungradable": "none"}, answers)
    assert (as_wrong is None) == (not grades)
    assert as_wrong is None or 0.0 <= as_wrong <= 1.0
    assert as_unknown is None or (as_wrong is not None and as_unknown <= as_wrong + 1e-12)


@pytest.mark.parametrize(
    ("finals", "entropy", "disagreement"),
    [
        (["18", "18", "18", "18"], 0.0, 0.0),
        # Two and two: ln 2.
        (["18", "18", "20", "20"], 0.6931471806, 0.5),
        # Shares 1/2, 1/4, 1/4: 1.5 ln 2.
        (["18", "18", "20", "21"], 1.0397207708, 0.5),
        (["18", "19", "20", "21"], 1.3862943611, 0.75),
        # Two answers without a final one do not agree with each other: shares 1/2, 1/4, 1/4.
        (["18", "18", None, None], 1.0397207708, 0.5),
        ([None, None, None, None], 1.3862943611, 0.75),
        ([], None, None),
    ],
)
def test_scatter_of_final_answers(
    finals: list[str | None], entropy: float | None, disagreement: float | None
) -> None:
    samples = [answer(final=final) for final in finals]
    assert score("answer_entropy", {"k": 4}, samples) == (
        None if entropy is None else pytest.approx(entropy, abs=1e-12 if not entropy else None)
    )
    assert score("disagreement", {"k": 4}, samples) == disagreement


@pytest.mark.parametrize("name", ["answer_entropy", "disagreement"])
def test_an_answer_that_was_cut_off_agrees_with_none(name: str) -> None:
    cut = [answer(final="18"), answer(final="18", cut_off=True)]
    assert score(name, {"k": 2}, cut) == score(name, {"k": 2}, [answer(final="18"), answer(final="20")])


@given(st.lists(st.one_of(st.none(), st.sampled_from("abc")), min_size=1, max_size=9))
def test_scatter_is_bounded_and_indifferent_to_order(finals: list[str | None]) -> None:
    samples = [answer(final=final) for final in finals]
    for name, most in (("answer_entropy", math.log(len(finals))), ("disagreement", 1 - 1 / len(finals))):
        found = score(name, {"k": 9}, samples)
        assert found is not None
        assert 0.0 <= found <= most + 1e-12
        assert found == pytest.approx(score(name, {"k": 9}, samples[::-1]))


# What makes two final answers equal


def finals(task: Task, example: Example, *texts: str) -> list[str | None]:
    answers = [Answer(text=text, token_ids=(), finish="stop") for text in texts]
    return [one.final for one in graded(task, [example] * len(texts), answers)]


def test_final_answers_that_the_task_holds_for_equal_are_written_alike() -> None:
    example = Example(id="a", task="gsm8k", prompt="?", answer="20")
    said = finals(GSM8K(), example, "#### 18", "The answer is 18.", "It costs $18.00", "#### 20", "20 clips")
    assert said == ["18", "18", "18", "20", "20"]


def test_an_answer_without_a_final_one_has_none() -> None:
    example = Example(id="a", task="gsm8k", prompt="?", answer="20")
    assert finals(GSM8K(), example, "I do not know.", "#### 20", "") == [None, "20", None]


def test_final_answers_are_compared_in_the_way_of_the_task() -> None:
    choice = QA(name="q", seed="x.jsonl", format="choice")
    example = Example(id="a", task="q", prompt="?", answer="B")
    assert finals(choice, example, "The answer is (C)", "C", "B. Paris") == ["C", "C", "B"]


def test_final_answers_to_one_question_are_not_compared_with_those_to_another() -> None:
    task = GSM8K()
    one, other = (Example(id=name, task="gsm8k", prompt=name, answer="20") for name in "ab")
    answers = [Answer(text=text, token_ids=(), finish="stop") for text in ("#### 18.0", "#### 18")]
    assert [got.final for got in graded(task, [one, other], answers)] == ["18.0", "18"]
