"""Whole runs of a nano recipe: real student, real training, real teacher, real files."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from asft import loop, recipe
from asft.errors import RunError
from asft.journal import Journal
from asft.progress import Progress
from asft.rundir import read_jsonl

NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 2,
    "per_round": 6,
    "task": {"use": "pocket", "seeds": 16, "tests": 16},
    "student": {"base": "pocket", "max_new_tokens": 60},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "top"},
    "writer": {"use": "question_then_answer"},
    "filters": [{"use": "well_formed"}, {"use": "duplicate"}, {"use": "not_in_test"}],
    "train": {"max_steps": 2},
}

SAME = ("select.jsonl", "write.jsonl", "filter.jsonl", "dataset.jsonl")
"""What a run that was killed has byte for byte as one that never was."""


def run(out: Path, redo: str | None = None, **changed: Any) -> list[dict[str, Any]]:
    made = recipe.read({**NANO, **changed})
    with (out.parent / "progress.txt").open("a") as told:
        return loop.run(made, out, source="", command=["asft"], redo=redo, progress=Progress(told))


def digests(out: Path) -> dict[str, str]:
    files = sorted(path for path in out.glob("round-*/*") if path.name in SAME)
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    run(out)
    return out


def test_a_run_leaves_every_file_of_the_line(whole: Path) -> None:
    assert {path.name for path in whole.iterdir() if path.is_file()} >= {
        "recipe.yaml",
        "recipe.lock.json",
        "run.json",
        "journal.sqlite",
    }
    for number in (1, 2):
        names = {path.name for path in (whole / f"round-{number:02d}").iterdir()}
        assert names >= {"measure.jsonl", "evaluate.jsonl", "summary.json", "adapter", *SAME}
    assert (whole / "round-00" / "summary.json").exists()


def test_picks_are_the_hardest_seeds_first(whole: Path) -> None:
    measured = {row["example_id"]: row for row in read_jsonl(whole / "round-01" / "measure.jsonl")}
    picked = read_jsonl(whole / "round-01" / "select.jsonl")[:16]
    scores = [row["score"] for row in picked]
    assert scores == sorted(scores, reverse=True)
    for row in picked:
        assert row["score"] == measured[row["example_id"]]["answers"][0]["stats"]["nll"]


def test_rounds_accumulate_what_was_accepted(whole: Path) -> None:
    first = read_jsonl(whole / "round-01" / "dataset.jsonl")
    second = read_jsonl(whole / "round-02" / "dataset.jsonl")
    assert len(first) == 6
    assert second[:6] == first
    assert [row["round"] for row in second] == [1] * 6 + [2] * 6


def test_each_draft_has_its_parent_and_the_verdict_its_number(whole: Path) -> None:
    picks = {row["number"]: row for row in read_jsonl(whole / "round-01" / "select.jsonl")}
    drafts = read_jsonl(whole / "round-01" / "write.jsonl")
    assert [row["number"] for row in drafts] == list(range(len(drafts)))
    for row in drafts:
        assert row["example"]["parents"] == [picks[row["number"]]["example_id"]]
    verdicts = read_jsonl(whole / "round-01" / "filter.jsonl")
    assert [row["number"] for row in verdicts] == [row["number"] for row in drafts if row["example"]]


def test_the_same_recipe_gives_the_same_picks_and_training_set(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "again", rounds=1)
    again = digests(tmp_path / "again")
    assert again
    assert again == {name: sha for name, sha in digests(whole).items() if name.startswith("round-01")}


def test_running_again_does_nothing_and_pays_nothing(whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.glob("round-*/*.jsonl")}
    with Journal(whole / "journal.sqlite") as journal:
        spent = journal.spent()
    run(whole)
    assert {path: path.stat().st_mtime_ns for path in whole.glob("round-*/*.jsonl")} == before
    with Journal(whole / "journal.sqlite") as journal:
        assert journal.spent() == spent


def test_another_setting_is_refused_and_more_rounds_are_not(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(out, rounds=1)
    with pytest.raises(RunError, match=r"criterion\.reduce was 'mean', now 'sum'.*--redo select"):
        run(out, criterion={"use": "loss", "of": "own", "reduce": "sum"})
    run(out, rounds=2)
    assert digests(out) == digests(whole)


def test_redoing_the_writing_asks_nothing_again(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(out, rounds=1)
    with Journal(out / "journal.sqlite") as journal:
        spent = journal.spent()
    run(out, redo="write", rounds=1, filters=[{"use": "well_formed"}])
    with Journal(out / "journal.sqlite") as journal:
        assert journal.spent() == spent


def test_a_budget_that_is_used_up_ends_the_run_normally_and_marks_the_round_short(tmp_path: Path) -> None:
    done = run(tmp_path / "run", budget={"requests": 9, "timeout_share": 0.0})
    assert len(done) == 2
    assert done[1]["short"]
    assert 1 <= done[1]["funnel"]["kept"] < 6
    with Journal(tmp_path / "run" / "journal.sqlite") as journal:
        assert journal.spent().requests <= 9


def test_a_budget_of_examples_is_met_exactly(tmp_path: Path) -> None:
    done = run(tmp_path / "run", budget={"examples": 8})
    assert [figures["funnel"]["kept"] for figures in done[1:]] == [6, 2]


def test_a_round_that_accepts_nothing_stops_with_the_funnel(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"round 1 accepted nothing.*24 drafts.*0 kept; the commonest reason"):
        run(tmp_path / "run", teacher={"use": "rules"}, filters=[{"use": "agrees"}])


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("...")
    with pytest.raises(RunError, match="holds other files"):
        run(tmp_path)


def test_a_run_that_is_killed_at_any_time_ends_in_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "nano.yaml"
    path.write_text(yaml.safe_dump(NANO))
    out = tmp_path / "run"
    command = [sys.executable, "-m", "asft", "run", str(path), "--out", str(out)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for file in ("round-00/evaluate.jsonl", "round-01/measure.jsonl", "journal.sqlite", "round-01/adapter"):
        process = subprocess.Popen(command, start_new_session=True, **quiet)  # type: ignore[call-overload]
        deadline = time.monotonic() + 120
        while not (out / file).exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, **quiet)  # type: ignore[call-overload]
    assert digests(out) == digests(whole)
    with Journal(out / "journal.sqlite") as journal, Journal(whole / "journal.sqlite") as other:
        assert journal.spent() == other.spent()
    assert json.loads((out / "report.json").read_text())
