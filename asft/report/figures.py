"""Figures as inline SVG. Colours and fonts are the page's (classes, no styles): they follow its theme.

Every figure has a title and a description in words for those who cannot see it, and labels its points
directly: no legend has to be matched with a colour.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from asft.report.facts import Accuracy, Moved, Scores
from asft.report.scale import ticks
from asft.report.wording import decimal, percent, plural, signed

# Drawing units of a chart; it is scaled to the width it gets, and stays readable at 360 pixels.
WIDTH, HEIGHT = 440, 280
LEFT, RIGHT, TOP, BOTTOM = 44, 26, 20, 44
INSET = 22
LABEL_ROOM = 46


@dataclass(frozen=True, kw_only=True)
class Point:
    """An accuracy at some cost, with its interval."""

    x: float
    accuracy: Accuracy
    label: str
    """What it is, for the tooltip: "round 2"."""


def line_chart(points: Sequence[Point], *, title: str, unit: str, write_x: Callable[[float], str]) -> Markup:
    """Accuracy against something that is used up, with the band of its intervals."""
    points = sorted(points, key=lambda point: point.x)
    y_ticks = ticks(
        100 * min(point.accuracy.low for point in points),
        100 * max(point.accuracy.high for point in points),
        5,
    )
    x_ticks = ticks(0, max(point.x for point in points) or 1, 4)
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    def x_of(value: float) -> float:
        return LEFT + INSET + (right - LEFT - INSET) * value / x_ticks[-1]

    def y_of(share: float) -> float:
        return bottom - (bottom - TOP) * (100 * share - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])

    def path(places: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in places)

    parts = []
    for tick in y_ticks:
        y = y_of(tick / 100)
        parts.append(stroke(LEFT, y, right, y, "grid"))
        parts.append(words(LEFT - 8, y + 4, f"{tick:g}%", "tick end"))
    parts += [words(x_of(tick), bottom + 18, write_x(tick), "tick middle") for tick in x_ticks]
    parts.append(words((LEFT + right) / 2, HEIGHT - 8, unit, "axis middle"))
    upper = [(point.x, point.accuracy.high) for point in points]
    lower = [(point.x, point.accuracy.low) for point in reversed(points)]
    parts.append(Markup('<polygon class="band" points="{}"/>').format(path([*upper, *lower])))
    line = path([(point.x, point.accuracy.share) for point in points])
    parts.append(Markup('<polyline class="line" points="{}"/>').format(line))
    labelled = _with_room([x_of(point.x) for point in points])
    for place, point in enumerate(points):
        x, now = x_of(point.x), point.accuracy
        if len(points) == 1:
            parts.append(stroke(x, y_of(now.low), x, y_of(now.high), "whisker"))
        said = (
            f"{point.label}: {percent(now.share)} ({percent(now.low)} to {percent(now.high)}) "
            f"at {write_x(point.x)} {unit}"
        )
        dot = Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}</title></circle>')
        parts.append(dot.format(x, y_of(now.share), said))
        if place in labelled:
            parts.append(words(x, y_of(now.share) - 11, percent(now.share), "value middle"))
    told = "; ".join(f"{point.label} {percent(point.accuracy.share)}" for point in points)
    return drawing(WIDTH, HEIGHT, title, f"Accuracy with its 95% interval against {unit}: {told}.", parts)


def _with_room(places: Sequence[float]) -> set[int]:
    """Which points can carry a label without touching a neighbour's: the ends, then what fits between."""
    last = len(places) - 1
    chosen = [last]
    for place in range(last - 1, -1, -1):
        if places[chosen[-1]] - places[place] >= LABEL_ROOM:
            chosen.append(place)
    return set(chosen)


def histogram(scores: Scores, *, most: int) -> Markup:
    """Scores of the pool: the seeds that the teacher was asked about stand on the axis, the others on them.

    `most` is the height of the highest bar of all rounds, so that rounds can be compared.
    """
    height, top, foot = 150, 24, 26
    first, last = scores.edges[0], scores.edges[-1]
    bottom, right = height - foot, WIDTH - 14

    def x_of(value: float) -> float:
        return 14 + (right - 14) * (value - first) / (last - first)

    parts = []
    for place, (asked, others) in enumerate(zip(scores.asked, scores.others, strict=True)):
        low, high = scores.edges[place], scores.edges[place + 1]
        said = f"{low:g} to {high:g}: {asked} asked about, {others} not"
        base = float(bottom)
        for kind, seeds in (("asked", asked), ("others", others)):
            tall = (bottom - top) * seeds / most
            base -= tall
            if seeds:
                bar = Markup(
                    '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
                    "<title>{}</title></rect>"
                )
                parts.append(bar.format(kind, x_of(low) + 0.5, base, x_of(high) - x_of(low) - 1, tall, said))
    parts.append(stroke(14, bottom, right, bottom, "base"))
    marks = ticks(first, last, 5)
    parts += [
        words(x_of(tick), bottom + 17, signed(f"{tick:g}"), "tick middle")
        for tick in marks
        if first <= tick <= last
    ]
    medians = [(scores.median_asked, "of those"), (scores.median_others, "of the others")]
    told = [f"median {of_which} {decimal(value, 2)}" for value, of_which in medians if value is not None]
    if scores.median_asked is not None:
        x = x_of(scores.median_asked)
        parts.append(stroke(x, top - 6, x, bottom, "median"))
        side = "end" if x > WIDTH / 2 else "start"
        shift = -6 if side == "end" else 6
        parts.append(
            words(x + shift, top - 8, f"median asked {decimal(scores.median_asked, 2)}", f"value {side}")
        )
    asked_of = f"{sum(scores.asked)} of {plural(sum(scores.asked) + sum(scores.others), 'seed')} asked about"
    title = f"Scores in round {scores.round}"
    return drawing(WIDTH, height, title, "; ".join([asked_of, *told]) + ".", parts)


def dumbbell(before: Accuracy, after: Accuracy, *, moved: Moved) -> Markup:
    """From the accuracy before (hollow) to that after (full), in colour where it is more than chance."""
    width, y = 160, 9

    def x_of(share: float) -> float:
        return 7 + (width - 14) * share

    old, new = x_of(before.share), x_of(after.share)
    kind = {"rose": "rise", "fell": "fall", "no": "unsure"}[moved]
    parts = [
        stroke(x_of(0), y, x_of(1), y, "grid"),
        stroke(old, y, new, y, f"step {kind}"),
        Markup('<circle class="old" cx="{:.1f}" cy="{}" r="4"/>').format(old, y),
        Markup('<circle class="new {}" cx="{:.1f}" cy="{}" r="4.5"/>').format(kind, new, y),
    ]
    title = f"from {percent(before.share)} to {percent(after.share)}"
    return drawing(width, 18, title, "", parts, "dumbbell")


def heat_map(
    labels: Sequence[str],
    values: Sequence[Sequence[float | None]],
    title: str = "Rank correlation of every two criteria",
) -> Markup:
    """A square per pair, the stronger the further from 0, in one colour above it and another below.

    Rows are named, and numbered as the columns are.
    """
    cell, top = 46, 22
    room = 34 + 7 * max(len(label) for label in labels)
    parts = []
    for row, label in enumerate(labels):
        y = top + row * cell
        parts.append(words(room - 30, y + cell / 2 + 4, label, "tick end"))
        parts.append(words(room - 12, y + cell / 2 + 4, f"{row + 1}", "tick middle"))
        parts.append(words(room + (row + 0.5) * cell, 14, f"{row + 1}", "tick middle"))
        for column, value in enumerate(values[row]):
            x = room + column * cell
            square = Markup(
                '<rect class="heat {}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.2f}">'
                "<title>{} and {}: {}</title></rect>"
            )
            kind = "none" if value is None else "fall" if value < 0 else "like"
            strength = 1.0 if value is None else 0.06 + 0.74 * abs(value)
            size, said = cell - 2, "unknown" if value is None else decimal(value, 2)
            parts.append(square.format(kind, x + 1, y + 1, size, size, strength, label, labels[column], said))
            shown = "?" if value is None else said
            parts.append(words(x + cell / 2, y + cell / 2 + 4, shown, "heat middle"))
    pairs = [(a, b) for a in range(len(labels)) for b in range(a)]
    told = "; ".join(f"{labels[a]} and {labels[b]} {decimal(values[a][b], 2)}" for a, b in pairs)
    width, height = room + cell * len(labels), top + cell * len(labels)
    drawn = drawing(width, height, title, f"{told}.", parts, "heat")
    return Markup('<div class="wide">{}</div>').format(drawn)


def bar(value: int, most: int) -> Markup:
    """A share of a length, under a number that says it: for the eye alone."""
    width = 72
    long = width * value / most
    rect = Markup('<rect x="{:.1f}" y="0" width="{:.1f}" height="4" rx="1"/>').format(width - long, long)
    return Markup('<svg class="bar" viewBox="0 0 {} 4" aria-hidden="true">{}</svg>').format(width, rect)


def drawing(
    width: int, height: int, title: str, description: str, parts: Sequence[Markup], kind: str = "chart"
) -> Markup:
    """A figure of its parts, told in words for those who cannot see it."""
    # Of its own size, not of the page's, where every part has one.
    size = Markup(' width="{}"').format(width) if kind == "heat" else Markup("")
    described = Markup("<desc>{}</desc>").format(description) if description else Markup("")
    return Markup('<svg class="{}"{} viewBox="0 0 {} {}" role="img"><title>{}</title>{}{}</svg>').format(
        kind, size, width, height, title, described, Markup("").join(parts)
    )


def stroke(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line of some class."""
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        kind, x1, y1, x2, y2
    )


def words(x: float, y: float, content: str, kind: str) -> Markup:
    """Text of some class."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, content)
