"""Drives scripts against a teacher and a judge: at once, in order, durably, within the budget.

A script that waits for a reply holds nobody up: there is no barrier between the steps of different
scripts. A reply is in the journal before its script sees it, so running again asks only for what is not
there. Results are handed on in the order of the scripts' numbers, and a script starts only if it would be
needed and affordable were every open one accepted and charged at its ceiling. So which scripts run depends
on the replies, and never on when they come.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, TypeVar, cast

from asft.budget import Budget
from asft.engine.calls import Calls, Endpoint
from asft.engine.charged import Charged
from asft.engine.drive import Drive, Ending, Job, Outcome, Progress
from asft.journal import Journal
from asft.types import Teacher

__all__ = ["Charged", "Ending", "Endpoint", "Engine", "Job", "Outcome", "Progress"]

T = TypeVar("T")


class Engine:
    """Teacher and judge, opened; an async context manager."""

    def __init__(
        self,
        journal: Journal,
        endpoints: Mapping[str, Endpoint],
        *,
        budget: Budget | None = None,
        elsewhere: int = 0,
        progress: Callable[[Progress], None] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """`endpoints` by role. `elsewhere`: FLOPs of the budget that are set aside for what the student has
        to compute yet; what it has computed is in the ledger. `progress` is called now and then, at least
        once a second while it waits.
        """
        self._journal = journal
        self._endpoints = endpoints
        self._budget = budget or Budget()
        self._elsewhere = elsewhere
        self._progress = progress
        self._rng = rng or random.Random()
        self._opened = AsyncExitStack()
        self._teachers: dict[str, Teacher] = {}

    async def __aenter__(self) -> "Engine":
        opened: dict[int, Teacher] = {}
        try:
            for role, endpoint in self._endpoints.items():
                teacher = endpoint.teacher
                # One that is teacher and judge is opened once.
                if id(teacher) not in opened:
                    if hasattr(teacher, "__aenter__"):
                        opened[id(teacher)] = await self._opened.enter_async_context(cast(Any, teacher))
                    else:
                        opened[id(teacher)] = teacher
                self._teachers[role] = opened[id(teacher)]
        except BaseException:
            await self._opened.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    def begin(self, round: int, step: str) -> Charged:
        """What a step is charged, before its first script."""
        return Charged.begin(
            self._journal, self._budget, self._endpoints, (round, step), elsewhere=self._elsewhere
        )

    async def drive(
        self,
        jobs: Iterable[Job[T]],
        *,
        round: int,
        step: str,
        on_result: Callable[[Outcome[T]], bool],
        wanted: int | None = None,
        charged: Charged | None = None,
    ) -> Ending:
        """Run scripts until `wanted` are accepted, the jobs are through, or the budget is.

        `on_result` gets the outcomes in the order of their numbers and says whether the outcome is accepted.
        A step that drives more than once begins with `begin`, and hands that in each time as `charged`.
        Raises what stops a run: FatalError, GaveUpError, BudgetError, JournalError; all replies that came
        are in the journal then, also where the drive is cancelled.
        """
        # One endpoint in two roles has one limit on its calls.
        made: dict[int, Calls] = {}
        calls = {
            role: made.setdefault(id(self._endpoints[role]), Calls(self._endpoints[role], teacher, self._rng))
            for role, teacher in self._teachers.items()
        }
        charged = charged or self.begin(round, step)
        drive = Drive(self._journal, calls, charged, (round, step), self._progress)
        return await drive.run(jobs, on_result, wanted)
