"""The write step: scripts ask the teacher for drafts, filters judge them in order, until enough are kept.

Filters that look at a draft alone are a part of its script. Where others read what the student makes of the
drafts, they are written in waves: as many as would fill what is still wanted pass the filters before, then
the student measures those, then come the other filters; then the next wave. How large a wave is depends on
replies and verdicts alone.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from asft.endpoints import endpoints
from asft.engine import Charged, Ending, Engine, Job, Outcome, Progress
from asft.errors import RecipeError
from asft.journal import Journal
from asft.recipe import Recipe
from asft.types import Context, Draft, Example, Measured, Measurements, Need, Pick, Script, Verdict
from asft.writing.filtering import Order, Yield, alone, order, then, yields

__all__ = ["Order", "Student", "Turn", "Written", "Yield", "order", "wanted", "write"]

Turn = Callable[[int, int], AbstractContextManager[Any]]
"""What is around a drive: of the wave with this number, from 0, in which so many are wanted."""


@dataclass(frozen=True, kw_only=True)
class Student:
    """Measures for filters that read what the student makes of the drafts."""

    measure: Callable[[int, Sequence[Example], Sequence[Need]], Measurements]
    """The drafts of the wave with this number."""
    pool: Callable[[Sequence[Need]], Measurements]
    """The pool; asked for once, before anything is written."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a write step made."""

    drafts: tuple[Draft, ...]
    """In the order of their numbers; each of a pick, and no pick is left out before the last."""
    verdicts: tuple[Verdict, ...]
    """One for each draft that has an example, in their order: that of the first filter that does not keep it,
    or a keep."""
    yields: tuple[Yield, ...]
    """By filter, in the order in which drafts pass them."""
    waves: int
    """How many were measured."""
    ending: Ending


def write(
    recipe: Recipe,
    picks: Sequence[Pick],
    context: Context,
    journal: Journal,
    progress: Callable[[Progress], None] | None = None,
    *,
    turn: Turn = lambda wave, wanted: nullcontext(),
    student: Student | None = None,
    elsewhere: int = 0,
) -> Written:
    """Drive the picks' scripts until as many drafts are kept as the round wants, or the budget is used up.

    `student` is needed where a filter has needs. `elsewhere`: FLOPs of the budget that are set aside for what
    the student has to compute yet. Replies that the journal holds are not asked for again.
    Raises what stops a run; all that was paid for is in the journal then.
    """
    return _Writing(recipe, picks, context, journal, progress, turn, student, elsewhere).write()


def wanted(recipe: Recipe, context: Context) -> int:
    """How many examples the round may still accept."""
    if recipe.budget.examples is None:
        return recipe.per_round
    return max(0, min(recipe.per_round, recipe.budget.examples - len(context.accepted)))


_Checked = tuple[Draft, Verdict | None]
"""A draft, and the verdict of the filters that look at it alone; None where they keep it."""


class _Writing:
    """A write step that goes on."""

    def __init__(
        self,
        recipe: Recipe,
        picks: Sequence[Pick],
        context: Context,
        journal: Journal,
        progress: Callable[[Progress], None] | None,
        turn: Turn,
        student: Student | None,
        elsewhere: int,
    ) -> None:
        self._recipe, self._picks, self._context = recipe, picks, context
        self._journal, self._progress, self._turn, self._student = journal, progress, turn, student
        self._order = order(recipe.filters, recipe.settings["filters"], context)
        self._wanted = wanted(recipe, context)
        self._drafts: list[Draft] = []
        self._verdicts: list[Verdict] = []
        self._accepted: list[Example] = []
        self._rows: list[tuple[Measurements, int]] = []
        """Wave and row of each that is accepted, where they are measured."""
        self._charged: Charged | None = None
        self._elsewhere = elsewhere

    def write(self) -> Written:
        needs = self._order.needs
        if not needs:
            ending, waves = self._drive(0, lambda draft: self._settle(draft, None)), 0
        elif self._student is None:
            raise RecipeError(f"filters: {needs[0].name!r} has to be measured, and there is no student here")
        else:
            ending, waves = self._in_waves(self._student, needs)
        return Written(
            drafts=tuple(self._drafts),
            verdicts=tuple(sorted(self._verdicts, key=lambda verdict: verdict.number)),
            yields=yields(self._order, self._verdicts),
            waves=waves,
            ending=ending,
        )

    def _in_waves(self, student: Student, needs: Sequence[Need]) -> tuple[Ending, int]:
        pool_needs = self._order.pool_needs
        pool = student.pool(pool_needs) if pool_needs else None
        wave = 0
        while True:
            passed: list[Draft] = []

            def on_passed(draft: Draft, passed: list[Draft] = passed) -> bool:
                passed.append(draft)
                return True

            ending = self._drive(wave, on_passed)
            if passed:
                found = student.measure(wave, [_example(draft) for draft in passed], needs)
                wave += 1
                for row, draft in enumerate(passed):
                    self._settle(draft, Measured(wave=found, row=row, pool=pool, accepted=self._rows))
            if ending != "enough" or len(self._accepted) >= self._wanted:
                return ending, wave

    def _drive(self, wave: int, on_passed: Callable[[Draft], bool]) -> Ending:
        """Write drafts of the next picks until so many pass as are still wanted."""
        left = self._wanted - len(self._accepted)

        def on_result(outcome: Outcome[_Checked]) -> bool:
            unwritten = Draft(number=outcome.number, example=None, reason=outcome.reason)
            draft, verdict = outcome.result or (unwritten, None)
            self._drafts.append(draft)
            if draft.example is None:
                return False
            if verdict is not None:
                self._verdicts.append(verdict)
                return False
            return on_passed(draft)

        async def drive() -> Ending:
            recipe = self._recipe
            engine = Engine(
                self._journal,
                endpoints(recipe),
                budget=recipe.budget,
                elsewhere=self._elsewhere,
                progress=self._progress,
            )
            async with engine as driven:
                self._charged = self._charged or driven.begin(self._context.round, "write")
                return await driven.drive(
                    map(self._job, self._picks[len(self._drafts) :]),
                    round=self._context.round,
                    step="write",
                    on_result=on_result,
                    wanted=left,
                    charged=self._charged,
                )

        with self._turn(wave, left):
            return asyncio.run(drive())

    def _settle(self, draft: Draft, measured: Measured | None) -> bool:
        """Have the other filters check it, and accept it where they keep it."""
        verdict = then(self._order, draft, self._context, self._accepted, measured)
        self._verdicts.append(verdict)
        if verdict.decision != "keep":
            return False
        self._accepted.append(_example(draft))
        if measured is not None:
            self._rows.append((measured.wave, measured.row))
        return True

    def _job(self, pick: Pick) -> Job[_Checked]:
        ceiling = self._recipe.writer.ceiling(pick, self._context) + self._order.ceiling
        return Job(number=pick.number, script=lambda: self._script(pick), ceiling=ceiling)

    def _script(self, pick: Pick) -> Script[_Checked]:
        rng = random.Random(f"{self._recipe.seed} write {pick.draw} {pick.example.id}")
        draft = yield from self._recipe.writer.write(pick, self._context, rng)
        if draft.example is None:
            return draft, None
        return draft, (yield from alone(self._order, draft, self._context))


def _example(draft: Draft) -> Example:
    if draft.example is None:
        raise ValueError(f"draft {draft.number} has no example")
    return draft.example
