"""The page about scores: how criteria agree on the same measurements, what each costs, what is hardest."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from asft.report import figures
from asft.report.facts import HardSeed
from asft.report.html import render
from asft.report.tables import Table, TableRow
from asft.report.wording import MINUS, NONE, decimal, duration, signed, whole


@dataclass(frozen=True, kw_only=True)
class CriterionFacts:
    """One criterion."""

    label: str
    needs: tuple[str, ...]
    seconds: float | None
    """What measuring its needs took, with those that it shares; None where that is not known."""
    scores: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class ScoreFacts:
    """All that the page says."""

    name: str
    task: str
    student: str
    examples: int
    criteria: tuple[CriterionFacts, ...]
    correlations: tuple[tuple[float | None, ...], ...]
    """Spearman, of every two criteria; None where one of them is the same everywhere."""
    needs: tuple[tuple[str, float], ...]
    """Each need, and the seconds that measuring it took."""
    asked: str
    """What asking a teacher or judge cost, in words; empty where nobody was asked."""
    hardest: tuple[HardSeed, ...]


def page(facts: ScoreFacts) -> str:
    """The whole file."""
    labels = [one.label for one in facts.criteria]
    return render(
        "criteria.html.j2",
        facts=facts,
        heat=figures.heat_map(labels, facts.correlations) if len(labels) > 1 else None,
        criteria=criteria(facts),
        needs=needs(facts),
        whole=whole,
        decimal=decimal,
    )


def criteria(facts: ScoreFacts) -> Table:
    """What each criterion gave, and what it cost."""
    rows = [
        (
            one.label,
            whole(sum(score is not None for score in one.scores)),
            whole(sum(score is None for score in one.scores)),
            *_spread([score for score in one.scores if score is not None]),
            ", ".join(one.needs),
            duration(one.seconds),
        )
        for one in facts.criteria
    ]
    head = ("Criterion", "Scored", "Without", "Lowest", "Median", "Highest", "Needs", "Time")
    return Table(head=head, numbers_from=1, rows=tuple(TableRow(cells=row) for row in rows))


def needs(facts: ScoreFacts) -> Table:
    """What was measured, and how long it took."""
    rows = [
        TableRow(cells=(name, duration(seconds), decimal(facts.examples / seconds, 1) if seconds else NONE))
        for name, seconds in facts.needs
    ]
    return Table(head=("Measured", "Time", "Examples a second"), numbers_from=1, rows=tuple(rows))


def terminal(facts: ScoreFacts) -> str:
    """The same for the terminal, in ASCII."""
    found = criteria(facts)
    lines = [found.head, *(row.cells for row in found.rows)]
    if len(facts.criteria) > 1:
        lines += [("",) * len(found.head)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(found.head))]
    shown = [_line(line, widths) for line in lines]
    if len(facts.criteria) > 1:
        wide = max(len("Rank correlation"), *(len(one.label) for one in facts.criteria))
        numbers = range(1, len(facts.criteria) + 1)
        shown.append(f"{'Rank correlation':<{wide}}     " + "".join(f"{number:>7}" for number in numbers))
        for number, one, row in zip(numbers, facts.criteria, facts.correlations, strict=True):
            values = "".join(f"{decimal(value, 2):>7}" for value in row)
            shown.append(f"{one.label:<{wide}}  {number:>2} {values}")
    return "\n".join(shown).replace(NONE, "-").replace(MINUS, "-")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        cell.rjust(width) if place else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ).rstrip()


def _spread(scores: Sequence[float]) -> tuple[str, str, str]:
    if not scores:
        return NONE, NONE, NONE
    return _figure(min(scores)), _figure(median(scores)), _figure(max(scores))


def _figure(value: float) -> str:
    """Three digits that say something: scores may all be near 0."""
    return signed(f"{value:.3g}")
