"""P9: endpoints that cannot work, through the command line."""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from typing import Any

import harness
import tables
from harness import Setting

MARK = "sk-mark-5f1c2a"
"""The key; it must be found in no output and no file of the run."""

RECIPE = """\
name: wrong
seed: 1
rounds: 1
per_round: 4
task: {{use: pocket, seeds: 8, tests: 8}}
student: {{base: pocket, max_new_tokens: 16}}
teacher: {{use: openai, base_url: "{base_url}", model: "{model}"}}
criterion: {{use: loss, of: gold}}
selector: {{use: random}}
writer: {{use: question_with_answer}}
train: {{max_steps: 1}}
"""
CASES = ("wrong key", "wrong model", "server down", "TLS to a plain port")


def add(commands: Any) -> None:
    """The command p9."""
    parser = commands.add_parser("p9", help="endpoints that cannot work")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--commands", nargs="+", default=["run", "probe"])
    parser.add_argument("--limit", type=float, default=120.0, help="seconds until it is killed")
    parser.add_argument("--name", default="p9")
    parser.set_defaults(call=compare)


def compare(given: argparse.Namespace) -> None:
    """Each case with each command."""
    rows: list[dict[str, Any]] = []
    for repetition in range(given.repeat):
        for case in CASES:
            for command in given.commands:
                row = {"endpoint": case, "command": f"asft {command}", "repetition": repetition}
                rows.append(row | one(case, command, given.limit))
                print(rows[-1], flush=True)
    columns = {
        "s": tables.figure("seconds", 1),
        "exit code": lambda group: ", ".join(sorted({str(row["code"]) for row in group})),
        "key kept out": lambda group: "yes" if not any(row["leaked"] for row in group) else "NO",
        "it says": lambda group: group[0]["says"].replace("|", "\\|"),
    }
    made = tables.table(rows, ["endpoint", "command"], columns)
    print("\n" + made)
    tables.keep(given.name, rows, made)


def one(case: str, command: str, limit: float) -> dict[str, Any]:
    """Seconds to the end, exit code, and the last line."""
    key = ("--key", "sk-another") if case == "wrong key" else ()
    with harness.serving(Setting(n=0, concurrency=1, latency="constant:0", server=key)) as (served, folder):
        base_url = served.base_url
        if case == "server down":
            base_url = f"http://127.0.0.1:{_free_port()}/v1"
        elif case == "TLS to a plain port":
            base_url = base_url.replace("http:", "https:")
        model = "tset" if case == "wrong model" else harness.work.MODEL
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE.format(base_url=base_url, model=model), encoding="utf-8")
        asked = [sys.executable, "-m", "asft", command, str(recipe)]
        if command == "run":
            asked += ["--out", str(folder / "run")]
        began = time.monotonic()
        with tempfile.TemporaryFile() as printed:
            process = subprocess.Popen(
                asked,
                cwd=folder,
                env={**os.environ, **harness.ENVIRONMENT, "OPENAI_API_KEY": MARK},
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
            try:
                code: int | str = process.wait(timeout=limit)
            except subprocess.TimeoutExpired:
                code = "none"
            seconds = time.monotonic() - began
            harness.kill(process)
            printed.seek(0)
            text = printed.read().decode("utf-8", "replace")
        kept = [path.read_bytes() for path in (folder / "run").rglob("*") if path.is_file()]
        lines = text.strip().splitlines() or [""]
        return {
            "seconds": seconds,
            "code": code,
            "leaked": int(MARK in text or any(MARK.encode() in data for data in kept)),
            "traceback": int("Traceback" in text),
            "says": lines[-1].replace(base_url, "BASE_URL").replace(str(folder), "DIR"),
        }


def _free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
