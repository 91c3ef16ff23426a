"""Reports on a run: what it reached, what it cost, what it asked about, and what came of that.

    read (files) -> gather (facts) -> html, markdown, json, terminal

All formats are written from the same facts, and say the same.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asft.report import answers, sentences, tables
from asft.report.facts import Facts
from asft.report.gather import gather
from asft.report.html import page
from asft.report.markdown import markdown
from asft.report.read import part, read_run, text
from asft.report.wording import MINUS, NONE, visible

__all__ = ["Facts", "Paths", "as_json", "evaluated", "read_facts", "terminal", "write"]

PROMPT_LINES = 12
"""Of a prompt in the terminal, the last: those of shots can be many."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paths:
    """Where a report lies."""

    html: Path
    markdown: Path
    json: Path


def read_facts(directory: Path) -> Facts:
    """All that the report on a run says. Raises DataError where the directory holds no run."""
    return gather(read_run(directory))


def write(directory: Path) -> Paths:
    """Write report.html, report.md and report.json into a run directory.

    A run that is not finished gives the report as far as it goes. Raises DataError where the directory
    holds no run.
    """
    facts = read_facts(directory)
    paths = Paths(
        html=directory / "report.html", markdown=directory / "report.md", json=directory / "report.json"
    )
    _replace(paths.json, as_json(facts))
    _replace(paths.markdown, markdown(facts))
    _replace(paths.html, page(facts))
    return paths


def as_json(facts: Facts) -> str:
    """The facts under their own names; None is null."""
    return json.dumps(dataclasses.asdict(facts), indent=1, allow_nan=False) + "\n"


def terminal(directory: Path) -> str:
    """For the terminal: a line per round (kept, dropped, accuracy, tokens, cost), one per filter, and what
    changed in all.
    """
    facts = read_facts(directory)
    parts = [_lines(tables.terminal(facts))]
    if (yields := tables.all_yields(facts)).rows:
        parts.append(_lines(yields))
    if told := _plain(sentences.comparison(facts)):
        parts.append(told)
    return "\n\n".join(parts)


def evaluated(told: Mapping[str, Any]) -> str:
    """For the terminal: one evaluation, as the summary of a round has it."""
    parts = [_lines(answers.figures_table(told))]
    if groups := answers.extremes(told):
        parts.append(_lines(answers.extremes_table(groups)))
    if asked := answers.asked(told):
        lines = _plain(asked.prompt).splitlines()
        before = f" ({len(lines) - PROMPT_LINES} lines before)" if len(lines) > PROMPT_LINES else ""
        shown = [f"  {line}".rstrip() for line in lines[-PROMPT_LINES:]]
        if decoder := text(part(told, "asked"), "decoder"):
            parts.append(f"Decoded by {_plain(decoder)}.")
        parts.append("\n".join([f"The first prompt{before}:", *shown]))
    return "\n\n".join(parts)


def _lines(found: tables.Table) -> str:
    lines = [found.head, *([_plain(cell) for cell in row.cells] for row in found.rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(found.head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place >= found.numbers_from else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _plain(text: str) -> str:
    """A terminal may know ASCII only."""
    return visible(text).replace(NONE, "-").replace(MINUS, "-")


def _replace(path: Path, content: str) -> None:
    """Write under a temporary name and rename: whoever looks sees the old file or the new one, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(content, encoding="utf-8", newline="\n")
    temporary.replace(path)
