"""New problems: a chain of kinds from what a creature is to what is asked, and things that lead astray.

In the manner of PrOntoQA's fictional ontologies: the chain goes on below and above the part that is needed,
kinds on it have properties that do not matter, and kinds off it have the property that is asked, with the
other sign. True and false, and properties that are denied, are each about as frequent as their opposites.
"""

import hashlib
import random
from dataclasses import dataclass
from itertools import pairwise

from asft.tasks.prontoqa.language import FORMS, fact, rule
from asft.tasks.prontoqa.problem import Claim, Problem
from asft.tasks.prontoqa.words import CONCEPTS, NAMES, PROPERTIES

MOST_HOPS = 8
MOST_DISTRACTORS = 3
MOST_BEYOND = 2
"""Kinds on the chain below and above the part that is needed, each."""
BUCKETS = 64


@dataclass(frozen=True, kw_only=True)
class Core:
    """What a problem is about: who, the kinds that lead to the property, and whether it holds."""

    name: str
    kinds: tuple[str, ...]
    asked: str
    holds: bool


def draw(
    rng: random.Random,
    hops: int,
    distractors: int = 1,
    buckets: frozenset[int] | None = None,
    beyond: int = MOST_BEYOND,
) -> Problem:
    """A problem that needs `hops` rules; its core lies in one of the buckets.

    Below and above the part of the chain that is needed lie up to `beyond` kinds each.
    """
    core = _core(rng, hops)
    while buckets is not None and bucket(core) not in buckets:
        core = _core(rng, hops)
    return _dressed(core, distractors, beyond, rng)


def bucket(core: Core) -> int:
    """Where a problem belongs, whatever else it says and however it is worded."""
    parts = [core.name, *core.kinds, core.asked, str(core.holds)]
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=1).digest()[0] % BUCKETS


def _core(rng: random.Random, hops: int) -> Core:
    family = rng.choice(PROPERTIES)
    return Core(
        name=rng.choice(NAMES),
        kinds=tuple(rng.sample(CONCEPTS, hops)),
        asked=rng.choice(family),
        holds=rng.random() < 0.5,
    )


def _dressed(core: Core, distractors: int, beyond: int, rng: random.Random) -> Problem:
    spare = [kind for kind in CONCEPTS if kind not in core.kinds]
    rng.shuffle(spare)
    astray, spare = spare[:distractors], spare[distractors:]
    below, spare = _some(spare, beyond, rng)
    above, _ = _some(spare, beyond, rng)
    chain = [*below, *core.kinds, *above]

    def general(subject: str, predicate: str, holds: bool, kind: bool) -> Claim:
        return rule(subject, predicate, holds=holds, kind=kind, form=rng.randrange(FORMS))

    claims = [general(low, high, True, True) for low, high in pairwise(chain)]
    claims.append(general(core.kinds[-1], core.asked, core.holds, False))
    claims += [general(kind, core.asked, not core.holds, False) for kind in astray]
    families = [family for family in PROPERTIES if core.asked not in family]
    rng.shuffle(families)
    for kind, family in zip((kind for kind in chain if kind != core.kinds[-1]), families, strict=False):
        if rng.random() < 0.6:
            claims.append(general(kind, rng.choice(family), rng.random() < 0.7, False))
    rng.shuffle(claims)
    given = fact(core.name, core.kinds[0], holds=True, kind=True)
    query = fact(core.name, core.asked, holds=rng.random() < 0.5, kind=False)
    return Problem(claims=(*claims, given), query=query)


def _some(kinds: list[str], most: int, rng: random.Random) -> tuple[list[str], list[str]]:
    """The first few, and the rest."""
    count = min(rng.randint(0, most), len(kinds))
    return kinds[:count], kinds[count:]
