"""What every task promises, run on all that are built in."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asft.errors import DataError
from asft.registry import make, names
from asft.types import Example, Grade, Task

ROWS = [
    ("Half of 48?", "It is 48/2 = <<48/2=24>>24.\n#### 24"),
    ("A quarter of 10, less 5?", "That is 10/4-5 = <<10/4-5=-2.5>>-2.5.\n#### -2.5"),
    ("A thousand and one, doubled?", "It is 1,001*2 = <<1001*2=2002>>2002.\n#### 2,002"),
]
PLACES = ["Paris", "the river Po", "Mount Fuji"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A task as a test makes it, and answers that are certainly wrong for any of its examples."""

    name: str
    options: dict[str, Any]
    splits: tuple[str, ...]
    wrong: Callable[[Example], str]
    no_answer: str = "I do not know."


def next_number(example: Example) -> str:
    return f"#### {float(example.answer.replace(',', '')) + 1}"


def next_letter(example: Example) -> str:
    return f"#### {'B' if example.answer.strip('()') == 'A' else 'A'}"


def next_label(example: Example) -> str:
    return f"#### {'bad' if example.answer == 'good' else 'good'}"


def records(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def other_truth(example: Example) -> str:
    return f"#### {example.answer != 'True'}"


def jsonl(path: Path, rows: Sequence[tuple[str, str]]) -> str:
    text = "\n".join(json.dumps({"question": q, "answer": a}) for q, a in rows)
    path.write_text(text + "\n", encoding="utf-8")
    return str(path)


MATH = [
    (
        "What is half of three quarters?",
        "Level 1",
        "It is $\\frac{1}{2}\\cdot\\frac34 = \\boxed{\\frac{3}{8}}$.",
    ),
    ("For which real $x$ is $x^2 < 4$?", "Level 3", "Where $|x| < 2$, so $x \\in \\boxed{(-2,2)}$."),
    ("Ann is older than Bo. Who is younger?", "Level 1", "It is $\\boxed{\\text{Bo}}$."),
]
CHOICES = [("Which is even?", ["3", "8"], "B"), ("Which is a river?", ["the Po", "Oslo", "red"], "A")]
LABELS = [("I liked it.", "good"), ("It was dull.", "bad"), ("I saw it.", "so-so")]

CASES = [
    "pocket",
    "game24",
    "prontoqa",
    "gsm8k",
    "gsm8k as published",
    "qa number",
    "qa math",
    "qa text",
    "qa choice",
    "qa worked",
    "math",
    "multiple_choice",
    "classification",
]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("data")
    name, _, kind = request.param.partition(" ")
    if name == "pocket":
        sizes = {"seeds": 60, "validation": 40, "tests": 50}
        return Case(name=name, options=sizes, splits=("seed", "validation", "test"), wrong=next_number)
    if name in ("game24", "prontoqa"):
        wrong = other_truth if name == "prontoqa" else (lambda _: "#### 1 + 1 + 1 + 1")
        sizes = {"seeds": 60, "validation": 40, "tests": 50}
        return Case(name=name, options=sizes, splits=("seed", "validation", "test"), wrong=wrong)
    if name == "gsm8k":
        if kind:
            folder = request.getfixturevalue("gsm8k")
        else:
            jsonl(folder / "train.jsonl", ROWS)
            jsonl(folder / "test.jsonl", [("One and one?", "1+1 = <<1+1=2>>2\n#### 2")])
        return Case(name=name, options={"source": str(folder)}, splits=("seed", "test"), wrong=next_number)
    if name == "math":
        data = [{"problem": p, "level": level, "type": "Algebra", "solution": s} for p, level, s in MATH]
        for split in ("train", "test"):
            records(folder / f"{split}.jsonl", data)
        return Case(
            name=name,
            options={"source": str(folder)},
            splits=("seed", "test"),
            wrong=lambda _: "#### 987654",
        )
    if name == "multiple_choice":
        source = records(
            folder / "rows.jsonl", [{"question": q, "choices": c, "answer": a} for q, c, a in CHOICES]
        )
        return Case(
            name=name, options={"seed": source, "test": source}, splits=("seed", "test"), wrong=next_letter
        )
    if name == "classification":
        source = records(folder / "rows.jsonl", [{"text": t, "label": label} for t, label in LABELS])
        return Case(
            name=name, options={"seed": source, "test": source}, splits=("seed", "test"), wrong=next_label
        )
    finals = [(question, answer.rpartition("#### ")[2]) for question, answer in ROWS]
    rows, wrong, no_answer = {
        "number": (finals, next_number, "I do not know."),
        "math": ([("Solve for x.", "\\frac{x}{2}"), *finals[1:]], lambda _: "#### 987654", "I do not know."),
        "text": ([(f"Where? {i}", place) for i, place in enumerate(PLACES)], lambda _: "#### Oslo", "\n\n"),
        "choice": ([(f"Which? {i}", letter) for i, letter in enumerate("AB")], next_letter, "I do not know."),
        "worked": (ROWS, next_number, "I do not know."),
    }[kind]
    source = jsonl(folder / "rows.jsonl", rows)
    form = {"worked": True} if kind == "worked" else {"format": kind}
    options = {"seed": source, "test": source, **form}
    return Case(name="qa", options=options, splits=("seed", "test"), wrong=wrong, no_answer=no_answer)


@pytest.fixture(scope="module")
def task(case: Case) -> Task:
    made: Task = make("task", case.name, case.options)
    return made


@pytest.fixture(scope="module")
def load(task: Task) -> Callable[[str], Sequence[Example]]:
    return cache(task.load)


Load = Callable[[str], Sequence[Example]]


def sample(examples: Sequence[Example]) -> Sequence[Example]:
    """All examples of a small split, and 200 spread over a large one."""
    return examples[:: max(1, len(examples) // 200)]


def test_every_task_that_is_built_in_is_held_to_its_promises() -> None:
    assert {name.partition(" ")[0] for name in CASES} == set(names("task"))


def test_a_task_has_the_role(task: Task) -> None:
    assert isinstance(task, Task)


def test_a_gold_answer_grades_as_right(case: Case, task: Task, load: Load) -> None:
    for split in case.splits:
        assert load(split)
        for example in sample(load(split)):
            assert task.grade(example, f"#### {example.answer}").value == 1.0
            assert task.grade(example, f"So the answer is {example.answer}.").value == 1.0
            if example.completion is not None:
                assert task.grade(example, example.completion).value == 1.0


def test_an_empty_text_and_one_without_an_answer_have_no_grade(case: Case, task: Task, load: Load) -> None:
    for split in case.splits:
        for example in sample(load(split)):
            for text in ("", " \n", case.no_answer):
                grade = task.grade(example, text)
                assert (grade.value, grade.extracted) == (None, None)
                assert grade.note


def test_a_wrong_answer_grades_as_wrong(case: Case, task: Task, load: Load) -> None:
    for split in case.splits:
        for example in sample(load(split)):
            assert task.grade(example, case.wrong(example)).value == 0.0


def test_an_answer_equals_no_missing_answer(task: Task, load: Load) -> None:
    bare = replace(load("seed")[0], answer="")
    assert task.grade(bare, "").value is None
    assert task.grade(bare, "#### 5").value != 1.0


def test_the_order_of_a_split_never_changes(case: Case, load: Load) -> None:
    for split in case.splits:
        again: Task = make("task", case.name, case.options)
        assert list(again.load(split)) == list(load(split))


def test_ids_are_unique_and_those_of_the_content(case: Case, load: Load) -> None:
    for split in case.splits:
        examples = load(split)
        assert len({example.id for example in examples}) == len(examples)
        for example in sample(examples):
            made = Example.make(task=example.task, prompt=example.prompt, answer=example.answer)
            assert example.id == made.id


def test_given_examples_have_a_question_an_answer_and_no_parents(case: Case, load: Load) -> None:
    for split in case.splits:
        for example in load(split):
            assert example.prompt.strip()
            assert example.answer.strip()
            assert example.completion is None or example.completion.strip()
            assert (example.parents, example.round) == ((), 0)
            assert example.tags["split"] == split


@pytest.mark.parametrize("split", ["", "no such split", "Seed"])
def test_an_unknown_split_is_an_error_that_names_the_known_ones(case: Case, task: Task, split: str) -> None:
    with pytest.raises(DataError) as raised:
        task.load(split)
    assert all(known in str(raised.value) for known in case.splits)


def test_a_task_keeps_nothing_from_one_grade_to_the_next(task: Task, load: Load) -> None:
    example = load("seed")[0]
    gold = f"#### {example.answer}"
    assert [task.grade(example, text).value for text in (gold, "", gold)] == [1.0, None, 1.0]


@settings(max_examples=40)
@given(st.text(max_size=60) | st.text(alphabet="#{}\\boxed answer is 0123456789.,-/$()AB\n", max_size=60))
def test_any_text_gets_a_grade(task: Task, load: Load, text: str) -> None:
    grade = task.grade(load("seed")[0], text)
    assert isinstance(grade, Grade)
    assert grade.value is None or 0.0 <= grade.value <= 1.0
    assert grade.value is None or grade.extracted is not None
    assert grade.note


@pytest.mark.parametrize(
    "text", ["9" * 200_000, "{" * 200_000, "#### " * 50_000, "\\boxed{" * 30_000, "\x00\ud800"]
)
def test_hostile_text_gets_a_grade(task: Task, load: Load, text: str) -> None:
    assert task.grade(load("seed")[0], text).value in (0.0, None)
