"""What is wrong with a recipe that reads well, and what it would do and cost at most.

`start` is asked before a new run, so that nothing is measured or paid for a run that cannot come to its
end; `check` is `asft check`, which makes no call, and adds the first prompt and the ceilings.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec

from asft import ceilings, heldout, likely, passed_on, terms, writing
from asft.ceilings import Ceilings
from asft.engine import Endpoint
from asft.errors import AsftError, DataError, RecipeError
from asft.recipe import DataOptions, Reading, Recipe, StudentOptions
from asft.teachers.vllm.settings import NO_DECODER
from asft.types import (
    NO_REQUESTS,
    Ceiling,
    Context,
    Criterion,
    Draft,
    Example,
    Message,
    Task,
    Teacher,
    Writer,
)

CENT = Decimal("0.01")
ROLES = ("teacher", "judge")
"""Who is asked; a recipe need not name a judge."""


@dataclass(frozen=True, kw_only=True)
class _Looked:
    """What there is to see before a call is made."""

    context: Context
    validation: tuple[Example, ...]
    """What is held out of the pool."""
    prompt: tuple[Message, ...]
    """The first request; empty where the writer asks nobody."""
    teacher: str
    """What the teacher says of itself."""
    judge: str
    """What the judge says of itself; empty where the recipe names none."""
    ceilings: Ceilings
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
    asked = looked.ceilings
    warnings = [f"Warning: {warning}" for warning in looked.warnings]
    lines = [
        f"recipe    {recipe.name}: {recipe.rounds} rounds x {recipe.per_round} examples, seed {recipe.seed}",
        f"task      {len(context.seeds)} seeds, {_held_out(looked)}{len(context.test)} test items",
        f"teacher   {looked.teacher}",
        *(f"terms     {said}" for said in terms.stated(recipe.teacher)),
        *_judge(recipe, looked),
        *_rounds(recipe),
        f"measures  {', '.join(need.name for need in recipe.needs) or 'nothing'}",
        *_needs(recipe, looked),
        "",
        "About, were every draft kept, and at most, if every draft took all that it may"
        + (", before rules change anything (a budget holds whatever they change):" if recipe.adapt else ":"),
        *_amounts(recipe, asked.whole, likely.of(recipe, context)),
        *_computes(recipe, looked),
        "",
        "The first prompt:" if looked.prompt else "The writer asks nobody.",
        *(f"  [{m.role}] {line}".rstrip() for m in looked.prompt for line in m.content.splitlines()),
        "",
        *(warnings or ["Nothing is wrong with this recipe."]),
    ]
    return "\n".join(lines)


def _amounts(recipe: Recipe, most: Ceiling, about: Ceiling | None) -> Iterator[str]:
    """Drafts, requests, tokens and dollars: about so many, and at most so many."""
    prices = ceilings.prices(recipe)
    drafts = recipe.rounds * recipe.per_round, recipe.rounds * recipe.max_drafts
    rows = [("", "about", "at most"), ("drafts", *map(str, drafts))]
    for name in ("requests", "input_tokens", "output_tokens"):
        expected = "?" if about is None else str(getattr(about, name))
        rows.append((name.replace("_", " "), expected, str(getattr(most, name))))
    usd = [
        "?" if prices is None or one is None else str(prices.most(one).quantize(CENT))
        for one in (about, most)
    ]
    rows.append(("USD", usd[0], usd[1] if prices is not None else "unknown (no prices)"))
    wide = [max(len(row[place]) for row in rows) for place in (1, 2)]
    for name, expected, limit in rows:
        yield f"  {name:13} {expected.rjust(wide[0])}  {limit.rjust(wide[1])}"


def _held_out(looked: _Looked) -> str:
    return f"{len(looked.validation)} held out for validation, " if looked.validation else ""


def _judge(recipe: Recipe, looked: _Looked) -> Iterator[str]:
    """Who judges, where somebody is named or asked."""
    if looked.judge:
        yield f"judge     {looked.judge}"
    elif looked.ceilings.pool or looked.ceilings.filters.requests:
        yield "judge     the teacher"


def _rounds(recipe: Recipe) -> Iterator[str]:
    """What may end the rounds early, and what changes between them."""
    stop = recipe.stop
    if stop.reads_accuracy:
        ends = [f"accuracy {stop.target:g}"] if stop.target is not None else []
        if stop.plateau is not None:
            ends.append(f"rounds without a gain of {stop.plateau.least:g}: {stop.plateau.rounds}")
        yield f"stops     at {', or at '.join(ends)}; on what is held out"
    for place, rule in enumerate(recipe.settings["adapt"]):
        how = "; ".join(f"{name} {value}" for name, value in rule.items() if name not in ("key", "when"))
        when = ", ".join(f"{name} {value}" for name, value in rule["when"].items())
        yield f"adapts    {rule['key']}: {how}; when {when}  (adapt.{place})"


def _computes(recipe: Recipe, looked: _Looked) -> Iterator[str]:
    """FLOPs, where the student's shape is at hand: one on the hub may not be here yet."""
    try:
        found = ceilings.computing(recipe, looked.context, looked.ceilings.whole)
    except DataError:
        return
    parts = {"student": found.student, "teacher and judge": found.asked}
    told = ", ".join(f"{name} {'unknown' if one is None else f'{one:.1e}'}" for name, one in parts.items())
    yield f"  FLOPs         at most {told}"


def _needs(recipe: Recipe, looked: _Looked) -> Iterator[str]:
    """What each measurement takes: of the pool, in each round; and of drafts."""
    for need in recipe.needs:
        if need.kind == "script":
            asked = looked.ceilings.pool[need.name]
            takes = f"at most {asked.requests} requests, tokens {_tokens(asked)}"
        else:
            takes = ceilings.measuring(need, looked.context.seeds, recipe.student.max_new_tokens)
        yield f"  {need.name}: {takes}; in each round"
    filters = writing.order(recipe.filters, recipe.settings["filters"], looked.context)
    if filters.needs:
        yield f"  of drafts: {', '.join(need.name for need in filters.needs)}"
    if filters.ceiling.requests:
        asked = filters.ceiling
        yield f"  filters: at most {asked.requests} requests, tokens {_tokens(asked)}; for each draft"


def _tokens(ceiling: Ceiling) -> str:
    return f"{ceiling.input_tokens} in, {ceiling.output_tokens} out"


def _look(reading: Reading, *, reach: bool = False) -> _Looked:
    """Look at every part that could be made, so that what is wrong with one hides no other.

    But a teacher that is to be reached and cannot be is told at once: what follows takes seconds.
    """
    parts = reading.parts
    problems = list(reading.problems)
    task, writer, budget = (parts[key] for key in ("task", "writer", "budget"))
    splits = {split: _load(task, split, problems) if task else () for split in ("seed", "test")}
    seed = parts["seed"] or 0
    pool, validation = _pool(splits["seed"], parts["data"], seed, problems)
    context = Context(task=task, seeds=pool, accepted=(), test=splits["test"], round=1, seed=seed)
    if parts["data"]:
        problems += _replayed(parts["data"], context, validation)
        problems += _unscored(parts["data"], parts["criterion"], context)
    prompt = _first_prompt(writer, context, problems) if writer and context.seeds else ()
    said = dict.fromkeys(ROLES, "")
    for role in ROLES:
        if parts[role] is None:
            continue
        said[role] = _ask_itself(role, parts[role], parts["settings"][role]["use"], problems)
        if budget and budget.usd is not None and Endpoint.of(parts[role]).prices is None:
            problems.append(
                f"budget.usd: the {role}'s prices are unknown; give it `prices`, or a budget of tokens"
            )
        if budget and budget.flops is not None and Endpoint.of(parts[role]).active_params is None:
            problems.append(
                f"budget.flops: the {role}'s active_params are unknown; give them, or a budget of tokens"
            )
    reached = [
        warning
        for role in ROLES
        if reach and parts[role] is not None and not problems
        for warning in _reach(role, parts[role])
    ]
    problems += passed_on.problems(parts["train"], parts["lora"])
    if problems:
        raise RecipeError("\n".join(problems))
    recipe = reading.recipe()
    asked = ceilings.of(recipe, context)
    return _Looked(
        context=context,
        validation=validation,
        prompt=prompt,
        **said,
        ceilings=asked,
        warnings=[
            *reached,
            *_judges(recipe, asked),
            *_votes(recipe),
            *_decodes(recipe.student),
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


def _pool(
    seeds: tuple[Example, ...], data: DataOptions | None, seed: int, problems: list[str]
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The pool, and what is held out of it."""
    if data is None or data.validation is None or not seeds:
        return seeds, ()
    try:
        return heldout.held_out(seeds, data.validation.examples, seed)
    except AsftError as error:
        problems.append(str(error))
        return seeds, ()


def _replayed(data: DataOptions, context: Context, validation: tuple[Example, ...]) -> Iterator[str]:
    """What stands in the way of replay."""
    if data.replay is None or data.replay.of == "earlier" or not context.seeds:
        return
    if data.replay.of == "seeds":
        if not any(seed.completion for seed in context.seeds):
            yield (
                f"data.replay: none of the {len(context.seeds)} seeds has a worked answer; name their column "
                "in the task, or take `of: earlier` or another task"
            )
    elif not isinstance(data.replay.of, str):
        try:
            heldout.general(data.replay.of, (*context.test, *validation))
        except AsftError as error:
            yield str(error) if str(error).startswith("data.replay") else f"data.replay.of: {error}"


def _unscored(data: DataOptions, criterion: Criterion | None, context: Context) -> Iterator[str]:
    """Scores that the training set depends on, and that there cannot be."""
    keys = [
        *(["data.order = 'easy_to_hard'"] if data.order == "easy_to_hard" else []),
        *(["data.weights.by = 'score'"] if data.weights.by == "score" else []),
    ]
    if not keys or criterion is None or not context.seeds:
        return
    if any(need.name == "gold" for need in criterion.needs) and not any(s.completion for s in context.seeds):
        yield (
            f"{' and '.join(keys)}: the criterion reads worked answers and no seed has one, so none has a "
            "score; name their column in the task, or use a criterion that does without"
        )


def _ask_itself(role: str, teacher: Teacher, name: str, problems: list[str]) -> str:
    """Its name, and what its own `check` says; a teacher or judge need not have one."""
    own = getattr(teacher, "check", None)
    if own is None:
        return name
    try:
        said = own()
    except AsftError as error:
        problems.append(f"{role}: {error}")
        return name
    return f"{name}: {said}" if said else name


def _decodes(options: StudentOptions) -> Iterator[str]:
    """That the vLLM which is to decode in this process is not here."""
    elsewhere = options.vllm is not None and (options.vllm.base_url or options.vllm.python)
    if options.decoder == "vllm" and not elsewhere and find_spec("vllm") is None:
        yield f"student.decoder: {NO_DECODER}"


def _reach(role: str, teacher: Teacher) -> list[str]:
    """What shows of one that can be reached without a cost. Raises RecipeError where it cannot be."""
    own = getattr(teacher, "reach", None)
    try:
        return [] if own is None else list(asyncio.run(own()))
    except AsftError as error:
        raise RecipeError(f"{role}: {error}") from None


def _first_prompt(writer: Writer, context: Context, problems: list[str]) -> tuple[Message, ...]:
    """The first request about the first seed that there is one about; none where the writer asks nobody."""
    reason = ""
    for seed in context.seeds:
        script = writer.write(ceilings.pick_of(seed), context, random.Random(0))
        try:
            requests = next(script)
        except StopIteration as end:
            draft = end.value
            if isinstance(draft, Draft) and draft.example is not None:
                return ()
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


# What may not be meant


def _judges(recipe: Recipe, asked: Ceilings) -> Iterator[str]:
    """A judge that nobody asks, and a budget that may not do for the pool."""
    if recipe.judge is not None and not asked.pool and not asked.filters.requests:
        yield "judge: no criterion, selector or filter asks it, so it has no effect; leave it out"
    if asked.pool and not ceilings.covers(recipe, asked.pool.values()):
        most = sum(asked.pool.values(), NO_REQUESTS)
        yield (
            f"budget: {', '.join(asked.pool)} may take {most.requests} requests and tokens {_tokens(most)} "
            "in each round, which is more than the whole budget; where that is used up before the pool has "
            "been judged, the run ends with nothing. Raise it, or give a smaller pool"
        )


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
