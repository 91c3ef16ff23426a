"""The measurements that parts of a recipe ask for, put together.

| need | options | what it gives |
|---|---|---|
| gold | | statistics of the worked reference: `Observation.gold`, `Measurements.tokens["gold"]` |
| own | | the greedy answer, graded, with statistics: `Observation.own`, `Measurements.tokens["own"]` |
| samples | k, temperature, top_p | k answers drawn by chance, graded: `Observation.samples` |
| embedding | model | array "embedding" `[n, d]`; "accepted_embedding" `[m, d]`, of what was accepted |
| gradient | of, dims | array "gradient" `[n, dims]`, and the number "gradient_norm" |
| reference_gradient | dims, count | array "reference_gradient" `[count, dims]`; the number "reference_row" |
| reward | model | the number "reward" |
| ensemble | members, vary, examples | array "ensemble_nll" `[n, members]`, and the number "bald" |

Rows that could not be measured are NaN in an array, None as a number.
"""

from collections.abc import Iterable
from typing import Literal

from asft.errors import RecipeError
from asft.types import Need

Of = Literal["own", "gold"]

NOT_BY_EXAMPLE = ("accepted_embedding", "reference_gradient")
"""Arrays whose rows are not about the examples of the pool."""

GOLD = Need(name="gold")
OWN = Need(name="own")


def samples(k: int, temperature: float, top_p: float = 1.0) -> Need:
    """Answers by the student that are drawn by chance; how, depends on seed, example and number alone."""
    return Need(name="samples", options={"k": k, "temperature": temperature, "top_p": top_p})


def embedding(model: str | None = None) -> Need:
    """Where questions stand: the student's hidden states, or a sentence-transformers model by name."""
    return Need(name="embedding", options={"model": model})


def gradient(of: Of = "own", dims: int = 4096) -> Need:
    """A seeded sketch of the head's gradient for an answer, summed over its tokens; and the norm."""
    return Need(name="gradient", options={"of": of, "dims": dims}, reads=(OWN,) if of == "own" else ())


def reference_gradient(count: int, dims: int = 4096) -> Need:
    """The same sketch for the worked references of some examples of the pool, and which these are."""
    return Need(name="reference_gradient", options={"dims": dims, "count": count})


def reward(model: str) -> Need:
    """What a reward model thinks of the student's own answer; high is good."""
    return Need(name="reward", options={"model": model}, reads=(OWN,))


def ensemble(members: int, vary: Literal["seed", "bootstrap"], examples: int) -> Need:
    """What students that were trained a little differently make of the student's own answer."""
    options = {"members": members, "vary": vary, "examples": examples}
    return Need(name="ensemble", kind="training", options=options, reads=(OWN,))


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
