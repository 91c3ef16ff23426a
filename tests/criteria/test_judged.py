"""The judge's criterion: what it asks, and what it makes of the grades."""

from pathlib import Path

import pytest

from asft.budget import ceiling_of
from asft.criteria.asking import LEFT_OUT
from asft.errors import PluginError, PromptError
from asft.types import Answer, Example, Measurements, Observation, Request
from tests.criteria.asked import driven, inquiries
from tests.criteria.contract import make

OWN = "1+1 = 3\n#### 3"


def seen(own: str | None = OWN, *, completion: str | None = None) -> Measurements:
    answer = None if own is None else Answer(text=own, token_ids=(), finish="stop")
    return Measurements(
        round=1,
        examples=(Example(id="a", task="t", prompt="What is 1+1?", answer="2", completion=completion),),
        observations=(Observation(example_id="a", own=answer),),
    )


def said(name: str, value: float | None) -> Measurements:
    return Measurements(
        round=1,
        examples=(Example(id="a", task="t", prompt="?", answer="2"),),
        observations=(Observation(example_id="a", signals={name: value}),),
    )


def text(request: Request) -> str:
    return "\n".join(message.content for message in request.messages)


# Absolute


def test_the_score_is_what_is_missing_to_the_best_grade() -> None:
    # On a scale from 1 to 10: (10 - 7) / 9.
    assert make("judge").score(said("judge", 7.0)) == [pytest.approx(1 / 3)]
    assert make("judge").score(said("judge", 10.0)) == [0.0]
    assert make("judge").score(said("judge", 1.0)) == [1.0]
    assert make("judge").score(said("judge", None)) == [None]


def test_the_judge_is_shown_question_answer_and_reference() -> None:
    [one] = inquiries(make("judge"), seen(completion="1+1 = 2\n#### 2"))
    result, [asked] = driven(one, lambda _: "It is wrong.\nScore: 2")
    assert result == {"a": 2.0}
    assert asked.to == "judge"
    assert asked.purpose == "judge"
    for shown in ("What is 1+1?", OWN, "1+1 = 2\n#### 2"):
        assert shown in text(asked)


def test_without_a_worked_reference_the_final_answer_is_shown() -> None:
    [one] = inquiries(make("judge"), seen())
    _, [asked] = driven(one, lambda _: "Score: 2")
    assert "<reference>\n2\n</reference>" in text(asked)


def test_the_reference_can_be_kept_from_the_judge() -> None:
    [one] = inquiries(make("judge", {"reference": False}), seen(completion="1+1 = 2\n#### 2"))
    _, [asked] = driven(one, lambda _: "Score: 2")
    assert "reference" not in text(asked)


def test_a_reply_without_a_grade_is_asked_for_again_as_the_next_sample() -> None:
    [one] = inquiries(make("judge", {"reasks": 2}), seen(), seed=5)
    replies = iter(["no idea", "Score: 4"])
    result, asked = driven(one, lambda _: next(replies))
    assert result == {"a": 4.0}
    assert [(one.index, one.seed, one.sampling.temperature) for one in asked] == [(0, 5, 0.0), (1, 5, 0.7)]


def test_a_judge_that_never_gives_a_grade_gives_none_and_not_zero() -> None:
    [one] = inquiries(make("judge", {"reasks": 2}), seen())
    result, asked = driven(one, lambda _: "Score: 99")
    assert result == {"a": None}
    assert len(asked) == one.ceiling.requests == 3


def test_a_seed_that_was_not_answered_is_not_judged() -> None:
    assert inquiries(make("judge"), seen(None)) == []


def test_an_empty_answer_is_judged() -> None:
    [one] = inquiries(make("judge"), seen(""))
    assert driven(one, lambda _: "Score: 1")[0] == {"a": 1.0}


def test_a_long_answer_keeps_its_beginning_and_its_end() -> None:
    own = "first " + "ä" * 5000 + "\n#### 3"
    [one] = inquiries(make("judge", {"max_answer_bytes": 100}), seen(own))
    _, [asked] = driven(one, lambda _: "Score: 2")
    inner = text(asked).split("<answer>\n")[1].split("\n</answer>")[0]
    assert inner.startswith("first ä")
    assert inner.endswith("ä\n#### 3")
    assert LEFT_OUT in inner
    assert 90 <= len(inner.encode()) <= 100


def test_the_ceiling_is_that_of_the_request_and_its_re_asks() -> None:
    [one] = inquiries(make("judge", {"reasks": 2, "max_tokens": 77}), seen())
    _, [asked] = driven(one, lambda _: "Score: 2")
    assert one.ceiling.input_tokens == 3 * ceiling_of(asked).input_tokens
    assert one.ceiling.output_tokens == 3 * 77


# Pairwise


def pairwise(replies: dict[str, str], **options: object) -> tuple[float | None, list[Request]]:
    """`replies` by who is shown first."""
    [one] = inquiries(make("judge", {"mode": "pairwise", **options}), seen())
    taught = "1+1 = 2\n#### 2"

    def answer(request: Request) -> str:
        if request.to == "teacher":
            return taught
        first = "teacher" if text(request).index(taught) < text(request).index(OWN) else "student"
        return replies[first]

    result, asked = driven(one, answer)
    return result["a"], asked


def test_the_gap_is_the_mean_over_both_orders() -> None:
    # 9 - 4 with the teacher's answer first, 7 - 6 with the student's: (5 + 1) / 2.
    gap, asked = pairwise(
        {"teacher": "Score A: 9\nScore B: 4", "student": "Score A: 6\nScore B: 7"}, reference=False
    )
    assert gap == 3.0
    assert [one.to for one in asked] == ["teacher", "judge", "judge"]
    assert [one.purpose for one in asked] == ["answer", "judge", "judge"]


def test_a_judge_that_likes_the_first_answer_best_finds_no_gap() -> None:
    likes_the_first = "Score A: 9\nScore B: 2"
    gap, _ = pairwise({"teacher": likes_the_first, "student": likes_the_first}, reference=False)
    assert gap == 0.0


def test_one_order_without_grades_leaves_no_gap() -> None:
    gap, asked = pairwise({"teacher": "Score A: 9\nScore B: 4", "student": "both fine"}, reference=False)
    assert gap is None
    # Only the order that could not be read is asked for again.
    assert [one.index for one in asked] == [0, 0, 0, 1]


def test_the_gap_is_a_share_of_the_scale() -> None:
    criterion = make("judge", {"mode": "pairwise"})
    assert criterion.score(said("judge_pair", 4.5)) == [0.5]
    assert criterion.score(said("judge_pair", -9.0)) == [-1.0]
    assert criterion.score(said("judge_pair", None)) == [None]


def test_a_teacher_that_says_nothing_leaves_no_gap() -> None:
    [one] = inquiries(make("judge", {"mode": "pairwise"}), seen())
    result, asked = driven(one, lambda _: " ")
    assert result == {"a": None}
    assert [one.to for one in asked] == ["teacher", "teacher"]


def test_the_longest_answer_of_a_teacher_is_within_the_ceiling() -> None:
    criterion = make("judge", {"mode": "pairwise", "max_answer_bytes": 201, "reference": False, "reasks": 1})
    [one] = inquiries(criterion, seen())
    # `driven` holds all that is asked to the ceiling. No grades: both orders are asked for again.
    result, asked = driven(one, lambda _: "y" * 9000)
    assert result == {"a": None}
    assert len(asked) == 5
    assert one.ceiling.requests == 6
    spent = [ceiling_of(request).input_tokens for request in asked]
    assert one.ceiling.input_tokens == sum(spent) + spent[0]


# Prompts and options


PROMPT = (
    "---\ndescription: Mine.\npurpose: judge\nvariables:\n  question: Q.\n  answer: A.\nscale: [0, 4]\n---\n"
    "{{ question }} {{ answer }}\n"
)


def test_another_prompt_brings_its_own_scale(tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_text(PROMPT)
    criterion = make("judge", {"prompt": str(path)})
    [one] = inquiries(criterion, seen())
    assert driven(one, lambda _: "Score: 0")[0] == {"a": 0.0}
    assert driven(one, lambda _: "Score: 5")[0] == {"a": None}
    assert criterion.score(said("judge", 3.0)) == [0.25]


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (PROMPT.replace("scale: [0, 4]\n", ""), r"scale: \[1, 10\]"),
        (PROMPT.replace("answer", "reply"), "needs a value for 'reply'"),
        (PROMPT.replace("  answer: A.\n", "").replace("{{ answer }}", ""), "must name 'answer'"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_told_at_once(tmp_path: Path, broken: str, error: str) -> None:
    path = tmp_path / "mine.md"
    path.write_text(broken)
    with pytest.raises(PromptError, match=error):
        make("judge", {"prompt": str(path)})


def test_an_option_of_the_other_mode_is_refused() -> None:
    with pytest.raises(PluginError, match=r"'answer_prompt' has an effect in mode: pairwise alone"):
        make("judge", {"answer_prompt": "answer"})


def test_a_changed_prompt_is_another_need(tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_text(PROMPT)
    [before] = make("judge", {"prompt": str(path)}).needs
    path.write_text(PROMPT + "Be strict.\n")
    [after] = make("judge", {"prompt": str(path)}).needs
    assert before != after
    assert before.name == after.name == "judge"
