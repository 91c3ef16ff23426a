"""Teacher and student on one machine take turns, in this order, and the teacher is stopped at the end."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asft import loop, recipe, student
from asft.budget import FREE, Prices
from asft.errors import FatalError
from asft.progress import Progress
from asft.registry import plugin
from asft.rundir import read_jsonl
from asft.student import Loaded, Student
from asft.teachers.rules import Rules
from asft.types import Reply, Request

NANO: dict[str, Any] = {
    "name": "turns",
    "rounds": 2,
    "per_round": 2,
    "task": {"use": "pocket", "seeds": 6, "tests": 4},
    "student": {"base": "pocket", "max_new_tokens": 20},
    "criterion": {"use": "loss", "of": "gold"},
    "selector": {"use": "top"},
    "writer": {"use": "question_with_answer"},
    "filters": [{"use": "well_formed"}],
    "train": {"max_steps": 1},
}


@plugin
class Sleepy:
    """The rules teacher as one that has to be woken; notes what is done with it, and when."""

    run: str
    """The run directory."""
    shares: bool = True
    fails: bool = False

    @property
    def identity(self) -> dict[str, str]:
        return {"plugin": "sleepy"}

    @property
    def prices(self) -> Prices:
        return FREE

    takes_turns = True

    @property
    def shares_device(self) -> bool:
        return self.shares

    async def wake(self, logs: Path | None) -> None:
        assert logs == Path(self.run) / "logs"
        self.note("wake")

    async def sleep(self) -> None:
        self.note("sleep")

    async def stop(self) -> None:
        self.note("stop")

    async def reply(self, request: Request) -> Reply:
        self.note("reply")
        if self.fails:
            raise FatalError("the teacher is out of order")
        return await Rules().reply(request)

    def note(self, what: str) -> None:
        """With the last hand-over before it, and the steps that are done in the last round."""
        out = Path(self.run)
        handed = turns(out)
        last = max(out.glob("round-*"))
        row = {
            "what": what,
            "after": handed[-1]["event"] if handed else "",
            "done": sorted(path.name.partition(".")[0] for path in last.glob("*.manifest.json")),
            "training": (last / "dataset.jsonl").exists(),
        }
        with (out.parent / "noted.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")


def turns(out: Path) -> list[dict[str, Any]]:
    file = out / "logs" / "turns.jsonl"
    return read_jsonl(file) if file.exists() else []


def run(out: Path, changed: Mapping[str, Any] | None = None, **options: Any) -> list[dict[str, Any]]:
    """Run, and return what was done with the teacher; of replies in a row the first."""
    use = f"{Path(__file__).resolve()}:Sleepy"
    made = recipe.read({**NANO, **(changed or {}), "teacher": {"use": use, "run": str(out), **options}})
    try:
        loop.run(made, out, source="", command=["asft"], redo=None, progress=Progress(io.StringIO()))
    finally:
        noted = read_jsonl(out.parent / "noted.jsonl")
    return [row for at, row in enumerate(noted) if not at or row["what"] != noted[at - 1]["what"]]


def test_the_student_goes_the_teacher_wakes_writes_and_sleeps_and_the_student_is_back_before_it_is_trained(
    tmp_path: Path,
) -> None:
    noted = run(tmp_path / "run")

    before = ["measure", "select"]
    one_round = [
        {"what": "wake", "after": "student away", "done": before, "training": False},
        {"what": "reply", "after": "teacher awake", "done": before, "training": False},
        {"what": "sleep", "after": "teacher awake", "done": before, "training": False},
    ]
    done = ["evaluate", "measure", "select", "train", "write"]
    stop = {"what": "stop", "after": "student back", "done": done, "training": True}
    assert noted == [*one_round, *one_round, stop]
    events = ["student away", "teacher awake", "teacher done", "student back"]
    rows = turns(tmp_path / "run")
    assert [(row["round"], row["event"]) for row in rows] == [(n, e) for n in (1, 2) for e in events]
    assert all(row["resident"] > 0 and row["seconds"] >= 0 for row in rows)


def test_where_a_filter_measures_teacher_and_student_take_turns_in_each_wave(tmp_path: Path) -> None:
    filters = [{"use": "still_uncertain", "quantile": 0.9}]
    noted = run(tmp_path / "run", {"rounds": 1, "filters": filters, "max_drafts": 6})

    waves = len(list((tmp_path / "run" / "round-01" / "waves").glob("[0-9]*")))
    assert waves > 1
    assert [row["what"] for row in noted] == ["wake", "reply", "sleep"] * waves + ["stop"]
    events = ["student away", "teacher awake", "teacher done", "student back"]
    assert [row["event"] for row in turns(tmp_path / "run")] == events * waves


def test_a_teacher_that_stays_has_no_need_of_the_students_place(tmp_path: Path) -> None:
    noted = run(tmp_path / "run", shares=False)
    assert [row["after"] for row in noted if row["what"] == "wake"] == ["", "teacher done"]


def test_a_run_that_fails_stops_the_teacher(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="out of order"):
        run(tmp_path / "run", fails=True)
    noted = [row["what"] for row in read_jsonl(tmp_path / "noted.jsonl")]
    assert (noted[0], noted[-1], "sleep" in noted) == ("wake", "stop", False)


def test_a_finished_run_wakes_nobody(tmp_path: Path) -> None:
    run(tmp_path / "run")
    (tmp_path / "noted.jsonl").unlink()
    assert [row["what"] for row in run(tmp_path / "run")] == ["stop"]


class Model:
    """Stands in for weights on a device."""

    def __init__(self) -> None:
        self.device = "cuda:1"

    def to(self, place: str) -> None:
        self.device = place


def loaded(model: Model) -> Loaded:
    return Loaded(student=Student(), model=model, tokenizer=None)


def test_a_student_that_is_away_comes_back_to_where_it_was() -> None:
    model = Model()
    with student.away(loaded(model)):
        during = model.device
    assert (during, model.device) == ("cpu", "cuda:1")


def test_a_student_stays_away_where_the_teachers_turn_fails() -> None:
    model = Model()
    with pytest.raises(FatalError), student.away(loaded(model)):
        raise FatalError("the teacher keeps the device")
    assert model.device == "cpu"
