"""P6: kill -9 in the middle, a torn journal, and running again."""

import argparse
import hashlib
import time
from pathlib import Path
from typing import Any

import harness
import tables
from harness import Setting

CUT = 37
"""Bytes that are cut off the newest file of the journal."""


def add(commands: Any) -> None:
    """The command p6."""
    parser = commands.add_parser("p6", help="kill and resume")
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--at", type=float, nargs="+", default=[0.25, 0.5, 0.75], help="shares of the calls")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--name", default="p6")
    parser.set_defaults(call=compare)


def compare(given: argparse.Namespace) -> None:
    """Each kill point, with the journal whole and torn."""
    setting = Setting(n=given.n, concurrency=given.concurrency, steps=given.steps)
    rows: list[dict[str, Any]] = []
    for repetition in range(given.repeat):
        whole = one(setting, None, torn=False)
        for at in given.at:
            for torn in (False, True):
                killed = one(setting, at, torn=torn)
                same = killed["digest"] == whole["digest"]
                rows.append(
                    {
                        "killed at": f"{at:.0%}",
                        "journal": "torn" if torn else "whole",
                        "repetition": repetition,
                        "twice": killed["twice"],
                        "lost": killed["lost"],
                        "wrong": killed["wrong"],
                        "extra": killed["wall"] - whole["wall"],
                        "same": int(same),
                    }
                )
                print(rows[-1], flush=True)
    columns = {
        f"calls paid twice (C = {given.concurrency})": tables.figure("twice", 0),
        "rows lost": tables.figure("lost", 0),
        "rows wrong": tables.figure("wrong", 0),
        "extra wall, s": tables.figure("extra", 1),
        "same data set": lambda group: "yes" if all(row["same"] for row in group) else "no",
    }
    made = tables.table(rows, ["killed at", "journal"], columns)
    print("\n" + made)
    tables.keep(given.name, rows, made)


def one(setting: Setting, at: float | None, *, torn: bool) -> dict[str, Any]:
    """One run, killed when so large a share of its calls is answered, and run again."""
    calls = setting.n * setting.steps
    with harness.serving(setting) as (served, folder):
        out = folder / "out"
        out.mkdir()
        given = harness.command("asft", setting, served.base_url, out)
        began = time.monotonic()
        process = harness.start(given, folder)
        if at is not None:
            while served.now()["answered"] < at * calls and process.poll() is None:
                time.sleep(0.02)
            harness.kill(process)
            if torn:
                tear(out)
            process = harness.start(given, folder)
        if process.wait(timeout=600) != 0:
            raise harness.ClientFailedError("asft", "failed", folder)
        wall = time.monotonic() - began
        served.stop()
        counts = served.counts
        return {
            "wall": wall,
            # A call that was in flight at the kill is paid too, though its reply reached nobody.
            "twice": counts["calls"] - counts["prompts"],
            "digest": hashlib.sha256((out / "rows.jsonl").read_bytes()).hexdigest(),
            **harness.checked(setting, harness.rows_in(out)),
        }


def tear(out: Path) -> None:
    """Cut the end off the newest file of the journal; not the index of its log, which is made anew."""
    files = [path for path in out.glob("journal.sqlite*") if path.suffix != ".sqlite-shm"]
    newest = max((path for path in files if path.stat().st_size), key=lambda path: path.stat().st_mtime_ns)
    with newest.open("r+b") as file:
        file.truncate(newest.stat().st_size - CUT)
