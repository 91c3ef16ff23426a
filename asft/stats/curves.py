"""Learning curves: what the students of one arm got right at each point of the budget, by seed and item.

All that is said of an arm is read off a curve as a table [seed, item]: its grades at a point, between two
points, or over a stretch of the budget. A difference of two arms is then a difference of two tables, seed
by seed and item by item, and its interval is that of any table.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from asft.stats.resampling import Floats

Item = tuple[str, int]
"""The id of a test item, and how often it stood before in the same split."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One evaluation of one run."""

    spent: float
    """How much of the budget was gone, on whichever axis: examples, tokens, dollars, FLOPs."""
    grades: Sequence[tuple[str, float | None]]
    """Id of the test item, and grade. Only 1.0 is right; None is not. One that comes twice is two items."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """One arm: s seeds, each with p students that were trained with more and more, on the same i items."""

    seeds: tuple[int, ...]
    """Of training, by which arms are paired."""
    items: tuple[Item, ...]
    """Of the test split."""
    axis: Floats
    """`[s, p]`: what each student had cost. Only along one that never falls can anything be read off."""
    right: Floats
    """`[s, p, i]`: 1.0 or 0.0."""
    cut: int = 0
    """Points that were left out because another seed has none of that number."""

    def __post_init__(self) -> None:
        """Refuse what is no curve."""
        shape = (len(self.seeds), self.axis.shape[-1], len(self.items))
        if self.axis.shape != shape[:2] or self.right.shape != shape or 0 in shape:
            raise ValueError(
                f"{len(self.seeds)} seeds, {len(self.items)} items, an axis of shape {self.axis.shape} and "
                f"grades of shape {self.right.shape}: give [seeds, points] and [seeds, points, items]"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {self.seeds}: give each once")
        if not ((self.right >= 0) & (self.right <= 1)).all():
            raise ValueError("a grade is not between 0 and 1: count an answer without a grade as wrong (0.0)")
        if not np.isfinite(self.axis).all():
            raise ValueError("what a student had cost is not finite: leave out points without a cost")

    @classmethod
    def of(cls, runs: Mapping[int, Sequence[Point]]) -> "Curve":
        """The curve of an arm from its runs, by seed.

        Where a seed has fewer points than another (it is still running, or stopped early), all are cut to
        what every seed has. Raises ValueError where two evaluations were of different items.
        """
        if not runs or not all(runs.values()):
            raise ValueError("there is no run, or one without a point: give a point at least for each seed")
        seeds, least = tuple(sorted(runs)), min(map(len, runs.values()))
        tables = {seed: [_by_item(point) for point in runs[seed][:least]] for seed in seeds}
        items = tuple(tables[seeds[0]][0])
        for seed, points in tables.items():
            for number, grades in enumerate(points):
                if grades.keys() != set(items):
                    raise ValueError(
                        f"seed {seed}, point {number}: its {len(grades)} test items are not the {len(items)} "
                        f"of seed {seeds[0]}, point 0; evaluate all on one test split"
                    )
        return cls(
            seeds=seeds,
            items=items,
            axis=np.array([[point.spent for point in runs[seed][:least]] for seed in seeds], np.float64),
            right=np.array([[[grades[item] for item in items] for grades in tables[seed]] for seed in seeds]),
            cut=sum(len(points) - least for points in runs.values()),
        )

    @property
    def points(self) -> int:
        """How many points each seed has."""
        return int(self.axis.shape[1])

    @property
    def accuracy(self) -> Floats:
        """`[s, p]`: the share of items that are right."""
        shares: Floats = self.right.mean(axis=2)
        return shares

    @property
    def start(self) -> float:
        """From where on every seed has been measured."""
        return float(self.axis[:, 0].max())

    @property
    def end(self) -> float:
        """Up to where every seed has been measured."""
        return float(self.axis[:, -1].min())

    def at_point(self, number: int) -> Floats:
        """The table of a point; -1 is the last."""
        return self.right[:, number]

    def at(self, spent: float) -> Floats:
        """The table between two points, on a straight line from one to the other, for each seed by itself.

        Raises ValueError outside of what every seed was measured at: nothing is continued beyond its ends;
        and where the axis falls from one point to the next. Of two that cost the same the later counts.
        """
        self._within(spent, spent)
        return self._weighted([_interpolated(axis, np.array([spent]))[0] for axis in self.axis])

    def area(self, low: float, high: float) -> Floats:
        """The table whose mean is the area under the curve over the way from low to high.

        That is a mean accuracy: by trapezoids, as the curve is straight between its points. It counts what is
        learnt early for more than the end point does. Raises ValueError as `at` does.
        """
        self._within(low, high)
        if not low < high:
            raise ValueError(f"an area from {low} to {high}: give a stretch of the axis, low before high")
        weights = []
        for axis in self.axis:
            # Between two points the curve is straight: the area is the way times the value half way.
            begins, ends = np.clip(axis[:-1], low, high), np.clip(axis[1:], low, high)
            ways, steps = ends - begins, np.diff(axis)
            # No way leads over a step that takes none.
            along = ((begins + ends) / 2 - axis[:-1]) / np.where(steps > 0, steps, 1)
            parts = np.append(ways * (1 - along), 0) + np.insert(ways * along, 0, 0)
            weights.append(parts / (high - low))
        return self._weighted(weights)

    def of_seeds(self, seeds: Sequence[int]) -> "Curve":
        """The same of some of its seeds, in the order given."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return replace(self, seeds=tuple(seeds), axis=self.axis[rows], right=self.right[rows])

    def of_items(self, items: Sequence[Item]) -> "Curve":
        """The same on some of its items, in the order given."""
        place = {item: at for at, item in enumerate(self.items)}
        return replace(self, items=tuple(items), right=self.right[:, :, [place[item] for item in items]])

    def _within(self, low: float, high: float) -> None:
        for seed, spent in zip(self.seeds, self.axis, strict=True):
            if not (np.diff(spent) >= 0).all():
                raise ValueError(
                    f"seed {seed}: {spent.tolist()} falls from one point to the next, so that nothing can be "
                    "read off along it; take another axis"
                )
        if not self.start <= low <= high <= self.end:
            raise ValueError(
                f"{low} to {high} is not within {self.start} to {self.end}, where every seed was measured"
            )

    def _weighted(self, weights: Sequence[Floats]) -> Floats:
        """The sum over points of each seed's grades, weighted."""
        found: Floats = np.einsum("sp,spi->si", np.array(weights), self.right)
        return found


def paired(first: Curve, second: Curve) -> tuple[Curve, Curve]:
    """Two arms on the seeds that both have, items in one order.

    Raises ValueError where they share no seed, or were evaluated on different items.
    """
    seeds = [seed for seed in first.seeds if seed in second.seeds]
    if not seeds:
        raise ValueError(f"seeds {first.seeds} and {second.seeds} share none, so that there are no pairs")
    if set(first.items) != set(second.items):
        raise ValueError(
            f"one was evaluated on {len(first.items)} test items and the other on {len(second.items)}, which "
            "are not the same; evaluate both on one test split"
        )
    return first.of_seeds(seeds), second.of_seeds(seeds).of_items(first.items)


def _by_item(point: Point) -> dict[Item, float]:
    seen: Counter[str] = Counter()
    grades = {}
    for item, grade in point.grades:
        grades[item, seen[item]] = float(grade == 1.0)
        seen[item] += 1
    return grades


def _interpolated(axis: Floats, places: Floats) -> Floats:
    """`[places, points]`: the weights of the points in the curve's value at some places of its axis."""
    columns = [np.interp(places, axis, unit) for unit in np.eye(len(axis))]
    return np.stack(columns, axis=1)
