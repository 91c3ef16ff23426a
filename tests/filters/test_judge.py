"""judge: ratings, and what is none, by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asft.errors import PluginError, PromptError
from asft.types import Context, Draft, Example, Filter
from tests.filters.scripts import Driven, decided, said

Make = Callable[..., Filter]
Making = Callable[..., Context]


def draft(completion: str | None = "6*7 = 42\n#### 42") -> Draft:
    made = Example.make(task="gsm8k", prompt="What is 6 times 7?", answer="42", completion=completion)
    return Draft(number=7, example=made)


@pytest.mark.parametrize(
    ("replies", "decision", "reason"),
    [
        (("Fine.\n\nScore: 7",), "keep", "rated high enough: 7"),
        (("**Score: 10**",), "keep", "rated high enough: 10"),
        (("Careless.\nScore: 6.5",), "drop", "rated too low: 6.5, not at least 7"),
        (("I like it.", "Score: 1"), "drop", "rated too low: 1, not at least 7"),
        (("Score: 11", "Score: 9/10"), "keep", "rated high enough: 9"),
        # No rating is not a low rating.
        (("I like it.", "Score: high"), "undecided", "no rating: in none of 2 replies"),
    ],
)
def test_the_rating_decides_and_what_cannot_be_read_is_asked_again(
    make: Make, context: Making, replies: tuple[str, ...], decision: str, reason: str
) -> None:
    driven = Driven(replies)
    verdict = driven.decide(make("judge").check(draft(), context(), ()))
    assert (verdict.decision, verdict.reason) == (decision, reason)
    assert [(one.to, one.index) for one in driven.asked] == [("judge", i) for i in range(len(replies))]
    assert [one.sampling.temperature for one in driven.asked] == [0.0, 0.7][: len(replies)]


def test_a_reply_that_was_cut_off_holds_no_rating(make: Make, context: Making) -> None:
    verdict = decided(make("judge", {"reasks": 0}).check(draft(), context(), ()), said("Score: 9", "length"))
    assert verdict.reason == "no rating: in none of 1 replies"


@pytest.mark.parametrize(("completion", "shown"), [("6*7 = 42\n#### 42", "6*7 = 42"), (None, "42")])
def test_it_shows_the_question_and_the_worked_answer_or_the_final_one(
    make: Make, context: Making, completion: str | None, shown: str
) -> None:
    driven = Driven(["Score: 9"])
    driven.decide(make("judge").check(draft(completion), context(), ()))
    text = driven.asked[0].messages[-1].content
    assert "<question>\nWhat is 6 times 7?\n</question>" in text
    assert f"<answer>\n{shown}" in text


def test_a_draft_that_is_too_long_is_not_rated(make: Make, context: Making) -> None:
    verdict = decided(make("judge", {"max_bytes": 17}).check(draft(), context(), ()))
    assert (verdict.decision, verdict.reason.partition(":")[0]) == ("undecided", "too long to be rated")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"at_least": 11}, "at_least = 11 tells nothing apart on the prompt's scale from 1 to 10"),
        ({"at_least": 1}, "give a rating above 1, and 10 at most"),
        ({"prompt": "question"}, "must name 'answer' under 'variables'"),
        ({"prompt": "judge_pair"}, "needs a value for 'answer_a'"),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Make, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises((PluginError, PromptError), match=sentence):
        make("judge", options)


def test_a_prompt_has_to_say_its_scale(make: Make, context: Making, tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    front = "description: d\npurpose: judge\nvariables:\n  question: q\n  answer: a\n"
    path.write_text(f"---\n{front}---\n{{{{ question }}}} {{{{ answer }}}}\n")
    with pytest.raises(PromptError, match="must say its 'scale'"):
        make("judge", {"prompt": str(path)})
    path.write_text(f"---\n{front}scale: [0, 4]\n---\n{{{{ question }}}} {{{{ answer }}}}\n")
    used = make("judge", {"prompt": str(path), "at_least": 4})
    assert decided(used.check(draft(), context(), ()), "Score: 3").decision == "drop"
