"""The ask step: what a teacher or judge says of the pool, for needs of kind "script"."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from asft.endpoints import endpoints
from asft.engine import Ending, Engine, Job, Outcome, Progress
from asft.journal import Journal
from asft.recipe import Recipe
from asft.types import Inquiry, Measurements, Need

Said = Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an ask step found."""

    signals: Mapping[str, Sequence[float | None]]
    """By need: a number per example, in their order; None where nothing was said of it."""
    refused: Mapping[str, int]
    """Reason -> scripts that were refused."""
    ending: Ending


def ask(
    recipe: Recipe,
    needs: Sequence[Need],
    measurements: Measurements,
    journal: Journal,
    progress: Callable[[Progress], None] | None = None,
    *,
    elsewhere: int = 0,
) -> Asked:
    """Drive the scripts of all needs; where several say something of an example, take their mean.

    Replies that the journal holds are not asked for again. `elsewhere`: FLOPs of the budget that are set
    aside for what the student has to compute yet. Raises what stops a run; all that was paid for is in the
    journal then.
    """
    return asyncio.run(_ask(recipe, needs, measurements, journal, progress, elsewhere))


def inquiries(needs: Sequence[Need], measurements: Measurements, seed: int) -> Iterator[tuple[str, Inquiry]]:
    """The name of the need and the script, for all needs in their order."""
    for need in needs:
        if need.asker is not None:
            for inquiry in need.asker.inquiries(measurements, seed):
                yield need.name, inquiry


async def _ask(
    recipe: Recipe,
    needs: Sequence[Need],
    measurements: Measurements,
    journal: Journal,
    progress: Callable[[Progress], None] | None,
    elsewhere: int,
) -> Asked:
    said: dict[str, dict[str, list[float]]] = {need.name: {} for need in needs}
    refused: dict[str, int] = {}
    asked_for: dict[int, str] = {}

    def jobs() -> Iterator[Job[Said]]:
        for number, (name, one) in enumerate(inquiries(needs, measurements, recipe.seed)):
            asked_for[number] = name
            yield Job(number=number, script=one.script, ceiling=one.ceiling)

    def on_result(outcome: Outcome[Said]) -> bool:
        name = asked_for.pop(outcome.number)
        if outcome.result is None:
            refused[outcome.reason] = refused.get(outcome.reason, 0) + 1
            return False
        for example, value in outcome.result.items():
            if value is not None:
                said[name].setdefault(example, []).append(value)
        return True

    async with Engine(
        journal, endpoints(recipe), budget=recipe.budget, elsewhere=elsewhere, progress=progress
    ) as driven:
        ending = await driven.drive(
            jobs(), round=measurements.round, step="ask", on_result=on_result, wanted=None
        )
    ids = [example.id for example in measurements.examples]
    return Asked(
        signals={
            name: [fmean(values[seed]) if seed in values else None for seed in ids]
            for name, values in said.items()
        },
        refused=refused,
        ending=ending,
    )
