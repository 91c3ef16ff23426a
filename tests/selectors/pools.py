"""Pools of seeds with one letter each, and the order in which a selector takes them."""

import random
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from asft import registry
from asft.types import Example, Measurements, Observation, Selector

Scores = Sequence[float | None]
Places = Mapping[str, Sequence[float]]


def make(name: str, options: Mapping[str, object] | None = None) -> Selector:
    made = registry.make("selector", name, options)
    assert isinstance(made, Selector)
    return made


def somewhere(name: str) -> list[float]:
    """A place that depends on the id alone."""
    rng = random.Random(name)
    return [rng.gauss(0, 1) for _ in range(5)]


def pool(
    ids: Iterable[str],
    *,
    history: Mapping[str, int] | None = None,
    places: Places | None = None,
    accepted: Sequence[Sequence[float]] = (),
    tags: Mapping[str, str] | None = None,
) -> Measurements:
    """Seeds with embeddings and gradients at the same places, and a tag `family`, a vowel or a consonant."""
    names = list(ids)
    array = np.array(
        [somewhere(name) if places is None else places[name] for name in names], dtype=np.float32
    ).reshape(len(names), -1 if names else 5)
    before = np.array(accepted, dtype=np.float32).reshape(len(accepted), array.shape[1])
    return Measurements(
        round=1,
        examples=tuple(
            Example(
                id=name,
                task="t",
                prompt=f"question {name}",
                answer="1",
                tags={"family": tags.get(name, "") if tags else "vowel" if name in "aeiou" else "consonant"},
            )
            for name in names
        ),
        observations=tuple(Observation(example_id=name) for name in names),
        arrays={"embedding": array, "gradient": array, "accepted_embedding": before},
        history=history or {},
    )


def order(
    selector: Selector,
    ids: str,
    scores: Scores | None = None,
    *,
    seed: int = 0,
    n: int = 1,
    history: Mapping[str, int] | None = None,
    places: Places | None = None,
    accepted: Sequence[Sequence[float]] = (),
    tags: Mapping[str, str] | None = None,
) -> str:
    """The ids, one letter each, in the order in which they are selected; without scores, all are 0."""
    seen = pool(ids, history=history, places=places, accepted=accepted, tags=tags)
    given = [0.0] * len(ids) if scores is None else scores
    return "".join(example.id for example in selector.select(seen, given, n, random.Random(seed)))
