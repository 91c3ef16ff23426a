"""What a table of seeds and items says of all seeds and items, with the honest interval of few seeds."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from asft.stats.intervals import Interval
from asft.stats.resampling import Floats, checked, finite, resampled_means
from asft.stats.t_law import t_quantile, t_two_sided


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds and items, and how sure it is."""

    value: float
    low: float
    high: float
    """The interval of a t distribution, whose width the spread of seeds and that of items make together.
    Of one seed it speaks of these students on other items, and says nothing of other seeds."""
    p: float
    """Two-sided, that the value is 0: for differences. Below 1 - level where the interval leaves out 0."""
    bootstrap: Interval
    """The percentile interval over resampled seeds and items. With few seeds that differ it is too narrow."""
    by_seed: tuple[float, ...]
    """The mean of each seed."""
    items: int
    """How many items each seed's mean is of."""

    @property
    def seeds(self) -> int:
        """How many training seeds it rests on."""
        return len(self.by_seed)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How far a mean over seeds and items may be off."""

    error: float
    """The standard error."""
    freedom: float
    """Degrees of freedom of the t distribution that goes with it."""


def noise(table: Floats) -> Noise:
    """The standard error of the mean of a table [seed, item], where both were drawn from many.

    A seed shifts all items alike, an item all seeds, and the rest is of each answer by itself: the error's
    square is S/s + I/i + R/(s i), with the three variances S, I, R from the mean squares of a two-way table
    (Cornfield and Tukey 1956), those that come out negative taken for 0; the degrees of freedom are
    Satterthwaite's (1946). Of one seed, it is the error over items alone.
    """
    seeds, items = table.shape
    if seeds == 1:
        return Noise(error=float(table.std(ddof=1)) / math.sqrt(items), freedom=items - 1)
    by_seed, by_item, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    rest = float(((table - by_seed[:, None] - by_item + mean) ** 2).sum()) / ((seeds - 1) * (items - 1))
    of_seeds = items * float(((by_seed - mean) ** 2).sum()) / (seeds - 1)
    of_items = seeds * float(((by_item - mean) ** 2).sum()) / (items - 1)
    # Mean square, its weight in the sum, and its degrees of freedom.
    parts = [(rest, 1.0, (seeds - 1) * (items - 1))]
    for square, freedom in ((of_seeds, seeds - 1), (of_items, items - 1)):
        if square > rest:
            parts = [(rest, parts[0][1] - 1.0, parts[0][2]), *parts[1:], (square, 1.0, freedom)]
    total = sum(weight * square for square, weight, _ in parts)
    spread = sum((weight * square) ** 2 / freedom for square, weight, freedom in parts)
    return Noise(
        error=math.sqrt(max(total, 0.0) / (seeds * items)),
        freedom=total * total / spread if spread else float(seeds - 1),
    )


def calibrated_edge(table: Floats, means: Floats, level: float) -> float:
    """How large a share of resamples to leave out on each side for an interval that holds with few seeds.

    For figures that are no means, and so have no t distribution: `table` is that of a mean that the figure
    goes up and down with, `means` its resampled means. The edge is that at which their percentile interval
    gets the width of the interval of `estimate`. Without spread it is (1 - level) / 2.
    """
    spread = float(means.std())
    if not spread > 0:
        return (1 - checked(level)) / 2
    found = noise(table)
    return NormalDist().cdf(-t_quantile(checked(level), found.freedom) * found.error / spread)


def estimate(
    table: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Estimate:
    """The mean of a table [seed, item] with its intervals; a table of one seed rests on its items alone.

    Seeds and items are taken for drawn from many, and crossed: each seed answers the same items. Simulated,
    95% intervals of t hold 94 to 96 times in 100 with five seeds or more, and 92 and 90 with three and two
    that differ a little; those of the bootstrap hold about 85 times with five that differ much. Where every
    number of the table is the same there is no width, and that says nothing of how sure it is.

    Raises ValueError for fewer than two items.
    """
    values = finite(np.asarray(table, np.float64))
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] < 2:
        raise ValueError(f"a table of shape {values.shape}: give [seed, item], at least one seed, two items")
    mean, found = float(values.mean()), noise(values)
    reach = t_quantile(checked(level), found.freedom) * found.error
    means = resampled_means(values, rng, resamples)
    edge = (1 - level) / 2
    low, high = np.quantile(means, [edge, 1 - edge])
    return Estimate(
        value=mean,
        low=mean - reach,
        high=mean + reach,
        p=t_two_sided(mean / found.error, found.freedom) if found.error else float(mean == 0),
        bootstrap=Interval(low=float(low), high=float(high)),
        by_seed=tuple(values.mean(axis=1).tolist()),
        items=values.shape[1],
    )
