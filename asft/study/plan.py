"""What a study takes, told before anything is done: runs, requests, tokens, dollars, and about how long."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from asft import ceilings, likely
from asft import recipe as recipes
from asft.budget import Prices
from asft.recipe import Recipe
from asft.report.wording import duration, plural
from asft.study import results
from asft.study.design import Arm, Study
from asft.study.pace import Pace, measured
from asft.study.runs import threads
from asft.types import NO_REQUESTS, Ceiling, Context, Example

CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What one arm takes, over all seeds that are still to be run."""

    arm: Arm
    recipe: Recipe
    """With the first seed."""
    done: int
    """Runs that have their result."""
    about: Ceiling | None
    """What all runs to come ask: as the arm's finished runs did, or else as long as the seeds are; None where
    neither tells."""
    most: Ceiling
    """What they ask at most."""
    prices: Prices | None
    """None where one is unknown."""
    seconds: float
    """Of all runs to come, about, on one process; without what a teacher elsewhere takes."""


def plan(study: Study, folder: Path, at_once: int) -> list[Planned]:
    """A row per arm. Loads each task once, and times the student on this machine where no run is done yet."""
    splits: dict[str, tuple[tuple[Example, ...], tuple[Example, ...]]] = {}
    paces: dict[str, Pace] = {}
    whole: dict[str, tuple[Ceiling, Ceiling | None]] = {}
    rows = []
    for arm in study.arms:
        recipe = recipes.read(study.given(arm, study.seeds[0]))
        key = json.dumps(recipe.settings["task"], sort_keys=True)
        if key not in splits:
            splits[key] = (tuple(recipe.task.load("seed")), tuple(recipe.task.load("test")))
        seeds, test = splits[key]
        context = Context(task=recipe.task, seeds=seeds, accepted=(), test=test, round=1, seed=recipe.seed)
        found = [
            results.read(path)
            for seed in study.seeds
            if (path := results.path_of(folder, arm.name, seed)).exists()
        ]
        left = len(study.seeds) - len(found)
        asking = json.dumps([recipe.settings["task"], *_asking(recipe)], sort_keys=True, default=str)
        if left and asking not in whole:
            whole[asking] = ceilings.of(recipe, context).whole, likely.of(recipe, context)
        most, about = whole[asking] if left else (NO_REQUESTS, NO_REQUESTS)
        if found:
            about = _mean([_asked(one) for one in found])
            took = statistics.mean(_seconds(one) for one in found)
        else:
            base = json.dumps(recipe.settings["student"], sort_keys=True)
            if base not in paces:
                paces[base] = measured(recipe, seeds, threads(at_once))
            took = paces[base].of(recipe, len(seeds), len(test))
        rows.append(
            Planned(
                arm=arm,
                recipe=recipe,
                done=len(found),
                about=about and _bounded(about, recipe) * left,
                most=_bounded(most, recipe) * left,
                prices=ceilings.prices(recipe),
                seconds=took * left,
            )
        )
    return rows


def told(study: Study, rows: Sequence[Planned], at_once: int) -> str:
    """The plan as text for the terminal."""
    runs = len(study.arms) * len(study.seeds)
    left = runs - sum(row.done for row in rows)
    head = ("arm", "rounds", "runs", "done", "time", *("requests", "tokens", "USD") * 2)
    lines = [
        (
            row.arm.name,
            f"{row.recipe.rounds} x {row.recipe.per_round}",
            f"{len(study.seeds)}",
            f"{row.done}",
            duration(row.seconds),
            *_amounts(row.about, row.prices),
            *_amounts(row.most, row.prices),
        )
        for row in rows
    ]
    widths = [max(len(line[place]) for line in [head, *lines]) for place in range(len(head))]
    table = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [head, *lines]
    ]
    # The same three columns twice: over them stands what they are.
    starts = [sum(widths[:place]) + 2 * place for place in (5, 8)]
    over = f"{'about':>{starts[1] - 2}}{'at most':>{len(table[0]) - starts[1] + 2}}"
    whole = sum(row.seconds for row in rows)
    return "\n".join(
        [
            f"study     {study.name}: {plural(len(study.arms), 'arm')} x {plural(len(study.seeds), 'seed')} "
            f"= {plural(runs, 'run')}, {left} to do; all against {study.compare_to}",
            f"budget    {study.amount:g} {study.binds} for each run",
            "",
            over,
            *table,
            "",
            f"About {duration(whole / at_once)} with {plural(at_once, 'run')} at once, without waiting for a "
            "teacher elsewhere.",
            "Requests, tokens and dollars: about as in an arm's finished runs, or else as if every draft was",
            "kept and as long as the seeds. What two runs ask alike is paid once.",
        ]
    )


def _asking(recipe: Recipe) -> list[Any]:
    """All of a recipe that says what is asked at most; arms often differ in what asks nobody."""
    parts = ("writer", "filters", "teacher", "judge", "rounds", "per_round", "max_drafts")
    scripts = [(need.name, need.options) for need in recipe.needs if need.kind == "script"]
    return [*(recipe.settings[part] for part in parts), scripts]


def _amounts(asked: Ceiling | None, prices: Prices | None) -> tuple[str, str, str]:
    """Requests, tokens and dollars, as they stand in the table."""
    if asked is None:
        return "?", "?", "?"
    usd = "?" if prices is None else f"{prices.most(asked).quantize(CENT):,}"
    return f"{asked.requests:,}", f"{asked.input_tokens + asked.output_tokens:,}", usd


def _asked(result: results.Result) -> Ceiling:
    """What a finished run asked of teacher and judge; all of a student's numbers are 0."""
    rows = [row for point in result.points for row in point["ledger"]]
    return Ceiling(
        requests=sum(row["requests"] for row in rows),
        input_tokens=sum(row["input_tokens"] for row in rows),
        output_tokens=sum(row["output_tokens"] for row in rows),
    )


def _mean(several: Sequence[Ceiling]) -> Ceiling:
    whole = sum(several, NO_REQUESTS)
    return Ceiling(
        requests=round(whole.requests / len(several)),
        input_tokens=round(whole.input_tokens / len(several)),
        output_tokens=round(whole.output_tokens / len(several)),
    )


def _bounded(most: Ceiling, recipe: Recipe) -> Ceiling:
    """No run takes more than its budget."""
    budget = recipe.budget
    requests = most.requests if budget.requests is None else min(most.requests, budget.requests)
    both = most.input_tokens + most.output_tokens
    if budget.tokens is None or both <= budget.tokens:
        return Ceiling(requests=requests, input_tokens=most.input_tokens, output_tokens=most.output_tokens)
    into = round(budget.tokens * most.input_tokens / both)
    return Ceiling(requests=requests, input_tokens=into, output_tokens=budget.tokens - into)


def _seconds(result: results.Result) -> float:
    return float(sum(sum(point["seconds"].values()) for point in result.points))
