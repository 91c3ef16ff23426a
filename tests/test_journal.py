"""The journal holds every reply and its line, or neither; damaged and foreign files are told, not mended."""

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.budget import Amount
from asft.errors import JournalError
from asft.journal import (
    Journal,
    Line,
    Reading,
    Stored,
    mend,
    request_text,
    salvage,
)
from asft.types import Message, Reply, Request, Sampling

ENDPOINT = {"base_url": "local", "model": "m"}
REQUEST = Request(messages=(Message(role="user", content="How many?"),), purpose="question", seed=1)
REPLY = Reply(text="3", finish="stop", input_tokens=5, output_tokens=2, cost_usd=0.25, seconds=0.5)
LINE = Line(round=1, step="write", role="teacher", purpose="question", kind="reply")


def stored(content: str = "How many?", reply: Reply | None = REPLY, refusal: str | None = None) -> Stored:
    request = replace(REQUEST, messages=(Message(role="user", content=content),))
    return Stored(request=request_text(ENDPOINT, request), reply=reply, refusal=refusal)


def line(kept: Stored, **changed: object) -> Line:
    reply = kept.reply or REPLY
    amounts = {
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
        "cost_usd": reply.cost_usd,
        "seconds": reply.seconds,
    }
    return replace(LINE, key=kept.key, **{**amounts, **changed})  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path) as opened:
        yield opened


# Keys


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, to="judge"),
        replace(REQUEST, messages=(Message(role="system", content="How many?"),)),
        replace(REQUEST, messages=(*REQUEST.messages, Message(role="assistant", content=""))),
        replace(REQUEST, sampling=Sampling(temperature=0.5)),
        replace(REQUEST, sampling=Sampling(top_p=0.5)),
        replace(REQUEST, sampling=Sampling(max_tokens=5)),
        replace(REQUEST, draw=1),
        replace(REQUEST, index=1),
        replace(REQUEST, seed=2),
    ],
)
def test_a_request_that_differs_in_anything_has_another_key(other: Request) -> None:
    assert request_text(ENDPOINT, other) != request_text(ENDPOINT, REQUEST)


def test_another_endpoint_or_a_field_that_it_adds_makes_another_key() -> None:
    texts = {request_text({**ENDPOINT, **more}, REQUEST) for more in ({}, {"model": "n"}, {"top_k": 5})}
    assert len(texts) == 3


def test_the_purpose_of_a_request_and_the_order_of_fields_are_no_part_of_its_key() -> None:
    backwards = dict(reversed(ENDPOINT.items()))
    assert request_text(backwards, replace(REQUEST, purpose="x")) == request_text(ENDPOINT, REQUEST)


# Replies


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, asked: str, said: str
) -> None:
    with Journal(tmp_path_factory.mktemp("any") / "journal.sqlite") as journal:
        kept = [stored(asked, replace(REPLY, text=said)), stored(asked + "?", None, said)]
        journal.store([], kept)
        assert [journal.find(one.key) for one in kept] == kept


def test_a_lone_surrogate_comes_back_as_it_was(journal: Journal) -> None:
    kept = stored("\ud800", replace(REPLY, text="\udfff"))
    journal.store([], [kept])
    assert journal.find(kept.key) == kept


def test_what_was_never_stored_is_not_found(journal: Journal) -> None:
    assert journal.find(stored().key) is None


def test_the_first_answer_to_a_request_is_the_answer(journal: Journal) -> None:
    journal.store([], [stored()])
    journal.store([], [stored(reply=replace(REPLY, text="4"))])
    assert journal.find(stored().key) == stored()


def test_a_reply_is_there_when_the_file_is_opened_again(path: Path) -> None:
    with Journal(path) as journal:
        journal.store([line(stored())], [stored()])
    with Journal(path) as journal:
        assert journal.find(stored().key) == stored()
        assert journal.spent() == Amount(requests=1, tokens=7, usd=Decimal("0.25"))


def test_a_transaction_that_fails_leaves_neither_reply_nor_line(journal: Journal) -> None:
    broken = replace(LINE, requests=None)  # type: ignore[arg-type]
    with pytest.raises(JournalError):
        journal.store([line(stored()), broken], [stored()])
    assert journal.find(stored().key) is None
    assert journal.sums() == []


def test_forgotten_refusals_are_asked_again_and_replies_are_not(journal: Journal) -> None:
    kept, refused = stored("a"), stored("b", None, "no")
    journal.store([line(kept), line(refused, kind="refusal")], [kept, refused])
    journal.forget_refusals([kept.key, refused.key])
    assert (journal.find(kept.key), journal.find(refused.key)) == (kept, None)
    assert journal.spent().requests == 1


# The ledger


def test_sums_go_by_round_step_role_and_purpose(journal: Journal) -> None:
    journal.store(
        [
            line(stored("a"), cost_usd=0.25, cached_tokens=4),
            line(stored("b"), cost_usd=0.5, reasoning_tokens=1, estimated=True),
            line(stored("c"), purpose="answer", cost_usd=None),
            line(stored("d"), round=2, kind="timeout"),
            Line(round=1, step="train", role="student", purpose="", kind="compute", requests=0, flops=1e9),
        ]
    )
    sums = {(one.round, one.step, one.role, one.purpose): one for one in journal.sums()}
    question = sums[1, "write", "teacher", "question"]
    # Two calls of 5 and 2 tokens; 0.25 + 0.5.
    assert (question.requests, question.input_tokens, question.output_tokens) == (2, 10, 4)
    assert (question.cached_tokens, question.reasoning_tokens, question.estimated) == (4, 1, 1)
    assert (question.cost_usd, question.seconds, question.flops) == (0.75, 1.0, None)
    assert sums[1, "write", "teacher", "answer"].cost_usd is None
    assert sums[2, "write", "teacher", "question"].timeouts == 1
    assert sums[1, "train", "student", ""].flops == 1e9


def test_a_budget_counts_teacher_and_judge_and_not_the_student(journal: Journal) -> None:
    student = Line(
        round=1, step="measure", role="student", purpose="", kind="compute", output_tokens=9, cost_usd=None
    )
    journal.store([line(stored("a")), line(stored("b"), role="judge"), student])
    assert journal.spent() == Amount(requests=2, tokens=14, usd=Decimal("0.5"))


def test_an_unknown_price_makes_the_sum_unknown(journal: Journal) -> None:
    journal.store([line(stored("a")), line(stored("b"), cost_usd=None)])
    assert journal.spent().usd is None


def test_a_step_can_be_left_out_of_what_is_spent_and_timeouts_are_apart(journal: Journal) -> None:
    journal.store([line(stored("a")), line(stored("b"), round=2), line(stored("c"), round=2, kind="timeout")])
    assert journal.spent(but=(2, "write")).requests == 1
    assert journal.spent().requests == 2
    assert journal.timed_out() == Amount(requests=1, tokens=7, usd=Decimal("0.25"))


def test_ten_cents_ten_times_are_a_dollar(journal: Journal) -> None:
    journal.store([line(stored(str(n)), cost_usd=0.1) for n in range(10)])
    assert journal.spent().usd == Decimal(1)


def test_two_runs_share_replies_and_are_charged_apart(path: Path) -> None:
    with Journal(path, run="one") as one, Journal(path, run="two") as two:
        one.store([line(stored())], [stored()])
        assert two.find(stored().key) == stored()
        assert (one.charged_in(stored().key), two.charged_in(stored().key)) == ((1, "write"), None)
        two.store([line(stored(), round=3, paid=False)])
        assert two.charged_in(stored().key) == (3, "write")
        assert two.sums("paid") == []
        assert two.sums("charged")[0].cost_usd == 0.25
        assert one.spent() == two.spent()


# Files


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="folder does not exist; create it"):
        Journal(tmp_path / "none" / "journal.sqlite")


def test_a_file_that_is_no_database_is_told_and_left_alone(path: Path) -> None:
    path.write_text("a shopping list, longer than a header of a database would be " * 3)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"journal\.sqlite is no journal"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_told_and_gets_no_table(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE songs (name)")
    other.close()
    with pytest.raises(JournalError, match="another program"):
        Journal(path)
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]
    other.close()


def test_a_journal_of_another_version_is_told(path: Path) -> None:
    Journal(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(JournalError, match="version 99"):
        Journal(path)


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    path.touch()
    with Journal(path) as journal:
        journal.store([], [stored()])
        assert journal.find(stored().key) == stored()


def filled(path: Path, count: int) -> list[Stored]:
    kept = [stored(f"question {n} {'x' * 500}") for n in range(count)]
    with Journal(path) as journal:
        journal.store([line(one) for one in kept], kept)
    return kept


def test_a_cut_off_journal_is_told_with_the_way_to_save_what_is_whole(path: Path) -> None:
    kept = filled(path, 200)
    path.write_bytes(path.read_bytes()[: -40 * 4096])
    with pytest.raises(JournalError, match=r"damaged .*`asft journal salvage"):
        Journal(path)
    fresh = path.with_name("fresh.sqlite")
    replies, _ = salvage(path, fresh)
    assert 0 < replies < 200
    with Journal(fresh) as journal:
        assert sum(journal.find(one.key) == one for one in kept) == replies


def test_a_torn_tail_loses_the_last_transaction_with_its_lines_and_nothing_else(path: Path) -> None:
    torn = path.with_name("torn.sqlite")
    kept = [stored(f"question {n}") for n in range(20)]
    with Journal(path) as journal:
        for one in kept:
            journal.store([line(one)], [one])
        # What a crash leaves behind: the file and its log, before the one is written into the other.
        for end in ("", "-wal"):
            torn.with_name(torn.name + end).write_bytes(path.with_name(path.name + end).read_bytes())
    log = torn.with_name("torn.sqlite-wal")
    log.write_bytes(log.read_bytes()[:-37])
    with Journal(torn) as journal:
        assert [journal.find(one.key) for one in kept] == [*kept[:-1], None]
        assert journal.spent().requests == 19


def test_a_flipped_letter_in_a_reply_is_told_and_left_out_when_saving(path: Path) -> None:
    filled(path, 5)
    other = sqlite3.connect(path)
    other.execute("UPDATE replies SET reply = replace(reply, '\"3\"', '\"4\"') WHERE id = 2")
    other.commit()
    other.close()
    with Journal(path) as journal, pytest.raises(JournalError, match="row 2 of its replies"):
        journal.find(stored(f"question 1 {'x' * 500}").key)
    fresh = path.with_name("fresh.sqlite")
    assert salvage(path, fresh) == (4, 5)


def test_a_journal_that_is_whole_missing_or_of_another_program_is_not_mended(path: Path) -> None:
    assert mend(path) is None
    filled(path, 5)
    assert mend(path) is None
    path.write_text("a shopping list, longer than a header of a database would be " * 3)
    assert mend(path) is None
    path.write_bytes(b"")
    assert mend(path) is None
    assert not list(path.parent.glob("*.damaged-*"))


def test_mending_keeps_what_is_whole_and_the_damaged_files_beside_it(path: Path) -> None:
    kept = filled(path, 200)
    for number in (1, 2):
        path.write_bytes(path.read_bytes()[: -10 * 4096])
        broken = path.read_bytes()
        told = mend(path)
        assert told is not None
        assert f"the damaged file is journal.sqlite.damaged-{number} now" in told
        assert path.with_name(f"journal.sqlite.damaged-{number}").read_bytes() == broken
        with Journal(path) as journal:
            found = sum(journal.find(one.key) == one for one in kept)
        assert f"damaged: {found} replies" in told
        assert 0 < found < 200


def test_mending_that_was_killed_is_ended_the_next_time(path: Path) -> None:
    kept = filled(path, 20)
    mended = path.with_name("journal.sqlite.mended")
    path.replace(mended)
    # The damaged file is aside already, and a log of it is not.
    path.with_name("journal.sqlite.damaged-1").touch()
    path.with_name("journal.sqlite-wal").write_bytes(b"of another file")
    assert "damaged: 20 replies and 20 lines" in (mend(path) or "")
    assert not mended.exists()
    with Journal(path) as journal:
        assert [journal.find(one.key) for one in kept] == kept


def test_a_journal_of_which_nothing_can_be_read_is_left_where_it_is(path: Path) -> None:
    filled(path, 5)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))
    before = path.read_bytes()
    with pytest.raises(
        JournalError, match="holds nothing that can be read; put a copy in its place, or move"
    ):
        mend(path)
    assert path.read_bytes() == before


def test_saving_works_from_the_command_line_as_the_message_says(path: Path) -> None:
    filled(path, 5)
    fresh = path.with_name("fresh.sqlite")
    command = [sys.executable, "-m", "asft", "journal", "salvage", str(path), str(fresh)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    copied = f"copied 5 replies and 5 lines of the ledger to {fresh}\n"
    assert (done.returncode, done.stdout) == (0, copied)
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert "Traceback" not in again.stderr


def write_for_ever(path: Path, ready: Path) -> None:
    with Journal(path) as journal:
        for number in range(1_000_000):
            kept = stored(f"question {number}")
            journal.store([line(kept)], [kept])
            ready.write_text(str(number))


def test_after_a_kill_what_was_stored_is_there_with_its_line_and_nothing_else(path: Path) -> None:
    ready = path.with_name("ready")
    process = multiprocessing.get_context("spawn").Process(target=write_for_ever, args=(path, ready))
    process.start()
    while not (ready.exists() and int(ready.read_text() or 0) >= 20):
        assert process.is_alive()
        time.sleep(0.01)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with Journal(path) as journal:
        count = 0
        while journal.find(stored(f"question {count}").key):
            assert journal.charged_in(stored(f"question {count}").key) == (1, "write")
            count += 1
        assert count >= 20
        assert journal.spent().requests == count


def write_some(path: Path, run: str) -> None:
    with Journal(path, run=run) as journal:
        for number in range(100):
            # Every second question is one that the other asks too.
            kept = stored(f"{run if number % 2 else 'both'} {number}")
            journal.store([line(kept)], [kept])


def test_two_processes_write_to_one_new_journal_at_once(path: Path) -> None:
    runs = ("one", "two")
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=write_some, args=(path, run)) for run in runs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    with Reading(path) as journal:
        # 50 of each alone, and 50 of both.
        assert len(list(journal.replies())) == 150
        assert [len(list(journal.replies(run))) for run in runs] == [100, 100]
        assert [journal.sums(run, "paid")[0].requests for run in runs] == [100, 100]


# A gap in the log


@pytest.fixture
def left(path: Path) -> tuple[Path, list[Stored]]:
    """A journal as a killed run leaves it: file and log; each of its 20 replies is a commit."""
    kept = [stored(f"question {n} {'x' * 3000}") for n in range(20)]
    copy = path.with_name("left.sqlite")
    with Journal(path) as journal:
        for one in kept:
            journal.store([line(one)], [one])
        for end in ("", "-wal"):
            shutil.copyfile(f"{path}{end}", f"{copy}{end}")
    return copy, kept


FRAME = 24 + 4096


def damage(path: Path, at: int, length: int, byte: int = 0) -> None:
    """Overwrite bytes of the log; `at` counts from its end where it is negative."""
    log = path.with_name(f"{path.name}-wal")
    data = bytearray(log.read_bytes())
    start = at % len(data)
    data[start : start + length] = bytes([byte]) * len(data[start : start + length])
    log.write_bytes(data)


@pytest.mark.parametrize(
    ("at", "length", "byte"),
    [
        pytest.param(32 + 9 * FRAME + 500, 3, 0xFF, id="a few bytes of a page"),
        pytest.param(8 * 4096, 4096, 0, id="a block of the disk"),
        pytest.param(32 + 8 * FRAME, 24, 0, id="the header of a frame"),
        pytest.param(0, 32, 0, id="the header of the log"),
    ],
)
def test_damage_within_the_log_is_told_and_what_lies_behind_it_is_saved(
    left: tuple[Path, list[Stored]], at: int, length: int, byte: int
) -> None:
    path, kept = left
    damage(path, at, length, byte)
    before = [Path(f"{path}{end}").read_bytes() for end in ("", "-wal")]
    for opened in (Journal, Reading):
        with pytest.raises(
            JournalError, match=r"frame \d+ of its log is damaged, which hides \d+ transactions"
        ):
            opened(path)
    assert [Path(f"{path}{end}").read_bytes() for end in ("", "-wal")] == before
    assert "is left.sqlite.damaged-1 now" in (mend(path) or "")
    with Journal(path) as journal:
        found = [journal.find(one.key) == one for one in kept]
    # The page that is lost was written again by later commits; at most what it alone held is gone.
    assert sum(found) >= 19
    assert found[-1]


def test_damage_to_the_last_commit_alone_is_taken_for_a_crash(left: tuple[Path, list[Stored]]) -> None:
    path, kept = left
    damage(path, -100, 100)
    assert mend(path) is None
    with Journal(path) as journal:
        assert [journal.find(one.key) for one in kept] == [*kept[:-1], None]


def test_a_log_with_frames_of_an_earlier_round_of_it_is_whole(path: Path) -> None:
    with Journal(path) as journal:
        for n in range(30):
            journal.store([line(stored(str(n)))], [stored(f"{n} {'x' * 3000}")])
        # All is copied into the database, and the log begins again at its start.
        sqlite3.connect(path).execute("PRAGMA wal_checkpoint(RESTART)").connection.close()
        journal.store([line(stored("last"))], [stored("last")])
        assert path.with_name("journal.sqlite-wal").stat().st_size > 30 * FRAME
        assert mend(path) is None
        with Reading(path) as reading:
            assert len(list(reading.replies())) == 31
