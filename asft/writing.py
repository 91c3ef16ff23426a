"""The write step: scripts ask the teacher for drafts, filters judge them in order, until enough are kept."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asft.endpoints import endpoints
from asft.engine import Ending, Engine, Job, Outcome, Progress
from asft.journal import Journal
from asft.recipe import Recipe
from asft.types import Context, Draft, Example, Filter, Pick, Script, Verdict


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a write step made."""

    drafts: tuple[Draft, ...]
    """In the order of their numbers; each of a pick, and no pick is left out before the last."""
    verdicts: tuple[Verdict, ...]
    """One for each draft that has an example: that of the first filter that does not keep it, or a keep."""
    ending: Ending


def write(
    recipe: Recipe,
    picks: Sequence[Pick],
    context: Context,
    journal: Journal,
    progress: Callable[[Progress], None] | None = None,
) -> Written:
    """Drive the picks' scripts until as many drafts are kept as the round wants, or the budget is used up.

    Replies that the journal holds are not asked for again. Raises what stops a run; all that was paid for
    is in the journal then.
    """
    return asyncio.run(_write(recipe, picks, context, journal, progress))


async def _write(
    recipe: Recipe,
    picks: Sequence[Pick],
    context: Context,
    journal: Journal,
    progress: Callable[[Progress], None] | None,
) -> Written:
    drafts: list[Draft] = []
    verdicts: list[Verdict] = []
    accepted: list[Example] = []

    def on_result(outcome: Outcome[Draft]) -> bool:
        draft = outcome.result or Draft(number=outcome.number, example=None, reason=outcome.reason)
        drafts.append(draft)
        if draft.example is None:
            return False
        verdict = judge(recipe.filters, draft, context, accepted)
        verdicts.append(verdict)
        if verdict.decision == "keep":
            accepted.append(draft.example)
        return verdict.decision == "keep"

    jobs = (
        Job(
            number=pick.number,
            script=_script(recipe, pick, context),
            ceiling=recipe.writer.ceiling(pick, context),
        )
        for pick in picks
    )
    async with Engine(journal, endpoints(recipe), budget=recipe.budget, progress=progress) as driven:
        ending = await driven.drive(
            jobs, round=context.round, step="write", on_result=on_result, wanted=wanted(recipe, context)
        )
    return Written(drafts=tuple(drafts), verdicts=tuple(verdicts), ending=ending)


def wanted(recipe: Recipe, context: Context) -> int:
    """How many examples the round may still accept."""
    if recipe.budget.examples is None:
        return recipe.per_round
    return max(0, min(recipe.per_round, recipe.budget.examples - len(context.accepted)))


def judge(filters: Sequence[Filter], draft: Draft, context: Context, accepted: Sequence[Example]) -> Verdict:
    """The verdict of the first filter that does not keep the draft; ordered filters come last."""
    for one in sorted(filters, key=lambda f: f.ordered):
        verdict = one.check(draft, context, accepted if one.ordered else ())
        if verdict.decision != "keep":
            return verdict
    return Verdict(number=draft.number, decision="keep", filter="", reason="")


def _script(recipe: Recipe, pick: Pick, context: Context) -> Callable[[], Script[Draft]]:
    rng = random.Random(f"{recipe.seed} write {pick.draw} {pick.example.id}")
    return lambda: recipe.writer.write(pick, context, rng)
