"""What a study shows and does not show, in plain words made from its figures."""

from collections.abc import Sequence

from asft.report.wording import percent, plural
from asft.study.facts import FEW_SEEDS, Compared, Facts
from asft.study.figures import difference
from asft.study.tables import correlation, ratio

SURE = 0.05
WEAK_SEPARATION = 0.6
"""Below it a score hardly tells wrong answers from right ones; 0.5 is chance."""
WEAK_FIDELITY = 0.25
"""With all of its interval below it, a correlation hardly tells how hard what was written is."""

_METHOD = (
    "Arms are compared seed by seed and item by item: each pair of runs has the same seed and answers the "
    "same test items. Intervals are 95% intervals of a t distribution for the mean over seeds and items, "
    "both taken as drawn from many; p-values are adjusted over all arms that are compared with the reference "
    "(Holm).",
    "Along the budget: the mean accuracy between nothing and all of it, by trapezoids. To the same accuracy: "
    "what the reference takes to its own final accuracy, divided by what the arm takes to the same, on "
    "straight lines between points; its interval is by bootstrap over seeds and items. Above 1, the arm "
    "needs less.",
)
_NEEDED = (
    "FLOPs of a point are those that its student needs: what was measured and written until then, and its "
    "training; the training of earlier rounds only where the method looks at their students, or goes on from "
    "them. Evaluating is not counted. What an accuracy takes in FLOPs is read at points alone, the first "
    "that is as good: half of the examples are no half of the training."
)
_COMPUTED = "FLOPs of a point are all that its run had computed, as the budget counts them."


def method(facts: Facts) -> list[str]:
    """How the figures were worked out."""
    if not any(chart.key == "flops" for chart in facts.charts):
        return [*_METHOD]
    return [*_METHOD, _COMPUTED if facts.binds == "flops" else _NEEDED]


def told(facts: Facts) -> list[str]:
    """A paragraph, sentence by sentence."""
    said = [
        f"{plural(len(facts.arms), 'arm')}, {plural(len(facts.seeds), 'seed')}, {facts.amount:g} "
        f"{facts.binds} for a run, {plural(facts.items, 'test item')}; the base answers "
        f"{percent(facts.base)} right."
    ]
    if facts.missing:
        every = len(facts.seeds) * len({*facts.arms, *(name.rpartition(" ")[0] for name in facts.missing)})
        said.append(
            f"Not finished: {len(facts.missing)} of {plural(every, 'run')} have no result yet, so all of "
            "this may change."
        )
    others = [one for one in facts.compared if one.difference]
    if not others:
        return said
    seeds = min(one.difference.seeds for one in others if one.difference)
    if seeds < FEW_SEEDS:
        named = ", ".join(f"{one.arm} {_difference(one)}" for one in others)
        said.append(
            f"With {plural(seeds, 'seed')} nothing is shown about other seeds: what follows is a "
            f"first look, and it takes {FEW_SEEDS} seeds at least to know."
        )
        said.append(f"Points above {facts.reference} at the end of the budget: {named}.")
    else:
        said += _shown(others, facts.reference)
    saving = [(one, one.reach) for one in others if one.reach and one.reach.ratio is not None]
    if saving:
        best, reach = max(saving, key=lambda pair: pair[1].ratio or 0.0)
        said.append(
            f"To {facts.reference}'s final accuracy, {facts.reference} takes {ratio(reach)} what {best.arm} "
            f"takes, the best of the arms; as one of {len(others)} that were tried, that it is above 1 is "
            f"{'' if best.saves and seeds >= FEW_SEEDS else 'not '}shown."
        )
        also = [
            f"{ratio(found)} the {axis.label}"
            for axis in facts.reached
            for arm, found in axis.arms
            if arm == best.arm and found.ratio is not None
        ]
        if also:
            said.append(f"For that, {facts.reference} takes {', and '.join(also)}.")
    return [*said, *_weak(facts)]


def _shown(others: Sequence[Compared], reference: str) -> list[str]:
    """Which arms are better or worse than the reference by more than chance, and which are not told apart."""
    better = [one for one in others if _sure(one) and one.difference and one.difference.value > 0]
    worse = [one for one in others if _sure(one) and one.difference and one.difference.value < 0]
    unsure = [one for one in others if one not in better and one not in worse]
    said = []
    for word, group in (("better than", better), ("worse than", worse)):
        if group:
            named = ", ".join(f"{one.arm} {_difference(one)}" for one in group)
            said.append(f"More than chance {word} {reference} at the end of the budget, in points: {named}.")
    if unsure:
        named = ", ".join(f"{one.arm} {_difference(one)}" for one in unsure)
        said.append(f"Not told apart from {reference}: {named}.")
    return said


def _weak(facts: Facts) -> list[str]:
    """Why choosing may not have paid: scores that miss what is wrong, hardness that is not passed on."""
    said = []
    for one in facts.separation:
        first = one.rounds[0]
        if first is not None and first < WEAK_SEPARATION:
            said.append(
                f"The score of {one.arm} hardly tells wrong answers from right ones: in round 1 it puts the "
                f"wrong one first in {percent(first)} of pairs, and chance in half of them."
            )
    for told_by in facts.fidelity:
        found = told_by.fidelity.points
        if found.high is not None and found.high < WEAK_FIDELITY:
            said.append(
                f"Among the seeds that {told_by.arm} chose, the score of one hardly tells that of what was "
                f"written from it: Spearman's correlation is {correlation(found)}."
            )
    return said


def _sure(one: Compared) -> bool:
    return one.p_holm is not None and one.p_holm < SURE


def _difference(one: Compared) -> str:
    return difference(one.difference) if one.difference else ""
