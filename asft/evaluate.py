"""The test split: greedy answers, graded, and what they add up to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asft import decoder
from asft.errors import DataError
from asft.measure.answers import graded
from asft.stats import wilson
from asft.student import Loaded
from asft.types import Example, Task


def evaluate(
    loaded: Loaded,
    task: Task,
    examples: Sequence[Example],
    *,
    max_new_tokens: int,
    batch_size: int,
    by: decoder.Decoder | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[dict[str, Any]]:
    """One row per example, in their order: example_id, text, finish, grade, tags.

    `by`: who decodes; None: the student in memory.
    """
    answers = decoder.answer(
        loaded,
        [example.prompt for example in examples],
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        by=by,
        progress=progress,
    )
    return [
        {
            "example_id": example.id,
            "text": answer.text,
            "finish": answer.finish,
            "grade": answer.grade,
            "tags": dict(example.tags),
        }
        for example, answer in zip(examples, graded(task, examples, answers), strict=True)
    ]


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Accuracy = right / all items, with its 95% Wilson interval; shares unparsable and cut off; by tag.

    A grade of None is never right. Of a tag with more than 60 values `too_fine` has their number, and nothing
    else. Raises DataError for no rows.
    """
    if not rows:
        raise DataError("the test split is empty; there is nothing to evaluate on")
    right = sum(row["grade"] == 1.0 for row in rows)
    interval = wilson(right, len(rows))
    by_tag: dict[str, dict[str, dict[str, int]]] = {}
    for row in rows:
        for tag, value in row["tags"].items():
            cell = by_tag.setdefault(tag, {}).setdefault(value, {"items": 0, "right": 0})
            cell["items"] += 1
            cell["right"] += row["grade"] == 1.0
    return {
        "items": len(rows),
        "right": right,
        "accuracy": right / len(rows),
        "low": interval.low,
        "high": interval.high,
        "unparsable": sum(row["grade"] is None for row in rows),
        "cut_off": sum(row["finish"] == "length" for row in rows),
        "by_tag": {
            tag: dict(sorted(values.items())) for tag, values in sorted(by_tag.items()) if len(values) <= 60
        },
        "too_fine": {tag: len(values) for tag, values in sorted(by_tag.items()) if len(values) > 60},
    }
