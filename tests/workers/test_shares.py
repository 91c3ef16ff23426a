"""What several measure and evaluate together is what one does alone, in the same order."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asft import evaluate, measure, needs, student
from asft.decoder import Job, Row
from asft.errors import DataError
from asft.measure import parts
from asft.recipe import EvaluateOptions, SampleOptions
from asft.steps.answering import AskedByFirst
from asft.student import Loaded
from asft.tasks.pocket.task import Pocket
from asft.types import Measurements
from asft.workers.ranks import ALONE, Ranks
from tests.workers.threads import in_threads

NEEDS = (needs.GOLD, needs.OWN, needs.embedding(), needs.samples(2, 1.0))


@pytest.fixture(scope="module")
def pocket() -> Loaded:
    return student.load(student.Student(), "cpu")


def pool(seeds: int) -> measure.Pool:
    task = Pocket(seeds=seeds)
    return measure.Pool(task=task, examples=tuple(task.load("seed")), max_new_tokens=12, batch_size=4)


def test_a_share_has_short_and_long_ones_like_every_other() -> None:
    lengths = [50, 1, 40, 2, 30, 3]
    shares = [Ranks(rank=rank, count=2).share(lengths) for rank in (0, 1)]
    # In order of length: 1, 3, 5, 4, 2, 0.
    assert shares == [[1, 2, 5], [0, 3, 4]]
    assert ALONE.share(lengths) == [0, 1, 2, 3, 4, 5]


def test_the_first_writes_where_it_belongs_and_another_where_it_goes_again(tmp_path: Path) -> None:
    with Ranks(rank=0, count=2).folder(tmp_path) as folder:
        assert folder == tmp_path
    with Ranks(rank=1, count=2).folder(tmp_path) as folder:
        assert folder != tmp_path
        (folder / "file").touch()
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("seeds", "count"), [(11, 3), (2, 3)])
def test_measurements_are_those_of_one(
    pocket: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: int, count: int
) -> None:
    monkeypatch.setattr(parts, "PART", 2)

    def work(ranks: Ranks) -> Measurements:
        with ranks.folder(tmp_path) as folder:
            return parts.measure_in_parts(folder, "k", pocket, pool(seeds), NEEDS, round=1, ranks=ranks)

    [alone, *others] = [work(ALONE), *in_threads(count, work)]
    for found in others:
        assert [one.example_id for one in found.observations] == [
            one.example_id for one in alone.observations
        ]
        assert found.examples == alone.examples
        for ours, theirs in zip(found.observations, alone.observations, strict=True):
            assert ours.own is not None
            assert theirs.own is not None
            assert ours.own.text == theirs.own.text
            assert [one.text for one in ours.samples] == [one.text for one in theirs.samples]
        assert found.tokens.keys() == alone.tokens.keys() == {"gold", "own"}
        for name, tokens in found.tokens.items():
            np.testing.assert_array_equal(tokens.offsets, alone.tokens[name].offsets)
            np.testing.assert_allclose(tokens.nll, alone.tokens[name].nll, atol=1e-4)
        np.testing.assert_allclose(found.arrays["embedding"], alone.arrays["embedding"], atol=1e-4)


def test_parts_that_a_group_has_finished_are_measured_once(
    pocket: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART", 2)
    made: list[int] = []
    really = measure.measure

    def counting(loaded: Loaded, given: measure.Pool, *rest: Any, **more: Any) -> Measurements:
        made.append(len(given.examples))
        return really(loaded, given, *rest, **more)

    monkeypatch.setattr(parts, "measure", counting)

    def work(ranks: Ranks) -> Measurements:
        with ranks.folder(tmp_path) as folder:
            return parts.measure_in_parts(folder, "k", pocket, pool(6), (needs.GOLD,), ranks=ranks)

    first = in_threads(2, work)
    # A part has 4 examples of 6, since each of the two measures 2 of it.
    assert sorted(made) == [1, 1, 2, 2]
    made.clear()
    again = in_threads(2, work)
    assert made == []
    assert again[0].observations == first[0].observations == again[1].observations


@pytest.mark.parametrize("tests", [7, 1])
def test_rows_of_the_test_split_are_those_of_one(pocket: Loaded, tests: int) -> None:
    task = Pocket(tests=tests)
    options = EvaluateOptions(samples=SampleOptions(k=2))

    def work(ranks: Ranks) -> list[dict[str, Any]]:
        return evaluate.evaluate(
            pocket,
            task,
            tuple(task.load("test")),
            options,
            max_new_tokens=40,
            batch_size=4,
            ranks=ranks,
            progress=(told.append if ranks.first else None),
        )

    told: list[int] = []
    alone = work(ALONE)
    assert len(alone) == tests
    told.clear()
    assert in_threads(3, work) == [alone] * 3
    assert max(told) <= 2 * tests


def test_a_server_is_asked_by_the_first_for_all(pocket: Loaded) -> None:
    asked: list[list[int]] = []

    class Echo:
        def write(
            self,
            loaded: Loaded,
            jobs: Sequence[Job],
            *,
            max_new_tokens: int,
            stats: bool,
            progress: Callable[[int], None] | None,
        ) -> list[Row]:
            asked.append([job.prompt[0] for job in jobs])
            return [Row(token_ids=[job.prompt[0]] * 2) for job in jobs]

        def named(self) -> str:
            return "echo"

    def work(ranks: Ranks) -> list[list[int]]:
        by = AskedByFirst(by=Echo(), ranks=ranks)
        jobs = [Job(prompt=(number,)) for number in range(ranks.rank)]
        rows = by.write(pocket, jobs, max_new_tokens=2, stats=False, progress=None)
        assert by.named() == "echo"
        return [row.token_ids for row in rows]

    assert in_threads(3, work) == [[], [[0, 0]], [[0, 0], [1, 1]]]
    assert asked == [[0, 0, 1]]


def test_what_is_wrong_with_the_whole_is_told_by_all(pocket: Loaded) -> None:
    task = Pocket(tests=4)

    def work(ranks: Ranks) -> str:
        with pytest.raises(DataError) as caught:
            evaluate.evaluate(
                pocket,
                task,
                tuple(task.load("test")),
                EvaluateOptions(by="likelihood"),
                max_new_tokens=4,
                batch_size=4,
                ranks=ranks,
            )
        return str(caught.value)

    assert len(set(in_threads(2, work))) == 1
