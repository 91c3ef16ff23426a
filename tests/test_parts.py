"""A large pool is measured in parts, which are kept until all are there."""

from pathlib import Path

import numpy as np
import pytest

from asft import measure, measurements, needs, student
from asft.measure import parts
from asft.rundir import digest
from asft.tasks.pocket.task import Pocket
from asft.types import Measurements

SEEDS = 10


@pytest.fixture(scope="module")
def pocket() -> student.Loaded:
    return student.load(student.Student(), "cpu")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", 4)


def pool() -> measure.Pool:
    task = Pocket(seeds=SEEDS)
    return measure.Pool(task=task, examples=tuple(task.load("seed")), max_new_tokens=4, batch_size=4)


class KilledError(Exception):
    pass


def measured(
    folder: Path, pocket: student.Loaded, *, key: str = "k", dies_at: int | None = None
) -> Measurements:
    def progress(done: int) -> None:
        if dies_at is not None and done >= dies_at:
            raise KilledError

    return parts.measure_in_parts(folder, key, pocket, pool(), (needs.GOLD, needs.OWN), progress=progress)


def on_disk(folder: Path, found: Measurements) -> str:
    folder.mkdir()
    measurements.write(folder, found)
    return digest(folder)


def test_parts_give_what_the_whole_gives_in_the_order_of_the_pool(
    pocket: student.Loaded, tmp_path: Path
) -> None:
    found = measured(tmp_path, pocket)
    whole = measure.measure(pocket, pool(), (needs.GOLD, needs.OWN))
    assert [one.example_id for one in found.observations] == [one.example_id for one in whole.observations]
    assert [one.own and one.own.text for one in found.observations] == [
        one.own and one.own.text for one in whole.observations
    ]
    for name in ("gold", "own"):
        np.testing.assert_array_equal(found.tokens[name].offsets, whole.tokens[name].offsets)
        np.testing.assert_allclose(found.tokens[name].nll, whole.tokens[name].nll, atol=1e-4)


@pytest.mark.parametrize("dies_at", [3, 9, 17])
def test_a_kill_loses_one_part_at_most_and_changes_no_byte(
    pocket: student.Loaded, tmp_path: Path, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = on_disk(tmp_path / "alone", measured(tmp_path / "a", pocket))
    with pytest.raises(KilledError):
        measured(tmp_path / "b", pocket, dies_at=dies_at)
    made: list[int] = []
    really = measure.measure

    def counting(loaded: student.Loaded, given: measure.Pool, *rest: object, **more: object) -> Measurements:
        made.append(len(given.examples))
        return really(loaded, given, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(parts, "measure", counting)
    again = measured(tmp_path / "b", pocket)
    # A part has 4 examples and 2 needs, so 8 measurements; the last part has 2 examples.
    assert made == [4, 4, 2][dies_at // 8 :]
    assert on_disk(tmp_path / "again", again) == alone


def test_parts_of_other_settings_are_not_used(pocket: student.Loaded, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        measured(tmp_path, pocket, key="other", dies_at=9)
    [part] = tmp_path.glob(".measuring-other/*/measure.jsonl")
    part.write_text("damaged")
    assert len(measured(tmp_path, pocket).observations) == SEEDS


def test_nothing_is_left_of_the_parts_when_they_are_forgotten(pocket: student.Loaded, tmp_path: Path) -> None:
    measured(tmp_path, pocket)
    assert list(tmp_path.iterdir())
    parts.forget(tmp_path)
    assert list(tmp_path.iterdir()) == []
