"""How a split was asked, and what several answers and groups of items say: from the summary of a round."""

from collections.abc import Mapping, Sequence
from typing import Any

from asft.report.facts import Accuracy, Asked, Extremes, Facts, Sampled, Share
from asft.report.read import Row, count, number, part, text
from asft.report.tables import Table, TableRow, state, with_interval
from asft.report.wording import NONE, percent, plural, points, whole
from asft.stats import wilson

SHOWN = {
    "by": "Answered by",
    "decoder": "Decoded by",
    "system": "System prompt",
    "max_new_tokens": "Cut off after, tokens",
}


def asked(told: Row) -> Asked | None:
    """How the split was asked; None where the summary does not tell."""
    found = part(told, "asked")
    prompt = text(found, "prompt")
    if prompt is None:
        return None
    settings = [(name, str(found[key])) for key, name in SHOWN.items() if found.get(key) is not None]
    shots, stop = (found.get(key) for key in ("shots", "stop"))
    if isinstance(shots, list):
        settings.append(("Shots", whole(len(shots))))
    if isinstance(stop, list) and stop:
        settings.append(("Stop strings", ", ".join(map(repr, stop))))
    if samples := part(found, "samples"):
        told_of = (("k", "k"), ("temperature", "temperature"), ("top_p", "top-p"))
        drawn = ", ".join(f"{name} {samples.get(key)}" for key, name in told_of)
        settings.append(("Samples", drawn))
    return Asked(prompt=prompt, settings=tuple(settings))


def sampled(told: Row) -> Sampled | None:
    """What the samples of a round add up to; None where there are none."""
    found = part(told, "samples")
    k, majority = count(found, "k"), _accuracy(part(found, "majority"))
    if not k or majority is None:
        return None
    passed = {}
    for size in part(found, "pass"):
        row = part(found, "pass", size)
        share, low, high = (number(row, key) for key in ("share", "low", "high"))
        if size.isdecimal() and share is not None and low is not None and high is not None:
            passed[int(size)] = Share(share=share, low=low, high=high)
    return Sampled(
        k=k,
        passed=dict(sorted(passed.items())),
        majority=majority,
        ties=count(part(found, "majority"), "ties"),
        without=count(part(found, "majority"), "without"),
    )


def extremes(told: Row) -> tuple[Extremes, ...]:
    """The worst and the best group of each tag, the largest gap first."""
    found = []
    for tag in part(told, "groups"):
        row = part(told, "groups", tag)
        worst, best = _accuracy(part(row, "worst")), _accuracy(part(row, "best"))
        groups = count(row, "groups")
        if worst is not None and best is not None and groups is not None:
            found.append(
                Extremes(
                    tag=tag,
                    groups=groups,
                    worst=str(part(row, "worst").get("value")),
                    worst_accuracy=worst,
                    best=str(part(row, "best").get("value")),
                    best_accuracy=best,
                )
            )
    return tuple(sorted(found, key=lambda one: (-one.gap, one.tag)))


def _accuracy(row: Row) -> Accuracy | None:
    items, right = count(row, "items"), count(row, "right")
    if items is None or right is None or not 0 < items >= right:
        return None
    interval = wilson(right, items)
    return Accuracy(items=items, right=right, share=right / items, low=interval.low, high=interval.high)


# Tables


def samples_table(facts: Facts) -> Table:
    """pass@k and the vote of all samples, a row per round."""
    rounds = [(found, found.samples) for found in facts.rounds if found.samples]
    sizes = sorted({size for _, samples in rounds for size in samples.passed})
    most = max((samples.k for _, samples in rounds), default=0)
    rows = [
        (
            state(found),
            *(with_interval(samples.passed.get(size)) for size in sizes),
            with_interval(samples.majority),
            whole(samples.ties),
            whole(samples.without),
        )
        for found, samples in rounds
    ]
    head = ("Round", *(f"pass@{size}" for size in sizes), f"maj@{most}", "Ties", "No answer")
    return Table(head=head, numbers_from=1, rows=tuple(TableRow(cells=row) for row in rows))


def extremes_table(found: Sequence[Extremes]) -> Table:
    """The worst and the best group of each tag."""
    head = ("Tag", "Groups", "Worst", "Items", "Accuracy", "Best", "Items", "Accuracy", "Gap, points")
    rows = tuple(
        TableRow(
            cells=(
                one.tag,
                whole(one.groups),
                one.worst,
                whole(one.worst_accuracy.items),
                with_interval(one.worst_accuracy),
                one.best,
                whole(one.best_accuracy.items),
                with_interval(one.best_accuracy),
                points(one.gap),
            )
        )
        for one in found
    )
    return Table(head=head, numbers_from=3, rows=rows)


def figures_table(told: Mapping[str, Any]) -> Table:
    """The figures of one evaluation, a row each."""
    accuracy = _accuracy(told)
    rows: list[tuple[str, ...]] = [("Accuracy", with_interval(accuracy), _of(accuracy))]
    resampled = part(told, "bootstrap")
    low, high = number(resampled, "low"), number(resampled, "high")
    if accuracy is not None and low is not None and high is not None:
        share = Share(share=accuracy.share, low=low, high=high)
        rows.append(("Accuracy, by bootstrap", with_interval(share), ""))
    if (found := sampled(told)) is not None:
        rows += [(f"pass@{size}", with_interval(share), "") for size, share in found.passed.items()]
        notes = f"{plural(found.ties or 0, 'tie')}, {whole(found.without)} without an answer"
        rows.append((f"maj@{found.k}", with_interval(found.majority), f"{_of(found.majority)}; {notes}"))
    for key, name in (("macro", "Macro F1"), ("micro", "Micro F1")):
        if (value := number(part(told, "f1"), key)) is not None:
            rows.append((name, percent(value), ""))
    for key, name in (("unparsable", "Unparsable"), ("cut_off", "Cut off")):
        n = count(told, key)
        share_of = NONE if n is None or accuracy is None else percent(n / accuracy.items)
        rows.append((name, share_of, whole(n)))
    return Table(
        head=("", "95% interval", "Items"),
        numbers_from=1,
        rows=tuple(TableRow(cells=row) for row in rows),
    )


def _of(found: Accuracy | None) -> str:
    return "" if found is None else f"{whole(found.right)} of {whole(found.items)}"
