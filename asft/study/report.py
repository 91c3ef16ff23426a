"""The report on a study: one HTML file, Markdown, JSON, and each figure as PNG and CSV beside them."""

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from asft.errors import RunError
from asft.report.figures import heat_map
from asft.report.html import render
from asft.report.markdown import block, inline
from asft.report.markdown import table as as_markdown
from asft.report.tables import Table
from asft.report.wording import MINUS, NONE, decimal, percent, visible, whole
from asft.rundir import write_text
from asft.study import figures, results, sentences, tables
from asft.study.design import Study
from asft.study.facts import Chart, Facts
from asft.study.gather import gather

SECTIONS = (
    ("curves", "Learning curves"),
    ("arms", "Arms"),
    ("reached", "To the same accuracy"),
    ("wins", "Win rates"),
    ("data", "What was chosen and written"),
    ("groups", "Groups"),
    ("costs", "Costs"),
    ("samples", "Samples"),
    ("made", "How it was made"),
)


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where a report lies."""

    html: Path
    markdown: Path
    json: Path
    figures: Path
    """A folder with each figure as PNG and CSV."""


def gathered(study: Study, folder: Path) -> Facts:
    """What the results in a folder say. Raises RunError where there is none."""
    paths = [results.path_of(folder, arm.name, seed) for arm, seed in study.pairs()]
    found = [results.read(path) for path in paths if path.exists()]
    if not found:
        raise RunError(f"{folder} holds no result of the study {study.name} yet; run it without --report")
    for one in found:
        if sorted(one.items) != sorted(found[0].items):
            raise RunError(
                f"{one.arm} {one.seed} was evaluated on other test items than {found[0].arm} "
                f"{found[0].seed}, so they cannot be compared: let no arm, and no key of `seeded`, change "
                "the test split"
            )
    return gather(
        study.name,
        {arm.name: arm.preset for arm in study.arms},
        study.seeds,
        study.compare_to,
        study.binds,
        study.amount,
        found,
    )


def write(found: Facts, folder: Path) -> Paths:
    """Write report.html, report.md, report.json and figures/ into the study's folder."""
    paths = Paths(
        html=folder / "report.html",
        markdown=folder / "report.md",
        json=folder / "report.json",
        figures=folder / "figures",
    )
    paths.figures.mkdir(exist_ok=True)
    for chart in found.charts:
        drawn = figures.curves(chart, found.arms, found.reference)
        figures.png(drawn, paths.figures / f"accuracy-{chart.key}.png")
        beside = _panels(chart, found)
        if beside is not None:
            figures.png(beside, paths.figures / f"accuracy-{chart.key}-by-arm.png")
        rows: list[Sequence[Any]] = [
            (line.arm, spent, one.value, one.low, one.high)
            for line in chart.lines
            for spent, one in zip(line.spent, line.accuracy, strict=True)
        ]
        _csv(paths.figures / f"accuracy-{chart.key}.csv", ("arm", chart.key, "accuracy", "low", "high"), rows)
    figures.png(
        figures.forest(found.compared, found.arms, found.reference), paths.figures / "differences.png"
    )
    _csv(
        paths.figures / "differences.csv",
        ("arm", "difference", "low", "high", "p", "p_holm"),
        [
            (
                one.arm,
                one.difference.value,
                one.difference.low,
                one.difference.high,
                one.difference.p,
                one.p_holm,
            )
            for one in found.compared
            if one.difference
        ],
    )
    write_text(paths.json, json.dumps(dataclasses.asdict(found), indent=1, allow_nan=False) + "\n")
    write_text(paths.markdown, markdown(found))
    write_text(paths.html, page(found))
    return paths


def page(found: Facts) -> str:
    """The HTML file."""
    return render(
        "study.html.j2",
        facts=found,
        sections=[one for one in SECTIONS if one[0] != "reached" or len(found.arms) > 1],
        told=sentences.told(found),
        charts=[
            (chart, figures.curves(chart, found.arms, found.reference), _panels(chart, found))
            for chart in found.charts
        ],
        crowded=figures.crowded,
        forest=figures.forest(found.compared, found.arms, found.reference) if len(found.arms) > 1 else None,
        overlap=heat_map(
            list(found.overlap.names), found.overlap.jaccard, "Seeds that two arms both asked about"
        )
        if len(found.arms) > 1
        else None,
        tables=_tables(found),
        gaps=tables.gaps(found),
        method=sentences.method(found),
        percent=percent,
        whole=whole,
        decimal=decimal,
    )


def markdown(found: Facts) -> str:
    """The same as Markdown."""
    parts = [
        f"# {inline(found.name)}: asft study",
        *map(inline, sentences.told(found)),
        *(
            f"![Accuracy against {chart.label}](figures/accuracy-{chart.key}.png)"
            for chart in found.charts[:1]
        ),
    ]
    titles = {
        "compared": "Arms",
        "reached": "To the same accuracy",
        "also_reached": "To the same accuracy, in all else",
        "by_seed": "Seed by seed: items gained / lost",
        "wins": "Win rates",
        "separation": "Does the score tell wrong from right?",
        "fidelity": "Fidelity",
        "diversity": "Diversity",
        "staying": "Seeds asked about again",
        "costs": "Costs of a run",
        "recovered": "Gap recovered",
    }
    for name, each in _tables(found).items():
        if each:
            parts += [f"## {titles[name]}", as_markdown(each)]
    for tag, one in tables.gaps(found):
        parts += [f"## Widest gap between groups: {inline(tag)}", as_markdown(one)]
    for arm, samples in found.samples.items():
        for sample in samples[:1]:
            parts += [f"## {inline(arm)}: a seed, and what was written from it", block(sample["seed"])]
            parts += [block(f"{sample['prompt']}\n\n{sample['completion']}")]
    parts += ["## How it was made", *map(inline, found.versions), *map(inline, sentences.method(found))]
    return "\n\n".join(parts) + "\n"


def terminal(found: Facts) -> str:
    """The main table and what it says."""
    shown = tables.compared(found)
    lines = [shown.head, *(row.cells for row in shown.rows)]
    plain = [[visible(cell).replace(NONE, "-").replace(MINUS, "-") for cell in line] for line in lines]
    widths = [max(len(line[place]) for line in plain) for place in range(len(shown.head))]
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in plain
    ]
    told = [visible(one).replace(NONE, "-").replace(MINUS, "-") for one in sentences.told(found)]
    return "\n".join([*rows, "", *told])


def _tables(found: Facts) -> dict[str, Table | None]:
    """All tables; None for those that say nothing."""
    unit = next((chart.label for chart in found.charts if chart.key == found.binds), found.charts[0].label)
    every = {
        "compared": tables.compared(found),
        "reached": tables.reached(found, unit),
        "also_reached": tables.also_reached(found),
        "by_seed": tables.by_seed(found),
        "wins": tables.wins(found),
        "separation": tables.separation(found),
        "fidelity": tables.fidelity(found),
        "diversity": tables.diversity(found),
        "staying": tables.staying(found),
        "recovered": tables.recovered(found),
        "costs": tables.costs(found),
    }
    return {name: one if one.rows and len(one.head) > 1 else None for name, one in every.items()}


def _panels(chart: Chart, found: Facts) -> Markup | None:
    """Each arm by itself, against what the budget is in, where one figure cannot show their bands."""
    wanted = chart.key == found.binds and figures.crowded(chart)
    return figures.panels(chart, found.arms, found.reference) if wanted else None


def _csv(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    write_text(path, target.getvalue())
