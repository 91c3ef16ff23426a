"""What the page about scores says."""

from collections.abc import Sequence

from asft.recipe import Recipe
from asft.report.criteria import CriterionFacts, ScoreFacts
from asft.report.facts import HardSeed
from asft.report.wording import dollars, plural, whole
from asft.scoring import Scored
from asft.scoring.several import Several
from asft.types import Need

HARDEST = 8
LONGEST = 1500
"""Characters of a text that is shown."""


def facts(recipe: Recipe, found: Scored) -> ScoreFacts:
    """Gather it."""
    parts = recipe.criterion.parts if isinstance(recipe.criterion, Several) else {}
    criteria = []
    for name, one in parts.items():
        needs = list(dict.fromkeys(_names(one.needs)))
        known = [found.seconds[need] for need in needs if need in found.seconds]
        criteria.append(
            CriterionFacts(
                label=name,
                needs=tuple(needs),
                seconds=sum(known) if len(known) == len(needs) else None,
                scores=found.scores[name],
            )
        )
    return ScoreFacts(
        name=recipe.name,
        task=str(recipe.settings["task"]["use"]),
        student=recipe.student.base,
        examples=len(found.measurements.examples),
        criteria=tuple(criteria),
        correlations=tuple(tuple(row) for row in found.correlations()),
        needs=tuple(found.seconds.items()),
        asked=_asked(found),
        hardest=_hardest(found),
    )


def _asked(found: Scored) -> str:
    requests = sum(one.requests for one in found.charged)
    if not requests:
        return ""
    tokens = sum(one.input_tokens + one.output_tokens for one in found.charged)
    costs = [one.cost_usd for one in found.charged]
    cost = None if None in costs else sum(cost for cost in costs if cost is not None)
    price = "for an unknown price" if cost is None else f"for {dollars(cost)}"
    return f"Teacher and judge answered {plural(requests, 'request')} with {whole(tokens)} tokens {price}."


def _names(needs: Sequence[Need]) -> list[str]:
    """Those that needs are made from first."""
    return [name for need in needs for name in (*_names(need.reads), need.name)]


def _hardest(found: Scored) -> tuple[HardSeed, ...]:
    scores = next(iter(found.scores.values()))
    hardest = []
    for number in found.ranking()[:HARDEST]:
        score = scores[number]
        if score is None:
            break
        example = found.measurements.examples[number]
        own = found.measurements.observations[number].own
        hardest.append(
            HardSeed(
                example_id=example.id,
                score=score,
                prompt=example.prompt[:LONGEST],
                answer=example.answer[:LONGEST],
                own=None if own is None else own.text[:LONGEST],
                grade=None if own is None else own.grade,
                cut_off=own is not None and own.finish == "length",
            )
        )
    return tuple(hardest)
