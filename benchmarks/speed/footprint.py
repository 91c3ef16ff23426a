"""P7 and P8: seconds until it starts, and memory for each row."""

import argparse
import contextlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import harness
import tables
from harness import Setting


def add(commands: Any) -> None:
    """The commands p7 and p8."""
    parser = commands.add_parser("p7", help="start-up")
    parser.add_argument("--n", type=int, default=4000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--name", default="p7")
    parser.set_defaults(call=starting)

    parser = commands.add_parser("p8", help="memory")
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 50_000, 200_000])
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--teacher", choices=("in-process", "openai"), default="in-process")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--name", default="p8")
    parser.set_defaults(call=memory)


def starting(given: argparse.Namespace) -> None:
    """P7: seconds from the start of the process."""
    rows = []
    for repetition in range(given.repeat):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "asft", "--help"], check=True, stdout=subprocess.DEVNULL)
        row = {"repetition": repetition, "help": time.monotonic() - began}
        row["one_row"] = one_row()
        row |= first_durable(Setting(n=given.n, concurrency=given.concurrency))
        print(row, flush=True)
        rows.append(row)
    titles = {
        "help": "`asft --help`",
        "one_row": "engine, openai teacher and journal: one row, from start to exit",
        "durable": f"first row of {given.n} on the disk, from the start",
        "after_reply": "... from the first reply",
    }
    long = [{"what": title, "seconds": row[key]} for key, title in titles.items() for row in rows]
    made = tables.table(long, ["what"], {"s": tables.figure("seconds")})
    print("\n" + made)
    tables.keep(given.name, rows, made)


def one_row() -> float:
    """Seconds of a whole run with one row and no latency."""
    setting = Setting(n=1, concurrency=1, latency="constant:0")
    with harness.serving(setting) as (served, folder):
        out = folder / "out"
        out.mkdir()
        began = time.monotonic()
        process = harness.start(harness.command("asft", setting, served.base_url, out), folder)
        process.wait(timeout=60)
        return time.monotonic() - began


def first_durable(setting: Setting) -> dict[str, float]:
    """When another process finds a reply in the journal: since the start, and since the first reply."""
    with harness.serving(setting) as (served, folder):
        out = folder / "out"
        out.mkdir()
        began = time.time()
        process = harness.start(harness.command("asft", setting, served.base_url, out), folder)
        try:
            while not _holds_one(out / "journal.sqlite"):
                if process.poll() is not None:
                    raise harness.ClientFailedError("asft", "failed", folder)
                time.sleep(0.005)
            found = time.time()
        finally:
            harness.kill(process)
        return {"durable": found - began, "after_reply": found - served.now()["first_answer"]}


def _holds_one(path: Path) -> bool:
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as journal,
    ):
        return journal.execute("SELECT 1 FROM replies LIMIT 1").fetchone() is not None
    return False


def memory(given: argparse.Namespace) -> None:
    """P8: the peak of the process, and what each further row adds."""
    rows: list[dict[str, Any]] = []
    for repetition in range(given.repeat):
        for n in given.n:
            row = {"teacher": given.teacher, "n": n, "repetition": repetition}
            row |= peak(Setting(n=n, concurrency=given.concurrency, latency="constant:0"), given.teacher)
            least = next(one for one in [*rows, row] if one["repetition"] == repetition)
            more = row["peak_mb"] - least["peak_mb"]
            row["kb_per_row"] = 1024 * more / (n - least["n"]) if n > least["n"] else 0.0
            print(row, flush=True)
            rows.append(row)
    columns = {
        "peak MB": tables.figure("peak_mb", 0),
        f"kB for each row beyond {given.n[0]}": tables.figure("kb_per_row", 3),
        "wall, s": tables.figure("wall", 1),
    }
    made = tables.table(rows, ["teacher", "n"], columns)
    print("\n" + made)
    tables.keep(given.name, rows, made)


def peak(setting: Setting, teacher: str) -> dict[str, float]:
    """Of one run: peak memory, seconds."""
    if teacher == "openai":
        run = harness.run("asft", setting)
        return {"peak_mb": run["peak_mb"], "wall": run["wall"]}
    with tempfile.TemporaryDirectory(prefix="asft-speed-") as name:
        process = harness.start(harness.command("asft", setting, "in-process", Path(name)), Path(name))
        process.wait(timeout=1800)
        figures = json.loads((Path(name) / "figures.json").read_text("utf-8"))
        return {"peak_mb": figures["peak_mb"], "wall": figures["wall"]}
