"""How much of what real data teaches a student the written data teaches it too."""

from dataclasses import dataclass, replace

import numpy as np

from asft.stats.curves import Curve, paired
from asft.stats.estimates import calibrated_edge
from asft.stats.resampling import crossed, means_of


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """The performance gap recovered: 0 is the base student, 1 the one that was trained on real data."""

    value: float | None
    """None where the student of real data is not better than the base student: there is no gap."""
    low: float | None
    high: float | None
    """Its interval. None: without bound on that side, since too many resamples have no gap."""
    without_gap: float
    """The share of resamples in which the student of real data is not better than the base student."""
    seeds: int
    """How many training seeds it rests on. Of 1 the interval is over items alone."""

    def per_dollar(self, cost_usd: float | None) -> "Recovered | None":
        """What a dollar recovers, given what the arm paid on average; None where that is unknown or nothing.

        The cost is taken as it is, without an interval of its own.
        """
        if not cost_usd:
            return None
        value, low, high = (
            None if part is None else part / cost_usd for part in (self.value, self.low, self.high)
        )
        return replace(self, value=value, low=low, high=high)


def gap_recovered(
    arm: Curve,
    reference: Curve,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Recovered:
    """(arm - base) / (reference - base), all on the same items, paired by seed.

    The performance gap recovered of AgoraBench (arXiv 2412.03679), but that the reference there is a vendor's
    own trained model, and here the last student of `reference`, an arm that trains on real data. The base
    student is the arm's first point, where nothing is spent. The interval is of resampled seeds and items,
    the same for all three; a resample without a gap allows any ratio. Its percentiles are those at which
    arm - base - value * (reference - base), which is 0, gets the interval of `estimate`.
    """
    one, real = paired(arm, reference)
    if (one.axis[:, 0] != 0).any():
        raise ValueError(
            f"the arm's first points are at {one.axis[:, 0].tolist()}: give a curve from the base "
            "student on, where nothing is spent"
        )
    base = one.at_point(0)
    gained, gap = one.at_point(-1) - base, real.at_point(-1) - base
    value = float(gained.mean() / gap.mean()) if gap.mean() > 0 else None
    margin = gained - (0.0 if value is None else value) * gap
    means = [
        [means_of(table, *drawn) for table in (gained, gap, margin)]
        for drawn in crossed(len(one.seeds), len(one.items), rng, resamples)
    ]
    gains, gaps, margins = np.concatenate(means, axis=1)
    some = gaps > 0
    ratios = np.divide(gains, gaps, out=np.full(len(gaps), np.nan), where=some)
    edge = calibrated_edge(margin, margins, level)
    low = float(np.quantile(np.where(some, ratios, -np.inf), edge, method="lower"))
    high = float(np.quantile(np.where(some, ratios, np.inf), 1 - edge, method="higher"))
    return Recovered(
        value=value,
        low=low if value is not None and np.isfinite(low) else None,
        high=high if value is not None and np.isfinite(high) else None,
        without_gap=float((~some).mean()),
        seeds=len(one.seeds),
    )
