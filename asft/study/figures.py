"""The figures of a study as SVG, and as PNG and CSV beside the report.

A figure in the page takes its colours from the page's style sheet, light or dark; as a file of its own it has
the light ones with it.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from asft.report.figures import drawing, stroke, words
from asft.report.html import FOLDER
from asft.report.scale import ticks
from asft.report.wording import percent, points, short, short_dollars, signed
from asft.stats import Estimate
from asft.study.facts import Chart, Compared, Line

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 48, 150, 16, 44
INSET = 10
APART = 15.0
"""Between two names at the right."""
COLOURS = 10
"""Classes arm-0 .. arm-9 of the style sheet; further arms begin again, dashed."""
FEW = 4
"""Arms whose bands can be told apart in one figure."""
PANELS, PANEL = 4, 150
"""Panels beside each other, and the height of one."""
ROW = 30
FONTS = "DejaVu Sans, Liberation Sans, Arial, sans-serif"
"""Of a picture, which has no page around it."""


def colour(place: int) -> str:
    """The class of the arm of this number."""
    return f"arm-{place % COLOURS}" + (" again" if place >= COLOURS else "")


def curves(chart: Chart, arms: Sequence[str], reference: str) -> Markup:
    """Accuracy against what was used up, an arm a line, each named at its end; bands are 95% intervals.

    Bands of many arms would lie on each other: then the reference alone has one, and `panels` shows all.
    """
    bottom, right = HEIGHT - BOTTOM, WIDTH - max(RIGHT, 22 + _wide(line.arm for line in chart.lines))
    banded = {line.arm for line in chart.lines if not crowded(chart) or line.arm == reference}
    axes = _Axes.of(chart, banded, left=LEFT, right=right, top=TOP, bottom=bottom)
    parts = [*axes.grid(), *axes.marks(_writes(chart.key))]
    parts.append(words((LEFT + right) / 2, HEIGHT - 8, chart.label, "axis middle"))
    told = []
    ends: list[tuple[float, str, str]] = []
    leads = []
    # The reference is drawn last, above all others.
    for curve in sorted(chart.lines, key=lambda one: one.arm == reference):
        kind = _kind(curve.arm, arms, reference)
        parts += axes.line(chart, curve, kind, band=curve.arm in banded)
        end = axes.y_of(curve.accuracy[-1].value)
        ends.append((end, curve.arm, kind))
        # One that ends early is led to its name.
        leads.append(stroke(axes.x_of(curve.spent[-1]), end, right + 4, end, f"arm-lead far {kind}"))
        told.append(f"{curve.arm} ends at {percent(curve.accuracy[-1].value)}")
    for y, (end, arm, kind) in zip(_spread([end for end, _, _ in sorted(ends)]), sorted(ends), strict=True):
        parts.append(stroke(right + 4, end, right + 14, y, f"arm-lead {kind}"))
        parts.append(words(right + 18, y + 4, arm, f"arm-name start {kind}"))
    title = f"Accuracy against {chart.label}"
    return drawing(WIDTH, HEIGHT, title, f"{'; '.join(told)}.", [*leads, *parts])


def panels(chart: Chart, arms: Sequence[str], reference: str) -> Markup:
    """Each arm by itself beside the reference, all on the same axes; bands are 95% intervals."""
    others = [line for line in chart.lines if line.arm != reference]
    beside = [line for line in chart.lines if line.arm == reference]
    wide = (WIDTH - LEFT) / PANELS
    rows = math.ceil(len(others) / PANELS)
    parts = []
    for place, curve in enumerate(others):
        row, column = divmod(place, PANELS)
        left, top = LEFT + column * wide, row * PANEL + 26
        axes = _Axes.of(
            chart,
            {line.arm for line in chart.lines},
            left=left,
            right=left + wide - 16,
            top=top,
            bottom=top + PANEL - 44,
            marks=(3, 4),
        )
        parts += axes.grid(named=column == 0)
        # The last of each column has nothing below it.
        if place + PANELS >= len(others):
            parts += axes.marks(_writes(chart.key))
        for line in (*beside, curve):
            parts += axes.line(chart, line, _kind(line.arm, arms, reference), band=True)
        parts.append(words(left, top - 8, curve.arm, f"arm-name start {_kind(curve.arm, arms, reference)}"))
    height = rows * PANEL + 30
    parts.append(words(WIDTH / 2, height - 8, f"{chart.label}; the thick line is {reference}", "axis middle"))
    title = f"Accuracy of each arm against {chart.label}, beside {reference}"
    told = "; ".join(f"{line.arm} ends at {percent(line.accuracy[-1].value)}" for line in chart.lines)
    return drawing(WIDTH, height, title, f"{told}.", parts, "chart panels")


def crowded(chart: Chart) -> bool:
    """Whether there are so many arms that their bands would hide each other."""
    return len(chart.lines) > FEW


@dataclass(frozen=True, kw_only=True)
class _Axes:
    """Where a figure's values stand."""

    left: float
    right: float
    top: float
    bottom: float
    end: float
    """The most that was used up."""
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    """Percent."""

    @classmethod
    def of(
        cls,
        chart: Chart,
        banded: Collection[str],
        *,
        left: float,
        right: float,
        top: float,
        bottom: float,
        marks: tuple[int, int] = (5, 6),
    ) -> "_Axes":
        """Wide enough for all lines, and the bands of some; `marks`: about how many there are, x and y."""
        lows = [one.low if line.arm in banded else one.value for line in chart.lines for one in line.accuracy]
        highs = [
            one.high if line.arm in banded else one.value for line in chart.lines for one in line.accuracy
        ]
        end = max(max(line.spent) for line in chart.lines) or 1
        return cls(
            left=left,
            right=right,
            top=top,
            bottom=bottom,
            end=end,
            x_ticks=[tick for tick in ticks(0, end, marks[0]) if tick <= end],
            y_ticks=ticks(100 * min(lows), 100 * max(highs), marks[1]),
        )

    def x_of(self, value: float) -> float:
        """From what was used up."""
        start = self.left + INSET
        return start + (self.right - start) * value / self.end

    def y_of(self, share: float) -> float:
        """From a share of right answers."""
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return self.bottom - (self.bottom - self.top) * (100 * share - low) / (high - low)

    def grid(self, *, named: bool = True) -> list[Markup]:
        """A line for each mark of accuracy."""
        parts = []
        for tick in self.y_ticks:
            y = self.y_of(tick / 100)
            parts.append(stroke(self.left, y, self.right, y, "grid"))
            if named:
                parts.append(words(self.left - 8, y + 4, f"{tick:g}%", "tick end"))
        return parts

    def marks(self, write: Callable[[float], str]) -> list[Markup]:
        """What was used up, below."""
        return [words(self.x_of(tick), self.bottom + 18, write(tick), "tick middle") for tick in self.x_ticks]

    def line(self, chart: Chart, curve: Line, kind: str, *, band: bool) -> list[Markup]:
        """An arm, its points with what they say when they are pointed at."""
        pairs = list(zip(curve.spent, curve.accuracy, strict=True))
        parts = []
        if band:
            around = [(x, e.high) for x, e in pairs] + [(x, e.low) for x, e in reversed(pairs)]
            shape = Markup('<polygon class="arm-band {}" points="{}"/>')
            parts.append(shape.format(kind, self._path(around)))
        middle = self._path([(x, e.value) for x, e in pairs])
        parts.append(Markup('<polyline class="arm-line {}" points="{}"/>').format(kind, middle))
        dot = Markup('<circle class="arm-dot {}" cx="{:.1f}" cy="{:.1f}" r="3.5"><title>{}</title></circle>')
        write = _writes(chart.key)
        for x, found in pairs:
            said = f"{curve.arm}: {with_range(found)} at {write(x)} {chart.label}"
            parts.append(dot.format(kind, self.x_of(x), self.y_of(found.value), said))
        return parts

    def _path(self, places: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x_of(x):.1f},{self.y_of(y):.1f}" for x, y in places)


def _wide(names: Iterable[str]) -> float:
    """About how wide the longest of these is, set in bold."""
    return 8.2 * max(map(len, names), default=0)


def _kind(arm: str, arms: Sequence[str], reference: str) -> str:
    return colour(arms.index(arm)) + (" reference" if arm == reference else "")


def forest(compared: Sequence[Compared], arms: Sequence[str], reference: str) -> Markup:
    """Each arm's difference to the reference at the end of the budget, with its interval."""
    rows = [(one.arm, one.difference) for one in compared if one.difference]
    low = min(0.0, *(d.low for _, d in rows)) if rows else -0.01
    high = max(0.0, *(d.high for _, d in rows)) if rows else 0.01
    marks = ticks(100 * low, 100 * high, 6)
    height = 20 + ROW * len(rows) + BOTTOM
    left = max(150.0, 18 + _wide(arm for arm, _ in rows))
    right, bottom = WIDTH - 165, height - BOTTOM

    def x_of(value: float) -> float:
        return left + (right - left) * (100 * value - marks[0]) / (marks[-1] - marks[0])

    parts = []
    for mark in marks:
        x = x_of(mark / 100)
        parts.append(stroke(x, 10, x, bottom, "base" if mark == 0 else "grid"))
        parts.append(words(x, bottom + 18, signed(f"{mark:+g}" if mark else "0"), "tick middle"))
    parts.append(words((left + right) / 2, height - 8, f"points above {reference}", "axis middle"))
    for place, (arm, found) in enumerate(rows):
        y, kind = 10 + ROW * (place + 0.5), colour(arms.index(arm))
        parts.append(words(left - 12, y + 4, arm, f"arm-name end {kind}"))
        parts.append(stroke(x_of(found.low), y, x_of(found.high), y, f"arm-line {kind}"))
        dot = Markup('<circle class="arm-dot {}" cx="{:.1f}" cy="{:.1f}" r="5"><title>{}</title></circle>')
        parts.append(dot.format(kind, x_of(found.value), y, f"{arm}: {difference(found)}"))
        parts.append(words(right + 12, y + 4, difference(found), "tick start"))
    told = "; ".join(f"{arm} {difference(found)}" for arm, found in rows)
    title = f"Difference to {reference} at the end of the budget"
    return drawing(WIDTH, round(height), title, f"{told}.", parts)


def with_range(found: Estimate) -> str:
    """84.2% (82.0 to 86.4)."""
    return f"{percent(found.value)} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def difference(found: Estimate) -> str:
    """+1.2 (-0.3 to +2.7), in points, with true minus signs."""
    low, high = (signed(f"{100 * end:+.1f}") for end in (found.low, found.high))
    return f"{points(found.value)} ({low} to {high})"


def png(figure: Markup, path: Path) -> None:
    """The figure as a picture, in the light colours, at twice its size."""
    import resvg_py

    style = _resolved((FOLDER / "page.css").read_text("utf-8"))
    head, _, rest = str(figure).partition(">")
    head = head.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" font-family="{FONTS}" ', 1)
    drawn = resvg_py.svg_to_bytes(
        svg_string=f"{head}><style>{style}</style>{rest}", zoom=2, background=_palette()["--paper"]
    )
    path.write_bytes(bytes(drawn))


def _palette() -> dict[str, str]:
    """The light colours of the page's style sheet."""
    css = (FOLDER / "page.css").read_text("utf-8")
    block = css[css.index(":root") : css.index("}")]
    return dict(re.findall(r"(--[\w-]+):\s*(#[0-9a-f]+)", block))


def _resolved(css: str) -> str:
    """The rules for figures, with colours in place of names: what draws the picture knows no variables."""
    palette = _palette()
    rules = re.findall(r"^[^\n@{}/]*\{[^{}]*\}(?:[^\n{}]*\{[^{}]*\})*", css, re.MULTILINE)
    wanted = [
        rule
        for rule in rules
        if re.search(r"svg text|\.(grid|base|middle|end|start|arm|heat|line|band)", rule)
    ]
    return re.sub(r"var\((--[\w-]+)\)", lambda found: palette[found[1]], "\n".join(wanted))


def _writes(key: str) -> Callable[[float], str]:
    return short_dollars if key == "usd" else short


def _spread(places: Sequence[float]) -> list[float]:
    """Places in order, moved apart where they are too near, as little as may be."""
    found = list(places)
    for _ in range(100):
        for upper in range(len(found) - 1):
            overlap = APART - (found[upper + 1] - found[upper])
            if overlap > 0:
                found[upper] -= overlap / 2
                found[upper + 1] += overlap / 2
    return found
