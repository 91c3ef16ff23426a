"""Classifications among tasks: which label each example has, and which one it was given."""

from collections.abc import Mapping, Sequence
from typing import Any

from asft.stats import classified
from asft.types import Chooses, Example, Task

TAG = "label"
"""The tag in which a classification has the label of an example."""


def labelled(task: Task, examples: Sequence[Example], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with `label`: {"is", "given"}, where all examples have one of the same labels for an answer.

    What was given is None where the final answer is no label.
    """
    if not isinstance(task, Chooses) or not examples:
        return list(rows)
    labels = task.choices(examples[0])
    if not all(
        example.tags.get(TAG) == example.answer in labels and task.choices(example) == labels
        for example in examples
    ):
        return list(rows)
    return [
        {**row, TAG: {"is": example.answer, "given": row["final"] if row["final"] in labels else None}}
        for example, row in zip(examples, rows, strict=True)
    ]


def f1(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Macro and micro F1 over the labels that are or were given, and the counts of each.

    A label that the split does not have and nobody gave would be one with F1 0; it is left out.
    """
    right = [row[TAG]["is"] for row in rows]
    given = [row[TAG]["given"] for row in rows]
    found = classified(right, given, sorted({*right, *(label for label in given if label is not None)}))
    return {
        "macro": found.macro_f1,
        "micro": found.micro_f1,
        "labels": {
            label: {"right": one.right, "given": one.called, "items": one.items, "f1": one.f1}
            for label, one in found.labels.items()
        },
    }
