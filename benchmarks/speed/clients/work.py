"""What every client does: the same items, the same questions, the same measuring. Standard library only.

A client is a program that asks for the text of `n` items (or, in two steps, for a question and then for
its answer), with at most `concurrency` calls at once, writes a row for each item, and its own figures.
Importing is not measured here; protocol P7 measures it.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

MODEL = "test"
MAX_TOKENS = 1024
TEMPERATURE = 0.7


def question(item: int) -> str:
    """What is asked first."""
    return (
        f"Item {item}: write a word problem about {item % 97} boxes that takes {2 + item % 5} steps to solve."
    )


def answer(text: str) -> str:
    """What is asked about the reply to it."""
    return f"Solve this problem step by step.\n\n{text}"


def arguments(**defaults: Any) -> argparse.Namespace:
    """The command line of every client."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--concurrency", required=True, help='a number; the client of asft also takes "auto"')
    parser.add_argument("--steps", type=int, choices=(1, 2), default=1)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for one call")
    parser.add_argument("--out", type=Path, required=True, help="folder for rows.jsonl and figures.json")
    parser.add_argument("--setting", choices=("shipped", "tuned", "replicas"), default="tuned")
    parser.set_defaults(**defaults)
    return parser.parse_args()


def row(item: int, text: str | None, asked: str, reason: str = "") -> dict[str, Any]:
    """One row: the last text, what it was said to, and why there is none."""
    return {"item": item, "text": text, "asked": asked, "reason": reason}


def measured(out: Path, work: Callable[[], Iterable[Mapping[str, Any]] | None]) -> None:
    """Do the work, write the rows that it returns (None: it has written them), and what it took."""
    used, began = _cpu(), time.monotonic()
    rows = work()
    if rows is not None:
        with (out / "rows.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in rows)
    figures = {
        "wall": time.monotonic() - began,
        "cpu": _cpu() - used,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    (out / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


def _cpu() -> float:
    """Seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
