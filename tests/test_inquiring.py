"""The ask step: a judge is asked about the pool between measure and select, and nothing is paid for twice."""

import asyncio
import contextlib
import io
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asft import inquiring, loop, recipe, steps
from asft.budget import FREE, Prices
from asft.errors import RequestError, RunError
from asft.journal import Journal
from asft.progress import Progress
from asft.registry import plugin
from asft.rundir import RunDir, read_json, read_jsonl
from asft.teachers.rules import Rules
from asft.types import Ceiling, Inquiry, Measurements, Need, Reply, Request, Script

SEEDS = 8
PLACES = 2
"""Calls at once."""

NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 1,
    "per_round": 2,
    "max_drafts": SEEDS,
    "task": {"use": "pocket", "seeds": SEEDS, "tests": 4},
    "student": {"base": "pocket", "max_new_tokens": 60},
    "teacher": {"use": "rules"},
    "criterion": {"use": "judge"},
    "selector": {"use": "top"},
    "writer": {"use": "question_then_answer"},
    "filters": [{"use": "well_formed"}],
    "train": {"max_steps": 1},
    "engine": {"concurrency": PLACES},
}


@plugin
class Noted:
    """The rules teacher; notes each call in a file, and kills its process at the one that DIES_AT says."""

    calls: str
    judge_unreadable: float = 0.0
    refuses: str = ""
    """Requests with this text."""

    @property
    def identity(self) -> dict[str, Any]:
        return {"plugin": "noted", "unreadable": self.judge_unreadable}

    @property
    def prices(self) -> Prices:
        return FREE

    async def reply(self, request: Request) -> Reply:
        with Path(self.calls).open("a") as noted:
            noted.write(f"{request.to} {hash_of(request)}\n")
        await asyncio.sleep(0)
        if len(made(Path(self.calls))) >= int(os.environ.get("DIES_AT", sys.maxsize)):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.refuses and self.refuses in request.messages[-1].content:
            raise RequestError("the endpoint takes no such request")
        return await Rules(judge_unreadable=self.judge_unreadable).reply(request)


def hash_of(request: Request) -> str:
    return repr((request.messages, request.index)).replace("\n", " ")


def noted(calls: Path, **options: Any) -> dict[str, Any]:
    return {"use": f"{Path(__file__).resolve()}:Noted", "calls": str(calls), **options}


def made(calls: Path) -> list[str]:
    return calls.read_text().splitlines() if calls.exists() else []


@contextlib.contextmanager
def line(out: Path, **changed: Any) -> Iterator[steps.Line]:
    with RunDir(out) as where, Journal(out / "journal.sqlite") as journal:
        yield steps.Line(
            recipe=recipe.read({**NANO, **changed}),
            dir=where,
            journal=journal,
            progress=Progress(io.StringIO()),
            begin=lambda: None,
        )


def up_to_select(out: Path, **changed: Any) -> list[dict[str, Any]]:
    """The steps of a first round before anything is written; the picks, in order."""
    with line(out, **changed) as one:
        steps.measure(one, 1)
        assert steps.ask(one, 1)
        steps.select(one, 1)
    return list(read_jsonl(out / "round-01" / "select.jsonl"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What nothing interrupted; `calls` beside it."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    up_to_select(out, judge=noted(out.parent / "calls"))
    return out


def grades(out: Path) -> dict[str, float | None]:
    return {row["example_id"]: row["signals"]["judge"] for row in read_jsonl(out / "round-01" / "ask.jsonl")}


def test_every_seed_is_graded_by_the_judge_once(whole: Path) -> None:
    calls = made(whole.parent / "calls")
    assert len(calls) == len(set(calls)) == SEEDS
    assert {call.split()[0] for call in calls} == {"judge"}
    assert all(grade is not None and 1 <= grade <= 10 for grade in grades(whole).values())
    assert read_json(whole / "round-01" / "ask.json") == {"refused": {}}


def test_the_grades_are_those_of_the_students_own_answers(whole: Path) -> None:
    # The rules judge gives 7 or more to what is right, and 5 or less to what is wrong.
    measured = {row["example_id"]: row["own"] for row in read_jsonl(whole / "round-01" / "measure.jsonl")}
    right = {name for name, own in measured.items() if own["grade"] == 1.0}
    assert 0 < len(right) < SEEDS
    assert {name for name, grade in grades(whole).items() if grade is not None and grade >= 7} == right


def test_the_seeds_with_the_lowest_grades_come_first(whole: Path) -> None:
    picks = list(read_jsonl(whole / "round-01" / "select.jsonl"))
    order = [grades(whole)[pick["example_id"]] for pick in picks]
    assert order == sorted(order, key=lambda grade: grade or 0)
    assert [pick["score"] for pick in picks] == [
        pytest.approx((10 - grade) / 9) for grade in order if grade is not None
    ]


def test_the_ledger_has_the_judge_under_its_own_name(whole: Path) -> None:
    with Journal(whole / "journal.sqlite") as journal:
        [row] = [row for row in journal.sums() if row.role != "student"]
    assert (row.step, row.role, row.purpose, row.requests) == ("ask", "judge", "judge", SEEDS)


def test_running_again_asks_nothing(whole: Path) -> None:
    before = made(whole.parent / "calls")
    up_to_select(whole, judge=noted(whole.parent / "calls"))
    assert made(whole.parent / "calls") == before


def test_asking_again_is_answered_from_the_journal(whole: Path) -> None:
    calls = whole.parent / "calls"
    before, asked = made(calls), (whole / "round-01" / "ask.jsonl").read_bytes()
    with RunDir(whole) as where:
        where.redo("ask")
    up_to_select(whole, judge=noted(calls))
    assert made(calls) == before
    assert (whole / "round-01" / "ask.jsonl").read_bytes() == asked


def die(out: Path, calls: Path, at: int | None, opening: str | None) -> None:
    if at is not None:
        os.environ["DIES_AT"] = str(at)

    def kill(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and opening and opening in str(arguments[0]) and "w" in (arguments[1] or ""):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    up_to_select(out, judge=noted(calls))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "opening", "again"),
    [(5, None, PLACES), (None, "ask.jsonl", 0), (None, "select.jsonl", 0)],
)
def test_a_run_that_is_killed_pays_for_no_grade_twice(
    whole: Path, tmp_path: Path, at: int | None, opening: str | None, again: int
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["asft.steps", "peft"])
    calls = tmp_path / "calls"
    process = context.Process(target=die, args=(tmp_path / "run", calls, at, opening))
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    measured = (tmp_path / "run" / "round-01" / "measure.jsonl").stat().st_mtime_ns
    up_to_select(tmp_path / "run", judge=noted(calls))
    assert (tmp_path / "run" / "round-01" / "measure.jsonl").stat().st_mtime_ns == measured
    # What was in flight may be asked again, and nothing else.
    assert sum(count - 1 for count in Counter(made(calls)).values()) <= again
    assert set(made(calls)) == set(made(whole.parent / "calls"))
    for name in ("ask.jsonl", "select.jsonl"):
        at_the_end = (tmp_path / "run" / "round-01" / name).read_bytes()
        assert at_the_end == (whole / "round-01" / name).read_bytes()


def test_without_a_judge_the_teacher_judges(whole: Path, tmp_path: Path) -> None:
    up_to_select(tmp_path / "run", teacher=noted(tmp_path / "calls"))
    assert len(made(tmp_path / "calls")) == SEEDS
    assert grades(tmp_path / "run") == grades(whole)


def test_pairwise_asks_the_teacher_for_an_answer_and_the_judge_for_both_orders(tmp_path: Path) -> None:
    teacher, judge = tmp_path / "teacher", tmp_path / "judge"
    picks = up_to_select(
        tmp_path / "run",
        criterion={"use": "judge", "mode": "pairwise"},
        teacher=noted(teacher),
        judge=noted(judge),
    )
    assert len(made(teacher)) == SEEDS
    # One request where the student says the same as the teacher.
    assert SEEDS <= len(made(judge)) <= 2 * SEEDS
    rows = {
        row["example_id"]: row["signals"]["judge_pair"]
        for row in read_jsonl(tmp_path / "run" / "round-01" / "ask.jsonl")
    }
    measured = {
        row["example_id"]: row["own"] for row in read_jsonl(tmp_path / "run" / "round-01" / "measure.jsonl")
    }
    for name, gap in rows.items():
        # The rules teacher is right, and the rules judge knows.
        assert (gap > 3) == (measured[name]["grade"] != 1.0)
    assert [rows[pick["example_id"]] for pick in picks] == sorted(rows.values(), reverse=True)


def test_batches_are_ranked_and_the_mean_place_is_kept(tmp_path: Path) -> None:
    picks = up_to_select(
        tmp_path / "run",
        criterion={"use": "llm_pick", "batch": 4, "passes": 2},
        judge=noted(tmp_path / "calls"),
    )
    assert len(made(tmp_path / "calls")) == 2 * SEEDS // 4
    scores = [pick["score"] for pick in picks]
    assert sorted(set(scores)) != [scores[0]]
    assert all(0.0 <= score <= 1.0 for score in scores)


def test_two_needs_are_asked_in_one_step_and_weighed_together(whole: Path, tmp_path: Path) -> None:
    criterion = {
        "use": "acquisition",
        "uncertainty": "judge",
        "quality": {"use": "llm_pick", "passes": 1},
        "alpha": 2.0,
        "gamma": 1.0,
    }
    picks = up_to_select(tmp_path / "run", criterion=criterion, judge=noted(tmp_path / "calls"))
    # A grade for each seed, as alone, and one ranking of all.
    assert len(made(tmp_path / "calls")) == SEEDS + 1
    rows = list(read_jsonl(tmp_path / "run" / "round-01" / "ask.jsonl"))
    assert {row["example_id"]: row["signals"]["judge"] for row in rows} == grades(whole)
    assert sorted(row["signals"]["llm_pick"] for row in rows) == [
        pytest.approx(place / (SEEDS - 1)) for place in range(SEEDS)
    ]
    scores = [pick["score"] for pick in picks]
    assert scores == sorted(scores, reverse=True)
    # Ranks have the mean of a half: 2 x 1/2 + 1/2 + 1/2.
    assert sum(scores) / SEEDS == pytest.approx(2.0)


def test_replies_that_hold_no_grade_are_asked_for_again_and_then_counted(tmp_path: Path) -> None:
    up_to_select(tmp_path / "run", judge=noted(tmp_path / "calls", judge_unreadable=0.6))
    found = grades(tmp_path / "run")
    silent = [name for name, grade in found.items() if grade is None]
    assert 0 < len(silent) < SEEDS
    assert SEEDS < len(made(tmp_path / "calls")) <= 2 * SEEDS
    scores = {
        row["example_id"]: row["score"] for row in read_jsonl(tmp_path / "run" / "round-01" / "score.jsonl")
    }
    assert [name for name, score in scores.items() if score is None] == silent
    picks = {row["example_id"] for row in read_jsonl(tmp_path / "run" / "round-01" / "select.jsonl")}
    assert picks == set(found) - set(silent)


def test_a_refused_request_leaves_one_seed_without_a_grade_and_is_counted(tmp_path: Path) -> None:
    with line(tmp_path / "run") as one:
        prompt = one.seeds[3].prompt
    up_to_select(tmp_path / "run", judge=noted(tmp_path / "calls", refuses=prompt))
    found = list(grades(tmp_path / "run").values())
    assert found[3] is None
    assert found.count(None) == 1
    refused = read_json(tmp_path / "run" / "round-01" / "ask.json")["refused"]
    assert refused == {"the endpoint takes no such request": 1}


# Budgets, in whole runs


def run(out: Path, **changed: Any) -> list[dict[str, Any]]:
    made = recipe.read({**NANO, **changed})
    return loop.run(made, out, source="", command=["asft"], redo=None, progress=Progress(io.StringIO()))


def test_a_budget_that_does_not_cover_the_pool_is_told_in_the_first_round(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the budget is used up before the pool has been judged"):
        run(tmp_path / "run", budget={"requests": SEEDS - 1, "timeout_share": 0.0})
    with Journal(tmp_path / "run" / "journal.sqlite") as journal:
        assert 0 < journal.spent().requests < SEEDS


def test_a_budget_that_does_not_cover_the_pool_of_a_later_round_ends_the_run(tmp_path: Path) -> None:
    # A round makes 4 rankings, of other batches in each, and 2 drafts of 2 requests. So 8 of 12 are used in
    # the first. In the second the last ranking, which may take 2, finds but 1 left.
    criterion = {"use": "llm_pick", "batch": 4, "passes": 2}
    budget = {"requests": 12, "timeout_share": 0.0}
    done = run(tmp_path / "run", rounds=2, criterion=criterion, budget=budget)
    assert [figures["round"] for figures in done] == [0, 1]
    assert done[1]["funnel"]["kept"] == 2
    with Journal(tmp_path / "run" / "journal.sqlite") as journal:
        assert journal.spent().requests == 11
    done = run(tmp_path / "run", rounds=2, criterion=criterion, budget={"requests": 900})
    assert [figures["round"] for figures in done] == [0, 1, 2]
    with Journal(tmp_path / "run" / "journal.sqlite") as journal:
        assert journal.spent().requests == 16


# What several scripts say


class Several:
    """Two scripts about the first two seeds, one of which says nothing of the second; one about the third."""

    def inquiries(self, measurements: Measurements, seed: int) -> Iterator[Inquiry]:
        first, second, third = (example.id for example in measurements.examples)
        sayings: list[dict[str, float | None]] = [
            {first: 1.0, second: None},
            {first: 4.0, second: 3.0},
            {third: None},
        ]
        for said in sayings:
            yield Inquiry(script=script(said), ceiling=Ceiling(requests=0, input_tokens=0, output_tokens=0))


def script(said: dict[str, float | None]) -> Callable[[], Script[dict[str, float | None]]]:
    def asks_nothing() -> Script[dict[str, float | None]]:
        yield []
        return said

    return asks_nothing


def test_where_several_scripts_speak_of_a_seed_their_mean_counts_and_none_is_not_zero(
    tmp_path: Path,
) -> None:
    made = recipe.read({**NANO, "task": {"use": "pocket", "seeds": 3}})
    examples = tuple(made.task.load("seed"))
    need = Need(name="several", kind="script", asker=Several())
    measurements = Measurements(round=1, examples=examples, observations=())
    with Journal(tmp_path / "journal.sqlite") as journal:
        asked = inquiring.ask(made, [need], measurements, journal)
    assert asked.signals == {"several": [2.5, 3.0, None]}
    assert asked.ending == "all done"
