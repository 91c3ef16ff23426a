"""Records keep what was measured and paid for; protocols take whatever has the method."""

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pytest

from asft import types
from asft.tasks.gsm8k import GSM8K
from asft.types import Example, Grade, Message, Reply, Request, Sampling, Task, Teacher

RECORDS = [
    value for _, value in inspect.getmembers(types, inspect.isclass) if dataclasses.is_dataclass(value)
]

ASKED = Example.make(task="t", prompt="p", answer="a")

NONE = np.zeros(0, dtype=np.float32)


def script() -> types.Script[dict[str, float | None]]:
    yield []
    return {}


ONE_OF_EACH = [
    ASKED,
    types.TokenStats(tokens=1, nll=0.5, nll_sum=0.5, entropy=0.1),
    types.Answer(text="#### 1", token_ids=(1,), finish="stop"),
    types.Observation(example_id=ASKED.id),
    types.TokenArrays(offsets=np.zeros(1, dtype=np.int64), nll=NONE, entropy=NONE, margin=NONE),
    types.Measurements(round=1, examples=(ASKED,), observations=(types.Observation(example_id=ASKED.id),)),
    types.Pick(number=0, example=ASKED, observation=None, score=None, draw=0),
    types.Draft(number=0, example=None, reason="cut off"),
    types.Verdict(number=0, decision="keep", filter=""),
    types.Ceiling(requests=1, input_tokens=10, output_tokens=10),
    types.Measured(
        wave=types.Measurements(round=1, examples=(), observations=()),
        row=0,
    ),
    types.Looks(),
    types.Need(name="own"),
    types.Inquiry(script=script, ceiling=types.Ceiling(requests=1, input_tokens=1, output_tokens=1)),
    types.Context(task=GSM8K(), seeds=(ASKED,), accepted=(), test=(), round=1, seed=0),
    Grade(value=None, extracted=None),
    Message(role="user", content="hello"),
    Sampling(),
    Request(messages=(Message(role="user", content="hello"),)),
    types.RateLimits(requests_left=3),
    Reply(text="", finish="stop", input_tokens=0, output_tokens=0),
]


def example(**changed: Any) -> Example:
    return Example.make(**{"task": "gsm8k", "prompt": "1 + 1?", "answer": "2", **changed})


def test_the_records_under_test_are_all_the_records_there_are() -> None:
    assert {type(record) for record in ONE_OF_EACH} == set(RECORDS)


@pytest.mark.parametrize("record", ONE_OF_EACH, ids=lambda r: type(r).__name__)
def test_no_field_of_a_record_can_be_set(record: Any) -> None:
    for field in dataclasses.fields(record):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field.name, None)


@pytest.mark.parametrize("record", ONE_OF_EACH, ids=lambda r: type(r).__name__)
def test_every_field_of_a_record_is_given_by_name(record: Any) -> None:
    assert all(field.kw_only for field in dataclasses.fields(record))


def test_equal_content_gives_an_equal_id() -> None:
    assert example().id == example().id


@pytest.mark.parametrize("changed", [{"task": "qa"}, {"prompt": "1 + 1 ?"}, {"answer": "2.0"}])
def test_another_task_prompt_or_answer_gives_another_id(changed: dict[str, str]) -> None:
    assert example(**changed).id != example().id


@pytest.mark.parametrize(
    "changed",
    [{"completion": "1 + 1 = 2\n#### 2"}, {"parents": ("x",)}, {"round": 3}, {"tags": {"split": "test"}}],
)
def test_the_id_does_not_depend_on_how_the_example_came_about(changed: dict[str, Any]) -> None:
    assert example(**changed).id == example().id


def test_text_that_moves_from_one_field_to_the_next_changes_the_id() -> None:
    # Joined without lengths both read "abc".
    assert example(task="ab", prompt="c").id != example(task="a", prompt="bc").id
    assert example(prompt="ab", answer="c").id != example(prompt="a", answer="bc").id


def test_an_id_is_the_same_on_every_machine_and_in_every_version() -> None:
    # blake2b, 8 bytes, of each part behind its length in 8 bytes, big end first.
    assert example().id == "4cfa871ccfab5690"


def test_text_with_half_a_surrogate_pair_has_an_id() -> None:
    assert len(example(prompt="\ud83d").id) == 16


def test_changing_the_tags_that_were_given_does_not_change_the_example() -> None:
    tags = {"split": "train"}
    made = example(tags=tags)
    tags["split"] = "test"
    assert made.tags == {"split": "train"}


def test_two_examples_do_not_share_their_default_tags() -> None:
    assert example().tags is not example().tags


def test_what_is_not_known_is_none_and_not_zero() -> None:
    assert Reply(text="", finish="stop", input_tokens=1, output_tokens=1).cost_usd is None
    assert example().completion is None


def test_requests_that_differ_only_in_draw_index_or_seed_are_different() -> None:
    request = Request(messages=(Message(role="user", content="hello"),))
    assert request == dataclasses.replace(request)
    again = dataclasses.replace
    assert len({request, again(request, draw=1), again(request, index=1), again(request, seed=1)}) == 4


def test_a_reply_is_finished_by_the_model_or_cut_by_the_limit() -> None:
    assert set(get_args(types.Finish)) == {"stop", "length"}


class Sums:
    """Has the methods and derives from nothing."""

    def load(self, split: str) -> Sequence[Example]:
        return [example(tags={"split": split})]

    def grade(self, example: Example, text: str) -> Grade:
        return Grade(value=float(text == example.answer), extracted=text)


class Parrot:
    async def reply(self, request: Request) -> Reply:
        return Reply(text=request.messages[-1].content, finish="stop", input_tokens=1, output_tokens=1)


def test_a_class_with_load_and_grade_is_a_task_without_deriving_from_it() -> None:
    task: Task = Sums()
    assert isinstance(task, Task)
    assert not isinstance(Parrot(), Task)


def test_a_class_with_reply_is_a_teacher_without_deriving_from_it() -> None:
    teacher: Teacher = Parrot()
    assert isinstance(teacher, Teacher)
    assert not isinstance(Sums(), Teacher)
