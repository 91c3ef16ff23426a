"""asft: its engine with its openai teacher, and a journal on the disk in the folder of the rows."""

import asyncio
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import openai.resources.chat  # noqa: F401  asft imports it late, and importing is not measured here
import work

from asft.budget import Prices
from asft.engine import Endpoint, Engine, Job, Outcome
from asft.journal import Journal
from asft.teachers.openai import OpenAI
from asft.types import Ceiling, Message, Reply, Request, Sampling, Script

ASKS = 4
"""How often a reply that was cut off is asked for again at most, the first time counted."""
CEILING = Ceiling(requests=2 * ASKS, input_tokens=2 * ASKS * 2000, output_tokens=2 * ASKS * work.MAX_TOKENS)


def script(steps: int, item: int) -> Script[dict[str, Any]]:
    """Ask for an item."""
    asked = work.question(item)
    text = yield from whole(asked)
    if steps == 2 and text is not None:
        asked = work.answer(text)
        text = yield from whole(asked)
    return work.row(item, text, asked, "" if text is not None else "cut off")


def whole(content: str) -> Generator[Sequence[Request], Sequence[Reply], str | None]:
    """A text that is not cut off."""
    sampling = Sampling(temperature=work.TEMPERATURE, max_tokens=work.MAX_TOKENS)
    for index in range(ASKS):
        message = Message(role="user", content=content)
        [reply] = yield [Request(messages=(message,), sampling=sampling, purpose="text", index=index)]
        if reply.finish == "stop":
            return reply.text
    return None


def jobs(n: int, steps: int) -> Iterator[Job[dict[str, Any]]]:
    """A job for each item."""
    for item in range(n):
        yield Job(number=item, script=partial(script, steps, item), ceiling=CEILING)


async def drive(given: Any, teacher: Any) -> None:
    """Write rows.jsonl as the results come."""
    concurrency = given.concurrency if given.concurrency == "auto" else int(given.concurrency)
    endpoint = Endpoint.of(teacher, concurrency=concurrency, tries=10, timeout=given.timeout)
    with (
        (given.out / "rows.jsonl").open("w", encoding="utf-8") as rows,
        Journal(given.out / "journal.sqlite") as journal,
    ):

        def on_result(outcome: Outcome[dict[str, Any]]) -> bool:
            made = outcome.result or work.row(
                outcome.number, None, work.question(outcome.number), outcome.reason
            )
            rows.write(json.dumps(made) + "\n")
            return True

        async with Engine(journal, {"teacher": endpoint}) as engine:
            await engine.drive(jobs(given.n, given.steps), round=1, step="write", on_result=on_result)


@dataclass(frozen=True)
class InProcess:
    """A teacher without latency and without an endpoint, for the memory that is asft's own."""

    async def reply(self, request: Request) -> Reply:
        text = f"Reply: {request.messages[-1].content * 2}"
        return Reply(text=text, finish="stop", input_tokens=20, output_tokens=40, cost_usd=0.0)


def main() -> None:
    given = work.arguments()
    if given.base_url == "in-process":
        work.measured(given.out, lambda: asyncio.run(drive(given, InProcess())))
        return
    teacher = OpenAI(
        model=work.MODEL,
        base_url=given.base_url,
        timeout=given.timeout,
        prices=Prices(input=Decimal(1), output=Decimal(4)),
    )
    work.measured(given.out, lambda: asyncio.run(drive(given, teacher)))


if __name__ == "__main__":
    main()
