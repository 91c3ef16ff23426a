"""P4 and P5: a rate limit that moves, and an overload that nobody tells of."""

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import harness
import tables
from harness import Setting

from asft.testing import Rate


def add(commands: Any) -> None:
    """The commands p4 and p5."""
    parser = commands.add_parser("p4", help="an unknown rate limit that moves")
    parser.add_argument("--phases", default="60:50,60:10,120:100", help="SECONDS:CALLS_A_SECOND,...")
    parser.add_argument("--settle", type=float, default=20.0, help="seconds after a change that do not count")
    parser.add_argument("--headers", action="store_true", help="the endpoint tells what is left")
    parser.add_argument("--concurrency", nargs="+", default=["auto", "64"])
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--name", default="p4")
    parser.set_defaults(call=moving)

    parser = commands.add_parser("p5", help="overload that no 429 tells of")
    parser.add_argument("--at-once", type=int, default=40)
    parser.add_argument("--n", type=int, default=4000)
    parser.add_argument("--concurrency", nargs="+", default=["auto", "16", "40", "64", "128", "256"])
    parser.add_argument("--timeout", type=float, default=25.0)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--name", default="p5")
    parser.set_defaults(call=overloaded)


def moving(given: argparse.Namespace) -> None:
    """P4: goodput against the limit, phase by phase."""
    rate = Rate.parse(given.phases)
    seconds = sum(length for length, _ in rate.phases)
    # More items than the limit lets through, so that there is always one to ask.
    n = round(1.3 * sum(length * limit for length, limit in rate.phases))
    rows: list[dict[str, Any]] = []
    for repetition in range(given.repeat):
        for concurrency in given.concurrency:
            server = ("--rate", given.phases, *(["--rate-headers"] if given.headers else []))
            setting = Setting(n=n, concurrency=concurrency, server=server)
            calls = harness.calls_within("asft", setting, seconds)
            rows += phases(rate, calls, given.settle, {"C": concurrency, "repetition": repetition})
            print(*rows[-len(rate.phases) - 1 :], sep="\n", flush=True)
    columns = {
        "calls a second let through": tables.figure("goodput", 1),
        "of the limit": tables.figure("share", 3),
        "answered 429": tables.figure("limited", 3),
    }
    made = tables.table(rows, ["C", "phase"], columns)
    print("\n" + made)
    tables.keep(given.name, rows, made)


def phases(
    rate: Rate, calls: Sequence[dict[str, Any]], settle: float, row: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row for each phase from `settle` seconds after its beginning, and one for all."""
    first = min(call["at"] for call in calls)
    made, begins = [], 0.0
    for length, limit in rate.phases:
        low, high = first + begins + settle, first + begins + length
        counted = [call for call in calls if low <= call["at"] < high]
        good = sum(call["status"] == 200 for call in counted)
        limited = sum(call["status"] == 429 for call in counted)
        made.append(
            {
                **row,
                "phase": f"{limit:g}/s",
                "goodput": good / (high - low),
                "share": good / (high - low) / limit,
                "limited": limited / max(1, len(counted)),
            }
        )
        begins += length
    good = sum(call["status"] == 200 for call in calls)
    allowed = sum(length * limit for length, limit in rate.phases)
    limited = sum(call["status"] == 429 for call in calls) / len(calls)
    made.append(
        {**row, "phase": "all", "goodput": good / begins, "share": good / allowed, "limited": limited}
    )
    return made


def overloaded(given: argparse.Namespace) -> None:
    """P5: goodput and how long calls take, for each concurrency."""
    rows: list[dict[str, Any]] = []
    for repetition in range(given.repeat):
        for concurrency in given.concurrency:
            setting = Setting(
                n=given.n,
                concurrency=concurrency,
                timeout=given.timeout,
                server=("--at-once", str(given.at_once)),
            )
            run = harness.run("asft", setting)
            seconds = sorted(call["seconds"] for call in run["calls"] if call["status"] == 200)
            rows.append(
                {
                    "C": concurrency,
                    "repetition": repetition,
                    "wall": run["wall"],
                    "goodput": run["right"] / run["wall"],
                    "median": statistics.median(seconds),
                    "p95": seconds[int(0.95 * len(seconds))],
                    "aborted": run["counts"]["gone"] + run["counts"]["by_status"].get("503", 0),
                    "peak_open": run["counts"]["peak_open"],
                    "lost": run["lost"],
                    "wrong": run["wrong"],
                }
            )
            print(rows[-1], flush=True)
    best = max(row["goodput"] for row in rows if row["C"] != "auto")
    for row in rows:
        row["of_best"] = row["goodput"] / best
    columns = {
        "rows a second": tables.figure("goodput", 1),
        "of the best fixed": tables.figure("of_best", 3),
        "median of a call, s": tables.figure("median"),
        "p95, s": tables.figure("p95"),
        "aborted": tables.figure("aborted", 0),
        "most at once": tables.figure("peak_open", 0),
    }
    made = tables.table(rows, ["C"], columns)
    print("\n" + made)
    tables.keep(given.name, rows, made)
