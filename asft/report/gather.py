"""Works out the facts of a run from its files: one function per section of the report."""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

from asft.report.accuracy import accuracy, change, validated
from asft.report.answers import asked, extremes, sampled
from asft.report.facts import (
    Facts,
    Funnel,
    LedgerRow,
    Lost,
    RoundFacts,
    Spent,
    Training,
    Validation,
    Yield,
)
from asft.report.groups import by_tag
from asft.report.read import Round, Row, Run, count, number, part, parts, text
from asft.report.seeds import hardest, samples, score_distributions
from asft.report.wording import plural

PAID_ROLES = {"teacher", "judge"}

N = TypeVar("N", int, float)


def gather(run: Run) -> Facts:
    """All facts of a run."""
    notes = list(run.notes)
    rounds = _rounds(run, notes)
    after = next((found for found in reversed(rounds) if found.number and found.accuracy), None)
    before = rounds[0].accuracy if rounds and rounds[0].number == 0 else None
    if before is None:
        notes.append("The base student (round 0) is not evaluated: there is nothing to compare with.")
    if after is None:
        notes.append("No round after round 0 is evaluated yet.")
    hard_round, hard_seeds = hardest(run)
    files = {found.number: found for found in run.rounds}
    tags, too_fine = by_tag(files[0], files[after.number]) if before and after else ((), ())
    told = [part(found.summary, "evaluate") for found in run.rounds]
    latest = next((found for found in reversed(told) if found), {})
    ledger = tuple(chain.from_iterable(_ledger(found) for found in run.rounds))
    return Facts(
        name=run.path.resolve().name,
        task=_task(run.about, rounds),
        student=_student(run.about),
        started=_told(run.about, "started"),
        seed=_told(run.about, "seed"),
        command=_told(run.about, "command"),
        before=before,
        after=after.accuracy if after else None,
        after_round=after.number if after else None,
        change=after.change if after else None,
        asked=asked(latest),
        extremes=extremes(latest),
        rounds=rounds,
        scores=score_distributions(run),
        hard_round=hard_round,
        hard_seeds=hard_seeds,
        samples=tuple(chain.from_iterable(samples(found) for found in run.rounds)),
        tags=tags,
        tags_too_fine=too_fine,
        ledger=ledger,
        ledger_total=_spent(ledger) if ledger else None,
        settings=tuple(_flat(run.settings)),
        versions=tuple(_flat(part(run.about, "versions"))),
        hardware=tuple(_flat(run.about.get("hardware"), "")),
        changes=(*_changes(run.about), *chain.from_iterable(map(_by_rule, run.rounds))),
        notes=tuple(notes),
    )


# Rounds


def _rounds(run: Run, notes: list[str]) -> tuple[RoundFacts, ...]:
    base = next((found for found in run.rounds if found.number == 0), None)
    found: list[RoundFacts] = []
    kept: int | None = 0
    tokens: int | None = 0
    cost: float | None = 0.0
    for here in run.rounds:
        if here.number > (found[-1].number + 1 if found else 0):
            kept = tokens = cost = None
        funnel = _funnel(part(here.summary, "funnel"))
        spent = _spent(_ledger(here)) if here.summary is not None else None
        if here.number:
            kept = _sum(kept, funnel.kept if funnel else None)
        tokens = _sum(tokens, spent.tokens if spent else None)
        cost = _sum(cost, spent.cost_usd if spent else None)
        now = accuracy(here, notes)
        found.append(
            RoundFacts(
                number=here.number,
                finished=here.summary is not None,
                short=(here.summary or {}).get("short") is True,
                funnel=funnel,
                training=_training(part(here.summary, "train")),
                accuracy=now,
                validated=validated(here),
                change=change(base, here, notes) if base and here.number and now else None,
                samples=sampled(part(here.summary, "evaluate")),
                spent=spent,
                kept_so_far=kept,
                tokens_so_far=tokens,
                cost_usd_so_far=cost,
                seconds=_seconds(part(here.summary, "seconds")),
            )
        )
    return tuple(found)


def _sum(total: N | None, more: N | None) -> N | None:
    return None if total is None or more is None else total + more


def _funnel(row: Row) -> Funnel | None:
    if not row:
        return None
    causes = [("", False, part(row, "no_draft"))]
    for key in ("dropped", "undecided"):
        by_filter = part(row, key)
        causes += [(cause, key == "undecided", part(by_filter, cause)) for cause in by_filter]
    lost = [
        Lost(cause=cause, reason=reason, drafts=drafts, undecided=undecided)
        for cause, undecided, reasons in causes
        for reason in reasons
        if (drafts := count(reasons, reason))
    ]
    return Funnel(
        seeds=count(row, "seeds"),
        scored=count(row, "scored"),
        picked=count(row, "picked"),
        drafts=count(row, "drafts"),
        written=count(row, "written"),
        kept=count(row, "kept"),
        lost=tuple(sorted(lost, key=lambda one: (-one.drafts, one.by, one.reason))),
        yields=_yields(parts(row, "filters")),
    )


def _yields(rows: Sequence[Row]) -> tuple[Yield, ...]:
    """Of two filters of one kind, each is named with its place in the recipe."""
    names = [text(row, "filter") or "" for row in rows]
    return tuple(
        _yield(f"{name} (filters.{count(row, 'place')})" if names.count(name) > 1 else name, row)
        for name, row in zip(names, rows, strict=True)
    )


def _yield(name: str, row: Row) -> Yield:
    return Yield(
        filter=name,
        place=count(row, "place"),
        seen=count(row, "seen"),
        kept=count(row, "kept"),
        dropped=count(row, "dropped"),
        undecided=count(row, "undecided"),
    )


def _training(row: Row) -> Training | None:
    if not row:
        return None
    return Training(
        examples=count(row, "examples"),
        origins={origin: n for origin in part(row, "origins") if (n := count(row["origins"], origin))},
        steps=count(row, "steps"),
        tokens=count(row, "tokens"),
        truncated=count(row, "truncated"),
        seconds=number(row, "seconds"),
        loss_first=number(row, "loss_first"),
        loss_last=number(row, "loss_last"),
        validation=_validation(part(row, "validation")),
    )


def _validation(row: Row) -> Validation | None:
    if not row:
        return None
    given = row.get("losses")
    pairs = [pair for pair in given if isinstance(pair, list)] if isinstance(given, list) else []
    named = [dict(zip(("step", "loss"), pair, strict=False)) for pair in pairs]
    losses = [(count(one, "step"), number(one, "loss")) for one in named]
    return Validation(
        examples=count(row, "examples"),
        losses=tuple((step, loss) for step, loss in losses if step is not None and loss is not None),
        best_step=count(row, "best_step"),
        kept_step=count(row, "kept_step"),
        stopped_early=row.get("stopped_early") is True,
    )


def _seconds(row: Row) -> dict[str, float]:
    return {step: seconds for step in row if (seconds := number(row, step)) is not None}


# Ledger


def _ledger(round: Round) -> tuple[LedgerRow, ...]:
    return tuple(
        LedgerRow(
            round=count(row, "round"),
            step=text(row, "step") or "",
            role=text(row, "role") or "",
            purpose=text(row, "purpose") or "",
            requests=count(row, "requests"),
            input_tokens=count(row, "input_tokens"),
            output_tokens=count(row, "output_tokens"),
            cost_usd=number(row, "cost_usd"),
            seconds=number(row, "seconds"),
        )
        for row in parts(round.summary or {}, "ledger")
    )


def _spent(ledger: Sequence[LedgerRow]) -> Spent:
    """The student runs on the user's own machine: what teacher and judge were paid is the cost."""
    paid = [row for row in ledger if row.role in PAID_ROLES]
    known = [row.cost_usd for row in paid if row.cost_usd is not None]
    return Spent(
        requests=sum(row.requests or 0 for row in paid),
        tokens=sum((row.input_tokens or 0) + (row.output_tokens or 0) for row in paid),
        cost_usd=sum(known, 0.0) if len(known) == len(paid) else None,
        known_usd=sum(known, 0.0),
    )


# Settings


def _task(about: Row, rounds: Sequence[RoundFacts]) -> str:
    """The task's name and sizes: "pocket, 800 seeds, 1,000 test items"."""
    name = text(part(about, "task"), "use")
    if name is None:
        return _told(about, "task")
    seeds = next((found.funnel.seeds for found in rounds if found.funnel), None)
    items = next((found.accuracy.items for found in rounds if found.accuracy), None)
    sizes = [plural(n, noun) for n, noun in ((seeds, "seed"), (items, "test item")) if n is not None]
    return ", ".join([name, *sizes])


def _student(about: Row) -> str:
    """The base model, with its revision where one is given."""
    section = part(about, "student")
    base, revision = text(section, "base"), text(section, "revision")
    if base is None:
        return _told(about, "student")
    return base if revision is None else f"{base}, revision {revision}"


def _told(row: Row, key: str) -> str:
    """A value of run.json as one line; a command may be a list of words."""
    value = row.get(key)
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _changes(about: Row) -> Iterator[str]:
    """A sentence for each time that the run went on as something else."""
    marks = about.get("changes")
    for mark in marks if isinstance(marks, list) else []:
        what = [str(one) for key in ("extended", "other") for one in mark.get(key, ())]
        yield f"{mark.get('at', 'Later')}: {'; '.join(what)}."


def _by_rule(round: Round) -> Iterator[str]:
    """A sentence for each setting that a rule changed before a round, and for the end of the run."""
    for one in round.adapted:
        before, after = (json.dumps(one.get(key), ensure_ascii=False) for key in ("before", "after"))
        yield f"Round {round.number}: {text(one, 'key')} is {after}, was {before}, as {text(one, 'cause')}."
    if round.stopped:
        yield f"The run ended after round {round.number}: {round.stopped}."


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every setting with its key path, in the order of the file."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key)
    elif path:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
