"""Accuracy of each round, and what changed since the base student: paired, item by item."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from asft.report.facts import Accuracy, Change, TagAccuracy
from asft.report.read import Round, Row, Run, count, number, part
from asft.stats import holm, mcnemar_exact, paired_bootstrap, wilson

MOST_VALUES = 40


def _right(row: Row) -> bool:
    return number(row, "grade") == 1.0


def accuracy(round: Round, notes: list[str]) -> Accuracy | None:
    """As the summary counts it, or as the answers do where there is no summary yet."""
    told, rows = part(round.summary, "evaluate"), round.rows("evaluate")
    items, right = count(told, "items"), count(told, "right")
    if items is None or right is None:
        return _counted(rows) if rows else None
    if not 0 < items >= right:
        notes.append(f"Round {round.number}: {right} right of {items} items is no accuracy; it is left out.")
        return None
    if rows and (items, right) != (len(rows), sum(map(_right, rows))):
        notes.append(
            f"Round {round.number}: summary.json tells of {right} right of {items} items, and evaluate.jsonl "
            f"of {sum(map(_right, rows))} of {len(rows)}."
        )
    interval = wilson(right, items)
    return Accuracy(
        items=items,
        right=right,
        share=right / items,
        low=interval.low,
        high=interval.high,
        unparsable=count(told, "unparsable"),
        cut_off=count(told, "cut_off"),
    )


def _counted(rows: Sequence[Row]) -> Accuracy:
    right = sum(map(_right, rows))
    interval = wilson(right, len(rows))
    return Accuracy(
        items=len(rows),
        right=right,
        share=right / len(rows),
        low=interval.low,
        high=interval.high,
        unparsable=sum(number(row, "grade") is None for row in rows),
        cut_off=sum(row.get("finish") == "length" for row in rows),
    )


def _pairs(before: Sequence[Row], after: Sequence[Row]) -> list[tuple[Row, Row]]:
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
    pairs = _pairs(before, after)
    if before and after and len(pairs) != max(len(before), len(after)):
        notes.append(
            f"Round {round.number} and round 0 share {len(pairs)} test items of {len(after)} and "
            f"{len(before)}: the change is that on the shared ones."
        )
    if not pairs:
        return None
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


def by_tag(run: Run, after: int, notes: list[str]) -> tuple[TagAccuracy, ...]:
    """Accuracy by tag. A tag with one value tells nothing, and one with many is no grouping."""
    first, last = (next(found for found in run.rounds if found.number == n) for n in (0, after))
    told = [part(found.summary, "evaluate", "by_tag") for found in (first, last)]
    pairs = _pairs(first.rows("evaluate"), last.rows("evaluate"))
    found: list[TagAccuracy] = []
    for tag in told[0]:
        values = sorted((value for value in part(told[0], tag) if value in part(told[1], tag)), key=_natural)
        if len(values) > MOST_VALUES:
            notes.append(f"Tag {tag!r} has {len(values)} values, too many for a table: see evaluate.jsonl.")
        if not 1 < len(values) <= MOST_VALUES:
            continue
        p_values = [_group_p(pairs, tag, value) for value in values]
        corrected = iter(holm([p for p in p_values if p is not None]))
        for value, p in zip(values, p_values, strict=True):
            before, now = (_told_accuracy(part(side, tag, value)) for side in told)
            adjusted = None if p is None else next(corrected)
            if before and now:
                gain = now.share - before.share
                found.append(
                    TagAccuracy(tag=tag, value=value, before=before, after=now, change=gain, p=adjusted)
                )
    return tuple(found)


def _told_accuracy(row: Row) -> Accuracy | None:
    items, right = count(row, "items"), count(row, "right")
    if items is None or right is None or not 0 < items >= right:
        return None
    interval = wilson(right, items)
    return Accuracy(items=items, right=right, share=right / items, low=interval.low, high=interval.high)


def _group_p(pairs: Sequence[tuple[Row, Row]], tag: str, value: str) -> float | None:
    """McNemar's p for the items with this tag, uncorrected."""
    changes = [
        (_right(before), _right(after)) for before, after in pairs if part(after, "tags").get(tag) == value
    ]
    return mcnemar_exact(changes.count((False, True)), changes.count((True, False))) if changes else None


def _natural(value: str) -> list[tuple[int, str]]:
    """A key that puts "10" after "9"."""
    return [(int(piece), "") if piece.isdecimal() else (0, piece) for piece in re.split(r"(\d+)", value)]
