"""Journals that runs share, reading one while it is written, and `asft journal`."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from asft.cli import main
from asft.errors import JournalError
from asft.journal import Journal, Line, Reading, Stored, of_run, open_journal, request_text
from asft.types import Message, Reply, Request

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


def filled(path: Path, count: int) -> list[Stored]:
    kept = [stored(f"question {n} {'x' * 500}") for n in range(count)]
    with Journal(path) as journal:
        journal.store([line(one) for one in kept], kept)
    return kept


# Runs that share


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str], Path]:
    """Makes the directory of a run that has begun."""

    def started(name: str) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"name": "study"}))
        return tmp_path / name

    return started


def test_a_run_keeps_to_the_journal_that_it_began_with(start: Callable[[str], Path], path: Path) -> None:
    one, two, told = start("one"), start("two"), list[str]()
    for directory in (one, two):
        with open_journal(directory, path, told.append) as journal:
            journal.store([line(stored())], [stored()])
    # The same command, or one without --journal.
    for shared in (path, None):
        with open_journal(one, shared, told.append) as journal:
            assert (journal.path, journal.spent().requests) == (path, 1)
            assert of_run(one) == (path, journal.run)
    names = {of_run(directory)[1] for directory in (one, two)}
    assert len(names) == 2
    assert all(name is not None and name.startswith("study-") for name in names)
    with pytest.raises(JournalError, match=r"shares the journal .*leave --journal out"):
        open_journal(one, path.with_name("other.sqlite"), told.append)
    assert told == []


def test_a_run_that_has_a_journal_of_its_own_shares_no_other(
    start: Callable[[str], Path], path: Path
) -> None:
    own = start("own")
    open_journal(own, None, print).close()
    assert of_run(own) == (own / "journal.sqlite", None)
    with pytest.raises(JournalError, match="has a journal of its own"):
        open_journal(own, path, print)
    open_journal(own, own / "journal.sqlite", print).close()


def test_a_shared_journal_in_no_folder_is_told_before_the_run_is_marked(
    start: Callable[[str], Path], path: Path
) -> None:
    run = start("run")
    with pytest.raises(JournalError, match="folder does not exist"):
        open_journal(run, path / "deep" / "journal.sqlite", print)
    open_journal(run, path, print).close()


def test_a_damaged_shared_journal_is_told_and_left_to_its_owner(
    start: Callable[[str], Path], path: Path
) -> None:
    filled(path, 200)
    path.write_bytes(path.read_bytes()[: -40 * 4096])
    before = path.read_bytes()
    with pytest.raises(JournalError, match="is damaged"):
        open_journal(start("run"), path, print)
    assert path.read_bytes() == before


# Reading


def test_reading_sees_what_a_run_commits_meanwhile_and_changes_nothing(journal: Journal, path: Path) -> None:
    journal.store([line(stored("a"))], [stored("a")])
    before = [Path(f"{path}{end}").read_bytes() for end in ("", "-wal")]
    with Reading(path) as reading:
        assert [call.stored for call in reading.calls()] == [stored("a")]
        journal.store([line(stored("b"))], [stored("b")])
        assert [call.stored for call in reading.calls()] == [stored("b"), stored("a")]
    after = [Path(f"{path}{end}").read_bytes() for end in ("", "-wal")]
    assert after[0] == before[0]
    assert after[1].startswith(before[1])


def test_reading_leaves_no_file_behind(path: Path) -> None:
    filled(path, 3)
    before = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    with Reading(path) as reading:
        assert len(list(reading.calls())) == 3
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == before


def test_reading_tells_what_is_no_journal_and_makes_none(path: Path) -> None:
    with pytest.raises(JournalError, match="there is no such journal"):
        Reading(path)
    path.touch()
    with pytest.raises(JournalError, match="is empty"):
        Reading(path)
    assert path.read_bytes() == b""
    path.write_text("a shopping list, longer than a header of a database would be " * 3)
    with pytest.raises(JournalError, match="is no journal"):
        Reading(path)


def test_reading_tells_a_flipped_letter(path: Path) -> None:
    filled(path, 3)
    other = sqlite3.connect(path)
    other.execute("UPDATE replies SET reply = replace(reply, '\"3\"', '\"4\"') WHERE id = 2")
    other.commit()
    other.close()
    with Reading(path) as reading, pytest.raises(JournalError, match="row 2 of its replies"):
        list(reading.calls())


# The command line


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    """The lines that a command prints."""
    assert main(["journal", *map(str, arguments)]) == 0
    return capsys.readouterr().out.splitlines()


def test_show_lists_the_newest_calls_last_and_says_once_what_is_the_same(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = [stored(f"q{n}", replace(REPLY, text=f"\n\x1b[2Jreply {n}\nmore")) for n in range(3)]
    with Journal(path) as journal:
        journal.store([line(one) for one in kept], kept)
    head, empty, columns, *rows = shown(capsys, "show", path, "--limit", 2)
    assert head.startswith("the newest 2 calls, ")
    assert head.endswith(": round 1, write, teacher, question, $0.2500 each, charged+paid")
    assert (empty, columns.split()) == ("", ["when", "key", "in", "out", "reply"])
    # What a model wrote moves no cursor.
    assert [row.split("  ", 2)[-1].split() for row in rows] == [
        ["5", "2", "⟨U+001B⟩[2Jreply", "1"],
        ["5", "2", "⟨U+001B⟩[2Jreply", "2"],
    ]
    assert [row.split()[1] for row in rows] == [one.key.hex()[:8] for one in kept[1:]]


def test_show_tells_timeouts_refusals_estimates_and_unknown_prices(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused, late = stored("b", None, "too long"), stored("c")
    with Journal(path) as journal:
        journal.store(
            [
                line(stored("a"), cost_usd=None, estimated=True),
                line(refused, kind="refusal", paid=False),
                line(late, kind="timeout", charged=False),
            ],
            [stored("a"), refused],
        )
    rows = [row.split(maxsplit=2)[2] for row in shown(capsys, "show", path)[3:]]
    assert [" ".join(row.split()) for row in rows] == [
        "~5 ~2 ? charged+paid 3",
        "5 2 $0.2500 charged (refused) too long",
        "5 2 $0.2500 paid (timed out)",
    ]


def test_show_finds_by_purpose_and_by_text_in_question_or_reply(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = [stored("How MANY apples?"), stored("b", replace(REPLY, text="Äpfel")), stored("c")]
    with Journal(path) as journal:
        journal.store([line(said[0]), line(said[1]), line(said[2], purpose="judge")], said)
    for arguments, wanted in (
        (["--grep", "many"], said[0]),
        (["--grep", "äPFEL"], said[1]),
        (["--purpose", "judge"], said[2]),
    ):
        [row] = shown(capsys, "show", path, *arguments)[3:]
        assert wanted.key.hex()[:8] in row
    assert shown(capsys, "show", path, "--grep", "pears") == ["No call fits."]


def test_show_prints_a_whole_conversation_by_the_beginning_of_its_key(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = stored("Two\nlines", replace(REPLY, text="Three\nfour", reasoning="Hm."))
    with Journal(path) as journal:
        journal.store([line(kept)], [kept])
    told = shown(capsys, "show", path, "--key", kept.key.hex()[:6].upper())
    assert told[0] == f"key {kept.key.hex()}"
    assert "round 1, write, teacher, question, reply, 5 tokens in, 2 out, $0.2500, 0.50 s" in told[1]
    assert told[2] == "base_url local, model m, max_tokens 1024, temperature 0.0, top_p 1.0"
    assert told[3] == "seed 1, draw 0, index 0"
    assert told[4:] == [
        "",
        "[user]",
        "Two",
        "lines",
        "",
        "[reasoning]",
        "Hm.",
        "",
        "[reply, stop]",
        "Three",
        "four",
    ]
    assert main(["journal", "show", str(path), "--key", "zz"]) == 1
    assert "no call has such a key" in capsys.readouterr().err


def test_stats_tell_what_each_run_is_charged_and_what_it_really_paid(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(path, run="one") as one, Journal(path, run="two") as two:
        one.store([line(stored()), line(stored("t"), kind="timeout")], [stored()])
        two.store([line(stored(), paid=False), line(stored("b"), round=2, cost_usd=None)], [stored("b")])
    told = [" ".join(row.split()) for row in shown(capsys, "stats", path)]
    assert told == [
        "Charged to run one, and really paid:",
        "round step role purpose requests in out timeouts cost seconds",
        "1 write teacher question 2 10 4 1 $0.5000 1.0",
        "",
        "Charged to run two:",
        "round step role purpose requests in out cost seconds",
        "1 write teacher question 1 5 2 $0.2500 0.5",
        "2 write teacher question 1 5 2 ? 0.5",
        "all 2 10 4 ? 1.0",
        "",
        "Really paid by run two:",
        "round step role purpose requests in out cost seconds",
        "2 write teacher question 1 5 2 ? 0.5",
    ]


def test_export_writes_each_request_with_its_reply_or_refusal(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, refused = stored("\ud800"), stored("b", None, "no")
    with Journal(path) as journal:
        journal.store([line(kept), line(refused, kind="refusal")], [kept, refused])
    out = path.with_name("out.jsonl")
    assert shown(capsys, "export", path, "--out", out) == [f"wrote {out}: 2 requests with their replies"]
    rows = [json.loads(row) for row in out.read_text("ascii").splitlines()]
    for row, one in zip(rows, (kept, refused), strict=True):
        canonical = json.dumps(row["request"], sort_keys=True, separators=(",", ":"))
        reply = None if row["reply"] is None else Reply(**row["reply"])
        assert Stored(request=canonical, reply=reply, refusal=row["refusal"]) == one
    assert main(["journal", "export", str(path), "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_a_run_that_shares_a_journal_shows_and_exports_its_own_part(
    start: Callable[[str], Path], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        with open_journal(start(name), path, print) as journal:
            journal.store([line(stored(name))], [stored(name)])
    assert len(shown(capsys, "show", path)[3:]) == 2
    [row] = shown(capsys, "show", path.parent / "two")[3:]
    assert stored("two").key.hex()[:8] in row
    shown(capsys, "export", path.parent / "two", "--out", path.with_name("two.jsonl"))
    assert len(path.with_name("two.jsonl").read_text().splitlines()) == 1
