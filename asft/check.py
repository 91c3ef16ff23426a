"""`asft check`: what a recipe would do and could cost at most, before a GPU or a cent is used."""

import random
from decimal import Decimal

from asft.engine import Endpoint
from asft.errors import RecipeError
from asft.recipe import Recipe
from asft.types import Ceiling, Context, Example, Message, Pick


def check(recipe: Recipe) -> str:
    """A text for the terminal. Raises RecipeError or DataError where the run could not start."""
    seeds, test = recipe.task.load("seed"), recipe.task.load("test")
    for split, examples in (("seed", seeds), ("test", test)):
        if not examples:
            raise RecipeError(f"task: the split {split!r} is empty; give it at least one example")
    context = Context(
        task=recipe.task, seeds=tuple(seeds), accepted=(), test=tuple(test), round=1, seed=recipe.seed
    )
    prices = Endpoint.of(recipe.teacher).prices
    if recipe.budget.usd is not None and prices is None:
        raise RecipeError("budget.usd: the teacher's prices are unknown; state them in the teacher's section")
    ceilings = [recipe.writer.ceiling(_pick(e), context) for e in seeds]
    most = max(ceilings, key=lambda c: c.input_tokens + c.output_tokens)
    drafts = recipe.rounds * recipe.max_drafts
    needs = sorted({need.name for need in (*recipe.criterion.needs, *recipe.selector.needs)})
    whole = Ceiling(
        requests=drafts * most.requests,
        input_tokens=drafts * most.input_tokens,
        output_tokens=drafts * most.output_tokens,
    )
    cost = "unknown (no prices)" if prices is None else f"{prices.most(whole).quantize(Decimal('0.01'))} USD"
    lines = [
        f"recipe    {recipe.name}: {recipe.rounds} rounds x {recipe.per_round} examples, seed {recipe.seed}",
        f"task      {len(seeds)} seeds, {len(test)} test items",
        f"measures  {', '.join(needs) or 'nothing'}",
        "",
        "At most, if every draft took all that it may:",
        f"  drafts    {drafts}",
        f"  requests  {whole.requests}",
        f"  tokens    {whole.input_tokens} in, {whole.output_tokens} out",
        f"  cost      {cost}",
        "",
        "The first prompt:",
        *(
            f"  [{m.role}] {line}"
            for m in _first(recipe, seeds[0], context)
            for line in m.content.splitlines()
        ),
        "",
        "Nothing is wrong with this recipe.",
    ]
    return "\n".join(lines)


def _pick(example: Example) -> Pick:
    return Pick(number=0, example=example, observation=None, score=None, draw=0)


def _first(recipe: Recipe, seed: Example, context: Context) -> tuple[Message, ...]:
    script = recipe.writer.write(_pick(seed), context, random.Random(0))
    requests = next(script)
    script.close()
    return requests[0].messages
