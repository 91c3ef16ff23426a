"""A split in figures, from the rows of its answers."""

from typing import Any

import pytest

from asft.errors import DataError
from asft.evaluate import summarise


def row(grade: float | None, finish: str = "stop", **tags: str) -> dict[str, Any]:
    return {"grade": grade, "finish": finish, "tags": tags}


def test_accuracy_is_right_over_all_items_and_none_is_never_right() -> None:
    found = summarise([row(1.0), row(0.0), row(None, "length"), row(1.0)])
    assert (found["items"], found["right"], found["accuracy"]) == (4, 2, 0.5)
    assert (found["unparsable"], found["cut_off"]) == (1, 1)
    # Wilson, z = 1.96: the middle is 1/2, half the width 1.96 sqrt(0.25/4 + 1.96^2/64) / (1 + 1.96^2/4).
    assert (found["low"], found["high"]) == pytest.approx((0.1500, 0.8500), abs=1e-4)


def test_items_and_right_answers_are_counted_for_each_value_of_each_tag() -> None:
    found = summarise([row(1.0, steps="1"), row(0.0, steps="2"), row(1.0, steps="2", kind="x")])
    assert found["by_tag"] == {
        "kind": {"x": {"items": 1, "right": 1}},
        "steps": {"1": {"items": 1, "right": 1}, "2": {"items": 2, "right": 1}},
    }
    assert found["too_fine"] == {}


def test_of_a_tag_that_groups_nothing_the_number_of_values_is_told() -> None:
    found = summarise([row(1.0, id=str(number)) for number in range(61)])
    assert (found["by_tag"], found["too_fine"]) == ({}, {"id": 61})


def test_a_split_without_items_is_refused() -> None:
    with pytest.raises(DataError, match="the test split is empty"):
        summarise([])
