"""What the rules of a recipe make of it from round to round, and why.

A round's recipe is worked out from the recipe and the figures of the rounds before, and from nothing else: a
run that goes on comes to the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from asft.errors import RecipeError
from asft.recipe import Recipe, Rule, When

DIGITS = 12
"""Of a difference of two shares, so that 0.905 - 0.9 is 0.005."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What rules know of a round that is over."""

    accuracy: float | None
    """Of its student on what is held out; None where nobody reads that."""
    kept: float | None
    """Share of the drafts that came to the filters; None where none did."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One setting that a rule changed before a round."""

    key: str
    before: Any
    after: Any
    rule: int
    """Its place in `adapt`, from 0."""
    cause: str
    """What held."""

    def __str__(self) -> str:
        return f"{self.key} is {self.after!r}, was {self.before!r}, as {self.cause} (adapt.{self.rule})"


def adapted(recipe: Recipe, past: Sequence[Figures]) -> tuple[Recipe, tuple[Change, ...]]:
    """The recipe of the round that follows these, round 0 first; and what changed before that round.

    Rules are gone through in their order, each seeing what those before it have changed. Raises RecipeError
    where a rule comes to a value that cannot be.
    """
    changes: list[Change] = []
    for number in range(1, len(past) + 1):
        changes = []
        for place, rule in enumerate(recipe.adapt):
            cause = holds(rule.when, number, past[:number])
            if cause is not None:
                recipe, change = _applied(recipe, rule, place, number, cause)
                changes += [change] if change is not None else []
    return recipe, tuple(changes)


def holds(when: When, number: int, past: Sequence[Figures]) -> str | None:
    """Why a rule holds before a round, given the figures of all rounds before it; None where it does not."""
    causes = list(_causes(when, number, past))
    return None if None in causes else " and ".join(cause for cause in causes if cause is not None)


def _causes(when: When, number: int, past: Sequence[Figures]) -> Iterator[str | None]:
    """For each condition that is given what holds; None where it does not."""
    if when.round is not None:
        yield f"it is round {number}" if number == when.round else None
    if when.after is not None:
        yield f"round {when.after} is over" if number > when.after else None
    last = past[-1]
    accuracies = [one.accuracy for one in past[-2:]]
    gain = None
    if len(accuracies) == 2 and accuracies[0] is not None and accuracies[1] is not None:
        gain = round(accuracies[1] - accuracies[0], DIGITS)
    for name, value, below, above in (
        ("the gain", gain, when.gain_below, when.gain_above),
        ("the accuracy", last.accuracy, when.accuracy_below, when.accuracy_above),
        ("the share kept", last.kept, when.kept_below, when.kept_above),
    ):
        what = f"{name} of round {number - 1} was {value:.4g}" if value is not None else ""
        if below is not None:
            yield f"{what}, below {below:g}" if value is not None and value < below else None
        if above is not None:
            yield f"{what}, above {above:g}" if value is not None and value > above else None


def _applied(recipe: Recipe, rule: Rule, place: int, number: int, cause: str) -> tuple[Recipe, Change | None]:
    """The recipe after a rule; no change where all is as it was."""
    try:
        before = recipe.value(rule.key)
        changed = recipe.changed(rule.key, rule.applied(before))
        after = changed.value(rule.key)
    except RecipeError as error:
        raise RecipeError(
            f"round {number}: adapt.{place}, as {cause}: {error}; bound it with `least` or `most`, or change "
            "the rule"
        ) from None
    if after == before:
        return recipe, None
    return changed, Change(key=rule.key, before=before, after=after, rule=place, cause=cause)
