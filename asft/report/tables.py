"""The tables of a report, once for all formats: headings, cells as they are read, and which are numbers."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from asft.report.facts import (
    Accuracy,
    Change,
    Facts,
    Lost,
    RoundFacts,
    Share,
    Tag,
    TagValue,
    Training,
    Validation,
    Yield,
)
from asft.report.wording import (
    MINUS,
    NONE,
    decimal,
    dollars,
    duration,
    p_value,
    percent,
    plural,
    points,
    short,
    whole,
)

# A funnel is read at a glance: the commonest reasons have a row each, the rest of a cause share one.
MOST_REASONS = 12
# Of a tag with many values, those whose change is the surest; report.json has all.
MOST_VALUES = 15


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """Cells from left to right."""

    cells: tuple[str, ...]
    kind: str = ""
    """"stage" or "lost" (in the funnel), "total", or nothing special."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headings and rows; columns from `numbers_from` on are numbers and stand on the right."""

    head: tuple[str, ...]
    numbers_from: int
    rows: tuple[TableRow, ...]


def _table(numbers_from: int, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table(
        head=tuple(head), numbers_from=numbers_from, rows=tuple(TableRow(cells=tuple(row)) for row in rows)
    )


def with_interval(found: Accuracy | Share | Change | None) -> str:
    """58.9% (54.6 to 63.1), or a change in points: +17.7 (14.1 to 21.3)."""
    if found is None:
        return NONE
    figure = points(found.mean) if isinstance(found, Change) else percent(found.share)
    alike = found.low == found.high if isinstance(found, Share) else False
    if alike or (isinstance(found, Change) and not found.gained + found.lost):
        # Resampled, nothing is nothing: an interval without width would claim to be sure of it.
        return figure
    write = points if isinstance(found, Change) else (lambda share: f"{100 * share:.1f}")
    return f"{figure} ({write(found.low)} to {write(found.high)})"


def share_of(n: int | None, found: Accuracy | None) -> str:
    """2.4% of the items of an accuracy."""
    return NONE if n is None or found is None else percent(n / found.items)


def state(found: RoundFacts) -> str:
    """The round's number and what is particular about it."""
    marks = ["base"] if found.number == 0 else []
    marks += [word for word, true in (("short", found.short), ("unfinished", not found.finished)) if true]
    return f"{found.number} ({', '.join(marks)})" if marks else str(found.number)


def rounds(facts: Facts) -> Table:
    """What each round kept, reached and cost."""
    held_out = any(found.validated for found in facts.rounds)
    head = ["Round", "Kept", "Dropped", "Kept so far", "Accuracy", "Change, points", "Unparsable", "Cut off"]
    rows = [
        (
            state(found),
            whole(found.funnel.kept) if found.funnel else NONE,
            whole(found.dropped),
            whole(found.kept_so_far),
            with_interval(found.accuracy),
            with_interval(found.change),
            share_of(found.accuracy.unparsable if found.accuracy else None, found.accuracy),
            share_of(found.accuracy.cut_off if found.accuracy else None, found.accuracy),
            *([with_interval(found.validated)] if held_out else []),
            whole(found.spent.tokens) if found.spent else NONE,
            dollars(found.spent.cost_usd) if found.spent else NONE,
        )
        for found in facts.rounds
    ]
    return _table(1, [*head, *(["Held out"] if held_out else []), "Tokens", "Cost"], rows)


def terminal(facts: Facts) -> Table:
    """The short table that ends a run."""
    rows = [
        (
            state(found),
            whole(found.funnel.kept) if found.funnel else NONE,
            whole(found.dropped),
            with_interval(found.accuracy),
            short(found.spent.tokens) if found.spent else NONE,
            dollars(found.spent.cost_usd) if found.spent else NONE,
        )
        for found in facts.rounds
    ]
    return _table(1, ["Round", "Kept", "Dropped", "Accuracy (95%)", "Tokens", "Cost"], rows)


def plain_count(value: int | None, _most: int) -> str:
    """A cell of the funnel that is the number alone."""
    return whole(value)


def funnel(facts: Facts, count: Callable[[int | None, int], str] = plain_count) -> Table:
    """From seeds to training set, a column per round; `count` writes a stage, knowing the widest one."""
    columns = [found for found in facts.rounds if found.funnel]
    shown = _shown([found.funnel.lost for found in columns if found.funnel])

    def stage(name: str, values: list[int | None]) -> TableRow:
        cells = [count(value, most) for value, most in zip(values, widest, strict=True)]
        return TableRow(cells=(name, *cells), kind="stage")

    def lost(causes: Callable[[str], bool]) -> list[TableRow]:
        kinds = [kind for kind in shown if causes(kind[0])]
        return [
            TableRow(
                cells=(
                    f"{cause or 'no draft'}: {reason}" if reason else cause or "no draft",
                    *(_lost_cell(found, cause, reason, shown) for found in columns),
                ),
                kind="lost",
            )
            for cause, reason in kinds
        ]

    figures = [found.funnel for found in columns if found.funnel]
    widest = [
        max(one.seeds or 0, one.scored or 0, one.picked or 0, one.drafts or 0, one.kept or 0, 1)
        for one in figures
    ]
    trained = [found.training.examples if found.training else None for found in columns]
    widest = [max(most, examples or 0) for most, examples in zip(widest, trained, strict=True)]
    body = [
        stage("Seeds", [one.seeds for one in figures]),
        stage("Scored", [one.scored for one in figures]),
        stage("Picked", [one.picked for one in figures]),
        stage("Drafts asked for", [one.drafts for one in figures]),
        *lost(lambda cause: not cause),
        stage("Drafts written", [one.written for one in figures]),
        *lost(bool),
        stage("Kept", [one.kept for one in figures]),
        stage("Trained on", trained),
    ]
    head = ("", *(f"Round {state(found)}" for found in columns))
    return Table(head=head, numbers_from=1, rows=tuple(body))


def yields(facts: Facts) -> Table:
    """What each filter made of the drafts that came to it, a row per filter and round."""
    rows = [
        (str(found.number), *_yield(one))
        for found in facts.rounds
        if found.funnel
        for one in found.funnel.yields
    ]
    return _table(2, ["Round", "Filter", *YIELD], rows)


def all_yields(facts: Facts) -> Table:
    """The same of all rounds together, a row per filter."""
    found: dict[tuple[int | None, str], list[Yield]] = {}
    for one in (one for here in facts.rounds if here.funnel for one in here.funnel.yields):
        found.setdefault((one.place, one.filter), []).append(one)
    rows = [
        _yield(
            Yield(
                filter=name,
                place=place,
                seen=_sum(one.seen for one in each),
                kept=_sum(one.kept for one in each),
                dropped=_sum(one.dropped for one in each),
                undecided=_sum(one.undecided for one in each),
            )
        )
        for (place, name), each in found.items()
    ]
    return _table(1, ["Filter", *YIELD], rows)


YIELD = ("Seen", "Kept", "Dropped", "Undecided", "Kept of seen")


def _yield(one: Yield) -> tuple[str, ...]:
    share = percent(one.kept / one.seen) if one.seen and one.kept is not None else NONE
    return (one.filter, whole(one.seen), whole(one.kept), whole(one.dropped), whole(one.undecided), share)


def _sum(counts: Iterable[int | None]) -> int | None:
    """None where one of them is unknown."""
    known = list(counts)
    there = [one for one in known if one is not None]
    return sum(there) if len(there) == len(known) else None


OTHER = "other reasons"


def _shown(lost: Sequence[Sequence[Lost]]) -> list[tuple[str, str]]:
    """Cause and reason of each row of losses, the commonest first; the rest of a cause comes last."""
    total: Counter[tuple[str, str]] = Counter()
    for one in (one for found in lost for one in found):
        total[one.by, one.reason] += one.drafts
    kinds = [kind for kind, _ in total.most_common()]
    rest = dict.fromkeys((cause, OTHER) for cause, _ in kinds[MOST_REASONS:])
    return [*kinds[:MOST_REASONS], *(kind for kind in rest if kind not in kinds[:MOST_REASONS])]


def _lost_cell(found: RoundFacts, cause: str, reason: str, shown: Sequence[tuple[str, str]]) -> str:
    lost = found.funnel.lost if found.funnel else ()
    n = sum(
        one.drafts
        for one in lost
        if one.by == cause
        and (one.reason == reason or (reason == OTHER and (cause, one.reason) not in shown))
    )
    return f"{MINUS}{n:,}" if n else NONE


def training(facts: Facts) -> Table:
    """What was trained on, and how the loss went."""
    mixed = any(len(found.training.origins) > 1 for found in facts.rounds if found.training)
    validated = any(found.training.validation for found in facts.rounds if found.training)
    rows = [
        (
            state(found),
            whole(run.examples),
            *([_origins(run)] if mixed else []),
            whole(run.steps),
            whole(run.tokens),
            whole(run.truncated),
            decimal(run.loss_first),
            decimal(run.loss_last),
            *(_validated(run.validation) if validated else ()),
            duration(run.seconds),
        )
        for found in facts.rounds
        if (run := found.training)
    ]
    head = [
        *("Round", "Examples", *(["Origins"] if mixed else []), "Steps", "Tokens", "Truncated"),
        *("First loss", "Last loss", *(VALIDATED if validated else ()), "Time"),
    ]
    return _table(1, head, rows)


VALIDATED = ("Validation loss", "Kept after step", "Ended early")


def _origins(run: Training) -> str:
    return ", ".join(f"{whole(n)} {origin}" for origin, n in run.origins.items()) or NONE


def _validated(found: Validation | None) -> tuple[str, ...]:
    if found is None:
        return (NONE,) * len(VALIDATED)
    return (decimal(found.kept_loss), whole(found.kept_step), "yes" if found.stopped_early else "no")


def times(facts: Facts) -> Table:
    """How long each step took, a column per round."""
    timed = [found for found in facts.rounds if found.seconds]
    # The round with the most steps has them in the order in which they are done.
    fullest = sorted(timed, key=lambda found: -len(found.seconds))
    steps = list(dict.fromkeys(step for found in fullest for step in found.seconds))
    rows = [TableRow(cells=(step, *(duration(found.seconds.get(step)) for found in timed))) for step in steps]
    total = ("all steps", *(duration(sum(found.seconds.values())) for found in timed))
    return Table(
        head=("Step", *(f"Round {state(found)}" for found in timed)),
        numbers_from=1,
        rows=(*rows, TableRow(cells=total, kind="total")) if rows else (),
    )


def surest(found: Tag) -> Sequence[TagValue]:
    """The values of a tag that its table has: all of few; of many, the first of those that changed at all."""
    if not found.many:
        return found.values
    return [one for one in found.values if one.change.gained or one.change.lost][:MOST_VALUES]


def tag(found: Tag, facts: Facts) -> Table:
    """Accuracy of the groups of a tag; below those of one with few values, all items."""
    head = ("Value", "Items", "Before", "After", "Change, points", "Gained", "Lost", "p (Holm)", "Moved")
    # Among few items of one value the bootstrap knows too little for an interval.
    rows = [
        _group(one.value, one.before, one.after, one.change, one.p, interval=not found.many)
        for one in surest(found)
    ]
    body = [TableRow(cells=row) for row in rows]
    if not found.many and facts.before and facts.after and facts.change:
        total = _group("all items", facts.before, facts.after, facts.change, facts.change.p)
        body.append(TableRow(cells=total, kind="total"))
    return Table(head=head, numbers_from=1, rows=tuple(body))


def _group(
    name: str, before: Accuracy, after: Accuracy, change: Change, p: float, *, interval: bool = True
) -> tuple[str, ...]:
    return (
        name,
        whole(change.items),
        percent(before.share),
        percent(after.share),
        with_interval(change) if interval else points(change.mean),
        whole(change.gained),
        whole(change.lost),
        p_value(p),
        change.moved(p),
    )


def ledger(facts: Facts) -> Table:
    """Every kind of request in every step, and what teacher and judge cost together."""
    rows = [
        TableRow(
            cells=(
                NONE if row.round is None else str(row.round),
                row.step,
                row.role,
                row.purpose,
                whole(row.requests),
                whole(row.input_tokens),
                whole(row.output_tokens),
                dollars(row.cost_usd),
                duration(row.seconds),
            )
        )
        for row in facts.ledger
    ]
    head = ("Round", "Step", "Role", "Purpose", "Requests", "Input", "Output", "Cost", "Time")
    return Table(head=head, numbers_from=4, rows=tuple(rows))


def ledger_sentence(facts: Facts) -> str:
    """What the run cost, with what is not known about it."""
    total = facts.ledger_total
    if total is None:
        return "The ledger is empty or missing."
    sent = f"Teacher and judge answered {plural(total.requests, 'request')} with {whole(total.tokens)} tokens"
    if total.cost_usd is not None:
        return f"{sent} for {dollars(total.cost_usd)}."
    known = f" The part with a known price cost {dollars(total.known_usd)}." if total.known_usd else ""
    return f"{sent}; what they cost is unknown, because the price of some or all of them is.{known}"


def pairs(found: Sequence[tuple[str, str]], head: tuple[str, str]) -> Table:
    """Keys and values."""
    return _table(2, head, found)
