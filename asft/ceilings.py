"""The most that a recipe can ask of a teacher or judge, and what it measures, told before anything is done.

The most is what the engine sets aside: every re-ask, every reply as long as it may be. Where a script depends
on what the student will answer, it is taken with the longest answer that there can be.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asft import inquiring, writing
from asft.budget import Account, Prices, dearest
from asft.engine import Endpoint
from asft.recipe import Recipe
from asft.types import NO_REQUESTS, Answer, Ceiling, Context, Example, Measurements, Need, Observation, Pick

LONGEST_TOKEN = 256
"""Bytes; vocabularies have tokens of a hundred spaces and more."""


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """What a recipe asks at most."""

    pool: Mapping[str, Ceiling]
    """Of each need that asks: about the whole pool, in one round."""
    filters: Ceiling
    """Of the filters that ask: about one draft."""
    whole: Ceiling
    """In all rounds, were every draft made."""


def of(recipe: Recipe, context: Context) -> Ceilings:
    """Raises RecipeError for filters that cannot stand in one recipe."""
    filters = writing.order(recipe.filters, recipe.settings["filters"], context).ceiling
    writers = [recipe.writer.ceiling(pick_of(seed), context) for seed in context.seeds]
    most = max(writers, key=lambda one: one.input_tokens + one.output_tokens)
    draft = most + filters
    pool = _of_pool(recipe, context)
    a_round = sum(pool.values(), draft * recipe.max_drafts)
    return Ceilings(pool=pool, filters=filters, whole=a_round * recipe.rounds)


def prices(recipe: Recipe) -> Prices | None:
    """Those that nobody who is asked is above, as the engine counts; None where one is unknown."""
    asked = [recipe.teacher, *([recipe.judge] if recipe.judge else [])]
    return dearest(Endpoint.of(one).prices for one in asked)


def covers(recipe: Recipe, pool: Iterable[Ceiling]) -> bool:
    """Whether the budget would do for what is asked about the pool in a first round, were it all used."""
    return Account(recipe.budget, [prices(recipe)]).affordable(sum(pool, NO_REQUESTS))


def pick_of(seed: Example) -> Pick:
    """A seed as it might be picked."""
    return Pick(number=0, example=seed, observation=None, score=None, draw=0)


def _of_pool(recipe: Recipe, context: Context) -> dict[str, Ceiling]:
    asking = [need for need in recipe.needs if need.kind == "script"]
    if not asking:
        return {}
    answer = Answer(
        text="x" * (LONGEST_TOKEN * _longest(recipe, context.seeds)), token_ids=(), finish="length"
    )
    pool = Measurements(
        round=1,
        examples=context.seeds,
        observations=tuple(Observation(example_id=seed.id, own=answer) for seed in context.seeds),
    )
    found: dict[str, list[Ceiling]] = {need.name: [] for need in asking}
    for name, one in inquiring.inquiries(asking, pool, context.seed):
        found[name].append(one.ceiling)
    return {name: sum(several, NO_REQUESTS) for name, several in found.items()}


def _longest(recipe: Recipe, seeds: Sequence[Example]) -> int:
    """Tokens of an own answer at most. A limit that is made from the references is below this one."""
    if recipe.student.max_new_tokens is not None:
        return recipe.student.max_new_tokens
    # A token is a byte or more; the rest is as in `asft.decoder.limit`.
    lengths = [len(seed.completion.encode("utf-8", "surrogatepass")) + 1 for seed in seeds if seed.completion]
    return max(256, math.ceil(1.5 * max(lengths, default=0)))


# What is measured of the student


def measuring(need: Need, seeds: Sequence[Example], answer_tokens: int | None) -> str:
    """What it takes to measure a need on the pool, in words."""
    count, options = len(seeds), need.options
    worked = sum(seed.completion is not None for seed in seeds)
    length = "" if answer_tokens is None else f" of at most {answer_tokens} tokens"
    if need.name == "own":
        return f"{count} answers{length}"
    if need.name == "samples":
        return f"{count * options['k']} answers{length}, {options['k']} to each seed"
    if need.name == "gold":
        return f"{worked} forward passes, over worked references"
    if need.name == "embedding":
        by = "" if options["model"] is None else f" of {options['model']}"
        return f"{count} forward passes{by}, over questions; and those accepted before"
    if need.name == "gradient":
        own = options["of"] == "own"
        return (
            f"{count if own else worked} forward passes, over {'own answers' if own else 'worked references'}"
        )
    if need.name == "reference_gradient":
        return f"{min(options['count'], worked)} forward passes, over worked references"
    if need.name == "reward":
        return f"{count} forward passes of {options['model']}, over own answers"
    if need.name == "ensemble":
        members = options["members"]
        return (
            f"{members} trainings on at most {options['examples']} examples, and {members * count} forward "
            "passes, over own answers"
        )
    return f"of {count} seeds"
