"""Where accuracy changed: the test items by each of their tags, before and after, paired.

A tag with few values is shown as groups with intervals. One with many (the family of a problem) is a
search for what moved among many: there p is what counts, corrected for having looked so often (Holm).
"""

import re
from collections.abc import Mapping, Sequence

from asft.report.accuracy import Pair, counted, measured, paired
from asft.report.facts import Tag, TagValue
from asft.report.read import Round, part, text
from asft.stats import holm

LEAST_ITEMS = 3
"""Items per value, on average, from which a tag with many values can show anything."""


def by_tag(base: Round, last: Round) -> tuple[tuple[Tag, ...], tuple[str, ...]]:
    """The tags that group the items that both rounds answered, and the names of those that hardly do.

    A tag with one value groups nothing, and is left out without a word.
    """
    tags: dict[str, dict[str, list[Pair]]] = {}
    for pair in paired(base.rows("evaluate"), last.rows("evaluate")):
        told = part(pair[1], "tags")
        for tag in told:
            if (value := text(told, tag)) is not None:
                tags.setdefault(tag, {}).setdefault(value, []).append(pair)
    found, too_fine = [], []
    for tag, groups in sorted(tags.items()):
        made = _tag(tag, groups)
        if made.many and sum(map(len, groups.values())) < LEAST_ITEMS * len(groups):
            too_fine.append(tag)
        elif len(groups) > 1:
            found.append(made)
    return tuple(sorted(found, key=lambda tag: tag.many)), tuple(too_fine)


def _tag(name: str, groups: Mapping[str, Sequence[Pair]]) -> Tag:
    """The values in their order; of many, those whose change is the surest first."""
    changes = {value: measured(groups[value]) for value in sorted(groups, key=_natural)}
    corrected = holm([change.p for change in changes.values()])
    values = [
        TagValue(
            value=value,
            before=counted([before for before, _ in groups[value]]),
            after=counted([after for _, after in groups[value]]),
            change=change,
            p=p,
            moved=change.moved(p),
        )
        for (value, change), p in zip(changes.items(), corrected, strict=True)
    ]
    tag = Tag(name=name, values=tuple(values))
    if not tag.many:
        return tag
    surest = sorted(values, key=lambda one: (one.p, one.change.p, -abs(one.change.mean)))
    return Tag(name=name, values=tuple(surest))


def _natural(value: str) -> list[tuple[int, str]]:
    """A key that puts "10" after "9"."""
    return [(int(piece), "") if piece.isdecimal() else (0, piece) for piece in re.split(r"(\d+)", value)]
