from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asft import measure, measurements, needs, student
from asft.rundir import digest
from asft.tasks.pocket.task import Pocket


@pytest.fixture(scope="module")
def pocket() -> student.Loaded:
    return student.load(student.Student(), "cpu")


def test_progress_counts_references_and_own_answers(pocket: student.Loaded) -> None:
    seen: list[int] = []
    measure.measure(pocket, pool(5), (needs.GOLD, needs.OWN), progress=seen.append)
    assert seen == sorted(seen)
    assert 5 in seen
    assert {8, 10} <= set(seen)


def pool(seeds: int, **settings: Any) -> measure.Pool:
    task = Pocket(seeds=seeds)
    examples = tuple(task.load("seed"))
    return measure.Pool(task=task, examples=examples, **{"max_new_tokens": 2, "batch_size": 3, **settings})


def test_arrays_hold_the_tokens_of_each_answer_in_the_order_of_the_pool(pocket: student.Loaded) -> None:
    found = measure.measure(pocket, pool(5, max_new_tokens=60), (needs.GOLD, needs.OWN))
    for name, stats in (
        ("gold", [one.gold for one in found.observations]),
        ("own", [one.own.stats for one in found.observations if one.own]),
    ):
        ragged = found.tokens[name]
        for number, expected in enumerate(stats):
            assert expected is not None
            where = ragged.of(number)
            assert len(ragged.nll[where]) == expected.tokens
            assert ragged.nll[where].mean() == pytest.approx(expected.nll, rel=1e-5)
            assert ragged.entropy[where].mean() == pytest.approx(expected.entropy, rel=1e-5)


def test_measurements_are_read_as_they_were_written(pocket: student.Loaded, tmp_path: Path) -> None:
    found = measure.measure(pocket, pool(4), (needs.GOLD, needs.OWN), round=2)
    found = replace(found, arrays={"embedding": np.eye(4, 3, dtype=np.float32)})
    measurements.write(tmp_path, found)
    again = measurements.read(tmp_path, found.examples, round=2)
    assert again.observations == found.observations
    np.testing.assert_array_equal(again.arrays["embedding"], found.arrays["embedding"])
    for name in ("gold", "own"):
        for part in ("offsets", "nll", "entropy", "margin"):
            np.testing.assert_array_equal(
                getattr(again.tokens[name], part), getattr(found.tokens[name], part)
            )


def test_equal_measurements_are_equal_bytes_and_leave_nothing_of_others(
    pocket: student.Loaded, tmp_path: Path
) -> None:
    found = measure.measure(pocket, pool(4), (needs.GOLD,))
    measurements.write(tmp_path / "a", found)
    measurements.write(tmp_path / "b", replace(found, arrays={"more": np.zeros((4, 1), dtype=np.float32)}))
    measurements.write(tmp_path / "b", found)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
