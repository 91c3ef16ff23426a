"""What every teacher promises, run on all that are built in."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import FrozenInstanceError, asdict, fields
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from asft.budget import Prices
from asft.engine import Endpoint
from asft.errors import RequestError
from asft.registry import make, names
from asft.serve import serving
from asft.teachers.rules import Rules
from asft.types import Message, Reply, Request, Sampling, Teacher

T = TypeVar("T")

ELSEWHERE = {"vllm"}
"""Needs an engine that is not part of a test; it is held to its promises where there is one."""
CASES = ["openai", "pool", "recorded", "rules"]


def questions() -> list[str]:
    task = make("task", "pocket", {"seeds": 20, "tests": 1})
    return [example.prompt for example in task.load("seed")]


def ask(text: str, **sampling: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), sampling=Sampling(**sampling))


QUESTIONS = questions()


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return cast(str, request.param)


@pytest.fixture
def opened(name: str, tmp_path: Path) -> Callable[[], Any]:
    """opened() -> the teacher, which answers as the rules do, not yet entered itself."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Teacher]:
        async with AsyncExitStack() as stack:
            yield make("teacher", name, await options(name, tmp_path, stack))

    return opened


async def options(name: str, folder: Path, stack: AsyncExitStack) -> dict[str, Any]:
    if name == "recorded":
        # Cut off, as the requests of one test are.
        asked = [ask(text, max_tokens=most) for text in QUESTIONS for most in (Sampling().max_tokens, 3)]
        rows = [{**asdict(one), "reply": _told(await Rules().reply(one))} for one in asked]
        path = folder / "replies.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return {"path": str(path)}
    if name == "rules":
        return {}
    base_url = await stack.enter_async_context(serving(Rules(), model="m"))
    section = {"base_url": base_url, "model": "m", "prices": {"input": 1, "output": 2}}
    if name == "openai":
        return section
    return {"members": [{"use": "openai", **section}, {"use": "openai", "weight": 2, **section}]}


def _told(reply: Reply) -> dict[str, Any]:
    return {key: value for key, value in asdict(reply).items() if key != "limits"}


def with_it(opened: Callable[[], Any], use: Callable[[Any], Awaitable[T]]) -> T:
    """What comes of it where the teacher is entered, as the engine enters it."""

    async def go() -> T:
        async with opened() as teacher, AsyncExitStack() as stack:
            if hasattr(teacher, "__aenter__"):
                teacher = await stack.enter_async_context(teacher)
            return await use(teacher)

    return asyncio.run(go())


def test_every_teacher_that_is_built_in_is_held_to_its_promises() -> None:
    assert set(CASES) | ELSEWHERE == set(names("teacher"))


def test_a_teacher_has_the_role(opened: Callable[[], Any]) -> None:
    async def use(teacher: Any) -> bool:
        return isinstance(teacher, Teacher)

    assert with_it(opened, use)


def test_a_reply_has_a_text_an_end_counts_and_a_price_or_none(opened: Callable[[], Any]) -> None:
    async def use(teacher: Any) -> tuple[Reply, Any]:
        return await teacher.reply(ask(QUESTIONS[0])), getattr(teacher, "prices", None)

    reply, prices = with_it(opened, use)
    assert reply.text.strip()
    assert reply.finish == "stop"
    assert reply.input_tokens >= reply.cached_tokens >= 0
    assert reply.output_tokens >= reply.reasoning_tokens >= 0
    assert reply.input_tokens > 0 < reply.output_tokens
    assert reply.cost_usd is None or reply.cost_usd >= 0.0
    assert prices is None or isinstance(prices, Prices)


def test_a_reply_keeps_to_the_limit_and_says_that_it_was_cut_off(opened: Callable[[], Any]) -> None:
    async def use(teacher: Any) -> Reply:
        return cast(Reply, await teacher.reply(ask(QUESTIONS[0], max_tokens=3)))

    reply = with_it(opened, use)
    assert (reply.finish, reply.output_tokens) == ("length", 3)


def test_requests_at_once_get_each_their_own_reply(opened: Callable[[], Any]) -> None:
    async def use(teacher: Any) -> list[str]:
        replies = await asyncio.gather(*(teacher.reply(ask(text)) for text in QUESTIONS))
        return [reply.text for reply in replies]

    async def one_by_one() -> list[str]:
        return [(await Rules().reply(ask(text))).text for text in QUESTIONS]

    told = with_it(opened, use)
    assert told == asyncio.run(one_by_one())
    assert len(set(told)) > len(told) / 2


def test_a_teacher_answers_also_without_being_entered_and_in_one_event_loop_after_the_other(
    opened: Callable[[], Any],
) -> None:
    made: list[Any] = []

    async def alone() -> str:
        async with opened() as teacher:
            made.append(teacher)
            return cast(str, (await teacher.reply(ask(QUESTIONS[0]))).text)

    async def entered(teacher: Any) -> str:
        return cast(str, (await teacher.reply(ask(QUESTIONS[0]))).text)

    assert asyncio.run(alone()) == with_it(opened, entered) == with_it(opened, entered)


def test_the_journal_knows_it_by_plain_data_that_being_asked_does_not_change(
    opened: Callable[[], Any],
) -> None:
    async def use(teacher: Any) -> tuple[Any, Any]:
        before = json.dumps(Endpoint.of(teacher).identity, sort_keys=True)
        await teacher.reply(ask(QUESTIONS[0]))
        return before, json.dumps(Endpoint.of(teacher).identity, sort_keys=True)

    before, after = with_it(opened, use)
    assert before == after
    # A server on another port is the same to the journal, and so are equal replies.
    assert with_it(opened, use) == (before, after)


def test_what_it_says_before_a_run_is_one_line(opened: Callable[[], Any]) -> None:
    async def use(teacher: Any) -> str:
        return cast(str, teacher.check()) if hasattr(teacher, "check") else "rules"

    said = with_it(opened, use)
    assert said.strip()
    assert "\n" not in said


def test_text_that_cannot_be_sent_is_answered_or_refused(opened: Callable[[], Any]) -> None:
    async def use(teacher: Any) -> bool:
        try:
            return isinstance(await teacher.reply(ask("half a character: \ud800")), Reply)
        except RequestError:
            return True

    assert with_it(opened, use)


def test_its_options_cannot_be_changed(opened: Callable[[], Any]) -> None:
    async def use(teacher: Any) -> Any:
        return teacher

    teacher = with_it(opened, use)
    for field in fields(teacher):
        with pytest.raises(FrozenInstanceError):
            setattr(teacher, field.name, None)
