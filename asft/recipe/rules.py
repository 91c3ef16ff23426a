"""The sections `stop` and `adapt`: when rounds end early, and what rules change from round to round.

Accuracy here is that on what is held out of the pool (`data.validation`), never on the test split: a run that
went by that would be fitted to it.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Annotated, Any

from pydantic import Field

from asft import registry
from asft.errors import RecipeError
from asft.registry import plugin

ROOTS = ("criterion", "selector", "writer", "filters")
"""Sections that rules may change: what a round does before it trains."""
DIGITS = 12
"""Of a number that a rule works out, so that 0.7 x 0.7 is 0.49."""

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Gain = Annotated[float, Field(ge=-1.0, le=1.0)]
Number = Annotated[float, Field(allow_inf_nan=False)]


@plugin
class PlateauOptions:
    """`stop.plateau`: the run ends where the student has stopped getting better."""

    rounds: Count = 2
    """Over so many of the last rounds."""
    least: Share = 0.005
    """The best accuracy of these rounds has to be so much above the best before them, the base's included."""


@plugin
class StopOptions:
    """`stop`: what ends the rounds before there are `rounds` of them, or the budget is used up."""

    target: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """The accuracy on what is held out at which it is enough; None: none is."""
    plateau: PlateauOptions | None = None
    """None: no plateau ends the run."""

    @property
    def reads_accuracy(self) -> bool:
        """Whether the accuracy on what is held out has to be known."""
        return self.target is not None or self.plateau is not None


@plugin
class When:
    """`when` of a rule: it holds before a round for which all holds that is given here.

    What is not known, such as the gain of a round before the first, holds for nothing.
    """

    round: Count | None = None
    """The number of the round."""
    after: Count | None = None
    """A round that it comes after: with 1, each round from the second on."""
    gain_below: Gain | None = None
    """The accuracy on what is held out after the round before, less that after the round before it."""
    gain_above: Gain | None = None
    accuracy_below: Share | None = None
    """The accuracy on what is held out after the round before; before the first, that of the base."""
    accuracy_above: Share | None = None
    kept_below: Share | None = None
    """The share that the filters kept, in the round before, of the drafts that came to them."""
    kept_above: Share | None = None

    def __post_init__(self) -> None:
        """Refuse a rule that never says when."""
        if not given(self):
            known = ", ".join(field.name for field in fields(self))
            raise ValueError(f"a condition is wanted, one or several of {known}")

    @property
    def reads_accuracy(self) -> bool:
        """Whether the accuracy on what is held out has to be known."""
        return any(name.startswith(("gain", "accuracy")) for name in given(self))


@plugin
class Rule:
    """One of `adapt`: what it changes stays changed in the rounds that follow."""

    key: str
    """The path of what it changes, such as filters.3.threshold, or a whole section: filters.3."""
    when: When
    to: Any = None
    """The value, or section, that it becomes."""
    times: Number | None = None
    """The number that it is multiplied by."""
    add: Number | None = None
    """The number that is added."""
    least: Number | None = None
    """Below which `times` and `add` do not take it; a whole number stays one, rounded."""
    most: Number | None = None
    """Above which they do not take it."""

    def __post_init__(self) -> None:
        """Refuse what has no effect, or two."""
        if sum(one is not None for one in (self.to, self.times, self.add)) > 1:
            raise ValueError("give one of `to`, `times` and `add`")
        if not self.counts and (self.least is not None or self.most is not None):
            raise ValueError("`least` and `most` are for `times` and `add`")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least = {self.least!r} is above most = {self.most!r}")

    @property
    def counts(self) -> bool:
        """Whether it works its value out from that before."""
        return self.times is not None or self.add is not None

    def applied(self, value: Any) -> Any:
        """What becomes of a value. Raises RecipeError where it is no number and would have to be one."""
        if not self.counts:
            return self.to
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RecipeError(f"{self.key} = {value!r} is no number, so nothing can be worked out; take `to`")
        made = value + self.add if self.add is not None else value * (self.times or 0.0)
        made = float(f"{made:.{DIGITS}g}")
        if self.least is not None:
            made = max(made, self.least)
        if self.most is not None:
            made = min(made, self.most)
        return round(made) if isinstance(value, int) else made


def given(when: When) -> dict[str, float]:
    """The conditions that are given, by their names."""
    named = {field.name: getattr(when, field.name) for field in fields(when)}
    return {name: value for name, value in named.items() if value is not None}


def read(listed: Any, problems: list[str]) -> tuple[Rule, ...]:
    """The rules of a recipe, as far as they can be understood alone."""
    if not isinstance(listed, list):
        problems.append(f"adapt = {listed!r}: a list of rules is wanted, each with `key` and `when`")
        return ()
    found = []
    for place, item in enumerate(listed):
        key = f"adapt.{place}"
        if not isinstance(item, Mapping):
            problems.append(f"{key} = {item!r}: a rule with `key` and `when` is wanted")
            continue
        rule, wrong = registry.fill(Rule, item)
        if not wrong and not {"to", "times", "add"} & item.keys():
            wrong = ["what it changes to is missing: give one of `to`, `times` and `add`"]
        problems.extend(f"{key}: {sentence}" for sentence in wrong)
        if not wrong:
            found.append(rule)
    return tuple(found)


def value_at(settings: Mapping[str, Any], key: str) -> Any:
    """What stands under a rule's key. Raises RecipeError that says what could be meant where nothing does."""
    root, *path = key.split(".")
    if root not in ROOTS or (root == "filters" and not path):
        raise RecipeError(
            f"key = {key!r}: a rule changes something within {', '.join(ROOTS)} (one filter, as filters.0)"
        )
    place, value = root, settings[root]
    for step in path:
        known = [str(name) for name in (value if isinstance(value, Mapping) else _places(value))]
        if step not in known:
            close = difflib.get_close_matches(step, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(known) or 'nothing'}"
            raise RecipeError(f"key = {key!r}: {place} has no {step!r}; {hint}")
        value = value[step] if isinstance(value, Mapping) else value[int(step)]
        place = f"{place}.{step}"
    if path and path[-1] == "use":
        raise RecipeError(
            f"key = {key!r}: another plug-in has other options; give the whole section, "
            f"{{key: {key.removesuffix('.use')}, to: {{use: ...}}}}"
        )
    return value


def _places(value: Any) -> Iterator[int]:
    yield from range(len(value) if isinstance(value, list) else 0)


def plain(rule: Rule) -> dict[str, Any]:
    """A rule as it is written: what is not given is left out, so that `to: null` can be told from no `to`."""
    options = {
        name: value
        for name in ("times", "add", "least", "most")
        if (value := getattr(rule, name)) is not None
    }
    return {
        "key": rule.key,
        **({} if rule.counts else {"to": rule.to}),
        **options,
        "when": given(rule.when),
    }
