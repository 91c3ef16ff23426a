"""A split in figures, from the rows of its answers."""

from typing import Any

import pytest

from asft.errors import DataError
from asft.evaluate import summarise


def row(grade: float | None, finish: str = "stop", **tags: str) -> dict[str, Any]:
    return {"grade": grade, "finish": finish, "tags": tags}


def sampled(*answers: tuple[str | None, float | None]) -> dict[str, Any]:
    """A row with samples, each a final answer and its grade."""
    samples = [{"final": final, "grade": grade, "finish": "stop"} for final, grade in answers]
    return {**row(0.0), "samples": samples}


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


def test_the_bootstrap_is_over_items_and_always_the_same() -> None:
    found = summarise([row(1.0)] * 60 + [row(0.0)] * 40)
    assert found == summarise([row(1.0)] * 60 + [row(0.0)] * 40)
    # 0.6 +- 1.96 sqrt(0.6 * 0.4 / 100) = 0.6 +- 0.0960
    assert (found["bootstrap"]["low"], found["bootstrap"]["high"]) == pytest.approx((0.504, 0.696), abs=0.011)


def test_the_worst_group_and_the_gap_are_among_the_groups_that_are_large_enough() -> None:
    rows = [
        *[row(1.0, kind="best")] * 4,
        *[row(1.0, kind="middle"), row(0.0, kind="middle")] * 2,
        *[row(1.0, kind="worst"), *[row(0.0, kind="worst")] * 3],
        *[row(0.0, kind="small")] * 3,
    ]
    found = summarise(rows, least_group=4)["groups"]["kind"]
    assert found["groups"] == 3
    assert (found["worst"]["value"], found["worst"]["items"], found["worst"]["right"]) == ("worst", 4, 1)
    assert (found["best"]["value"], found["gap"]) == ("best", 0.75)
    # Wilson of 1 of 4: z^2 = 3.8415, (0.25 + 0.4802 -+ 1.96 sqrt(0.1875/4 + 3.8415/64)) / 1.9604.
    assert (found["worst"]["low"], found["worst"]["high"]) == pytest.approx((0.0456, 0.6994), abs=1e-4)


def test_where_no_group_of_that_size_is_worse_than_another_none_is_the_worst() -> None:
    rows = [*[row(1.0, split="test", kind="a", level="1")] * 3, *[row(1.0, kind="a", level="2")] * 3]
    assert summarise([*rows, row(0.0, kind="b")], least_group=2)["groups"] == {}


def test_pass_at_k_and_the_majority_of_samples_by_hand() -> None:
    rows = [
        sampled(("7", 1.0), ("7", 1.0), ("8", 0.0), (None, None)),
        sampled(("8", 0.0), ("7", 1.0), ("9", 0.0), ("9", 0.0)),
        sampled((None, None), (None, None), (None, None), (None, None)),
        sampled(("8", 0.0), ("7", 1.0), ("7", 1.0), ("8", 0.0)),
    ]
    found = summarise(rows)["samples"]
    # Right of 4: 2, 1, 0, 2. pass@1: their quarter. pass@2: 1 - C(4-c,2)/6 = 5/6, 1/2, 0, 5/6. pass@4: any.
    shares = {size: one["share"] for size, one in found["pass"].items()}
    assert shares == pytest.approx({"1": 5 / 16, "2": (5 / 6 + 1 / 2 + 5 / 6) / 4, "4": 3 / 4})
    # Votes: 7 twice; 9 twice; none; a tie of 8 and 7, where 8 was drawn first.
    assert (found["k"], found["majority"]["right"], found["majority"]["accuracy"]) == (4, 1, 0.25)
    assert (found["majority"]["ties"], found["majority"]["without"]) == (1, 1)
    assert (found["unparsable"], found["cut_off"]) == (5, 0)
    assert found["pass"]["1"]["low"] <= 5 / 16 <= found["pass"]["1"]["high"]


def test_pass_is_told_for_the_powers_of_2_and_for_all_samples() -> None:
    found = summarise([sampled(*[("7", 1.0)] * 6)])["samples"]
    assert list(found["pass"]) == ["1", "2", "4", "6"]


def test_without_samples_nothing_is_said_of_them() -> None:
    assert "samples" not in summarise([row(1.0)])
