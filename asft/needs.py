"""The measurements that parts of a recipe ask for, put together.

| need | options | what it gives |
|---|---|---|
| gold | | statistics of the worked reference: `Observation.gold`, `Measurements.tokens["gold"]` |
| own | | the greedy answer, graded, with statistics: `Observation.own`, `Measurements.tokens["own"]` |
| samples | k, temperature, top_p | k answers drawn by chance, graded: `Observation.samples` |
"""

from collections.abc import Iterable

from asft.errors import RecipeError
from asft.types import Need

GOLD = Need(name="gold")
OWN = Need(name="own")


def samples(k: int, temperature: float, top_p: float = 1.0) -> Need:
    """Answers by the student that are drawn by chance; how, depends on seed, example and number alone."""
    return Need(name="samples", options={"k": k, "temperature": temperature, "top_p": top_p})


def joined(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Each need once, what one is made from before it, else by name; those of the student first.

    Raises RecipeError where two of one name have other options.
    """
    found: dict[str, Need] = {}

    def add(need: Need) -> None:
        for before in need.reads:
            add(before)
        known = found.setdefault(need.name, need)
        if known != need:
            raise RecipeError(
                f"two parts of the recipe need {need.name!r}, one with {dict(known.options)} and one with "
                f"{dict(need.options)}; it is measured once, so give both the same"
            )

    order = ("student", "training", "script")
    for need in sorted(needs, key=lambda one: (order.index(one.kind), one.name)):
        add(need)
    return tuple(sorted(found.values(), key=lambda one: order.index(one.kind)))


def described(needs: Iterable[Need]) -> dict[str, dict[str, object]]:
    """Name -> options, for a manifest."""
    return {need.name: dict(need.options) for need in needs}
