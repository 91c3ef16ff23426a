import json
from pathlib import Path
from typing import Any

import pytest

from asft import registry
from asft.errors import DataError, PluginError
from asft.tasks.choices import listed
from asft.tasks.multiple_choice import MultipleChoice
from asft.types import Chooses, Example, Task

ROW = {"question": "Which is the capital of France?", "choices": ["Oslo", "Paris", "Rome"], "answer": "B"}


def jsonl(tmp_path: Path, *rows: dict[str, Any]) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def made(**options: object) -> MultipleChoice:
    task: MultipleChoice = registry.make("task", "multiple_choice", options)
    return task


def first(tmp_path: Path, row: dict[str, Any], **options: object) -> Example:
    return made(seed=jsonl(tmp_path, row), **options).load("seed")[0]


def graded(text: str, choices: list[str], answer: str = "B") -> tuple[float | None, str | None, str]:
    lines = "\n".join(f"{letter}. {choice}" for letter, choice in zip("ABCDEFGH", choices, strict=False))
    example = Example.make(task="multiple_choice", prompt=f"Which?\n{lines}", answer=answer)
    grade = MultipleChoice().grade(example, text)
    return grade.value, grade.extracted, grade.note


# Rows


def test_it_is_a_task_that_tells_its_choices() -> None:
    assert isinstance(MultipleChoice(), Task)
    assert isinstance(MultipleChoice(), Chooses)


def test_a_row_becomes_an_example(tmp_path: Path) -> None:
    example = first(tmp_path, {**ROW, "topic": "cities"}, name="capitals", tags=["topic"])
    assert example.task == "capitals"
    assert example.prompt == (
        "Which is the capital of France?\n\nA. Oslo\nB. Paris\nC. Rome\n\n"
        "Answer with the letter of the right choice."
    )
    assert (example.answer, example.completion) == ("B", "B")
    assert example.tags == {"split": "seed", "topic": "cities"}


@pytest.mark.parametrize(
    ("answer", "answer_is"),
    [
        ("B", None),
        ("b", None),
        ("(B)", None),
        ("Paris", None),
        ("paris.", None),
        ("B", "letter"),
        ("Paris", "text"),
        (1, "index"),
        ("1", "index"),
        (2, "number"),
    ],
)
def test_the_right_choice_is_a_letter_its_words_or_a_place(
    tmp_path: Path, answer: object, answer_is: str | None
) -> None:
    assert first(tmp_path, {**ROW, "answer": answer}, answer_is=answer_is).answer == "B"


def test_arc_has_texts_and_labels_of_its_own(tmp_path: Path) -> None:
    row = {"question": "q?", "choices": {"text": ["red", "blue"], "label": ["1", "2"]}, "answerKey": "2"}
    assert first(tmp_path, row, answer="answerKey").answer == "B"


def test_choices_may_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    row = {"question": "q?", "right": "blue", "wrong1": "red", "wrong2": 5}
    options = {"choices_in": ["right", "wrong1", "wrong2"], "answer": "right", "answer_is": "text"}
    example = first(tmp_path, row, **options)
    assert (listed(example.prompt), example.answer) == (("blue", "red", "5"), "A")


def test_shuffled_choices_keep_the_right_one_and_change_its_place(tmp_path: Path) -> None:
    rows = [{"question": f"q{i}?", "choices": ["right", "no", "never"], "answer": "A"} for i in range(30)]
    task = made(seed=jsonl(tmp_path, *rows), shuffle=True)
    examples = task.load("seed")
    assert all(listed(e.prompt)["ABC".index(e.answer)] == "right" for e in examples)
    assert {e.answer for e in examples} == {"A", "B", "C"}
    # By the content of the row alone.
    assert made(seed=jsonl(tmp_path, *rows[::-1]), shuffle=True).load("seed") == examples[::-1]


def test_template_and_mark_shape_the_prompt(tmp_path: Path) -> None:
    example = first(tmp_path, ROW, template="{choices}\n{{Q}} {question}", mark="(A)")
    assert example.prompt == "(A) Oslo\n(B) Paris\n(C) Rome\n{Q} Which is the capital of France?"


@pytest.mark.parametrize("mark", ["A.", "A)", "(A)", "A:"])
def test_the_choices_are_read_back_from_the_prompt_in_every_form(tmp_path: Path, mark: str) -> None:
    choices = ["A. a dog", "$x^2$", "no\nline  breaks", "*bold*", "-5", "(B) not this", "..."]
    row = {"question": "A. One.\nB. Two.\nWhich?", "choices": choices, "answer": "C"}
    example = first(tmp_path, row, mark=mark)
    assert listed(example.prompt) == (*choices[:2], "no line breaks", *choices[3:])


def test_a_worked_answer_is_taken_where_it_ends_with_the_right_choice(tmp_path: Path) -> None:
    worked = "It lies on the Seine.\n#### B"
    assert first(tmp_path, {**ROW, "why": worked}, completion="why").completion == worked
    assert first(tmp_path, {**ROW, "why": ""}, completion="why").completion == "B"
    with pytest.raises(
        DataError, match=r"line 1: the worked answer gives 'A' \(####\), the right choice is B"
    ):
        first(tmp_path, {**ROW, "why": "#### A"}, completion="why")


@pytest.mark.parametrize(
    ("changed", "options", "says"),
    [
        ({"answer": "D"}, {}, "the answer 'D' is none of 3 choices"),
        ({"answer": "Berlin"}, {}, "the answer 'Berlin' is none of 3 choices"),
        ({"answer": None}, {}, "the answer 'None' is none of"),
        ({"answer": 1}, {}, "the answer 1 may count from 0 or from 1"),
        ({"answer": 3}, {"answer_is": "index"}, "the answer '3' is none of"),
        ({"answer": 0}, {"answer_is": "number"}, "the answer '0' is none of"),
        ({"choices": ["2", "1"], "answer": "1"}, {}, "or be a choice's words"),
        ({"choices": ["B", "A"], "answer": "A"}, {}, "the answer 'A' fits A and B of 2 choices"),
        ({"choices": ["x", "x"], "answer": "x"}, {}, "fits A and B"),
        ({"choices": ["x"]}, {}, "1 choices, the empty ones included"),
        ({"choices": ["x", ""]}, {}, "every question needs 2 to 26, none of them empty"),
        ({"choices": "x, y"}, {}, "holds \"'x, y'\" and no list of choices"),
        ({"question": ""}, {}, "column 'question' is empty"),
        ({}, {"question": "query"}, "there is no column 'query'"),
        ({}, {"template": "{choices}\nD. {question}"}, "the choices cannot be told apart in the prompt"),
    ],
)
def test_a_bad_row_is_told_with_file_and_line(
    tmp_path: Path, changed: dict[str, Any], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(DataError) as caught:
        made(seed=jsonl(tmp_path, {**ROW, **changed}), **options).load("seed")
    assert "rows.jsonl, line 1: " in str(caught.value)
    assert says in str(caught.value)


def test_a_repeated_row_is_told_unless_it_is_to_be_dropped(tmp_path: Path) -> None:
    source = jsonl(tmp_path, ROW, ROW)
    with pytest.raises(DataError, match=r"line 2: the same prompt and answer as .*line 1"):
        made(seed=source).load("seed")
    assert len(made(seed=source, duplicates="drop").load("seed")) == 1


def test_a_split_without_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no test data; set its option 'test'"):
        made(seed=jsonl(tmp_path, ROW)).load("test")
    with pytest.raises(DataError, match="there are no rows"):
        made(seed=jsonl(tmp_path)).load("seed")


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{question}", "must show {choices}"),
        ("{choices}", "must show {question}"),
        ("{question}{choices}{answer}", "names {answer}"),
        ("{question.__class__}{choices}", "names {question.__class__}"),
        ("{question:>9}{choices}", "names {question}"),
        ("{question}{choices}{", "cannot be read"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(template: str, says: str) -> None:
    with pytest.raises(PluginError) as caught:
        made(template=template)
    assert says in str(caught.value)


# What there is to choose among


def test_letters_or_words_are_told_and_each_has_its_grade(tmp_path: Path) -> None:
    for scored, choices in (("letter", ("A", "B", "C")), ("text", ("Oslo", "Paris", "Rome"))):
        task = made(seed=jsonl(tmp_path, ROW), scored=scored)
        [example] = task.load("seed")
        assert task.choices(example) == choices
        assert [task.grade(example, choice).value for choice in choices] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("prompt", "choices"),
    [
        ("Which?\n(A) red\n(B) blue", ("red", "blue")),
        ("Which?\n**A.** red\n**B.** blue", ("red", "blue")),
        ("Which?\n- A) red\n- B) blue\n", ("red", "blue")),
        ("Which one is it: (A) red, (B) blue, (C) green", ("red", "blue", "green")),
        ("A. Ann says so.\nB. Bo too.\nWho is right?\nA: both\nB: neither", ("both", "neither")),
        ("Which?\nA. red\nB. blue\nE. coli is a germ", ("red", "blue")),
        ("A. Smith wrote it.", ()),
        ("Which?", ()),
    ],
)
def test_the_choices_of_a_question_that_a_teacher_wrote_are_found(
    prompt: str, choices: tuple[str, ...]
) -> None:
    example = Example.make(task="multiple_choice", prompt=prompt, answer="A")
    assert MultipleChoice(scored="text").choices(example) == choices


# Grades

CITIES = ["Oslo", "Paris", "New York City", "York"]


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b",
        "(B)",
        "B.",
        "B)",
        "**B**",
        "$B$",
        "B. Paris",
        "(B) Paris",
        "B Paris",
        "B: Paris, of course",
        "B, because A is in Norway.",
        "Option B",
        "Paris",
        "paris.",
        "It is Paris.",
        "The answer is B",
        "The answer is (B).",
        "The answer is B. Paris is the capital.",
        "The answer is Paris.",
        "The answer is option B, Paris.",
        "**Answer:** **(B)**",
        "The correct option is (B).",
        "The right choice is B",
        "\\boxed{B}",
        "\\boxed{\\text{B}}",
        "Let me think.\nOslo is not in France.\n#### B",
        "Oslo is in Norway.\nSo it is (B).",
        "Oslo is in Norway.\nParis",
        "Oslo is in Norway.\nB",
        "I choose option B.\nIt was easy.",
        "The answer is B.\nI hope this answer is helpful.",
    ],
)
def test_the_right_choice_grades_right_as_models_write_it(text: str) -> None:
    assert graded(text, CITIES)[:2] == (1.0, "B")


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("A", "A"),
        ("The answer is Oslo.", "A"),
        ("C. New York City", "C"),
        ("It is New York City.", "C"),
        ("It is York.", "D"),
        ("E", "E"),
        ("#### Berlin", "Berlin"),
    ],
)
def test_another_choice_and_none_of_them_grade_wrong(text: str, taken: str) -> None:
    assert graded(text, CITIES)[:2] == (0.0, taken)


@pytest.mark.parametrize(
    "text",
    [
        "A or B",
        "The answer is A or B.",
        "The answer is (A) and (B).",
        "A, B",
        "It is Paris or Oslo.",
        "B. Oslo",
        "Both (A) and (B) may be.\nWho knows.",
    ],
)
def test_an_ambiguous_answer_is_ungradable(text: str) -> None:
    assert graded(text, CITIES) == (None, None, "ambiguous")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "I do not know.",
        "A dog barks.",
        "I think so.",
        "It is not Paris.",
        "(B) is wrong.",
        "not (B)",
        "####",
    ],
)
def test_a_text_that_takes_no_choice_is_ungradable(text: str) -> None:
    assert graded(text, CITIES) == (None, None, "no final answer")


@pytest.mark.parametrize(
    "text", ["Oslo is in Norway.\nSo it is (B).", "Not Oslo.\nParis", "I take option B.\nIt was easy."]
)
def test_the_note_says_where_a_choice_without_a_mark_stood_last(text: str) -> None:
    # A writer takes none of these for the answer of a teacher.
    assert graded(text, CITIES)[2].startswith("last ")


def test_numbers_are_taken_by_their_value() -> None:
    assert graded("The answer is $12.50", ["12", "12.5", "125"])[:2] == (1.0, "B")
    assert graded("13", ["12", "12.5", "125"])[0] is None


def test_a_letter_is_a_letter_first_where_choices_are_letters_too() -> None:
    assert graded("B", ["B", "A"])[:2] == (1.0, "B")


def test_a_question_without_choices_is_graded_by_its_letter() -> None:
    example = Example.make(task="multiple_choice", prompt="Which?", answer="(B)")
    assert MultipleChoice().choices(example) == ()
    assert MultipleChoice().grade(example, "The answer is B.").value == 1.0
    assert MultipleChoice().grade(example, "The answer is A.").value == 0.0
