"""What the run shows, in plain words made from the figures: the same sentences in every format."""

from collections.abc import Callable
from dataclasses import dataclass

from asft.report.facts import Change, Facts, RoundFacts, Tag
from asft.report.figures import Point
from asft.report.tables import surest, with_interval
from asft.report.wording import p_value, percent, plural, points, short, short_dollars, whole

# A tag with at most so many values fits into one line.
IN_A_LINE = 3


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Accuracy against something that is used up."""

    title: str
    unit: str
    points: tuple[Point, ...]
    write_x: Callable[[float], str]


def headline(facts: Facts) -> list[str]:
    """Accuracy before and after, and whether the difference is more than chance."""
    before, after = facts.before, facts.after
    if before is None or after is None:
        found = before or after
        who = "base student" if before else f"student of round {facts.after_round}"
        return [] if found is None else [f"The {who} answers {_of(found.right, found.items)} right."]
    last = next(found for found in facts.rounds if found.number == facts.after_round)
    said = [
        f"The base student answers {_of(before.right, before.items)} right. After round {last.number} it is "
        f"{_of(after.right, after.items)}{_for(last)}."
    ]
    if facts.change:
        said += [_change(facts.change)]
    if parts := _by_tag(facts):
        said += [f"By tag, in points: {'; '.join(parts)}."]
    return said


def _of(right: int, items: int) -> str:
    return f"{whole(right)} of {whole(items)} test items ({percent(right / items)})"


def _for(last: RoundFacts) -> str:
    if last.kept_so_far is None:
        return ""
    return f", trained on data of which the teacher wrote {plural(last.kept_so_far, 'example')}"


def _change(change: Change) -> str:
    interval = f"95% interval {points(change.low)} to {points(change.high)}"
    counts = f"{whole(change.gained)} items were gained and {whole(change.lost)} lost (p {_is(change.p)})"
    figure = f"On the same {whole(change.items)} items that is {points(change.mean)} points ({interval})"
    if change.low > 0 or change.high < 0:
        return f"{figure}: {counts}."
    return (
        f"{figure}: {counts}. The interval holds 0, so this run does not show that training changed anything."
    )


def _is(p: float) -> str:
    return p_value(p) if p < 0.001 else f"= {p_value(p)}"


def comparison(facts: Facts) -> str:
    """The change against the base student in one line: of all items, by the tags, and what moved."""
    if facts.change is None:
        return ""
    parts = [f"all items {with_interval(facts.change)}", *_by_tag(facts)]
    return f"Change in points since the base student: {'; '.join(parts)}"


def _by_tag(facts: Facts) -> list[str]:
    short_enough = [tag for tag in facts.tags if len(tag.values) <= IN_A_LINE]
    return [
        *(
            f"{tag.name} {', '.join(f'{one.value} {with_interval(one.change)}' for one in tag.values)}"
            for tag in short_enough
        ),
        *(_moved(tag) for tag in facts.tags if tag.many),
    ]


def _moved(tag: Tag) -> str:
    """How many of the values of a tag moved, for a tag with many."""
    fell, rose = whole(tag.count("fell")), whole(tag.count("rose"))
    return f"{fell} of {plural(len(tag.values), 'value')} of {tag.name} fell, {rose} rose (Holm, 5%)"


def about(tag: Tag) -> str:
    """What to know before reading the table of a tag."""
    if not tag.many:
        return ""
    shown = len(surest(tag))
    if not shown:
        return f"{_moved(tag)}; the answers to all items are as right as before."
    return f"{_moved(tag)}. Shown: the {plural(shown, 'value')} with the surest change; report.json has all."


def too_fine(facts: Facts) -> str:
    """Which tags are left out."""
    if not facts.tags_too_fine:
        return ""
    return f"Left out, with hardly an item per value: {', '.join(facts.tags_too_fine)}."


def extremes(facts: Facts) -> str:
    """The worst group of all, and what to know of it."""
    if not facts.extremes:
        return ""
    worst = min(facts.extremes, key=lambda one: one.worst_accuracy.share)
    widest = facts.extremes[0]
    return (
        f"The worst group is {worst.tag} {worst.worst} with {with_interval(worst.worst_accuracy)}; the "
        f"largest gap is that of {widest.tag}, {points(widest.gap)} points. Of many groups the worst is so "
        "in part by chance, which its own interval does not allow for."
    )


def curves(facts: Facts) -> list[Curve]:
    """Accuracy against examples, and against dollars or, where they say nothing, against tokens."""
    rounds = [found for found in facts.rounds if found.accuracy]
    paid = all(found.cost_usd_so_far is not None for found in rounds) and any(
        found.cost_usd_so_far for found in rounds
    )
    examples = _curve(rounds, "Accuracy against examples", "examples kept so far", short, _kept)
    if paid:
        cost = _curve(rounds, "Accuracy against cost", "paid to teacher and judge", short_dollars, _cost)
    else:
        cost = _curve(
            rounds, "Accuracy against cost in tokens", "tokens of teacher and judge", short, _tokens
        )
    return [curve for curve in (examples, cost) if curve.points]


def _curve(
    rounds: list[RoundFacts],
    title: str,
    unit: str,
    write_x: Callable[[float], str],
    used: Callable[[RoundFacts], float | None],
) -> Curve:
    points = tuple(
        Point(x=x, accuracy=found.accuracy, label=f"round {found.number}" if found.number else "base student")
        for found in rounds
        if found.accuracy and (x := used(found)) is not None
    )
    return Curve(title=title, unit=unit, points=points, write_x=write_x)


def _kept(found: RoundFacts) -> float | None:
    return found.kept_so_far


def _cost(found: RoundFacts) -> float | None:
    return found.cost_usd_so_far


def _tokens(found: RoundFacts) -> float | None:
    return found.tokens_so_far


METHOD = (
    "Accuracy is right answers among all test items; an answer in which no final answer can be found is "
    "wrong. Intervals are 95%: Wilson for an accuracy, a paired bootstrap over test items (10,000 resamples) "
    "for a change. p is McNemar's exact test, within a tag corrected for its number of values (Holm); below "
    "0.05 the accuracy rose or fell by more than chance. They speak of this one student on other test items, "
    "and not of other training seeds. Tokens and cost are those of teacher and judge, with rejected drafts "
    "and repeated requests in them."
)
