"""Reads a run directory for the report, whatever state the run is in. Nothing here stops at a missing piece.

    runs/NAME/
      recipe.lock.json     every setting, defaults written out
      run.json             versions, hardware, command, seed, started, task, student
      round-00/ (the base student: evaluate only)  round-01/ ...   each with JSON lines:
        measure.jsonl      {"example_id", "gold": TokenStats|null,
                            "own": {text, finish, grade, stats}, "signals"}
        score.jsonl        {"example_id", "score"}: the whole pool
        select.jsonl       {"number", "example_id", "score", "draw", "prompt", "answer"}
        write.jsonl        {"number", "example": {id, prompt, answer, completion, parents, ...}|null,
                            "reason"}
        filter.jsonl       {"number", "decision", "filter", "reason", "place"}
        evaluate.jsonl     {"example_id", "text", "finish", "grade", "final", "tags"}
        summary.json       {"round", "short": bool,
                            "funnel": {"seeds", "scored", "picked", "drafts", "written", "kept",
                                       "dropped": {filter: {reason: n}}, "undecided": {filter: {reason: n}},
                                       "filters": [{"filter", "place", "seen", "kept", "dropped",
                                                    "undecided"}], "no_draft": {reason: n}},
                            "train": {"examples", "origins": {origin: n}, "steps", "tokens", "truncated",
                                      "seconds", "loss_first", "loss_last",
                                      "validation": {"examples", "losses": [[step, loss]], "best_step",
                                                     "kept_step", "stopped_early": bool}|null},
                            "validation": {"items", "right"} of what is held out of the pool,
                            "evaluate": {"items", "right", "accuracy", "low", "high", "unparsable", "cut_off",
                                         "by_tag": {tag: {value: {"items", "right"}}},
                                         "groups": {tag: {"groups", "worst": {"value", "items", "right"},
                                                          "best": {"value", "items", "right"}}},
                                         "samples": {"k", "pass": {size: {"share", "low", "high"}},
                                                     "majority": {"items", "right", "ties", "without"}},
                                         "asked": {"prompt", "by", "system", "shots", "max_new_tokens",
                                                   "stop", "samples": {"k", "temperature", "top_p"}|null}},
                            "ledger": [{"round", "step", "role", "purpose", "requests", "input_tokens",
                                        "output_tokens", "cost_usd": float|null, "seconds"}],
                            "seconds": {step: s}}

All counts are numbers of items; a piece that a round does not have (training in round 0, say) is null or
left out. The other files of a run (recipe.yaml, dataset.jsonl, journal.sqlite, arrays, manifests) are not
read. A file that is not there is None; a line that is no JSON object is left out. Both are told in the
notes, which every report shows.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asft.errors import DataError

Row = Mapping[str, Any]
Rows = tuple[Row, ...]

ROUND = re.compile(r"round-(\d+)")
LINES = ("measure", "score", "select", "write", "filter", "evaluate")
ROUND_0_LINES = ("evaluate",)


@dataclass(frozen=True, kw_only=True)
class Round:
    """The files of one round."""

    number: int
    lines: Mapping[str, Rows | None]
    """File name without its ending -> its rows; None where there is no such file (yet)."""
    summary: Row | None
    adapted: Rows = ()
    """What rules of the recipe changed before it."""
    stopped: str | None = None
    """Why no round follows, where the recipe's `stop` ended the run."""

    def rows(self, name: str) -> Rows:
        """The rows of a file; none where it is missing."""
        return self.lines.get(name) or ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """The files of one run, as far as there are any."""

    path: Path
    about: Row
    """run.json; empty where it is missing."""
    settings: Row
    """recipe.lock.json; empty where it is missing."""
    rounds: tuple[Round, ...]
    """In order; the numbers may have gaps."""
    notes: tuple[str, ...]
    """What is missing or damaged, a sentence each."""


def read_run(path: Path) -> Run:
    """Read a run directory. Raises DataError where the path is none."""
    if not path.is_dir():
        raise DataError(f"{path} is not a directory: give the one that `asft run --out DIR` wrote to")
    folders = {
        int(found[1]): folder
        for folder in path.iterdir()
        if folder.is_dir() and (found := ROUND.fullmatch(folder.name))
    }
    if not folders and not (path / "run.json").exists():
        raise DataError(
            f"{path} holds no run, for it has neither run.json nor a folder round-00: "
            "give the directory that `asft run --out DIR` wrote to"
        )
    notes: list[str] = []
    about = _object(path / "run.json", "versions, hardware and command are not known", notes)
    settings = _object(path / "recipe.lock.json", "the settings are not known", notes)
    rounds = tuple(_round(number, folders[number], notes) for number in sorted(folders))
    missing = sorted(set(range(max(folders, default=0) + 1)) - set(folders))
    notes += [f"There is no folder for round {number}." for number in missing]
    return Run(path=path, about=about or {}, settings=settings or {}, rounds=rounds, notes=tuple(notes))


def _round(number: int, folder: Path, notes: list[str]) -> Round:
    summary = _object(
        folder / "summary.json", f"round {number} is not finished; what its other files tell is shown", notes
    )
    lines = {name: _lines(folder / f"{name}.jsonl", notes) for name in LINES}
    if summary is not None:
        due = LINES if number else ROUND_0_LINES
        missing = [f"{name}.jsonl" for name in due if lines[name] is None]
        if missing:
            notes.append(
                f"Round {number} has a summary but no {', '.join(missing)}: what they tell is left out."
            )
    adapted = _optional(folder / "adapted.json", "what rules changed before it is not known", notes)
    stopped = _optional(folder / "stopped.json", "why the run ended is not known", notes)
    return Round(
        number=number,
        lines=lines,
        summary=summary,
        adapted=tuple(parts(adapted, "changes")),
        stopped=text(stopped, "why"),
    )


def _optional(path: Path, consequence: str, notes: list[str]) -> Row:
    """The JSON object in a file that need not be there; empty where it is not."""
    return (_object(path, consequence, notes) or {}) if path.exists() else {}


def _object(path: Path, consequence: str, notes: list[str]) -> Row | None:
    """The JSON object in a file, or None and a note."""
    where = f"{path.parent.name}/{path.name}" if ROUND.fullmatch(path.parent.name) else path.name
    if not path.exists():
        notes.append(f"There is no {where}: {consequence}.")
        return None
    value = _parsed(path.read_bytes())
    if not isinstance(value, dict):
        notes.append(f"{where} is damaged (no JSON object): {consequence}.")
        return None
    return value


def _lines(path: Path, notes: list[str]) -> Rows | None:
    """The objects in a file of JSON lines; None where there is no such file."""
    if not path.exists():
        return None
    rows, bad = [], []
    for line, data in enumerate(path.read_bytes().splitlines(), start=1):
        value = _parsed(data)
        if isinstance(value, dict):
            rows.append(value)
        elif data.strip():
            bad.append(line)
    if bad:
        which = f"line {bad[0]}" if len(bad) == 1 else f"{len(bad)} lines (the first is {bad[0]})"
        notes.append(f"{path.parent.name}/{path.name}: {which} cannot be read as JSON and is left out.")
    return tuple(rows)


def _parsed(data: bytes) -> Any:
    """The JSON value; None where it is damaged."""
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


# Rows are what a file says, so every value is looked at before it is used: one of another type is None.


def part(row: Row | None, *keys: str) -> Row:
    """The object under a path of keys; empty where there is none."""
    value: Any = row
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def parts(row: Row, key: str) -> Sequence[Row]:
    """The objects in a list."""
    value = row.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def number(row: Row, key: str) -> float | None:
    """A finite number."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def count(row: Row, key: str) -> int | None:
    """A whole number, 0 or more."""
    value = number(row, key)
    return int(value) if value is not None and value >= 0 and value == int(value) else None


def text(row: Row, key: str) -> str | None:
    """A string."""
    value = row.get(key)
    return value if isinstance(value, str) else None
