"""What a judge's reply says: a grade, two grades, or a ranking. None where it does not say it clearly.

Judges are asked to end with a line of a plain form, and dress it up. The last such line counts, since an
earlier one may be a quotation of what was judged. Patterns are of bounded length, because a reply is any
text at all.
"""

import re

from asft.types import Reply

_NUMBER = r"[-+]?[0-9]{1,6}(?:[.,][0-9]{1,6})?"
_LINE = (
    r"^[ \t>#*_`-]{0,12}(?:(?:final|overall|my|the)\s)?(?:score|grade|rating)WHO[*_`]{0,3}[ \t]{0,3}[:=]"
    r"[*_`\[( \t]{0,8}(?P<said>[^\n]{0,40})$"
)
_SCORE = re.compile(_LINE.replace("WHO", ""), re.IGNORECASE | re.MULTILINE)
_SCORES = {
    mark: re.compile(_LINE.replace("WHO", rf"[ \t_]{{1,3}}{mark}"), re.IGNORECASE | re.MULTILINE)
    for mark in ("a", "b")
}
_SAID = re.compile(rf"(?P<grade>{_NUMBER})(?:\s?(?:/|out of)\s?(?P<of>{_NUMBER}))?[\s*_`.\])]{{0,12}}")
_RANKING = re.compile(
    r"^[ \t>#*_`-]{0,12}(?:(?:final|my|the)\s)?(?:ranking|order)[*_`]{0,3}[ \t]{0,3}:"
    r"(?P<said>[^\n]{0,4000})$",
    re.IGNORECASE | re.MULTILINE,
)

Scale = tuple[float, float]
"""The worst and the best grade."""


def read_grade(reply: Reply, scale: Scale) -> float | None:
    """The grade behind the last "Score:"; None for none, one off the scale, or a reply that was cut off."""
    return _grade(_SCORE, _whole(reply), scale)


def read_grades(reply: Reply, scale: Scale) -> tuple[float, float] | None:
    """The grades behind the last "Score A:" and "Score B:"; None where either is missing."""
    text = _whole(reply)
    first, second = (_grade(_SCORES[mark], text, scale) for mark in ("a", "b"))
    return None if first is None or second is None else (first, second)


def read_text(reply: Reply) -> str | None:
    """The whole reply; None for an empty one, or one that was cut off."""
    return _whole(reply).strip() or None


def read_ranking(reply: Reply, count: int) -> list[int] | None:
    """The numbers behind the last "Ranking:", from 0; None unless each of `count` comes exactly once."""
    lines = _RANKING.findall(_whole(reply))
    numbers = [int(number) - 1 for number in re.findall(r"[0-9]{1,6}", lines[-1])] if lines else []
    return numbers if count and sorted(numbers) == list(range(count)) else None


def _whole(reply: Reply) -> str:
    """The text of a reply that came to its end; hidden reasoning that shows is left out."""
    return "" if reply.finish == "length" else reply.text.rpartition("</think>")[2]


def _grade(line: re.Pattern[str], text: str, scale: Scale) -> float | None:
    found = line.findall(text)
    said = _SAID.fullmatch(found[-1]) if found else None
    if said is None:
        return None
    lowest, highest = scale
    if said["of"] is not None and _number(said["of"]) != highest:
        return None
    grade = _number(said["grade"])
    return grade if lowest <= grade <= highest else None


def _number(text: str) -> float:
    return float(text.replace(",", "."))
