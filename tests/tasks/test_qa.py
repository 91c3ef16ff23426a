import json
from pathlib import Path
from typing import Any

import pytest

from asft import registry
from asft.errors import DataError, PluginError
from asft.tasks.qa import QA
from asft.types import Example, Task


def jsonl(tmp_path: Path, *rows: object, name: str = "data.jsonl") -> str:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def table(tmp_path: Path, text: str) -> str:
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def graded(format: str, answer: str, text: str) -> float | None:
    example = Example.make(task="qa", prompt="q", answer=answer)
    task: Task = registry.make("task", "qa", {"format": format})
    return task.grade(example, text).value


ROW = {"question": "What is 40 + 2?", "answer": "42"}


def test_qa_is_a_task() -> None:
    assert isinstance(QA(), Task)


def test_a_jsonl_row_becomes_an_example(tmp_path: Path) -> None:
    source = jsonl(
        tmp_path, {"q": "What is 40 + 2?", "a": 42, "why": "40 + 2 = 42", "topic": "sums", "year": 7}
    )
    task = QA(name="sums", seed=source, prompt="q", answer="a", completion="why", tags=("topic", "year"))
    [example] = task.load("seed")
    assert (example.task, example.prompt, example.answer) == ("sums", "What is 40 + 2?", "42")
    assert example.completion == "40 + 2 = 42"
    assert example.tags == {"split": "seed", "topic": "sums", "year": "7"}


def test_a_csv_row_becomes_an_example_and_cells_may_hold_commas_and_line_breaks(tmp_path: Path) -> None:
    source = table(tmp_path, '\ufeffquestion,answer\r\n"Two\nlines, one comma",1\r\nSecond,2\r\n')
    first, second = QA(test=source).load("test")
    assert (first.prompt, first.answer, first.completion) == ("Two\nlines, one comma", "1", None)
    assert (second.prompt, second.answer) == ("Second", "2")


def test_a_folder_is_read_by_datasets(tmp_path: Path) -> None:
    jsonl(tmp_path, ROW, name="train.jsonl")
    jsonl(tmp_path, {"question": "1 + 1?", "answer": "2"}, name="test.jsonl")
    task = QA(seed=str(tmp_path), test=str(tmp_path))
    assert [e.answer for e in task.load("seed")] == ["42"]
    assert [e.answer for e in task.load("test")] == ["2"]


def test_a_folder_without_the_named_split_is_told(tmp_path: Path) -> None:
    jsonl(tmp_path, ROW, name="train.jsonl")
    with pytest.raises(DataError, match=r"split 'dev'\) cannot be loaded"):
        QA(seed=str(tmp_path), seed_split="dev").load("seed")


def test_a_worked_answer_gives_reference_and_completion(tmp_path: Path) -> None:
    source = jsonl(tmp_path, {"question": "q", "answer": "48 + 24 = 72, so \\boxed{72}."})
    [example] = QA(seed=source, worked=True).load("seed")
    assert example.answer == "72"
    assert example.completion == "48 + 24 = 72, so \\boxed{72}."


def test_a_worked_answer_without_a_final_one_is_told(tmp_path: Path) -> None:
    source = jsonl(tmp_path, ROW, {"question": "q", "answer": "nobody knows"})
    with pytest.raises(DataError, match=r"line 2: no final answer in column 'answer'"):
        QA(seed=source, worked=True).load("seed")


def test_a_missing_column_is_told_with_the_likely_one(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"line 1: there is no column 'anwser'; did you mean 'answer'\? columns: question, answer",
    ):
        QA(seed=jsonl(tmp_path, ROW), answer="anwser").load("seed")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": "q", "answer": ""}, "column 'answer' is empty; every row needs an answer"),
        ({"question": "q", "answer": None}, "column 'answer' is empty"),
        ({"question": "q", "answer": [1]}, "column 'answer' is neither text nor a number: '[1]'"),
        ({"question": "q", "answer": True}, "neither text nor a number: 'True'"),
        ({"question": "  ", "answer": "1"}, "column 'question' is empty; every row needs a question"),
        ({"question": "q", "answer": "blue"}, "'blue' is not one number"),
        ({"question": "q", "answer": "5 to 10"}, "'5 to 10' is not one number"),
        ({"question": "q"}, "no column 'answer'"),
        ([1], "a JSON object with named columns"),
    ],
)
def test_a_bad_row_is_told_with_file_and_line(tmp_path: Path, row: object, says: str) -> None:
    with pytest.raises(DataError) as caught:
        QA(seed=jsonl(tmp_path, ROW, row)).load("seed")
    assert "data.jsonl, line 2: " in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("question,answer\nq,1\nq,2,3\n", "line 3: 3 cells, the header has 2"),
        ('question,answer\nq,"1\n', "this is not CSV"),
        ("answer,answer\n1,2\n", "line 1: a column name stands twice"),
        ("question,answer\n", "there are no rows in it"),
        ("", "there are no rows in it"),
    ],
)
def test_a_bad_csv_is_told(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        QA(seed=table(tmp_path, text)).load("seed")


def test_wrong_json_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(ROW) + "\n{'question': 1}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"data\.jsonl, line 2: this is not JSON"):
        QA(seed=str(path)).load("seed")


def test_a_missing_file_or_another_kind_of_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*none\.jsonl"):
        QA(seed=str(tmp_path / "none.jsonl")).load("seed")
    with pytest.raises(DataError, match=r"there is no file none\.csv"):
        QA(seed="none.csv").load("seed")
    with pytest.raises(DataError, match=r"ends in \.jsonl, \.csv or \.parquet, not '\.json'"):
        QA(seed=jsonl(tmp_path, ROW, name="data.json")).load("seed")


def test_a_split_that_is_unknown_or_not_set_is_told() -> None:
    with pytest.raises(DataError, match="no split 'train'; splits: seed, test"):
        QA(seed="a.csv").load("train")
    with pytest.raises(DataError, match="task 'qa' has no test data; set its option 'test'"):
        QA(seed="a.csv").load("test")


def test_a_repeated_row_is_told_unless_it_is_to_be_dropped(tmp_path: Path) -> None:
    source = jsonl(tmp_path, ROW, {"question": "r", "answer": "1"}, ROW)
    with pytest.raises(
        DataError, match=r"line 3: the same prompt and answer as .*line 1; remove the row or set"
    ):
        QA(seed=source).load("seed")
    assert [e.answer for e in QA(seed=source, duplicates="drop").load("seed")] == ["42", "1"]


def test_one_question_with_two_answers_is_two_examples(tmp_path: Path) -> None:
    source = jsonl(tmp_path, ROW, ROW | {"answer": "43"})
    assert len({e.id for e in QA(seed=source).load("seed")}) == 2


def test_a_format_that_does_not_exist_is_a_plugin_error() -> None:
    options: dict[str, Any] = {"format": "letters"}
    with pytest.raises(PluginError, match="format"):
        registry.make("task", "qa", options)


@pytest.mark.parametrize(
    ("format", "gold"),
    [("number", "-1,234.5"), ("text", "The Cat"), ("choice", "B"), ("math", "\\frac{\\pi}{2}")],
)
def test_gold_grades_right_and_an_empty_text_none_in_every_format(
    tmp_path: Path, format: Any, gold: str
) -> None:
    task = QA(seed=jsonl(tmp_path, {"question": "q", "answer": gold}), format=format)
    [example] = task.load("seed")
    for text in (gold, f"#### {gold}", f"\\boxed{{{gold}}}", f"So the final answer is {gold}."):
        assert task.grade(example, text).value == 1.0, text
    for text in ("", " \n ", "####", "\\boxed{}", "...", "\x00"):
        grade = task.grade(example, text)
        assert (grade.value, grade.extracted, grade.note) == (None, None, "no final answer"), text


@pytest.mark.parametrize(
    ("answer", "text", "value"),
    [
        ("Paris", "paris.", 1.0),
        ("Paris", "The answer is **Paris**.", 1.0),
        ("The Beatles", "Beatles", 1.0),
        ("Dr. Seuss", "The answer is Dr. Seuss.", 1.0),
        ("New York", "new\u00a0 york", 1.0),
        ("Paris", "London", 0.0),
        ("-5", "5", 0.0),
        ("1.5", "15", 0.0),
        ("Paris", "It is old.\nIt is on a river.", None),
        ("Paris", "It is old.\n#### Paris", 1.0),
    ],
)
def test_text_is_compared_word_for_word(answer: str, text: str, value: float | None) -> None:
    assert graded("text", answer, text) == value


@pytest.mark.parametrize(
    ("answer", "text", "value"),
    [
        ("B", "b", 1.0),
        ("(B)", "B", 1.0),
        ("B", "B) Paris", 1.0),
        ("B", "The answer is (B) Paris.", 1.0),
        ("B", "\\boxed{\\text{B}}", 1.0),
        ("B", "Answer: option B", 1.0),
        ("B", "Both (A) and (C) fail, which leaves (B)", 1.0),
        ("B", "**Answer:** **C**", 0.0),
        ("A", "A dog barks.", None),
        ("A", "The answer is A because dogs bark.", 1.0),
        ("I", "I think so", None),
        ("B", "Because of that, none.", None),
    ],
)
def test_a_choice_is_a_letter(answer: str, text: str, value: float | None) -> None:
    assert graded("choice", answer, text) == value


@pytest.mark.parametrize("answer", ["Paris", "2", "K"])
def test_a_choice_reference_that_is_no_letter_is_told(tmp_path: Path, answer: str) -> None:
    with pytest.raises(DataError, match=r"line 1: the answer '.*' is no letter from A to J"):
        QA(seed=jsonl(tmp_path, {"question": "q", "answer": answer}), format="choice").load("seed")


@pytest.mark.parametrize("format", ["number", "text", "choice", "math"])
@pytest.mark.parametrize(
    "piece", ["1", "(A", "[", "#### ", "answer is ", "\\boxed{", "*_", "\ud800", "\x00", "the "]
)
def test_hostile_text_is_graded_in_every_format(format: str, piece: str) -> None:
    graded(format, "B", piece * (200_000 // len(piece)))
