"""The filters of a recipe in the order in which a draft passes them, and what each made of the drafts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asft import needs
from asft.errors import RecipeError, RequestError
from asft.types import NO_REQUESTS, Ceiling, Context, Draft, Example, Filter, Measured, Need, Script, Verdict


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A filter, and where it stands in the recipe."""

    place: int
    name: str
    filter: Filter

    def given(self, verdict: Verdict) -> Verdict:
        """Its verdict, with its place."""
        return replace(verdict, place=self.place)


@dataclass(frozen=True, kw_only=True)
class Order:
    """First what looks at the draft alone, and of that what asks nobody; ordered filters come last.

    Among their like, filters keep the order of the recipe.
    """

    alone: tuple[Placed, ...]
    """Run at once, behind the writer's own script; those that ask come last."""
    measured: tuple[Placed, ...]
    """Read what the student makes of the draft."""
    ordered: tuple[Placed, ...]
    """Read what was accepted before."""
    ceiling: Ceiling
    """The most that all of them can ask about one draft."""
    needs: tuple[Need, ...]
    """What has to be measured of the drafts."""
    pool_needs: tuple[Need, ...]
    """What has to be measured of the pool."""

    @property
    def all(self) -> tuple[Placed, ...]:
        """All of them."""
        return (*self.alone, *self.measured, *self.ordered)


def order(filters: Sequence[Filter], settings: Sequence[Mapping[str, Any]], context: Context) -> Order:
    """The filters of a recipe, whose `settings` name them, in order.

    Raises RecipeError for one that asks somebody and is ordered or has needs, for a need that is not the
    student's, and for two filters that need the same otherwise.
    """
    placed = [
        Placed(place=place, name=str(options["use"]), filter=one)
        for place, (one, options) in enumerate(zip(filters, settings, strict=True))
    ]
    ceilings = {one.place: one.filter.looks.ceiling for one in placed}
    asking = {place for place, ceiling in ceilings.items() if ceiling.requests}
    for one in placed:
        _check(one, one.place in asking)
    alone = [one for one in placed if not one.filter.looks.ordered and not one.filter.looks.needs]
    return Order(
        alone=tuple(sorted(alone, key=lambda one: one.place in asking)),
        measured=tuple(one for one in placed if one.filter.looks.needs and not one.filter.looks.ordered),
        ordered=tuple(one for one in placed if one.filter.looks.ordered),
        ceiling=sum(ceilings.values(), NO_REQUESTS),
        needs=_joined(need for one in placed for need in one.filter.looks.needs),
        pool_needs=_joined(need for one in placed for need in one.filter.looks.pool_needs),
    )


def _joined(wanted: Iterable[Need]) -> tuple[Need, ...]:
    try:
        return needs.joined(wanted)
    except RecipeError as error:
        raise RecipeError(f"filters: {error}") from None


def _check(one: Placed, asks: bool) -> None:
    where = f"filters.{one.place} ({one.name})"
    if asks and (one.filter.looks.ordered or one.filter.looks.needs):
        why = "is ordered" if one.filter.looks.ordered else "reads measurements"
        raise RecipeError(f"{where}: it asks a teacher or judge and {why}; a filter does one of them")
    for need in (*one.filter.looks.needs, *one.filter.looks.pool_needs):
        if need.kind != "student":
            raise RecipeError(
                f"{where}: it needs {need.name!r}, which is of kind {need.kind!r}; on drafts "
                "the student alone is measured, so give it a criterion that needs nothing else"
            )


def alone(order: Order, draft: Draft, context: Context) -> Script[Verdict | None]:
    """The verdict of the first filter that does not keep a draft by itself; None where all of them do."""
    for one in order.alone:
        given = one.filter.check(draft, context, ())
        try:
            verdict = given if isinstance(given, Verdict) else (yield from given)
        except RequestError as refusal:
            verdict = Verdict(
                number=draft.number, decision="undecided", filter=one.name, reason=f"refused: {refusal}"
            )
        if verdict.decision != "keep":
            return one.given(verdict)
    return None


def then(
    order: Order, draft: Draft, context: Context, accepted: Sequence[Example], measured: Measured | None
) -> Verdict:
    """What the other filters say, in order: the first that does not keep the draft, or a keep."""
    apart = measured and replace(measured, accepted=())
    for one in (*order.measured, *order.ordered):
        if one.filter.looks.ordered:
            verdict = one.filter.check(draft, context, accepted, measured)
        else:
            verdict = one.filter.check(draft, context, (), apart)
        if not isinstance(verdict, Verdict):
            raise RecipeError(
                f"filters.{one.place} ({one.name}): it gives a script and says that it asks nobody; "
                "let its `ceiling` say what the script can cost"
            )
        if verdict.decision != "keep":
            return one.given(verdict)
    return Verdict(number=draft.number, decision="keep", filter="")


@dataclass(frozen=True, kw_only=True)
class Yield:
    """What a filter made of the drafts that came to it."""

    filter: str
    place: int
    seen: int
    kept: int
    dropped: int
    undecided: int


def yields(order: Order, verdicts: Sequence[Verdict]) -> tuple[Yield, ...]:
    """That of each filter, in the order in which drafts pass them; none comes to a filter behind its last."""
    left = len(verdicts)
    found = []
    for one in order.all:
        here = [verdict.decision for verdict in verdicts if verdict.place == one.place]
        found.append(
            Yield(
                filter=one.name,
                place=one.place,
                seen=left,
                kept=left - len(here),
                dropped=here.count("drop"),
                undecided=here.count("undecided"),
            )
        )
        left -= len(here)
    return tuple(found)
