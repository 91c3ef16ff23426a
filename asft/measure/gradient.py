"""How an answer would change the head of the student, were it trained on."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from asft import scorer
from asft.errors import DataError
from asft.measure.records import Found, Pool, Told
from asft.measure.rows import Numbered, gold, rows
from asft.scorer.body import Apart, Whole
from asft.scorer.gradient import Gradient, gradients
from asft.scorer.plan import Row
from asft.scorer.records import Floats
from asft.student import Loaded
from asft.types import Measurements


def gradient(
    loaded: Loaded, pool: Pool, options: Mapping[str, Any], before: Measurements, told: Told
) -> Found:
    """A sketch of the gradient of each answer's loss by the head's weights, and its exact norm.

    The loss is summed over the answer's tokens. For the own answer, which is greedy, the label of each token
    is the token itself: what BADGE (arXiv 1906.03671) takes for the label that nobody has given yet. NaN and
    None for an example without such an answer. Raises DataError for a student that cannot be taken apart.
    """
    made = _made(loaded, pool, rows(loaded, options["of"], before), options["dims"], told)
    count = len(pool.examples)
    return Found(
        arrays={"gradient": _array(made, range(count), options["dims"])},
        signals={"gradient_norm": [made[i].norm if i in made else None for i in range(count)]},
    )


def reference_gradient(
    loaded: Loaded, pool: Pool, options: Mapping[str, Any], _: Measurements, told: Told
) -> Found:
    """The same, with the same seed, for worked references of the pool that are drawn by the run's seed.

    As many as `count`, or all where there are fewer; they are the same in every round. The number
    "reference_row" of an example is its row in the array; None for an example that is not drawn. Raises
    DataError for a pool without worked references, too.
    """
    worked = gold(loaded, pool.examples)
    if not worked:
        raise DataError(
            "no example of the pool has a worked reference, so there is none to take as the reference of "
            "influence; give references, or take another criterion"
        )
    rng = random.Random(f"{pool.seed} reference")
    drawn = sorted(rng.sample(sorted(worked), min(options["count"], len(worked))))
    made = _made(loaded, pool, {i: worked[i] for i in drawn}, options["dims"], told)
    row = {number: float(at) for at, number in enumerate(drawn)}
    return Found(
        arrays={"reference_gradient": _array(made, drawn, options["dims"])},
        signals={"reference_row": [row.get(i) for i in range(len(pool.examples))]},
    )


def _made(loaded: Loaded, pool: Pool, given: Numbered, dims: int, told: Told) -> dict[int, Gradient]:
    def work(network: Apart | Whole, batch: Sequence[Row]) -> list[Gradient]:
        if isinstance(network, Whole):
            raise DataError(
                f"the student {loaded.student.base!r} does something of its own between its last hidden "
                "states and its logits, so the gradient of its head is not known; take a criterion or "
                "selector that needs no gradient"
            )
        return gradients(network, batch, dims=dims, seed=pool.seed)

    found, _ = scorer.in_batches(loaded, list(given.values()), work, progress=told)
    return dict(zip(given, found, strict=True))


def _array(made: Mapping[int, Gradient], numbers: Sequence[int], dims: int) -> Floats:
    array = np.full((len(numbers), dims), np.nan, dtype=np.float32)
    for at, number in enumerate(numbers):
        if number in made:
            array[at] = made[number].sketch
    return array
