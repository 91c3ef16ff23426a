"""Accuracy of each round, and what changed since the base student: paired, item by item."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from asft.report.facts import Accuracy, Change
from asft.report.read import Round, Row, count, number, part
from asft.stats import mcnemar_exact, paired_bootstrap, wilson

Pair = tuple[Row, Row]
"""The answers of two students to one test item."""


def _right(row: Row) -> bool:
    return number(row, "grade") == 1.0


def accuracy(round: Round, notes: list[str]) -> Accuracy | None:
    """As the summary counts it, or as the answers do where there is no summary yet."""
    told, rows = part(round.summary, "evaluate"), round.rows("evaluate")
    items, right = count(told, "items"), count(told, "right")
    if items is None or right is None:
        return counted(rows) if rows else None
    if not 0 < items >= right:
        notes.append(f"Round {round.number}: {right} right of {items} items is no accuracy; it is left out.")
        return None
    if rows and (items, right) != (len(rows), sum(map(_right, rows))):
        notes.append(
            f"Round {round.number}: summary.json tells of {right} right of {items} items, and evaluate.jsonl "
            f"of {sum(map(_right, rows))} of {len(rows)}."
        )
    return _accuracy(right, items, unparsable=count(told, "unparsable"), cut_off=count(told, "cut_off"))


def validated(round: Round) -> Accuracy | None:
    """On what is held out of the pool; None where the run does not go by it."""
    told = part(round.summary, "validation")
    items, right = count(told, "items"), count(told, "right")
    if items is None or right is None or not 0 < items >= right:
        return None
    return _accuracy(right, items, unparsable=None, cut_off=None)


def counted(rows: Sequence[Row]) -> Accuracy:
    """Accuracy as the answers say it."""
    return _accuracy(
        sum(map(_right, rows)),
        len(rows),
        unparsable=sum(number(row, "grade") is None for row in rows),
        cut_off=sum(row.get("finish") == "length" for row in rows),
    )


def _accuracy(right: int, items: int, *, unparsable: int | None, cut_off: int | None) -> Accuracy:
    interval = wilson(right, items)
    return Accuracy(
        items=items,
        right=right,
        share=right / items,
        low=interval.low,
        high=interval.high,
        unparsable=unparsable,
        cut_off=cut_off,
    )


def paired(before: Sequence[Row], after: Sequence[Row]) -> list[Pair]:
    """The two answers to each test item, by its id; an id that comes twice is paired in order."""
    known = _by_item(before)
    return [(known[item], row) for item, row in _by_item(after).items() if item in known]


def _by_item(rows: Sequence[Row]) -> dict[tuple[str, int], Row]:
    seen: Counter[str] = Counter()
    items = {}
    for row in rows:
        example = str(row.get("example_id"))
        items[example, seen[example]] = row
        seen[example] += 1
    return items


def change(base: Round, round: Round, notes: list[str]) -> Change | None:
    before, after = base.rows("evaluate"), round.rows("evaluate")
    pairs = paired(before, after)
    if before and after and len(pairs) != max(len(before), len(after)):
        notes.append(
            f"Round {round.number} and round 0 share {len(pairs)} test items of {len(after)} and "
            f"{len(before)}: the change is that on the shared ones."
        )
    return measured(pairs) if pairs else None


def measured(pairs: Sequence[Pair]) -> Change:
    """The change over these items, at least one."""
    grades = [(_right(one), _right(two)) for one, two in pairs]
    # The same chance in every report: made again, it says the same.
    difference = paired_bootstrap(
        [one for one, _ in grades], [two for _, two in grades], np.random.default_rng(0)
    )
    gained, lost = grades.count((False, True)), grades.count((True, False))
    return Change(
        items=len(pairs),
        mean=difference.mean,
        low=difference.low,
        high=difference.high,
        gained=gained,
        lost=lost,
        p=mcnemar_exact(gained, lost),
    )
