"""Whole runs of a nano recipe: real student, real training, real teacher, real files."""

import asyncio
import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from asft import cli, loop, prompts, recipe
from asft.budget import FREE, Prices
from asft.errors import JournalError, RunError
from asft.journal import Journal
from asft.progress import Progress
from asft.registry import plugin
from asft.rundir import read_json, read_jsonl
from asft.teachers.rules import Rules
from asft.types import Reply, Request

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

PLACES = 4
"""Calls at once, where calls are counted."""

SAME = ("select.jsonl", "write.jsonl", "filter.jsonl", "dataset.jsonl")
"""What a run that was killed has byte for byte as one that never was."""


def run(out: Path, redo: str | None = None, **changed: Any) -> list[dict[str, Any]]:
    made = recipe.read({**NANO, **changed})
    with (out.parent / "progress.txt").open("a") as told:
        return loop.run(made, out, source="", command=["asft"], redo=redo, progress=Progress(told))


def digests(out: Path) -> dict[str, str]:
    files = sorted(path for path in out.glob("round-*/*") if path.name in SAME)
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@plugin
class Counting:
    """The rules teacher; notes each call in a file, and kills its process at the one that DIES_AT says."""

    calls: str
    seconds: float = 0.0

    @property
    def identity(self) -> dict[str, str]:
        return {"plugin": "counting"}

    @property
    def prices(self) -> Prices:
        return FREE

    async def reply(self, request: Request) -> Reply:
        with Path(self.calls).open("a") as noted:
            noted.write(hashlib.sha256(repr(request).encode()).hexdigest() + "\n")
        await asyncio.sleep(self.seconds)
        if len(made(Path(self.calls))) >= int(os.environ.get("DIES_AT", sys.maxsize)):
            os.kill(os.getpid(), signal.SIGKILL)
        return await Rules().reply(request)


def counting(calls: Path, **options: Any) -> dict[str, Any]:
    """The settings of a recipe whose teacher notes its calls."""
    teacher = {"use": f"{Path(__file__).resolve()}:Counting", "calls": str(calls), **options}
    return {"teacher": teacher, "engine": {"concurrency": PLACES}}


def made(calls: Path) -> list[str]:
    return calls.read_text().splitlines() if calls.exists() else []


def repaid(calls: Path) -> int:
    """How many calls were made again."""
    return sum(count - 1 for count in Counter(made(calls)).values())


def in_process(target: Callable[..., None], *arguments: Any) -> Any:
    """A real process; it is a fork of one that has imported all that takes seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["asft.cli", "asft.loop", "peft", "trl.trainer.sft_trainer"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def run_and_die(out: Path, changed: dict[str, Any], opening: str | None, calls: int | None) -> None:
    """Run, and be killed when a file is opened to be written, or at a call."""
    if calls is not None:
        os.environ["DIES_AT"] = str(calls)

    def kill(event: str, arguments: tuple[Any, ...]) -> None:
        if (
            event == "open"
            and opening
            and str(arguments[0]).endswith(opening)
            and "w" in (arguments[1] or "")
        ):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    run(out, **changed)


def killed(
    out: Path, changed: dict[str, Any], *, opening: str | None = None, calls: int | None = None
) -> None:
    process = in_process(run_and_die, out, changed, opening, calls)
    process.join(300)
    assert process.exitcode == -signal.SIGKILL, (opening, calls)


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


def test_the_lock_says_what_trl_and_peft_were_given(whole: Path) -> None:
    lock = read_json(whole / "recipe.lock.json")
    assert lock["train"]["lr_scheduler_type"] == "cosine"
    assert lock["train"]["max_length"] is None
    assert lock["lora"]["r"] == 16
    figures = read_json(whole / "round-01" / "train.json")
    assert figures["steps"] == lock["train"]["max_steps"]


def test_picks_are_the_hardest_seeds_first(whole: Path) -> None:
    measured = {row["example_id"]: row for row in read_jsonl(whole / "round-01" / "measure.jsonl")}
    picked = read_jsonl(whole / "round-01" / "select.jsonl")[:16]
    scores = [row["score"] for row in picked]
    assert scores == sorted(scores, reverse=True)
    for row in picked:
        assert row["score"] == measured[row["example_id"]]["own"]["stats"]["nll"]


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


def test_a_run_that_is_extended_says_so_and_is_marked(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(out, rounds=1)
    assert read_json(out / "run.json")["changes"] == []
    run(out, rounds=2)
    [mark] = read_json(out / "run.json")["changes"]
    assert (mark["extended"], mark["other"]) == (["rounds was 1, now 2"], [])
    assert "The run is extended: rounds was 1, now 2.\n" in (tmp_path / "progress.txt").read_text()


def test_other_versions_are_told_once_when_a_run_goes_on_under_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    run(out, rounds=1)
    monkeypatch.setattr("asft.__version__", "99.0")
    run(out, rounds=1)
    assert read_json(out / "run.json")["changes"] == [], "nothing was made under them"
    run(out, rounds=1, redo="evaluate")
    run(out, rounds=1, redo="evaluate")
    [mark] = read_json(out / "run.json")["changes"]
    assert mark["other"] == [
        f"versions.asft was {read_json(out / 'run.json')['versions']['asft']!r}, now '99.0'"
    ]
    assert (tmp_path / "progress.txt").read_text().count("under other versions or hardware") == 1


def test_settings_that_were_refused_are_not_put_down_as_those_of_the_run(tmp_path: Path) -> None:
    run(tmp_path / "run", rounds=1)
    before = (tmp_path / "run" / "recipe.lock.json").read_bytes()
    with pytest.raises(RunError):
        run(tmp_path / "run", seed=2)
    assert (tmp_path / "run" / "recipe.lock.json").read_bytes() == before
    run(tmp_path / "run", seed=2, rounds=1, redo="select")
    assert read_json(tmp_path / "run" / "recipe.lock.json")["seed"] == 2


def test_a_changed_prompt_is_refused_with_the_line_that_changed(tmp_path: Path) -> None:
    path = tmp_path / "question.md"
    text = prompts.load("question").path.read_text()
    path.write_text(text)
    writer = {"use": "question_then_answer", "question_prompt": str(path)}
    run(tmp_path / "run", rounds=1, writer=writer)
    path.write_text(text.replace("description: ", "description: Other words on "))
    run(tmp_path / "run", rounds=1, writer=writer)
    path.write_text(f"{text.rstrip()}\nBe brief.\n")
    with pytest.raises(RunError, match=r"prompts\.question was '', now 'Be brief\.'.*`--redo write`"):
        run(tmp_path / "run", rounds=1, writer=writer)
    run(tmp_path / "run", rounds=1, writer=writer, redo="write")
    with Journal(tmp_path / "run" / "journal.sqlite") as journal:
        asked = {one.purpose: one.requests for one in journal.sums("paid")}
    kept = len(read_jsonl(tmp_path / "run" / "round-01" / "write.jsonl"))
    assert asked["question"] >= 2 * kept


def test_a_changed_file_of_a_filter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blocked.txt"
    path.write_text("casino\n")
    filters = [{"use": "blocklist", "file": str(path)}]
    run(tmp_path / "run", rounds=1, filters=filters)
    path.write_text("casino\nlottery\n")
    with pytest.raises(RunError, match=r"files\..*blocked\.txt was .*--redo write"):
        run(tmp_path / "run", rounds=1, filters=filters)


def test_another_data_set_under_the_same_settings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "seed.jsonl"
    rows = [{"question": f"What is {n}+{n}?", "answer": str(2 * n)} for n in range(5)]

    def data(rows: list[dict[str, str]]) -> dict[str, Any]:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return {"use": "qa", "seed": str(path), "test": str(path)}

    with contextlib.suppress(RunError):
        run(tmp_path / "run", task=data(rows), rounds=1)
    with pytest.raises(RunError, match=r"test was '5 examples .*', now '4 examples "):
        run(tmp_path / "run", task=data(rows[1:]), rounds=1)


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


def test_a_larger_budget_goes_on_with_a_run_that_it_ended(tmp_path: Path) -> None:
    out = tmp_path / "run"
    short = run(out, budget={"requests": 9, "timeout_share": 0.0})
    before = digests(out)
    again = run(out, budget={"requests": 9, "timeout_share": 0.0})
    assert [figures["round"] for figures in again] == [0, 1]
    done = run(out, budget={"requests": 900})
    assert [figures["round"] for figures in done] == [0, 1, 2]
    assert done[1]["short"]
    assert done[1]["funnel"] == short[1]["funnel"]
    assert done[2]["funnel"]["kept"] == 6
    assert before.items() <= digests(out).items()


def test_a_budget_that_ends_with_a_round_ends_the_run_normally(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with Journal(whole_journal(tmp_path)) as journal:
        first = journal.spent().requests
    # So much is left that round 2 can ask for no draft: each takes 4 requests at most.
    done = run(out, budget={"requests": first + 3, "timeout_share": 0.0})
    assert [(figures["round"], figures.get("short")) for figures in done] == [(0, None), (1, False)]
    assert "The budget is used up in round 2" in (tmp_path / "progress.txt").read_text()
    done = run(out, budget={"requests": 900})
    assert [figures["round"] for figures in done] == [0, 1, 2]


def whole_journal(tmp_path: Path) -> Path:
    run(tmp_path / "first", rounds=1)
    return tmp_path / "first" / "journal.sqlite"


def test_a_budget_that_pays_for_no_draft_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"round 1 accepted nothing.* 0 drafts.*budget allows no further"):
        run(tmp_path / "run", budget={"requests": 3})


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


@pytest.mark.slow
def test_a_run_that_is_killed_in_every_step_ends_in_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    out, calls = tmp_path / "run", tmp_path / "calls"
    changed = counting(calls)
    for number in (1, 2):
        folder = f"round-{number:02d}"
        killed(out, changed, opening=f"{folder}/.measure.jsonl.new")
        killed(out, changed, opening=f"{folder}/.select.jsonl.new")
        killed(out, changed, calls=len(made(calls)) + 5)
        killed(out, changed, opening=f"{folder}/.filter.jsonl.new")
        killed(out, changed, opening=f"{folder}/adapter/adapter_config.json")
        killed(out, changed, opening=f"{folder}/.evaluate.manifest.json.new")
        killed(out, changed, opening=f"{folder}/.summary.json.new")
    run(out, **changed)
    assert digests(out) == digests(whole)
    # Once in each round: what was in flight, and what came in while the last commit was being written.
    assert repaid(calls) <= 2 * 2 * PLACES
    with Journal(out / "journal.sqlite") as journal, Journal(whole / "journal.sqlite") as other:
        assert journal.spent() == other.spent()
        assert sum(one.requests for one in journal.sums("paid")) == journal.spent().requests


# Damage


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed while it wrote, with its calls beside it."""
    out = tmp_path_factory.mktemp("interrupted") / "run"
    killed(out, counting(out.parent / "calls"), calls=9)
    return out


def copied(interrupted: Path, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    out = shutil.copytree(interrupted, tmp_path / "run")
    shutil.copy(interrupted.parent / "calls", tmp_path / "calls")
    return out, {"rounds": 1, **counting(tmp_path / "calls")}


def first_round(out: Path) -> dict[str, str]:
    return {name: sha for name, sha in digests(out).items() if name.startswith("round-01")}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-37])


def zero_a_page(path: Path) -> None:
    """That which holds the middle reply."""
    with contextlib.closing(sqlite3.connect(path)) as journal:
        [(middle,)] = journal.execute("SELECT request FROM replies ORDER BY id LIMIT 1 OFFSET 3").fetchall()
    content = bytearray(path.read_bytes())
    page = content.index(middle[:200].encode()) // 4096
    content[page * 4096 : (page + 1) * 4096] = bytes(4096)
    path.write_bytes(content)


def flip_a_letter(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"finish": "stop"', b'"finish": "stoq"', 1))


@pytest.mark.parametrize("damage", [cut, zero_a_page, flip_a_letter])
def test_a_damaged_journal_is_mended_and_told_and_the_run_ends_in_the_same_bytes(
    interrupted: Path, whole: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    out, changed = copied(interrupted, tmp_path)
    path = out / "journal.sqlite"
    Journal(path).close()
    damage(path)
    broken = path.read_bytes()
    run(out, **changed)
    told = (tmp_path / "progress.txt").read_text()
    assert told.count("journal.sqlite was damaged: ") == 1
    assert "is journal.sqlite.damaged-1 now" in told
    assert (out / "journal.sqlite.damaged-1").read_bytes() == broken
    assert first_round(out) == first_round(whole)
    assert repaid(tmp_path / "calls") <= 3 * PLACES
    with Journal(path) as journal:
        assert journal.spent().requests == len(set(made(tmp_path / "calls")))


def test_a_torn_log_of_the_journal_costs_what_was_written_last(
    interrupted: Path, whole: Path, tmp_path: Path
) -> None:
    out, changed = copied(interrupted, tmp_path)
    cut(out / "journal.sqlite-wal")
    run(out, **changed)
    assert first_round(out) == first_round(whole)
    assert repaid(tmp_path / "calls") <= 3 * PLACES


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "is empty, so all replies"), (b"a shopping list" * 500, "is no journal")]
)
def test_a_journal_with_nothing_left_is_paid_again_only_when_the_user_removes_it(
    interrupted: Path, whole: Path, tmp_path: Path, content: bytes, sentence: str
) -> None:
    out, changed = copied(interrupted, tmp_path)
    for path in out.glob("journal.sqlite*"):
        path.unlink()
    (out / "journal.sqlite").write_bytes(content)
    before = made(tmp_path / "calls")
    with pytest.raises(JournalError, match=sentence):
        run(out, **changed)
    assert made(tmp_path / "calls") == before
    (out / "journal.sqlite").unlink()
    run(out, **changed)
    assert "journal.sqlite is missing" in (tmp_path / "progress.txt").read_text()
    assert first_round(out) == first_round(whole)


def test_a_lost_journal_leaves_the_costs_of_finished_rounds_as_they_are_known(
    whole: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(whole, tmp_path / "run")
    before = read_json(out / "round-01" / "summary.json")
    (out / "journal.sqlite").unlink()
    run(out)
    assert read_json(out / "round-01" / "summary.json") == before


def cut_last_line(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def spoil_a_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[len(lines) // 2] = b"\xff\x00 no JSON\n"
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("damage", "name", "redo"),
    [
        (cut_last_line, "round-02/measure.jsonl", "round-02/measure"),
        (spoil_a_line, "round-02/select.jsonl", "round-02/select"),
        (cut_last_line, "round-02/write.jsonl", "round-02/write"),
        (spoil_a_line, "round-02/dataset.jsonl", "round-02/train"),
        (spoil_a_line, "round-01/evaluate.jsonl", "round-01/evaluate"),
    ],
)
def test_a_damaged_file_of_a_finished_step_is_told_with_what_to_type_which_pays_nothing(
    whole: Path, tmp_path: Path, damage: Callable[[Path], None], name: str, redo: str
) -> None:
    out = shutil.copytree(whole, tmp_path / "run")
    damage(out / name)
    with pytest.raises(RunError, match=rf"{Path(name).name} is damaged or was changed.*`--redo {redo}`"):
        run(out)
    first = (out / "round-01" / "train.manifest.json").stat().st_mtime_ns
    run(out, redo=redo)
    assert digests(out) == digests(whole)
    assert (out / "round-01" / "train.manifest.json").stat().st_mtime_ns == first
    with Journal(out / "journal.sqlite") as journal, Journal(whole / "journal.sqlite") as other:
        calls = [[row for row in one.sums("paid") if row.role != "student"] for one in (journal, other)]
    assert calls[0] == calls[1]


# Ends


def run_quietly(arguments: list[str], told: Path, background: bool) -> None:
    if background:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a script's shell does with what it starts by "&"
    with told.open("w") as err, contextlib.redirect_stderr(err):
        sys.exit(cli.main(arguments))


@pytest.mark.parametrize(
    ("number", "word", "background"),
    [
        (signal.SIGINT, "interrupted", False),
        (signal.SIGTERM, "terminated", False),
        (signal.SIGTERM, "terminated", True),
    ],
)
def test_a_run_that_is_told_to_stop_ends_with_one_line_and_goes_on_later(
    whole: Path, tmp_path: Path, number: signal.Signals, word: str, background: bool
) -> None:
    out, calls, told = tmp_path / "run", tmp_path / "calls", tmp_path / "told"
    path = tmp_path / "nano.yaml"
    path.write_text(yaml.safe_dump({**NANO, "rounds": 1, **counting(calls, seconds=0.1)}))
    process = in_process(run_quietly, ["run", str(path), "--out", str(out)], told, background)
    deadline = time.monotonic() + 300
    while len(made(calls)) < 2 * PLACES:
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(RunError, match="is in use by another process; wait for it, or give another"):
        run(out)
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == 128 + number
    last = told.read_text().splitlines()[-1]
    assert last.startswith(f"asft: {word}")
    assert "the same command goes on" in last
    assert "Traceback" not in told.read_text()
    # Closed, and not left to be recovered.
    assert not (out / "journal.sqlite-wal").exists()
    run(out, rounds=1, **counting(calls, seconds=0.1))
    assert first_round(out) == first_round(whole)
    assert repaid(calls) <= PLACES
