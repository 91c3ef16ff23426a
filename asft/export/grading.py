"""Loads the test split beside this file and grades answers to it, for lm-evaluation-harness.

`asft export` copies this file next to the task. Grading is asft's own, so asft must be installed: a lesser
grading that steps in unasked would give figures that mean something else under the same name.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def load(**_: Any) -> Any:
    """The splits, as `custom_dataset` wants them; the harness hands over the task's metadata."""
    from datasets import Dataset

    with (HERE / "test.jsonl").open(encoding="utf-8") as lines:
        return {"test": Dataset.from_list([json.loads(line) for line in lines])}


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Grade one answer as asft does: right or not, and whether there was no final answer to grade."""
    return _graded(doc, results[0])


def process_likelihoods(doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """Grade the likeliest choice, the first of equals. The harness also says whether each is greedy."""
    each = [found / tokens for (found, _), tokens in zip(results, doc["per"], strict=True)]
    return _graded(doc, doc["spelled"][each.index(max(each))])


def _graded(doc: Mapping[str, Any], text: str) -> dict[str, float]:
    from asft.types import Example

    example = json.loads(doc["example"])
    example["parents"] = tuple(example["parents"])
    value = _task().grade(Example(**example), text).value
    return {"accuracy": float(value == 1.0), "unparsable": float(value is None)}


@cache
def _task() -> Any:
    from asft import registry

    section = json.loads((HERE / "task.json").read_text(encoding="utf-8"))
    if (path := section["use"].rpartition(":")[0]).endswith(".py"):
        section["use"] = f"{HERE / path}:{section['use'].rpartition(':')[2]}"
    return registry.from_section("task", section)
