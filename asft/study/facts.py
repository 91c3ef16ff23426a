"""What a study found, as plain records: every format of its report is written from these."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asft.stats import Agreement, Areas, Estimate, Fidelity, Gap, ReachRatio, Recovered, WinRates

FEW_SEEDS = 5
"""Below so many seeds nothing is called shown, and no p is stated: it would say more than they can."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """An arm's curve against one axis."""

    arm: str
    spent: tuple[float, ...]
    """The mean over seeds, point by point."""
    accuracy: tuple[Estimate, ...]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """The curves of all arms against one axis."""

    key: str
    label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """An arm beside the one that all are compared with."""

    arm: str
    end: Estimate
    """Accuracy with all of the budget."""
    difference: Estimate | None
    """Arm minus reference, by seed and item, at the end of the budget, or as far as both have come; None for
    the reference itself."""
    p_holm: float | None
    """The difference's p, adjusted for all arms that are compared (Holm)."""
    by_seed: tuple[tuple[int, int, int, float], ...]
    """Seed, items gained over the reference, items lost, and McNemar's exact p, at the end."""
    area: Areas | None
    """Mean accuracy along the budget, reference first; its difference is arm minus reference."""
    reach: ReachRatio | None
    """What the reference takes to its own final accuracy, over what the arm takes to the same."""
    saves: bool
    """Whether that lies above 1 with an interval that is wide enough for all arms together (Bonferroni)."""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What the reference takes to its own final accuracy over what each arm does, in another currency."""

    key: str
    label: str
    arms: tuple[tuple[str, ReachRatio], ...]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a run of an arm took, the mean over its seeds; of seconds the median, since machines are noisy."""

    arm: str
    drafts: float
    kept: float
    teacher_in: float
    teacher_out: float
    judge_tokens: float
    usd: float | None
    measured_s: float
    """Measuring and asking the pool."""
    trained_s: float
    evaluated_s: float
    steps: float
    """Of the optimiser, in all rounds."""
    flops: float | None
    """All that the run computed, of student, teacher and judge; None where a model's size is not known."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """Whether a seed's score tells the score of what was written from it, in one arm."""

    arm: str
    fidelity: Fidelity


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How often a seed that the student gets wrong scores above one that it gets right: 0.5 is chance."""

    arm: str
    rounds: tuple[float | None, ...]
    """The mean over seeds."""


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """How unlike each other a round's examples are, the mean over seeds."""

    arm: str
    round: int
    figures: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The widest gap between the groups of a tag, point by point."""

    arm: str
    tag: str
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, kw_only=True)
class Closed:
    """How much of the gap between the base and a student of real data an arm closes."""

    arm: str
    recovered: Recovered
    per_usd: Recovered | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All of it."""

    name: str
    task: str
    student: str
    teacher: str
    reference: str
    binds: str
    amount: float
    arms: tuple[str, ...]
    presets: Mapping[str, str | None]
    seeds: tuple[int, ...]
    missing: tuple[str, ...]
    """Runs without a result."""
    items: int
    base: float
    """Accuracy of the base."""
    charts: tuple[Chart, ...]
    compared: tuple[Compared, ...]
    reached: tuple[Reached, ...]
    """Of every axis but that on which arms are compared."""
    wins: WinRates
    costs: tuple[Cost, ...]
    fidelity: tuple[Told, ...]
    separation: tuple[Separation, ...]
    """Of arms whose criterion scores own answers."""
    diversity: tuple[Diversity, ...]
    overlap: Agreement
    """Of the seeds that arms asked about in round 2: in round 1 every student is the base."""
    staying: Mapping[str, tuple[float, float] | None]
    """Arm -> the overlap of a round with the next, the mean of all; and what chance would give."""
    groups: tuple[Groups, ...]
    recovered: tuple[Closed, ...]
    samples: Mapping[str, tuple[Mapping[str, Any], ...]]
    """Arm -> some of what its first seed's last round chose and got."""
    versions: tuple[str, ...]
    """Versions and hardware under which runs were made, each once."""
