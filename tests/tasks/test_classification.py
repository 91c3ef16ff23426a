import json
from pathlib import Path
from typing import Any

import pytest

from asft import registry
from asft.errors import DataError, PluginError
from asft.tasks.classification import Classification
from asft.types import Chooses, Example, Task

ROWS = [
    {"text": "I liked it.", "label": "positive"},
    {"text": "It was dull.", "label": "negative"},
    {"text": "I saw it.", "label": "neutral"},
]
LABELS = ("negative", "neutral", "positive")


def jsonl(tmp_path: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> str:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def made(**options: object) -> Classification:
    task: Classification = registry.make("task", "classification", options)
    return task


def graded(text: str, label: str = "positive", **options: object) -> tuple[float | None, str | None, str]:
    task = made(**{"labels": LABELS, **options})
    grade = task.grade(Example.make(task="classification", prompt="p", answer=label), text)
    return grade.value, grade.extracted, grade.note


# Rows


def test_it_is_a_task_that_tells_its_labels() -> None:
    assert isinstance(Classification(), Task)
    assert isinstance(Classification(), Chooses)


def test_a_row_becomes_an_example_that_shows_the_labels_found_in_the_seeds(tmp_path: Path) -> None:
    source = jsonl(tmp_path, [{**row, "source": "web"} for row in ROWS])
    task = made(seed=source, name="films", tags=["source"])
    example = task.load("seed")[0]
    assert example.task == "films"
    assert example.prompt == "I liked it.\n\nWhich of these labels fits: negative, neutral, positive?"
    assert (example.answer, example.completion) == ("positive", "positive")
    assert example.tags == {"split": "seed", "label": "positive", "source": "web"}
    assert task.choices(example) == LABELS


def test_the_labels_of_the_tests_are_those_of_the_seeds(tmp_path: Path) -> None:
    seed, test = jsonl(tmp_path, ROWS), jsonl(tmp_path, ROWS[:1], "test.jsonl")
    [example] = made(seed=seed, test=test).load("test")
    assert made(seed=seed, test=test).choices(example) == LABELS
    jsonl(tmp_path, [{"text": "t", "label": "odd"}], "test.jsonl")
    with pytest.raises(DataError, match=r"test\.jsonl, line 1: the label 'odd' is not in the label set"):
        made(seed=seed, test=test).load("test")


def test_without_seeds_the_labels_are_found_in_the_tests(tmp_path: Path) -> None:
    task = made(test=jsonl(tmp_path, ROWS))
    assert task.choices(task.load("test")[0]) == LABELS


def test_given_labels_keep_their_order_and_their_spelling(tmp_path: Path) -> None:
    source = jsonl(tmp_path, [{"text": "t", "label": "POSITIVE"}])
    [example] = made(seed=source, labels=["Positive", "Negative"]).load("seed")
    assert example.answer == "Positive"
    assert example.prompt.endswith("fits: Positive, Negative?")


def test_labels_may_be_given_as_places(tmp_path: Path) -> None:
    source = jsonl(tmp_path, [{"text": "t", "label": 2}, {"text": "u", "label": 0}])
    examples = made(seed=source, labels=LABELS, label_is="index").load("seed")
    assert [example.answer for example in examples] == ["positive", "negative"]


def test_a_template_may_hide_the_labels(tmp_path: Path) -> None:
    [example, *_] = made(seed=jsonl(tmp_path, ROWS), template="Review: {text}\nSentiment:").load("seed")
    assert example.prompt == "Review: I liked it.\nSentiment:"


@pytest.mark.parametrize(
    ("row", "options", "says"),
    [
        ({"text": "t", "label": "odd"}, {"labels": LABELS}, "the label 'odd' is not in the label set (neg"),
        ({"text": "t", "label": 1}, {"labels": LABELS}, "or set label_is: index"),
        ({"text": "t", "label": 3}, {"labels": LABELS, "label_is": "index"}, "no place from 0 to 2"),
        ({"text": "t", "label": ""}, {"labels": LABELS}, "column 'label' is empty"),
        ({"text": "t", "label": ""}, {}, "column 'label' is empty"),
        ({"text": None, "label": "neutral"}, {"labels": LABELS}, "column 'text' is empty"),
        ({"texts": "t", "label": "neutral"}, {"labels": LABELS}, "did you mean 'texts'?"),
    ],
)
def test_a_bad_row_is_told_with_file_and_line(
    tmp_path: Path, row: dict[str, Any], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(DataError) as caught:
        made(seed=jsonl(tmp_path, [row]), **options).load("seed")
    assert "rows.jsonl, line 1: " in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("count", [1, 201])
def test_a_column_that_holds_no_label_set_is_told(tmp_path: Path, count: int) -> None:
    source = jsonl(tmp_path, [{"text": f"t{i}", "label": f"label {i}"} for i in range(count)])
    with pytest.raises(DataError, match=rf"column 'label' has {count} labels .*give it in labels"):
        made(seed=source).load("seed")


def test_labels_in_the_data_that_read_alike_are_told(tmp_path: Path) -> None:
    source = jsonl(tmp_path, [{"text": "t", "label": "Good"}, {"text": "u", "label": "good."}])
    with pytest.raises(DataError, match=r"column 'label': 'good\.' is read as both 'Good' and 'good\.'"):
        made(seed=source).load("seed")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"labels": ["one"]}, "leave no choice"),
        ({"labels": ["a dog", "Dog"]}, "'Dog' is read as both 'a dog' and 'Dog'"),
        ({"labels": ["up", "..."]}, "'...' has no letter or digit"),
        ({"labels": ["up", "up"]}, "the label 'up' stands twice"),
        ({"labels": LABELS, "synonyms": {"good": ["fine"]}}, "synonyms of 'good', which is no label"),
        ({"labels": LABELS, "synonyms": {"positive": ["neutral"]}}, "is read as both"),
        ({"label_is": "index"}, "give the label set in labels"),
        ({"template": "{labels}"}, "must show {text}"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(PluginError) as caught:
        made(**options)
    assert says in str(caught.value)


def test_a_split_without_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no test data; set its option 'test'"):
        made(seed=jsonl(tmp_path, ROWS)).load("test")
    with pytest.raises(DataError, match="there are no rows"):
        made(seed=jsonl(tmp_path, []), labels=LABELS).load("seed")


# Grades


@pytest.mark.parametrize(
    "text",
    [
        "positive",
        "Positive.",
        "**Positive**",
        "Label: positive",
        "The label is positive.",
        "The sentiment of this text is positive.",
        "The answer is positive, because they liked it.",
        "They liked it.\n#### positive",
        "They liked it.\nPositive",
        "\\boxed{\\text{positive}}",
    ],
)
def test_the_label_grades_right_as_models_write_it(text: str) -> None:
    assert graded(text)[:2] == (1.0, "positive")


def test_every_choice_has_a_grade_and_one_is_right() -> None:
    assert [graded(label)[0] for label in LABELS] == [0.0, 0.0, 1.0]


def test_a_synonym_is_read_as_its_label() -> None:
    synonyms = {"positive": ["good", "thumbs up"]}
    assert graded("Thumbs up!", synonyms=synonyms)[:2] == (1.0, "positive")
    assert graded("It is good.", label="negative", synonyms=synonyms)[:2] == (0.0, "positive")
    assert graded("Thumbs up!")[0] is None


def test_a_label_within_another_is_not_taken_for_it() -> None:
    labels = ["toxic", "not toxic", "very toxic", "non-toxic"]
    for label in labels:
        for text in (label, f"This comment is {label}.", f"The answer is {label}."):
            assert graded(text, label, labels=labels)[:2] == (1.0, label), text


def test_an_answer_that_is_no_label_grades_wrong() -> None:
    assert graded("#### purple") == (0.0, "purple", "####")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("", "no final answer"),
        ("I do not know.", "no final answer"),
        ("It is not positive.", "no final answer"),
        ("It isn't positive", "no final answer"),
        ("They liked it, which is positive.\nWho knows.", "no final answer"),
        ("positive or negative", "ambiguous"),
        ("The answer is positive or neutral.", "ambiguous"),
    ],
)
def test_a_text_that_names_no_label_clearly_is_ungradable(text: str, note: str) -> None:
    assert graded(text) == (None, None, note)
