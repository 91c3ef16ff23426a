"""Intervals, tests and what a study of arms, seeds and budgets needs. Pure functions; numpy only.

Two students answer the same test items, so they are compared item by item: that removes the spread
between items, which is most of the noise. Chance comes in as an explicit generator, so that a report
made twice is the same report.
"""

from asft.stats.answers import majority, pass_at_k
from asft.stats.arms import (
    Areas,
    WinRates,
    area_difference,
    band,
    difference_at,
    differences,
    end_difference,
    win_rates,
)
from asft.stats.changes import holm, mcnemar_exact
from asft.stats.curves import Curve, Point, paired
from asft.stats.estimates import Estimate, estimate
from asft.stats.intervals import (
    Difference,
    Interval,
    bootstrap,
    hierarchical_bootstrap,
    paired_bootstrap,
    wilson,
)
from asft.stats.labels import Classified, LabelCounts, classified
from asft.stats.ranks import spearman
from asft.stats.reaching import ReachRatio, reach_ratio, spent_to_reach
from asft.stats.resampling import BLOCK

__all__ = [
    "BLOCK",
    "Areas",
    "Classified",
    "Curve",
    "Difference",
    "Estimate",
    "Interval",
    "LabelCounts",
    "Point",
    "ReachRatio",
    "WinRates",
    "area_difference",
    "band",
    "bootstrap",
    "classified",
    "difference_at",
    "differences",
    "end_difference",
    "estimate",
    "hierarchical_bootstrap",
    "holm",
    "majority",
    "mcnemar_exact",
    "paired",
    "paired_bootstrap",
    "pass_at_k",
    "reach_ratio",
    "spearman",
    "spent_to_reach",
    "wilson",
    "win_rates",
]
