"""Medians with their intervals, a Markdown table, and the raw figures beside it."""

import csv
import json
import os
import platform
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from asft import __version__

RESULTS = Path(__file__).parent / "results"
ROOT = RESULTS.parent.parent.parent
RESAMPLES = 2000


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, and its 95% percentile interval over resampled repetitions."""
    rng = random.Random(0)
    medians = sorted(statistics.median(rng.choices(values, k=len(values))) for _ in range(RESAMPLES))
    low, high = (medians[round(edge * (RESAMPLES - 1))] for edge in (0.025, 0.975))
    return statistics.median(values), low, high


def shown(values: Sequence[float], digits: int = 2) -> str:
    """Median and interval."""
    middle, low, high = interval(values)
    if len(values) == 1 or low == high:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def table(
    rows: Sequence[Mapping[str, Any]], by: Sequence[str], columns: Mapping[str, Callable[..., str]]
) -> str:
    """A Markdown table: a line for each combination of `by`, and of each column what its function makes of
    the rows of that line."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in by), []).append(row)
    lines = [[*by, *columns], ["---"] * (len(by) + len(columns))]
    lines += [[*map(str, key), *(make(group) for make in columns.values())] for key, group in groups.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def figure(name: str, digits: int = 2) -> Callable[[Sequence[Mapping[str, Any]]], str]:
    """A column that shows a figure of the rows."""
    return lambda rows: shown([row[name] for row in rows], digits)


def keep(name: str, rows: Sequence[Mapping[str, Any]], made: str) -> None:
    """Write results/NAME.csv, NAME.md and NAME.json (versions and hardware)."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()} for row in rows
        )
    (RESULTS / f"{name}.md").write_text(made, encoding="utf-8")
    (RESULTS / f"{name}.json").write_text(json.dumps(_made_with(), indent=1) + "\n", encoding="utf-8")


def _made_with() -> dict[str, Any]:
    packages = {name: version(name) for name in ("openai", "httpx2", "pydantic")}
    for peer, package in (("distilabel", "distilabel"), ("curator", "bespokelabs-curator")):
        frozen = ROOT / ".venv-peers" / peer / "versions.txt"
        if frozen.exists():
            lines = [line.split("==") for line in frozen.read_text("utf-8").splitlines() if "==" in line]
            packages[package] = dict(lines).get(package, "unknown")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "command": ["python", f"benchmarks/speed/{Path(sys.argv[0]).name}", *sys.argv[1:]],
        "asft": f"{__version__} {commit.stdout.strip()}".strip(),
        "python": platform.python_version(),
        "packages": packages,
        "processor": model[0].partition(":")[2].strip() if model else platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
    }
