"""From the results of a study to what it found.

Worked out from the results alone. Chance is seeded, so that a report made twice is the same.
"""

import itertools
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asft import stats
from asft.errors import RunError
from asft.stats import Agreement, Curve, Estimate, Point, ReachRatio, Written
from asft.study.facts import (
    Chart,
    Closed,
    Compared,
    Cost,
    Diversity,
    Facts,
    Groups,
    Line,
    Reached,
    Separation,
    Told,
)
from asft.study.results import Result

PAID = ("teacher", "judge")
RESAMPLES = 2000
LEVEL = 0.05
REAL = "real-only"
"""The preset of a student that is trained on real data."""
LAST = ("train", "evaluate")
"""Steps of a round that come after its data."""
MOST_GROUPS = 12
"""A tag with more values is too fine for a table."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Something that runs use up."""

    key: str
    label: str
    of: Callable[[Result], list[float | None]]
    """What the student of each of a run's points had cost; None where that is not known."""

    def known(self, runs: Iterable[Result]) -> bool:
        """Whether it is, for every point of some runs, and something was used."""
        spent = [self.of(run) for run in runs]
        return all(None not in one and len(one) > 1 and one[-1] for one in spent)

    def rises(self, runs: Iterable[Result]) -> bool:
        """Whether no point of some runs had cost less than the one before."""
        pairs = [pair for run in runs for pair in itertools.pairwise(self.of(run))]
        return all(a is not None and b is not None and a <= b for a, b in pairs)


def gather(
    name: str,
    arms: Mapping[str, str | None],
    seeds: Sequence[int],
    reference: str,
    binds: str,
    amount: float,
    results: Sequence[Result],
) -> Facts:
    """Work out what the results say; arms without any are left out of the comparisons."""
    by_arm = {arm: {r.seed: r for r in results if r.arm == arm} for arm in arms}
    present = {arm: runs for arm, runs in by_arm.items() if runs}
    every = [run for runs in present.values() for run in runs.values()]
    axes = [axis for axis in _axes(binds) if axis.known(every)]
    empty = [f"{run.arm} {run.seed}" for run in every if not run.points[-1]["examples"]]
    if empty:
        raise RunError(
            f"{', '.join(empty)}: nothing was accepted, so that there is nothing to compare; see why in "
            "logs/, then remove the result and run the study again"
        )
    rising = [axis for axis in axes if axis.rises(every)]
    main = next((axis for axis in rising if axis.key == binds), rising[0])
    curves = {axis.key: {arm: _curve(runs, axis) for arm, runs in present.items()} for axis in axes}
    # The same on every axis.
    bands = {
        arm: stats.band(curve, _rng("band", arm), resamples=RESAMPLES)
        for arm, curve in curves[main.key].items()
    }
    first = next(iter(next(iter(present.values())).values()))
    settings = first.settings
    return Facts(
        name=name,
        task=str(settings["task"]["use"]),
        student=str(settings["student"]["base"]),
        teacher=str(settings["teacher"].get("model") or settings["teacher"]["use"]),
        reference=reference,
        binds=binds,
        amount=amount,
        arms=tuple(present),
        presets={arm: arms[arm] for arm in present},
        seeds=tuple(seeds),
        missing=tuple(f"{arm} {seed}" for arm in arms for seed in seeds if seed not in by_arm[arm]),
        items=len(first.items),
        base=statistics.mean(_share(run, 0) for run in every),
        charts=tuple(
            Chart(
                key=axis.key,
                label=axis.label,
                lines=tuple(
                    Line(arm=arm, spent=tuple(curve.axis.mean(axis=0).tolist()), accuracy=bands[arm])
                    for arm, curve in curves[axis.key].items()
                ),
            )
            for axis in axes
        ),
        compared=_compared(curves[main.key], {arm: band[-1] for arm, band in bands.items()}, reference),
        reached=tuple(
            Reached(key=axis.key, label=axis.label, arms=_reached(curves[axis.key], reference, axis.key))
            for axis in axes
            if axis is not main
        ),
        wins=stats.win_rates(curves[main.key]),
        costs=tuple(_cost(arm, list(runs.values())) for arm, runs in present.items()),
        fidelity=tuple(found for arm, runs in present.items() if (found := _told(arm, runs.values()))),
        separation=tuple(
            one for arm, runs in present.items() if (one := _separation(arm, list(runs.values())))
        ),
        diversity=tuple(
            found for arm, runs in present.items() for found in _diversity(arm, list(runs.values()))
        ),
        overlap=_overlap(present),
        staying={arm: _staying(runs.values()) for arm, runs in present.items()},
        groups=tuple(
            found for arm, curve in curves[main.key].items() for found in _groups(arm, curve, first.tags)
        ),
        recovered=_recovered(curves[main.key], arms, present),
        samples={arm: _samples(runs) for arm, runs in present.items()},
        versions=tuple(dict.fromkeys(map(_made_under, every))),
    )


# What runs use up


def _examples(result: Result) -> list[float | None]:
    return [float(point["examples"]) for point in result.points]


def _sums(result: Result, of: Callable[[Mapping[str, Any]], float | None]) -> list[float | None]:
    """Running sums of a figure of each point; None from where one is not known."""
    found: list[float | None] = []
    total: float | None = 0.0
    for point in result.points:
        more = of(point)
        total = None if total is None or more is None else total + more
        found.append(total)
    return found


def _paid(point: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for row in point["ledger"] if row["role"] in PAID]


def _tokens(result: Result) -> list[float | None]:
    return _sums(result, lambda point: sum(r["input_tokens"] + r["output_tokens"] for r in _paid(point)))


def _usd(result: Result) -> list[float | None]:
    def of(point: Mapping[str, Any]) -> float | None:
        costs = [row["cost_usd"] for row in _paid(point)]
        return None if None in costs else float(sum(costs))

    return _sums(result, of)


def _computed(result: Result) -> list[float | None]:
    """All FLOPs of the run, as its budget counts them."""
    return _sums(result, lambda point: point.get("flops") if point["round"] else 0.0)


def _needed(result: Result) -> list[float | None]:
    """FLOPs without which the student of a point would not be what it is.

    Not evaluating it; and of the rounds before not the training, where the method never looks at the student
    that came of it. A run trains that one for its curve alone: with as many examples `static` trains once.
    """

    def training(point: Mapping[str, Any]) -> float | None:
        return _flops(point, lambda row: row["step"] == "train")

    data = _sums(result, lambda point: _flops(point, lambda row: _for_data(result, row)))
    trained = _sums(result, training) if _looks(result) else list(map(training, result.points))
    return [
        None if one is None or other is None else one + other
        for one, other in zip(data, trained, strict=True)
    ]


def _for_data(result: Result, row: Mapping[str, Any]) -> bool:
    """Whether a row of a ledger is about a round's data; the base is measured once, whatever the rounds."""
    again = row["step"] == "measure" and row["round"] > 1 and result.settings["data"]["measured"] == "base"
    return row["step"] not in LAST and not again


def _flops(point: Mapping[str, Any], counts: Callable[[Mapping[str, Any]], bool]) -> float | None:
    """Of some rows of a point's ledger."""
    parts = [row["flops"] for row in point["ledger"] if counts(row)]
    return None if None in parts else float(sum(parts))


def _looks(result: Result) -> bool:
    """Whether what a run does depends on the students of its earlier rounds."""
    settings = result.settings
    asked = [key for rule in settings["adapt"] for key, value in rule["when"].items() if value is not None]
    follows = any(key.startswith(("gain", "accuracy")) for key in asked)
    if settings["data"]["start_from"] != "base" or follows or any(settings["stop"].values()):
        return True
    return settings["data"]["measured"] == "previous" and any(
        row["role"] == "student" and row["step"] not in LAST and row["flops"]
        for point in result.points[2:]
        for row in point["ledger"]
    )


def _axes(binds: str) -> list[Axis]:
    """All of them. A budget of FLOPs counts whatever a run computes."""
    return [
        Axis(key="examples", label="accepted examples", of=_examples),
        Axis(key="tokens", label="tokens of teacher and judge", of=_tokens),
        Axis(key="usd", label="US dollars", of=_usd),
        Axis(
            key="flops",
            label="FLOPs of student, teacher and judge",
            of=_computed if binds == "flops" else _needed,
        ),
    ]


# Curves


def _grades(result: Result, place: int) -> list[tuple[str, float | None]]:
    marks = {"1": 1.0, "0": 0.0}
    grades = result.points[place]["grades"]
    return [(item, marks.get(mark)) for item, mark in zip(result.items, grades, strict=True)]


def _share(result: Result, place: int) -> float:
    grades = result.points[place]["grades"]
    return float(grades.count("1") / len(grades))


def _curve(runs: Mapping[int, Result], axis: Axis) -> Curve:
    return Curve.of(
        {
            seed: [
                Point(spent=spent, grades=_grades(result, place))
                for place, spent in enumerate(axis.of(result))
                if spent is not None
            ]
            for seed, result in runs.items()
        }
    )


def _rng(*names: str) -> np.random.Generator:
    """The same for the same figure, whatever else is worked out."""
    return np.random.default_rng([byte for name in names for byte in name.encode()])


def _compared(
    curves: Mapping[str, Curve], ends: Mapping[str, Estimate], reference: str
) -> tuple[Compared, ...]:
    found: list[Compared] = []
    other = curves.get(reference)
    others = len(curves) - 1
    for arm, curve in curves.items():
        if other is None or arm == reference or not set(curve.seeds) & set(other.seeds):
            found.append(
                Compared(
                    arm=arm,
                    end=ends[arm],
                    difference=None,
                    p_holm=None,
                    by_seed=(),
                    area=None,
                    reach=None,
                    saves=False,
                )
            )
            continue
        end = min(curve.end, other.end)
        strict = stats.reach_ratio(
            other, curve, _rng("reach", arm), level=1 - LEVEL / others, resamples=RESAMPLES
        )
        found.append(
            Compared(
                arm=arm,
                end=ends[arm],
                difference=stats.difference_at(
                    curve, other, end, _rng("end", arm, reference), resamples=RESAMPLES
                ),
                p_holm=None,
                by_seed=_by_seed(curve, other),
                area=stats.area_difference(curve, other, _rng("area", arm), resamples=RESAMPLES),
                reach=stats.reach_ratio(other, curve, _rng("reach", arm), resamples=RESAMPLES),
                saves=strict.low is not None and strict.low > 1,
            )
        )
    return _adjusted(found)


def _reached(curves: Mapping[str, Curve], reference: str, key: str) -> tuple[tuple[str, ReachRatio], ...]:
    """The same question on another axis, of each arm that shares seeds with the reference."""
    other = curves.get(reference)
    if other is None:
        return ()
    return tuple(
        (
            arm,
            # A student is trained for as many steps with half of its examples.
            stats.reach_ratio(
                other, curve, _rng("reach", arm, key), between=key != "flops", resamples=RESAMPLES
            ),
        )
        for arm, curve in curves.items()
        if arm != reference and set(curve.seeds) & set(other.seeds)
    )


def _adjusted(found: Sequence[Compared]) -> tuple[Compared, ...]:
    ps = [one.difference.p for one in found if one.difference]
    adjusted = iter(stats.holm(ps))
    return tuple(replace(one, p_holm=next(adjusted)) if one.difference else one for one in found)


def _by_seed(curve: Curve, other: Curve) -> tuple[tuple[int, int, int, float], ...]:
    """At the last point that both have."""
    one, two = stats.paired(curve, other)
    rows = []
    last = min(one.points, two.points) - 1
    for place, seed in enumerate(one.seeds):
        margin = one.at_point(last)[place] - two.at_point(last)[place]
        gained, lost = int((margin > 0).sum()), int((margin < 0).sum())
        rows.append((seed, gained, lost, stats.mcnemar_exact(gained, lost)))
    return tuple(rows)


# Costs


def _cost(arm: str, runs: Sequence[Result]) -> Cost:
    def mean(of: Callable[[Result], float]) -> float:
        return statistics.mean(of(run) for run in runs)

    def tokens(run: Result, role: str, *kinds: str) -> float:
        rows = [row for point in run.points for row in point["ledger"] if row["role"] == role]
        return float(sum(row[kind] for row in rows for kind in kinds))

    def seconds(*steps: str) -> float:
        return statistics.median(
            float(sum(point["seconds"].get(step, 0.0) for point in run.points for step in steps))
            for run in runs
        )

    usd, flops = [_usd(run)[-1] for run in runs], [_computed(run)[-1] for run in runs]
    return Cost(
        arm=arm,
        drafts=mean(lambda run: sum(point["drafts"] for point in run.points)),
        kept=mean(lambda run: run.points[-1]["examples"]),
        teacher_in=mean(lambda run: tokens(run, "teacher", "input_tokens")),
        teacher_out=mean(lambda run: tokens(run, "teacher", "output_tokens")),
        judge_tokens=mean(lambda run: tokens(run, "judge", "input_tokens", "output_tokens")),
        usd=_mean_or_none(usd),
        measured_s=seconds("measure", "ask"),
        trained_s=seconds("train"),
        evaluated_s=seconds("evaluate"),
        steps=mean(lambda run: sum((point["train"] or {}).get("steps", 0) for point in run.points)),
        flops=_mean_or_none(flops),
    )


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known and len(known) == len(values) else None


# What was chosen and written


def _told(arm: str, runs: Iterable[Result]) -> Told | None:
    sets = {
        f"seed {run.seed}, round {point['round']}": [
            Written(seed=seed, asked=asked, got=got) for seed, asked, got in point["fidelity"]
        ]
        for run in runs
        for point in run.points
        if point.get("fidelity")
    }
    return Told(arm=arm, fidelity=stats.fidelity(sets, _rng("fidelity", arm))) if sets else None


def _separation(arm: str, runs: Sequence[Result]) -> Separation | None:
    least = min(len(run.points) for run in runs)
    rounds = [
        _mean_or_none([run.points[number].get("separation") for run in runs]) for number in range(1, least)
    ]
    # Of who is wrong, "incorrect" knows by definition.
    known = runs[0].settings["criterion"]["use"] != "incorrect" and any(one is not None for one in rounds)
    return Separation(arm=arm, rounds=tuple(rounds)) if known else None


def _diversity(arm: str, runs: Sequence[Result]) -> list[Diversity]:
    found = []
    for number in range(1, min(len(run.points) for run in runs)):
        rows = [run.points[number].get("diversity") or {} for run in runs]
        keys = [key for key in rows[0] if all(row.get(key) is not None for row in rows)]
        if keys:
            figures = {key: statistics.mean(row[key] for row in rows) for key in keys}
            found.append(Diversity(arm=arm, round=number, figures=figures))
    return found


def _overlap(present: Mapping[str, Mapping[int, Result]]) -> Agreement:
    """Of what arms asked about in round 2, or in round 1 where there is no other."""
    least = min(len(run.points) for runs in present.values() for run in runs.values())
    number = min(2, least - 1)
    picks: dict[int, dict[str, Sequence[str]]] = {}
    for arm, runs in present.items():
        for seed, run in runs.items():
            picks.setdefault(seed, {})[arm] = run.points[number]["asked"]
    return stats.agreement(picks, _pool(present.values()))


def _pool(every: Iterable[Mapping[int, Result]]) -> int:
    """How many seeds there are to choose from."""
    return max(
        int(point["funnel"].get("seeds", 0))
        for runs in every
        for run in runs.values()
        for point in run.points
    )


def _staying(runs: Iterable[Result]) -> tuple[float, float] | None:
    known = list(runs)
    pool = _pool([{run.seed: run for run in known}])
    found = [
        one
        for run in known
        for a, b in itertools.pairwise(run.points[1:])
        if (one := stats.overlap(a["asked"], b["asked"], pool)).jaccard is not None
    ]
    if not found:
        return None
    return (
        statistics.mean(one.jaccard or 0.0 for one in found),
        statistics.mean(one.chance_jaccard or 0.0 for one in found),
    )


# Groups


def _groups(arm: str, curve: Curve, tags: Mapping[str, Sequence[str | None]]) -> list[Groups]:
    found = []
    for tag, values in tags.items():
        ids = [item for item, _ in curve.items]
        by_item = {str(one): value for one, value in zip(ids, values, strict=True) if value is not None}
        if not 2 <= len(set(by_item.values())) <= MOST_GROUPS:
            continue
        gaps = stats.group_gaps(curve, by_item, _rng("groups", arm, tag), resamples=200)
        if gaps:
            found.append(Groups(arm=arm, tag=tag, gaps=gaps))
    return found


def _recovered(
    curves: Mapping[str, Curve],
    arms: Mapping[str, str | None],
    present: Mapping[str, Mapping[int, Result]],
) -> tuple[Closed, ...]:
    """Against the arm that trains on real data, where there is one."""
    real = next((arm for arm in curves if arms[arm] == REAL), None)
    if real is None:
        return ()
    found = []
    for arm, curve in curves.items():
        if arm == real or not set(curve.seeds) & set(curves[real].seeds):
            continue
        one = stats.gap_recovered(curve, curves[real], _rng("recovered", arm), resamples=RESAMPLES)
        usd = _mean_or_none([_usd(run)[-1] for run in present[arm].values()])
        found.append(Closed(arm=arm, recovered=one, per_usd=one.per_dollar(usd)))
    return tuple(found)


def _samples(runs: Mapping[int, Result]) -> tuple[Mapping[str, Any], ...]:
    last = runs[min(runs)].points[-1]
    return tuple(last["samples"])


def _made_under(result: Result) -> str:
    versions = " ".join(f"{name} {number}" for name, number in result.about["versions"].items())
    hardware = result.about["hardware"]
    return f"{versions}; {hardware.get('cuda') or hardware['machine']}, {hardware['threads']} threads"
