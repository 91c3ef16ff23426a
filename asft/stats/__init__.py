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
from asft.stats.changes import Changed, changed, holm, mcnemar_exact, mcnemar_mid_p
from asft.stats.curves import Curve, Point, paired
from asft.stats.estimates import Estimate, estimate
from asft.stats.gaps import Gap, group_gaps
from asft.stats.intervals import (
    Difference,
    Interval,
    bootstrap,
    hierarchical_bootstrap,
    paired_bootstrap,
    wilson,
)
from asft.stats.labels import Classified, LabelCounts, classified
from asft.stats.picked import Agreement, Overlap, agreement, overlap
from asft.stats.ranks import Correlation, Fidelity, Written, auroc, fidelity, spearman, spearman_interval
from asft.stats.reaching import ReachRatio, reach_ratio, spent_to_reach
from asft.stats.recovered import Recovered, gap_recovered
from asft.stats.resampling import BLOCK

__all__ = [
    "BLOCK",
    "Agreement",
    "Areas",
    "Changed",
    "Classified",
    "Correlation",
    "Curve",
    "Difference",
    "Estimate",
    "Fidelity",
    "Gap",
    "Interval",
    "LabelCounts",
    "Overlap",
    "Point",
    "ReachRatio",
    "Recovered",
    "WinRates",
    "Written",
    "agreement",
    "area_difference",
    "auroc",
    "band",
    "bootstrap",
    "changed",
    "classified",
    "difference_at",
    "differences",
    "end_difference",
    "estimate",
    "fidelity",
    "gap_recovered",
    "group_gaps",
    "hierarchical_bootstrap",
    "holm",
    "majority",
    "mcnemar_exact",
    "mcnemar_mid_p",
    "overlap",
    "paired",
    "paired_bootstrap",
    "pass_at_k",
    "reach_ratio",
    "spearman",
    "spearman_interval",
    "spent_to_reach",
    "wilson",
    "win_rates",
]
