"""What the student makes of given examples: statistics of the references, its own answers, and more.

A need of the student is a function from the student and the pool to what it found; they are made one after
the other, so that one can be made from another.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from asft.errors import DataError
from asft.measure import embedding, ensemble, gradient, reward
from asft.measure.answers import gold, own, samples
from asft.measure.records import Found, Measure, Pool, with_found
from asft.student import Loaded
from asft.types import Measurements, Need, Observation

__all__ = ["MEASURES", "Found", "Measure", "Pool", "measure"]

MEASURES: Mapping[str, Measure] = {
    "embedding": embedding.embedding,
    "ensemble": ensemble.ensemble,
    "gold": gold,
    "gradient": gradient.gradient,
    "own": own,
    "reference_gradient": gradient.reference_gradient,
    "reward": reward.reward,
    "samples": samples,
}
"""The needs of kinds "student" and "training", by name; `asft.needs` says what each gives. Those of kind
"training" are measured of the base, without an adapter."""


def measure(
    loaded: Loaded,
    pool: Pool,
    needs: Sequence[Need],
    *,
    round: int = 0,
    begun: Measurements | None = None,
    progress: Callable[[int], None] | None = None,
    timed: Callable[[str, float], None] | None = None,
) -> Measurements:
    """Measure the pool: what `needs` names, in their order, and nothing else.

    `begun` is what was measured of the same examples before. `progress` gets the number of finished
    measurements, one per example and need; `timed` the name of each need and the seconds that it took.
    Raises DataError for an unknown need.
    """
    unknown = [need.name for need in needs if need.name not in MEASURES]
    if unknown:
        raise DataError(f"nothing measures {', '.join(unknown)}; measurements: {', '.join(MEASURES)}")
    found = begun or Measurements(
        round=round,
        examples=pool.examples,
        observations=tuple(Observation(example_id=example.id) for example in pool.examples),
    )
    for place, need in enumerate(needs):
        before = place * len(pool.examples)

        def told(done: int, before: int = before) -> None:
            if progress:
                progress(before + done)

        began = time.monotonic()
        found = with_found(found, MEASURES[need.name](loaded, pool, need.options, found, told))
        told(len(pool.examples))
        if timed:
            timed(need.name, time.monotonic() - began)
    return found
