"""The tables of a study's report, once for all formats."""

from collections.abc import Mapping, Sequence

from asft.report.tables import Table, TableRow
from asft.report.wording import NONE, decimal, dollars, duration, p_value, percent, points, whole
from asft.stats import Correlation, Fidelity, ReachRatio, Recovered
from asft.study.facts import FEW_SEEDS, Facts
from asft.study.figures import difference, with_range


def compared(facts: Facts) -> Table:
    """Each arm at the end of the budget, and beside the reference."""
    head = (
        "Arm",
        "Accuracy",
        f"Difference to {facts.reference}",
        "p (Holm)",
        "Along the budget",
        f"{facts.reference}'s final accuracy",
    )
    rows = [
        (
            one.arm,
            with_range(one.end),
            NONE if one.difference is None else difference(one.difference),
            p_value(one.p_holm if one.difference and one.difference.seeds >= FEW_SEEDS else None),
            NONE if one.area is None else difference(one.area.difference),
            NONE if one.reach is None else ratio(one.reach),
        )
        for one in facts.compared
    ]
    return _table(head, rows)


def ratio(found: ReachRatio) -> str:
    """1.52 times (1.10 to 2.3): how many times as much the reference takes."""
    if found.ratio is None:
        return "not reached" if found.second is None else NONE
    low = "0" if found.low is None else decimal(found.low, 2)
    high = "any" if found.high is None else decimal(found.high, 2)
    return f"{decimal(found.ratio, 2)} times ({low} to {high})"


def reached(facts: Facts, unit: str) -> Table:
    """What each arm takes to the accuracy that the reference ends at."""
    head = (
        "Arm",
        f"{facts.reference} takes",
        "The arm takes",
        "Ratio",
        "Resamples in which the arm gets there",
    )
    rows = [
        (
            one.arm,
            _takes(one.reach.first, unit),
            _takes(one.reach.second, unit),
            ratio(one.reach),
            percent(one.reach.both + one.reach.only_second),
        )
        for one in facts.compared
        if one.reach
    ]
    return _table(head, rows)


def also_reached(facts: Facts) -> Table:
    """The same in all else that runs use up."""
    arms = dict.fromkeys(arm for axis in facts.reached for arm, _ in axis.arms)
    ratios = [{arm: ratio(found) for arm, found in axis.arms} for axis in facts.reached]
    head = ("Arm", *(_first_large(axis.label) for axis in facts.reached))
    return _table(head, [(arm, *(found.get(arm, NONE) for found in ratios)) for arm in arms])


def _first_large(label: str) -> str:
    return label[0].upper() + label[1:]


def _takes(spent: float | None, unit: str) -> str:
    if spent is None:
        return "not reached"
    return f"{whole(spent)} {unit}" if spent else "nothing: the base is there"


def by_seed(facts: Facts) -> Table:
    """Items gained and lost, seed by seed, with McNemar's exact p."""
    head = ("Arm", *(f"Seed {seed}" for seed in facts.seeds))
    rows = []
    for one in facts.compared:
        found = {
            seed: f"+{gained} / {points_lost(lost)}, p {p_value(p)}" for seed, gained, lost, p in one.by_seed
        }
        if found:
            rows.append((one.arm, *(found.get(seed, NONE) for seed in facts.seeds)))
    return _table(head, rows)


def points_lost(items: int) -> str:
    """Items lost, with a true minus sign."""
    return f"\N{MINUS SIGN}{items}"


def wins(facts: Facts) -> Table:
    """In how many contests of a seed and a point the arm of the row beats that of the column."""
    head = ("Beats", *facts.wins.arms)
    rows = [
        (arm, *(NONE if share is None else percent(share) for share in shares))
        for arm, shares in zip(facts.wins.arms, facts.wins.share, strict=True)
    ]
    return _table(head, rows)


def costs(facts: Facts) -> Table:
    """What a run of each arm took: the mean over its seeds, and of seconds the median."""
    head = (
        "Arm",
        "Drafts",
        "Accepted",
        "Teacher in",
        "Teacher out",
        "Judge",
        "USD",
        "Measured",
        "Trained",
        "Steps",
        "Evaluated",
        "FLOPs",
    )
    rows = [
        (
            one.arm,
            whole(one.drafts),
            whole(one.kept),
            whole(one.teacher_in),
            whole(one.teacher_out),
            whole(one.judge_tokens),
            dollars(one.usd),
            duration(one.measured_s),
            duration(one.trained_s),
            whole(one.steps),
            duration(one.evaluated_s),
            NONE if one.flops is None else f"{one.flops:.2e}",
        )
        for one in facts.costs
    ]
    return _table(head, rows)


def fidelity(facts: Facts) -> Table:
    """Whether hard seeds give hard examples."""
    rows = [
        (
            one.arm,
            correlation(one.fidelity.points),
            _mean_within(one.fidelity),
            correlation(one.fidelity.medians),
            whole(one.fidelity.points.pairs),
            whole(one.fidelity.points.left_out),
        )
        for one in facts.fidelity
    ]
    return _table(
        ("Arm", "Per example", "Within rounds, mean", "Over medians of rounds", "Pairs", "Without a score"),
        rows,
    )


def _mean_within(found: Fidelity) -> str:
    """Over rounds and seeds, so that nothing of it is what students are as a whole."""
    known = [rho for rho in found.within.values() if rho is not None]
    return decimal(sum(known) / len(known), 2) if known else NONE


def correlation(found: Correlation) -> str:
    """0.52 (0.48 to 0.57)."""
    if found.low is None or found.high is None:
        return decimal(found.rho, 2)
    return f"{decimal(found.rho, 2)} ({decimal(found.low, 2)} to {decimal(found.high, 2)})"


def separation(facts: Facts) -> Table:
    """Whether what scores high is what the student gets wrong."""
    most = max((len(one.rounds) for one in facts.separation), default=0)
    head = ("Arm", *(f"Round {number}" for number in range(1, most + 1)))
    return _table(
        head,
        [
            (one.arm, *(NONE if share is None else decimal(share, 2) for share in one.rounds))
            for one in facts.separation
        ],
    )


def diversity(facts: Facts) -> Table:
    """The mean over rounds and seeds of what tells how unlike each other examples are."""
    keys = list(dict.fromkeys(key for one in facts.diversity for key in one.figures))
    rows = []
    for arm in facts.arms:
        own = [one.figures for one in facts.diversity if one.arm == arm]
        rows.append((arm, *(_mean(own, key) for key in keys)))
    return _table(("Arm", *(key.replace("_", " ") for key in keys)), rows)


def _mean(rows: Sequence[Mapping[str, float]], key: str) -> str:
    values = [row[key] for row in rows if key in row]
    return decimal(sum(values) / len(values), 0 if key == "texts" else 3) if values else NONE


def gaps(facts: Facts) -> list[tuple[str, Table]]:
    """For each tag: the widest gap between its groups, from point to point, and what chance would show."""
    found = []
    for tag in dict.fromkeys(one.tag for one in facts.groups):
        own = [one for one in facts.groups if one.tag == tag]
        points_of = max(len(one.gaps) for one in own)
        head = ("Arm", "Base", *(f"Round {number}" for number in range(1, points_of)))
        rows = [
            (
                one.arm,
                *(
                    f"{points(gap.gap.value)} ({gap.worst}; by chance {100 * gap.by_chance:.1f}, "
                    f"p {p_value(gap.p)})"
                    for gap in one.gaps
                ),
            )
            for one in own
        ]
        found.append((tag, _table(head, rows)))
    return found


def staying(facts: Facts) -> Table:
    """Of the seeds that a round or the next asks about, how many both do."""
    rows = [
        (arm, *((NONE, NONE) if both is None else map(percent, both))) for arm, both in facts.staying.items()
    ]
    return _table(("Arm", "Overlap of a round with the next (Jaccard)", "By chance"), rows)


def recovered(facts: Facts) -> Table:
    """How much of the way to a student of real data each arm goes."""
    rows = [
        (one.arm, _share(one.recovered), NONE if one.per_usd is None else _share(one.per_usd))
        for one in facts.recovered
    ]
    return _table(("Arm", "Gap recovered", "For a dollar"), rows)


def _share(found: Recovered) -> str:
    if found.value is None:
        return NONE
    low = "any" if found.low is None else percent(found.low)
    high = "any" if found.high is None else percent(found.high)
    return f"{percent(found.value)} ({low} to {high})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table(head=tuple(head), numbers_from=1, rows=tuple(TableRow(cells=tuple(row)) for row in rows))
