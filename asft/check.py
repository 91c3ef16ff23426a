"""What is wrong with a recipe that reads well, and what it would do and cost at most.

`start` is asked before a new run, so that nothing is measured or paid for a run that cannot come to its
end; `check` is `asft check`, which makes no call, and adds the first prompt and the ceilings.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from asft import passed_on, terms
from asft.engine import Endpoint
from asft.errors import AsftError, RecipeError
from asft.recipe import Reading, Recipe
from asft.types import Ceiling, Context, Draft, Example, Message, Pick, Task, Teacher, Writer


@dataclass(frozen=True, kw_only=True)
class _Looked:
    """What there is to see before a call is made."""

    context: Context
    prompt: tuple[Message, ...]
    """The first request."""
    teacher: str
    """What the teacher says of itself."""
    warnings: list[str]


def start(reading: Reading) -> list[str]:
    """What may not be meant, a sentence each. Raises RecipeError with all that stops the run.

    A teacher that can be reached without a cost is: a wrong key shows now, and not after the measuring.
    """
    return _look(reading, reach=True).warnings


def check(reading: Reading) -> str:
    """A text for the terminal. Raises RecipeError with all that stops the run."""
    looked = _look(reading)
    recipe = reading.recipe()
    context = looked.context
    ceilings = [recipe.writer.ceiling(_pick(seed), context) for seed in context.seeds]
    most = max(ceilings, key=lambda c: c.input_tokens + c.output_tokens)
    drafts = recipe.rounds * recipe.max_drafts
    whole = Ceiling(
        requests=drafts * most.requests,
        input_tokens=drafts * most.input_tokens,
        output_tokens=drafts * most.output_tokens,
    )
    prices = Endpoint.of(recipe.teacher).prices
    cost = "unknown (no prices)" if prices is None else f"{prices.most(whole).quantize(Decimal('0.01'))} USD"
    warnings = [f"Warning: {warning}" for warning in looked.warnings]
    lines = [
        f"recipe    {recipe.name}: {recipe.rounds} rounds x {recipe.per_round} examples, seed {recipe.seed}",
        f"task      {len(context.seeds)} seeds, {len(context.test)} test items",
        f"teacher   {looked.teacher}",
        *(f"terms     {said}" for said in terms.stated(recipe.teacher)),
        f"measures  {', '.join(need.name for need in recipe.needs) or 'nothing'}",
        "",
        "At most, if every draft took all that it may:",
        f"  drafts    {drafts}",
        f"  requests  {whole.requests}",
        f"  tokens    {whole.input_tokens} in, {whole.output_tokens} out",
        f"  cost      {cost}",
        "",
        "The first prompt:",
        *(f"  [{m.role}] {line}".rstrip() for m in looked.prompt for line in m.content.splitlines()),
        "",
        *(warnings or ["Nothing is wrong with this recipe."]),
    ]
    return "\n".join(lines)


def _look(reading: Reading, *, reach: bool = False) -> _Looked:
    """Look at every part that could be made, so that what is wrong with one hides no other.

    But a teacher that is to be reached and cannot be is told at once: what follows takes seconds.
    """
    parts = reading.parts
    problems = list(reading.problems)
    task, teacher, writer, budget = (parts[key] for key in ("task", "teacher", "writer", "budget"))
    splits = {split: _load(task, split, problems) if task else () for split in ("seed", "test")}
    context = Context(
        task=task, seeds=splits["seed"], accepted=(), test=splits["test"], round=1, seed=parts["seed"] or 0
    )
    prompt = _first_prompt(writer, context, problems) if writer and context.seeds else ()
    said = _ask_teacher(teacher, parts["settings"]["teacher"]["use"], problems) if teacher else ""
    if teacher and budget and budget.usd is not None and Endpoint.of(teacher).prices is None:
        problems.append(
            "budget.usd: the teacher's prices are unknown; give it `prices`, or a budget of tokens"
        )
    reached = _reach(teacher) if reach and teacher and not problems else []
    problems += passed_on.problems(parts["train"], parts["lora"])
    if problems:
        raise RecipeError("\n".join(problems))
    recipe = reading.recipe()
    return _Looked(
        context=context,
        prompt=prompt,
        teacher=said,
        warnings=[
            *reached,
            *_votes(recipe),
            *_references(context, recipe),
            *terms.reminders(recipe.teacher),
        ],
    )


def _load(task: Task, split: str, problems: list[str]) -> tuple[Example, ...]:
    try:
        examples = tuple(task.load(split))
    except AsftError as error:
        problems.append(f"task: {error}")
        return ()
    if not examples:
        problems.append(f"task: the split {split!r} is empty; give it at least one example")
    return examples


def _ask_teacher(teacher: Teacher, name: str, problems: list[str]) -> str:
    """Its name, and what its own `check` says; a teacher need not have one."""
    own = getattr(teacher, "check", None)
    if own is None:
        return name
    try:
        said = own()
    except AsftError as error:
        problems.append(f"teacher: {error}")
        return name
    return f"{name}: {said}" if said else name


def _reach(teacher: Teacher) -> list[str]:
    """What shows of a teacher that can be reached without a cost. Raises RecipeError where it cannot be."""
    own = getattr(teacher, "reach", None)
    try:
        return [] if own is None else list(asyncio.run(own()))
    except AsftError as error:
        raise RecipeError(f"teacher: {error}") from None


def _first_prompt(writer: Writer, context: Context, problems: list[str]) -> tuple[Message, ...]:
    """The first request about the first seed that there is one about."""
    reason = ""
    for seed in context.seeds:
        script = writer.write(_pick(seed), context, random.Random(0))
        try:
            requests = next(script)
        except StopIteration as end:
            draft = end.value
            reason = reason or (draft.reason if isinstance(draft, Draft) else "")
            continue
        except AsftError as error:
            problems.append(f"writer: {error}")
            return ()
        script.close()
        return requests[0].messages
    problems.append(
        f"writer: it asks nothing about any of the {len(context.seeds)} seeds ({reason}); "
        "use another prompt, or seeds that have what it needs"
    )
    return ()


def _pick(example: Example) -> Pick:
    return Pick(number=0, example=example, observation=None, score=None, draw=0)


# What may not be meant


def _votes(recipe: Recipe) -> Iterator[str]:
    """The filter `agrees` where nobody else answers: it is undecided about every draft, and none is kept."""
    for place, options in enumerate(recipe.settings["filters"]):
        if options["use"] != "agrees":
            continue
        key = f"filters.{place} (agrees)"
        if options["mode"] == "votes" and not getattr(recipe.writer, "votes", 0):
            yield (
                f"{key}: the writer asks for no further answers, so there are no votes and no draft is kept; "
                "use question_then_answer with `votes: 2`, or leave the filter out"
            )
        if options["mode"] == "task" and not hasattr(recipe.task, "solve"):
            yield (
                f"{key}: the task solves no questions by itself, so no draft is kept; "
                "use `mode: votes`, or leave the filter out"
            )


def _references(context: Context, recipe: Recipe) -> Iterator[str]:
    """A criterion that reads worked answers, and seeds that have none."""
    if not any(need.name == "gold" for need in recipe.criterion.needs):
        return
    without = sum(seed.completion is None for seed in context.seeds)
    if without:
        yield (
            f"criterion: it reads worked answers, and {without} of {len(context.seeds)} seeds have none and "
            "get no score; name their column in the task, or use `of: own`"
        )
