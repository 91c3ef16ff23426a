"""What a problem states, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence about all creatures of a kind ("Every wumpus is not shy.") or about one ("Max is shy.")."""

    subject: str
    """A kind, as one word or several in the singular; or a name."""
    predicate: str
    """A kind or a property."""
    holds: bool
    """False where the sentence says "not"."""
    general: bool
    """Whether it is about all creatures of a kind."""
    text: str
    """As it is written."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Sentences, and the one that is to be called true or false."""

    claims: tuple[Claim, ...]
    query: Claim


@dataclass(frozen=True, kw_only=True)
class Step:
    """A rule that is used, and what it says of the creature."""

    rule: Claim
    predicate: str
    holds: bool


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The shortest way from what is given of a creature to what is asked."""

    given: Claim
    steps: tuple[Step, ...]
    answer: bool
    """Whether the query is true."""

    @property
    def hops(self) -> int:
        """How many rules are used."""
        return len(self.steps)


def prove(problem: Problem) -> Proof | None:
    """The shortest proof that the query is true, or that it is false.

    None where neither follows, and where both do. Rules are used forward: what is not said does not hold
    for that reason, and no rule is turned round.
    """
    query = problem.query
    reached: dict[tuple[str, bool], tuple[Claim, tuple[Step, ...]]] = {}
    for claim in problem.claims:
        if not claim.general and claim.subject == query.subject:
            reached.setdefault((claim.predicate, claim.holds), (claim, ()))
    rules: dict[str, list[Claim]] = {}
    for claim in problem.claims:
        if claim.general:
            rules.setdefault(claim.subject, []).append(claim)
    pending = list(reached)
    # `pending` grows while it is walked: breadth first, so that the first way to a thing is the shortest.
    for predicate, holds in pending:
        given, steps = reached[predicate, holds]
        for rule in rules.get(predicate, ()) if holds else ():
            known = (rule.predicate, rule.holds)
            if known not in reached:
                step = Step(rule=rule, predicate=rule.predicate, holds=rule.holds)
                reached[known] = (given, (*steps, step))
                pending.append(known)
    found = {holds: reached.get((query.predicate, holds)) for holds in (True, False)}
    ways = [(holds, way) for holds, way in found.items() if way is not None]
    if len(ways) != 1:
        return None
    [(holds, (given, steps))] = ways
    return Proof(given=given, steps=steps, answer=holds == query.holds)


def sound(problem: Problem, said: Sequence[Claim]) -> list[bool]:
    """Whether each sentence of a chain of thought is given, or follows from earlier ones by one rule."""
    given = {_meaning(claim) for claim in problem.claims}
    known: set[tuple[str, str, bool, bool]] = set()
    verdicts = []
    for claim in said:
        meaning = _meaning(claim)
        follows = not claim.general and any(
            (claim.subject, rule.subject, True, False) in known
            for rule in problem.claims
            if rule.general and (rule.predicate, rule.holds) == (claim.predicate, claim.holds)
        )
        verdicts.append(meaning in given or follows)
        if verdicts[-1]:
            known.add(meaning)
    return verdicts


def _meaning(claim: Claim) -> tuple[str, str, bool, bool]:
    return claim.subject, claim.predicate, claim.holds, claim.general
