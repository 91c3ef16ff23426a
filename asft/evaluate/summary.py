"""What the answers to a split add up to: accuracy, accuracy of several answers, and by group."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from asft.errors import DataError
from asft.evaluate.labels import f1
from asft.stats import bootstrap, majority, pass_at_k, wilson

FINEST = 60
"""A tag with more values groups nothing."""

Row = Mapping[str, Any]


def summarise(rows: Sequence[Row], least_group: int = 20) -> dict[str, Any]:
    """Accuracy = right / all items, with 95% intervals; shares unparsable and cut off; by tag.

    A grade of None is never right. `low` and `high` are Wilson's; `bootstrap` is over items. Of a tag with
    more than 60 values `too_fine` has their number, and nothing else. `groups` has, for each other tag, the
    groups of at least `least_group` items with the lowest and the highest accuracy, and the gap between them;
    of many groups the worst is so in part by chance. Where there are samples, `samples` says what they add up
    to; `f1` is that of a classification. Raises DataError for no rows.
    """
    if not rows:
        raise DataError("the test split is empty; there is nothing to evaluate on")
    right = sum(map(_right, rows))
    by_tag: dict[str, dict[str, dict[str, int]]] = {}
    for row in rows:
        for tag, value in row["tags"].items():
            cell = by_tag.setdefault(tag, {}).setdefault(value, {"items": 0, "right": 0})
            cell["items"] += 1
            cell["right"] += _right(row)
    grouped = {tag: dict(sorted(values.items())) for tag, values in sorted(by_tag.items())}
    return {
        **_share(right, len(rows)),
        "bootstrap": _bootstrap([float(_right(row)) for row in rows]),
        "unparsable": sum(row["grade"] is None for row in rows),
        "cut_off": sum(row["finish"] == "length" for row in rows),
        "by_tag": {tag: values for tag, values in grouped.items() if len(values) <= FINEST},
        "too_fine": {tag: len(values) for tag, values in grouped.items() if len(values) > FINEST},
        "least_group": least_group,
        "groups": {
            tag: found
            for tag, values in grouped.items()
            if len(values) <= FINEST and (found := _extremes(values, least_group))
        },
        **({"f1": f1(rows)} if all(row.get("label") for row in rows) else {}),
        **({"samples": _samples(rows)} if all(row.get("samples") for row in rows) else {}),
    }


def _right(row: Row) -> bool:
    return bool(row["grade"] == 1.0)


def _share(right: int, items: int) -> dict[str, Any]:
    interval = wilson(right, items)
    return {
        "items": items,
        "right": right,
        "accuracy": right / items,
        "low": interval.low,
        "high": interval.high,
    }


def _bootstrap(grades: Sequence[float]) -> dict[str, float]:
    # The same chance in every summary: made again, it says the same.
    found = bootstrap(grades, np.random.default_rng(0))
    return {"low": found.low, "high": found.high}


def _extremes(values: Mapping[str, Mapping[str, int]], least: int) -> dict[str, Any] | None:
    """The worst and the best of the groups that are large enough; None where none is worse than another."""
    groups = [
        {"value": value, **_share(cell["right"], cell["items"])}
        for value, cell in values.items()
        if cell["items"] >= least
    ]
    ranked = sorted(groups, key=lambda group: group["accuracy"])
    gap = ranked[-1]["accuracy"] - ranked[0]["accuracy"] if ranked else 0.0
    return {"groups": len(ranked), "worst": ranked[0], "best": ranked[-1], "gap": gap} if gap else None


def _samples(rows: Sequence[Row]) -> dict[str, Any]:
    """pass@k for k = 1, 2, 4, ... and all of them, from the same samples; and the vote of all of them."""
    k = min(len(row["samples"]) for row in rows)
    drawn = [row["samples"][:k] for row in rows]
    right = [sum(map(_right, samples)) for samples in drawn]
    sizes = sorted({*(2**power for power in range(k.bit_length())), k})
    passed = {str(size): [pass_at_k(k, count, size) for count in right] for size in sizes}
    winners = [majority([one["final"] for one in samples]) for samples in drawn]
    voted = [
        place is not None and _right(samples[place]) for samples, place in zip(drawn, winners, strict=True)
    ]
    return {
        "k": k,
        "pass": {size: {"share": fmean(found), **_bootstrap(found)} for size, found in passed.items()},
        "majority": {
            **_share(sum(voted), len(rows)),
            "ties": sum(map(_tied, drawn)),
            "without": sum(place is None for place in winners),
        },
        "unparsable": sum(one["grade"] is None for samples in drawn for one in samples),
        "cut_off": sum(one["finish"] == "length" for samples in drawn for one in samples),
    }


def _tied(samples: Sequence[Row]) -> bool:
    """Whether several final answers are the commonest."""
    counts = Counter(one["final"] for one in samples if one["final"] is not None).most_common(2)
    return len(counts) == 2 and counts[0][1] == counts[1][1]
