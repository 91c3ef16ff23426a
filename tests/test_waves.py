"""Filters that measure or ask, end to end: a real student, the rules teacher, and real files."""

import hashlib
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from asft import generate, recipe
from asft.budget import FREE, Prices
from asft.errors import FatalError
from asft.journal import Journal
from asft.progress import Progress
from asft.registry import plugin
from asft.rundir import read_json, read_jsonl
from asft.teachers.rules import Rules
from asft.types import Reply, Request

NANO: dict[str, Any] = {
    "name": "waves",
    "seed": 1,
    "per_round": 3,
    "max_drafts": 8,
    "task": {"use": "pocket", "seeds": 6, "tests": 4},
    "student": {"base": "pocket", "max_new_tokens": 40},
    "criterion": {"use": "loss", "of": "gold"},
    "selector": {"use": "top"},
    "writer": {"use": "question_with_answer"},
    "engine": {"concurrency": 2},
}

FILTERS: dict[str, list[dict[str, Any]]] = {
    "still_uncertain": [{"use": "still_uncertain", "quantile": 0.9}],
    "consistency": [{"use": "consistency", "k": 2, "at_least": 0.5}, {"use": "duplicate"}],
    "embedding_similarity": [{"use": "embedding_similarity", "threshold": 0.94}],
    "judge": [{"use": "judge"}, {"use": "consistency", "by": "judge", "k": 2}],
}


@plugin
class Failing:
    """The rules teacher with slips; out of order from the call with this number on."""

    calls: str
    """A file with a line for each call."""
    last: int = sys.maxsize

    @property
    def identity(self) -> dict[str, str]:
        return {"plugin": "failing"}

    @property
    def prices(self) -> Prices:
        return FREE

    async def reply(self, request: Request) -> Reply:
        if len(asked(Path(self.calls))) >= self.last:
            raise FatalError("the teacher is out of order")
        with Path(self.calls).open("a") as noted:
            noted.write(hashlib.sha256(repr(request).encode()).hexdigest() + "\n")
        return await Rules(error_rate=0.3, judge_unreadable=0.2).reply(request)


def asked(calls: Path) -> list[str]:
    return calls.read_text().splitlines() if calls.exists() else []


def run(
    out: Path, filters: list[dict[str, Any]], *, last: int = sys.maxsize, **changed: Any
) -> dict[str, Any]:
    """Write and filter; returns the funnel."""
    teacher = {"use": f"{Path(__file__).resolve()}:Failing", "calls": str(out.parent / "calls"), "last": last}
    made = recipe.read({**NANO, "teacher": teacher, "filters": filters, **changed})
    with (out.parent / "told.txt").open("a") as told:
        return generate.generate(
            made,
            out,
            source="",
            command=["asft"],
            redo=None,
            progress=Progress(told),
            forms=("chat",),
            parquet=False,
        ).funnel


def digests(out: Path) -> dict[str, str]:
    """Of all that the write step makes."""
    folder = out / "round-01"
    files = [folder / "write.jsonl", folder / "filter.jsonl", *(folder / "waves").rglob("*")]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file()
    }


def charged(out: Path) -> Any:
    with Journal(out / "journal.sqlite") as journal:
        return [(one.purpose, one.requests, one.input_tokens, one.output_tokens) for one in journal.sums()]


@pytest.mark.parametrize("name", FILTERS)
def test_a_run_that_breaks_off_and_goes_on_makes_the_same_bytes_for_the_same_charges(
    tmp_path: Path, name: str
) -> None:
    whole, broken = tmp_path / "whole" / "run", tmp_path / "broken" / "run"
    for out in (whole, broken):
        out.parent.mkdir()
    funnel = run(whole, FILTERS[name])
    kept, dropped, undecided = (
        sum(one[key] for one in funnel["filters"] if one["filter"] == name)
        for key in ("kept", "dropped", "undecided")
    )
    assert 0 < kept < kept + dropped + undecided
    assert dropped == sum(funnel["dropped"].get(name, {}).values())
    assert undecided == sum(funnel["undecided"].get(name, {}).values())
    with pytest.raises(FatalError, match="out of order"):
        run(broken, FILTERS[name], last=len(asked(whole.parent / "calls")) - 1)
    run(broken, FILTERS[name])
    assert digests(broken) == digests(whole)
    assert charged(broken) == charged(whole)
    assert sorted(set(asked(broken.parent / "calls"))) == sorted(set(asked(whole.parent / "calls")))


def die(out: Path, opening: str) -> None:
    def kill(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(opening) and "w" in (arguments[1] or ""):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    run(out, FILTERS["still_uncertain"])


@pytest.mark.slow
def test_a_run_that_is_killed_while_a_wave_is_measured_measures_that_wave_alone_again(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole" / "run", tmp_path / "killed" / "run"
    for out in (whole, killed):
        out.parent.mkdir()
    run(whole, FILTERS["still_uncertain"])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["asft.generate", "asft.steps"])
    process = context.Process(target=die, args=(killed, "waves/01/.measure.jsonl.new"))
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    first = killed / "round-01" / "waves" / "00" / "made_from.json"
    measured_at = first.stat().st_mtime_ns
    run(killed, FILTERS["still_uncertain"])
    assert first.stat().st_mtime_ns == measured_at
    assert digests(killed) == digests(whole)
    assert charged(killed) == charged(whole)


def test_a_wave_that_is_damaged_or_of_another_student_is_measured_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(out, FILTERS["consistency"])
    before = digests(out)
    (out / "round-01" / "write.manifest.json").unlink()
    (out / "round-01" / "waves" / "00" / "measure.jsonl").write_text("{}\n")
    (out / "round-01" / "waves" / "07").mkdir()
    run(out, FILTERS["consistency"])
    assert digests(out) == before
    assert not (out / "round-01" / "waves" / "07").exists()


def test_the_pool_is_measured_for_filters_where_no_step_before_did(tmp_path: Path) -> None:
    run(tmp_path / "run", FILTERS["embedding_similarity"], selector={"use": "random"})
    waves = tmp_path / "run" / "round-01" / "waves"
    assert len(read_jsonl(waves / "pool" / "measure.jsonl")) == NANO["task"]["seeds"]
    assert read_json(waves / "00" / "made_from.json")["needs"] == {"embedding": {"model": None}}
