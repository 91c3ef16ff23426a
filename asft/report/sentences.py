"""What the run shows, in plain words made from the figures: the same sentences in every format."""

from collections.abc import Callable
from dataclasses import dataclass

from asft.report.facts import Change, Facts, RoundFacts
from asft.report.figures import Point
from asft.report.wording import p_value, percent, plural, points, short, short_dollars, whole


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
    "for a change. p is McNemar's exact test, within a tag corrected for its number of values (Holm). They "
    "speak of this one student on other test items, and not of other training seeds. Tokens and cost are "
    "those of teacher and judge, with rejected drafts and repeated requests in them."
)
