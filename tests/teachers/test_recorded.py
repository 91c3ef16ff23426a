"""Replies that were recorded before answer again: from a journal, an export, or a file of conversations."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asft.cli import main
from asft.errors import DataError, JournalError, PluginError, RequestError
from asft.journal import Journal, Line, Stored, request_text
from asft.recipe import read
from asft.registry import make
from asft.teachers.recorded import Recorded
from asft.types import Context, Message, Pick, Reply, Request, Sampling
from asft.writing import Written, write


def ask(text: str = "Hello?", **more: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), **more)


def lines(path: Path, *rows: Mapping[str, Any]) -> Recorded:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    made: Recorded = make("teacher", "recorded", {"path": str(path)})
    return made


def said(teacher: Recorded, request: Request) -> str:
    return asyncio.run(teacher.reply(request)).text


def user(text: str = "Hello?") -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def reply_of(text: str, **more: Any) -> Reply:
    return Reply(**{"text": text, "finish": "stop", "input_tokens": 9, "output_tokens": 3, **more})


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Two runs that share a journal: 7 and 8 for the same request of another seed, and a refusal."""
    path = tmp_path / "journal.sqlite"
    whole = reply_of("7", cached_tokens=2, reasoning_tokens=1, cost_usd=0.25, seconds=1.5, reasoning="3 + 4")
    stored = {
        "one": [
            Stored(request=request_text({"model": "m"}, ask(seed=1)), reply=whole),
            Stored(request=request_text({"model": "m"}, ask("No.")), reply=None, refusal="too long"),
        ],
        "two": [Stored(request=request_text({"model": "m"}, ask(seed=2)), reply=reply_of("8"))],
    }
    for run, replies in stored.items():
        with Journal(path, run=run) as opened:
            paid = [
                Line(round=1, step="write", role="teacher", purpose="", kind="reply", key=one.key)
                for one in replies
            ]
            opened.store(paid, replies)
    return path


# Journals


def test_a_journal_answers_with_the_whole_reply(journal: Path) -> None:
    reply = asyncio.run(Recorded(path=str(journal)).reply(ask(seed=1)))
    assert reply == reply_of(
        "7", cached_tokens=2, reasoning_tokens=1, cost_usd=0.25, seconds=1.5, reasoning="3 + 4"
    )


def test_what_was_refused_is_refused_again(journal: Path) -> None:
    with pytest.raises(RequestError, match=r"^too long$"):
        said(Recorded(path=str(journal)), ask("No."))


def test_a_request_that_is_not_there_is_refused_and_named(journal: Path) -> None:
    with pytest.raises(RequestError, match=r"journal\.sqlite holds no reply to this request"):
        said(Recorded(path=str(journal)), ask("What?"))


def test_the_seed_counts_where_there_is_a_reply_for_it_and_the_first_one_where_not(journal: Path) -> None:
    teacher = Recorded(path=str(journal))
    assert [said(teacher, ask(seed=seed)) for seed in (1, 2, 3)] == ["7", "8", "7"]


def test_of_a_shared_journal_one_run_can_be_taken(journal: Path) -> None:
    assert said(Recorded(path=str(journal), run="two"), ask(seed=1)) == "8"
    with pytest.raises(DataError, match="holds no replies"):
        Recorded(path=str(journal), run="three").check()


def test_an_export_answers_as_the_journal_does(journal: Path, tmp_path: Path) -> None:
    out = tmp_path / "export.jsonl"
    assert main(["journal", "export", str(journal), "--out", str(out)]) == 0
    exported, whole = Recorded(path=str(out)), Recorded(path=str(journal))
    for seed in (1, 2):
        request = ask(seed=seed)
        assert asyncio.run(exported.reply(request)) == asyncio.run(whole.reply(request))
    with pytest.raises(RequestError, match=r"^too long$"):
        said(exported, ask("No."))


# Conversations


def test_a_conversation_answers_in_each_of_its_forms(tmp_path: Path) -> None:
    teacher = lines(
        tmp_path / "c.jsonl",
        {"messages": user("a"), "reply": "A"},
        {"messages": user("b"), "completion": "B", "source": "what else stands there is left alone"},
        {"messages": [*user("c"), {"role": "assistant", "content": "C"}]},
        {"messages": user("d"), "reply": {"text": "D", "finish": "length", "output_tokens": 7}},
        {"messages": [["user", "e"]], "reply": "E"},
    )
    assert [said(teacher, ask(text)) for text in "abcde"] == list("ABCDE")
    assert teacher.check() == f"5 replies of {tmp_path / 'c.jsonl'}"


def test_what_a_line_does_not_tell_of_its_tokens_is_estimated_and_its_cost_is_unknown(tmp_path: Path) -> None:
    counted = {"text": "seven", "input_tokens": 5, "output_tokens": 2, "cost_usd": 0.5}
    teacher = lines(
        tmp_path / "c.jsonl",
        {"messages": user("abcdef"), "reply": "seven"},
        {"messages": user("b"), "reply": counted},
    )
    # Six bytes and five bytes, three to a token.
    assert asyncio.run(teacher.reply(ask("abcdef"))) == Reply(
        text="seven", finish="stop", input_tokens=2, output_tokens=2, estimated=True
    )
    whole = asyncio.run(teacher.reply(ask("b")))
    assert (whole.estimated, whole.cost_usd) == (False, 0.5)
    prices = {"path": teacher.path, "prices": {"input": 1_000_000, "output": 0}}
    priced = make("teacher", "recorded", prices)
    assert [asyncio.run(priced.reply(ask(text))).cost_usd for text in ("abcdef", "b")] == [2.0, 0.5]


def test_lines_with_the_same_messages_are_further_samples(tmp_path: Path) -> None:
    teacher = lines(
        tmp_path / "c.jsonl", *({"messages": user(), "reply": f"{number}"} for number in range(3))
    )
    assert [said(teacher, ask(index=index)) for index in (2, 0, 1)] == ["2", "0", "1"]
    for missing in (ask(index=3), ask(draw=1)):
        with pytest.raises(RequestError, match="holds no reply"):
            said(teacher, missing)


def test_a_line_that_says_more_is_taken_for_what_it_says_before_others(tmp_path: Path) -> None:
    teacher = lines(
        tmp_path / "c.jsonl",
        {"messages": user(), "reply": "any"},
        {"messages": user(), "index": 0, "sampling": {"temperature": 0.7}, "reply": "warm"},
        {"messages": user(), "index": 0, "sampling": {"temperature": 0.7}, "seed": 5, "reply": "seeded"},
        {"messages": user(), "index": 0, "draw": 1, "reply": "drawn"},
    )
    warm = Sampling(temperature=0.7)
    assert said(teacher, ask()) == "any"
    assert said(teacher, ask(sampling=warm)) == "warm"
    assert said(teacher, ask(sampling=warm, seed=5)) == "seeded"
    assert said(teacher, ask(draw=1)) == "drawn"
    assert said(teacher, ask(sampling=Sampling(temperature=0.2), seed=9)) == "any"


def test_a_reply_that_is_longer_than_asked_for_is_refused(tmp_path: Path) -> None:
    teacher = lines(tmp_path / "c.jsonl", {"messages": user(), "reply": "x" * 300})
    with pytest.raises(RequestError, match="has 100 tokens, and this request asks for 99 at most"):
        said(teacher, ask(sampling=Sampling(max_tokens=99)))
    assert said(teacher, ask(sampling=Sampling(max_tokens=100))) == "x" * 300


def test_the_journal_knows_it_by_what_it_holds(tmp_path: Path) -> None:
    row = {"messages": user(), "reply": "A"}
    known = [
        lines(tmp_path / "a.jsonl", row).identity,
        lines(tmp_path / "b.jsonl", row).identity,
        lines(tmp_path / "c.jsonl", row, {"messages": user("b"), "reply": "B"}).identity,
        lines(tmp_path / "d.jsonl", {**row, "reply": "B"}).identity,
    ]
    assert known[0] == known[1]
    assert known[0] not in known[2:]
    assert known[2] != known[3]


# What cannot be read


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "no JSON|Expecting|property name"),
        ("5", "an object is wanted"),
        ('{"reply": "A"}', "`messages` must be a list with at least one message"),
        ('{"messages": [], "reply": "A"}', "`messages` must be a list with at least one message"),
        ('{"messages": "Hello?", "reply": "A"}', "`messages` must be a list"),
        ('{"messages": [{"role": "tool", "content": "x"}], "reply": "A"}', "a message needs a role"),
        ('{"messages": [{"role": "user", "content": ["x"]}], "reply": "A"}', "a message needs a role"),
        ('{"messages": [["user", "x"]]}', "there is no reply; give it as `reply`"),
        ('{"messages": [["user", "x"]], "reply": 5}', "a reply is a text, or an object with `text`"),
        ('{"messages": [["user", "x"]], "reply": {"txt": "A"}}', "a reply is a text, or an object"),
        (
            '{"messages": [["user", "x"]], "reply": {"text": "A", "tokens": 5}}',
            "unknown in a reply: tokens; known: text, finish",
        ),
        (
            '{"messages": [["user", "x"]], "reply": {"text": "A", "output_tokens": "many"}}',
            "output_tokens: Input should be a valid integer",
        ),
        ('{"messages": [["user", "x"]], "reply": "A", "draw": "first"}', "draw = 'first' must be a whole"),
        ('{"messages": [["user", "x"]], "reply": "A", "sampling": 5}', "sampling = 5 must be an object"),
        ('{"request": 5, "reply": null}', "`request` must be an object"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_with_its_number(tmp_path: Path, row: str, says: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"messages": [["user", "x"]], "reply": "A"}\n\n' + row + "\n", "utf-8")
    with pytest.raises(DataError, match=rf"c\.jsonl, line 3: .*({says})"):
        Recorded(path=str(path)).check()


def test_a_source_that_is_missing_empty_or_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    (tmp_path / "folder").mkdir()
    for name, error, says in (
        ("none.jsonl", DataError, "there is no .*; name a run directory, a journal, or a file of JSON lines"),
        ("empty.jsonl", DataError, "holds no replies"),
        ("image.png", DataError, "is neither a journal nor UTF-8 text"),
        ("folder", JournalError, "there is no such journal"),
    ):
        with pytest.raises(error, match=says):
            Recorded(path=str(tmp_path / name)).check()
    with pytest.raises(PluginError, match="option 'path' is missing"):
        make("teacher", "recorded", {})


# A run


def written(folder: Path, name: str, teacher: Mapping[str, Any]) -> Written:
    """What a write step makes of four picks with this teacher."""
    recipe = read(
        {
            "per_round": 3,
            "task": {"use": "pocket", "seeds": 4, "tests": 4},
            "teacher": teacher,
            "criterion": {"use": "loss"},
            "selector": {"use": "random"},
            "writer": {"use": "question_then_answer"},
        }
    )
    seeds = tuple(recipe.task.load("seed"))
    context = Context(task=recipe.task, seeds=seeds, accepted=(), test=(), round=1, seed=0)
    picks = [
        Pick(number=number, example=seed, observation=None, score=None, draw=0)
        for number, seed in enumerate(seeds)
    ]
    with Journal(folder / name) as journal:
        return write(recipe, picks, context, journal)


def test_a_write_step_is_repeated_from_its_own_journal(tmp_path: Path) -> None:
    first = written(tmp_path, "first", {"use": "rules"})
    again = written(tmp_path, "again", {"use": "recorded", "path": str(tmp_path / "first")})
    assert again == first
    assert len(first.drafts) == 3
    assert all(draft.example is not None for draft in first.drafts)
