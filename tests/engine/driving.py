"""What tests of the engine share: scripts, a teacher that answers by rule, and a run in a loop of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from asft.budget import Budget, Prices
from asft.engine import Ending, Endpoint, Engine, Job, Outcome, Progress
from asft.journal import Journal
from asft.types import Ceiling, Message, Reply, Request, Sampling, Script

PRICES = Prices(input=Decimal(1), output=Decimal(2))
CEILING = Ceiling(requests=3, input_tokens=600, output_tokens=30)


def ask(text: str, **more: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), sampling=Sampling(max_tokens=10), **more)


def two_steps(number: int) -> Script[str]:
    """Asks a question, then two answers to what came back."""
    [question] = yield [ask(f"q{number}", purpose="question")]
    first, second = yield [ask(question.text, purpose="answer", index=i) for i in range(2)]
    return f"{first.text} {second.text}"


def jobs(count: int, script: Callable[[int], Script[Any]] = two_steps) -> Iterator[Job[Any]]:
    for number in range(count):
        yield Job(number=number, script=partial(script, number), ceiling=CEILING)


def said(request: Request) -> str:
    return f"{request.messages[-1].content}.{request.index}"


@dataclass
class Scripted:
    """Answers by the request alone, after as many turns of the loop as `turns` says; `faults` come first."""

    turns: Callable[[str], int] = lambda text: 0
    faults: Mapping[str, Sequence[Exception]] = field(default_factory=dict)
    output_tokens: int = 2

    def __post_init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.left = {text: list(errors) for text, errors in self.faults.items()}

    async def reply(self, request: Request) -> Reply:
        text = said(request)
        self.asked.append(text)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            for _ in range(self.turns(text)):
                await asyncio.sleep(0)
            if self.left.get(text):
                raise self.left[text].pop(0)
        finally:
            self.at_once -= 1
        return Reply(text=text, finish="stop", input_tokens=3, output_tokens=self.output_tokens)


class Run:
    """Drives jobs in a fresh loop, as the command line does, and keeps what came."""

    def __init__(
        self, path: Path, loop: Callable[[Coroutine[Any, Any, Ending]], Ending] = asyncio.run
    ) -> None:
        """`loop` runs a drive: in real time, or in simulated time."""
        self.path = path
        self._loop = loop
        self.outcomes: list[Outcome[Any]] = []
        self.progress: list[Progress] = []

    def __call__(
        self,
        teacher: Any,
        todo: Iterable[Job[Any]],
        *,
        wanted: int | None = None,
        accept: Callable[[Outcome[Any]], bool] = lambda outcome: outcome.result is not None,
        budget: Budget | None = None,
        round: int = 1,
        keep: bool = True,
        **settings: Any,
    ) -> Ending:
        def on_result(outcome: Outcome[Any]) -> bool:
            if keep:
                self.outcomes.append(outcome)
            return accept(outcome)

        async def go() -> Ending:
            endpoint = Endpoint(
                teacher=teacher,
                identity={"name": "test"},
                **{"prices": PRICES, "concurrency": 4, "backoff": 0.0, **settings},
            )
            with Journal(self.path) as journal:
                engine = Engine(journal, {"teacher": endpoint}, budget=budget, progress=self.progress.append)
                async with engine:
                    return await engine.drive(
                        todo, round=round, step="write", on_result=on_result, wanted=wanted
                    )

        self.outcomes = []
        return self._loop(go())

    @property
    def results(self) -> list[Any]:
        return [outcome.result for outcome in self.outcomes]
