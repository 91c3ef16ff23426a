"""What is kept of one run of a study: a JSON file of some kilobytes, from which the report is made.

The test items, which are the same for many runs, lie beside them in a file of their own. These files are all
that has to be committed: with them a study goes on, and is reported, on any machine.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asft.errors import RunError
from asft.origin import EXTENSIBLE
from asft.rundir import differences, read_json, read_jsonl, rounds, write_json, write_text
from asft.stats import auroc

SAMPLES = 3
"""Accepted examples of a round that are kept with their text."""
TESTED = ("items", "tags")
"""What is the same for all runs with the same test split."""
MARKS = {1.0: "1", None: "-"}
"""How a grade stands in a point; all that is neither right nor ungradable is "0"."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run reached and used, round by round."""

    arm: str
    seed: int
    settings: Mapping[str, Any]
    about: Mapping[str, Any]
    """Versions and hardware."""
    items: Sequence[str]
    """Ids of the test items, in their order."""
    tags: Mapping[str, Sequence[str | None]]
    """Tag -> the value of each test item."""
    points: Sequence[Mapping[str, Any]]
    """One per round, the base first; see `point`."""


def path_of(folder: Path, arm: str, seed: int) -> Path:
    """Where the result of an arm and a seed lies."""
    return folder / "results" / arm / f"seed-{seed}.json"


def read(path: Path) -> Result:
    """A result as it was put down. Raises RunError where it is damaged, or its test items are not there."""
    mend = "removing it and running the study again"
    kept = read_json(path, mend)
    try:
        tested = read_json(_items_of(path, kept.pop("tested")), mend)
        return Result(**kept, **tested)
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{path} is no result of a study ({error}); remove it and run the study again"
        ) from None


def write(path: Path, made: Mapping[str, Any]) -> None:
    """Put a result down, a line for each of its points, and its test items if no other run has."""
    tested = {key: made[key] for key in TESTED}
    name = hashlib.blake2b(json.dumps(tested).encode(), digest_size=6).hexdigest()
    items = _items_of(path, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not items.exists():
        # Two runs may end at once.
        own = items.with_suffix(f".{os.getpid()}")
        write_json(own, tested)
        own.replace(items)
    whole = {key: value for key, value in made.items() if key not in (*TESTED, "points")}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {**whole, "tested": name}.items()]
    points = ",\n ".join(json.dumps(point) for point in made["points"])
    write_text(path, "{" + ",\n".join([*lines, f'"points": [\n {points}\n]']) + "}\n")


def _items_of(path: Path, name: str) -> Path:
    """Where the test items lie that a result names."""
    return path.parent.parent / f"items-{name}.json"


def stale(result: Result, settings: Mapping[str, Any]) -> tuple[bool, list[str]]:
    """Whether the run has to go on, since how far it goes was changed; and what else has changed."""
    changed = list(differences(result.settings, settings))
    extended = [one for one in changed if one.split(".")[0].split(" ")[0] in EXTENSIBLE]
    return bool(extended), [one for one in changed if one not in extended]


def gathered(
    folder: Path, arm: str, seed: int, settings: Mapping[str, Any], extra: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    """The result of a finished run; `extra` is what else is known of a round."""
    about = read_json(folder / "run.json")
    numbers = rounds(folder)
    base = read_jsonl(folder / f"round-{numbers[0]:02d}" / "evaluate.jsonl")
    items = [row["example_id"] for row in base]
    tags = dict.fromkeys(tag for row in base for tag in row["tags"])
    points: list[dict[str, Any]] = []
    kept = 0
    for number in numbers:
        one = point(folder / f"round-{number:02d}", items)
        kept += one["kept"]
        points.append({**one, "examples": kept, **extra.get(number, {})})
    return {
        "arm": arm,
        "seed": seed,
        "settings": settings,
        "about": {key: about[key] for key in ("versions", "hardware")},
        "items": items,
        "tags": {tag: [row["tags"].get(tag) for row in base] for tag in tags},
        "points": points,
    }


def point(folder: Path, items: Sequence[str]) -> dict[str, Any]:
    """One round: a mark for each test item ("1" right, "0" wrong, "-" ungradable), and what it took."""
    summary = read_json(folder / "summary.json")
    rows = read_jsonl(folder / "evaluate.jsonl")
    if [row["example_id"] for row in rows] != list(items):
        raise RunError(f"{folder} was evaluated on other test items than round 0; redo its evaluate step")
    funnel = summary.get("funnel") or {}
    number = summary["round"]
    return {
        "round": number,
        "kept": funnel.get("kept", 0),
        "drafts": funnel.get("drafts", 0),
        "grades": "".join(MARKS.get(row["grade"], "0") for row in rows),
        "ledger": summary["ledger"],
        "seconds": summary["seconds"],
        "train": summary.get("train"),
        "funnel": funnel,
        "flops": _flops(summary["ledger"]),
        "separation": _separation(folder) if number else None,
        "asked": _asked(folder, funnel.get("drafts", 0)) if number else [],
        "samples": _samples(folder) if number else [],
    }


def _flops(ledger: Sequence[Mapping[str, Any]]) -> float | None:
    """Of all that a round took; None where that of any part is not known."""
    parts = [row["flops"] for row in ledger]
    return None if None in parts else float(sum(parts))


def accepted(folder: Path) -> list[dict[str, Any]]:
    """The accepted examples of a round, each with the number of its draft, in their order."""
    keeps = {row["number"] for row in read_jsonl(folder / "filter.jsonl") if row["decision"] == "keep"}
    rows = read_jsonl(folder / "write.jsonl")
    return [{"number": row["number"], **row["example"]} for row in rows if row["number"] in keeps]


def _separation(folder: Path) -> float | None:
    """How often a seed whose own answer is wrong scores above one whose is right; None without such.

    An answer that cannot be graded, or is right in part, counts as wrong here too.
    """
    own = {row["example_id"]: row["own"] for row in read_jsonl(folder / "measure.jsonl")}
    scored = [
        (own[row["example_id"]]["grade"], row["score"])
        for row in read_jsonl(folder / "score.jsonl")
        if own.get(row["example_id"]) and row["score"] is not None
    ]
    right = [score for grade, score in scored if grade == 1.0]
    return auroc([score for grade, score in scored if grade != 1.0], right)


def _asked(folder: Path, drafts: int) -> list[str]:
    """Ids of the seeds that the teacher was asked about, in the order of the drafts."""
    return [row["example_id"] for row in read_jsonl(folder / "select.jsonl")[:drafts]]


def _samples(folder: Path) -> list[dict[str, Any]]:
    """The first accepted examples, with the seeds that they were written from."""
    picks = {row["number"]: row for row in read_jsonl(folder / "select.jsonl")}
    return [
        {
            "seed": picks[one["number"]]["prompt"],
            "score": picks[one["number"]]["score"],
            "prompt": one["prompt"],
            "completion": one["completion"],
        }
        for one in accepted(folder)[:SAMPLES]
    ]
