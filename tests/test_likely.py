"""What a recipe is expected to ask, told before anything is done."""

from pathlib import Path
from typing import Any

import pytest

from asft import ceilings, likely, recipe, writing
from asft.budget import estimated_tokens
from asft.journal import Journal
from asft.registry import plugin
from asft.types import Ceiling, Context, Example, Grade, Pick

PRESETS = sorted((Path(__file__).resolve().parents[1] / "recipes" / "presets").glob("*.yaml"))
BASE: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 2,
    "per_round": 10,
    "task": {"use": "pocket", "seeds": 40, "tests": 2},
    "student": {"base": "pocket", "max_new_tokens": 60},
    "teacher": {"use": "rules"},
    "criterion": {"use": "unscored"},
    "selector": {"use": "random"},
    "writer": {"use": "question_then_answer"},
    "filters": [],
}


@plugin
class Bare:
    """Questions with answers that nobody has worked out."""

    def load(self, split: str) -> list[Example]:
        return [Example.make(task="bare", prompt=f"{split} {i}?", answer="1") for i in range(4)]

    def grade(self, example: Example, text: str) -> Grade:
        return Grade(value=None, extracted=None)


def read(**changed: Any) -> tuple[recipe.Recipe, Context]:
    made = recipe.read({**BASE, **changed})
    seeds, test = (tuple(made.task.load(split)) for split in ("seed", "test"))
    return made, Context(task=made.task, seeds=seeds, accepted=(), test=test, round=1, seed=1)


def of(**changed: Any) -> Ceiling:
    found = likely.of(*read(**changed))
    assert found is not None
    return found


@pytest.mark.parametrize("writer", ["question_then_answer", "question_with_answer"])
def test_it_is_near_to_what_a_teacher_is_asked_and_says(writer: str, tmp_path: Path) -> None:
    made, context = read(per_round=40, rounds=1, writer={"use": writer})
    picks = [
        Pick(number=number, example=seed, observation=None, score=None, draw=0)
        for number, seed in enumerate(context.seeds)
    ]
    with Journal(tmp_path / "journal.sqlite") as journal:
        writing.write(made, picks, context, journal)
        sums = journal.sums()
    expected = likely.of(made, context)
    assert expected is not None
    assert expected.requests == sum(one.requests for one in sums)
    assert expected.input_tokens == pytest.approx(sum(one.input_tokens for one in sums), rel=0.5)
    assert expected.output_tokens == pytest.approx(sum(one.output_tokens for one in sums), rel=0.5)


@pytest.mark.parametrize(
    ("changed", "requests"),
    [
        ({"writer": {"use": "question_with_answer"}}, 20),
        ({"writer": {"use": "question_then_answer", "votes": 4}}, 20 * 6),
        ({"writer": {"use": "reference"}}, 0),
        ({"filters": [{"use": "well_formed"}, {"use": "judge", "reasks": 3}]}, 20 * 3),
        ({"filters": [{"use": "consistency", "by": "teacher", "k": 4}]}, 20 * 6),
        ({"criterion": {"use": "judge"}}, 2 * 40 + 40),
        ({"criterion": {"use": "judge", "mode": "pairwise"}}, 2 * 3 * 40 + 40),
    ],
)
def test_every_call_is_counted_once(changed: dict[str, Any], requests: int) -> None:
    assert of(**changed).requests == requests


def test_a_reply_is_as_long_as_what_the_seeds_have_in_its_place() -> None:
    context = read()[1]
    both = [f"Question: {seed.prompt}\nAnswer: {seed.completion}" for seed in context.seeds]
    mean = sum(estimated_tokens([text]) for text in both) / len(both)
    assert of(writer={"use": "question_with_answer"}).output_tokens == pytest.approx(20 * mean, rel=0.1)
    assert of(writer={"use": "question_with_answer", "max_tokens": 3}).output_tokens == 60


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_no_preset_is_expected_to_ask_more_than_it_may(preset: Path) -> None:
    made = recipe.look(preset, ["task.seeds=60", "task.tests=10"]).recipe()
    seeds, test = (tuple(made.task.load(split)) for split in ("seed", "test"))
    context = Context(task=made.task, seeds=seeds, accepted=(), test=test, round=1, seed=1)
    about, most = likely.of(made, context), ceilings.of(made, context).whole
    assert about is not None
    assert 0 <= about.requests <= most.requests
    assert about.input_tokens <= most.input_tokens
    assert about.output_tokens <= most.output_tokens
    assert bool(about.requests) == bool(most.requests)


def test_without_worked_answers_there_is_nothing_to_go_by() -> None:
    assert likely.of(*read(task={"use": f"{Path(__file__).resolve()}:Bare"})) is None
