"""Kill one run in every step of every round, go on after each, and compare with a run that was left alone.

    python scripts/check_kill.py [RECIPE] [--set KEY.PATH=VALUE ...] [--only STEP ...] [--keep DIR]

The teacher has to be `rules`. It is put behind an endpoint on this machine that counts requests, so that
those which were made twice are known: what was in flight at the kill is in no ledger. A kill that comes too
late is tried again from a copy of the run directory.

Prints a line per kill. Exits with 1 where the run ends otherwise than the one that was left alone, or where a
kill never hit its step.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from asft import recipe
from asft.serve import serving
from asft.starter import recipes
from asft.types import Reply, Request, Teacher

ENDS = {
    "measure": "measure.manifest.json",
    "select": "select.manifest.json",
    "write": "write.jsonl",
    "filter": "write.manifest.json",
    "train": "train.manifest.json",
    "evaluate": "evaluate.manifest.json",
    "summarise": "summary.json",
}
"""Step -> the file that ends it, in order. Drafts are put down first, then the verdicts on them."""
LONG = ("measure", "train", "evaluate")
"""Steps that are killed after a part of the time that they take."""
SAME = ("select.jsonl", "write.jsonl", "filter.jsonl", "dataset.jsonl")
AT_ONCE = 16
"""Requests in flight at most, so that it is known how many a kill may cost."""
TRIES = 5
"""How often a kill that came too late is tried again."""


class MissedError(Exception):
    """A kill that did not come while the step ran."""


@dataclass
class Counted:
    """A teacher that counts what it is asked, and takes its time, so that requests are in flight."""

    teacher: Teacher
    asked: Counter[str] = field(default_factory=Counter)

    async def reply(self, request: Request) -> Reply:
        self.asked[repr(request)] += 1
        await asyncio.sleep(0.05)
        return await self.teacher.reply(request)

    @property
    def again(self) -> int:
        """How many requests were made again."""
        return self.asked.total() - len(self.asked)


@contextmanager
def served(teacher: Teacher) -> Iterator[str]:
    """Serve the teacher in a thread; gives the base_url."""
    started, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    urls: list[str] = []

    async def serve() -> None:
        async with serving(teacher, model="rules") as url:
            urls.append(url)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        if not started.wait(30):
            raise TimeoutError("the endpoint did not open")
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


@dataclass(frozen=True)
class Check:
    """The command, the teacher that it asks, and the run that was left alone."""

    command: Sequence[str]
    teacher: Counted
    whole: Path

    def start(self, out: Path) -> "subprocess.Popen[bytes]":
        with out.with_suffix(".log").open("ab") as log:
            return subprocess.Popen([*self.command, "--out", str(out)], stdout=log, stderr=log)

    def finish(self, out: Path) -> float:
        """Run to the end; returns the seconds. Exits where the run does not end well."""
        began = time.monotonic()
        if self.start(out).wait() != 0:
            sys.exit(f"the run failed:\n{out.with_suffix('.log').read_text()[-3000:]}")
        return time.monotonic() - began

    def kill(self, out: Path, number: int, step: str, share: float) -> float:
        """Run until so much of the step is done, and kill; returns the seconds. Raises MissedError."""
        began = time.monotonic()
        process = self.start(out)
        folder = out / f"round-{number:02d}"
        steps = list(ENDS)
        before = steps[steps.index(step) - 1] if step != steps[0] else steps[-1]
        start = (folder if step != steps[0] else out / f"round-{number - 1:02d}") / ENDS[before]
        try:
            wait(start.exists, process)
            if step in LONG:
                seconds = read(self.whole / folder.name / f"{step}.manifest.json")["seconds"]
                until = time.monotonic() + share * seconds
                wait(lambda: time.monotonic() >= until, process)
            elif step == "write":
                most = replies(self.whole, number)
                wait(lambda: replies(out, number) >= max(1, share * most), process)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        if (folder / ENDS[step]).exists():
            raise MissedError
        return time.monotonic() - began

    def hit(self, out: Path, number: int, step: str) -> bool:
        """Kill in this step, and print the line; False where every kill came too late."""
        before = out.with_name("before")
        shutil.rmtree(before, ignore_errors=True)
        if out.exists():
            shutil.copytree(out, before)
        asked, again = self.teacher.asked.copy(), self.teacher.again
        for attempt in range(TRIES):
            try:
                seconds = self.kill(out, number, step, share=0.5 - 0.1 * attempt)
            except MissedError:
                self.teacher.asked = asked.copy()
                shutil.rmtree(out)
                if before.exists():
                    shutil.copytree(before, out)
                continue
            made = self.teacher.again - again
            told = f"killed after {seconds:5.1f} s, {made} requests made again"
            print(f"round {number}  {step:<10} {told}", flush=True)
            return True
        print(f"round {number}  {step:<10} the kill came too late {TRIES} times", flush=True)
        return False

    def differences(self, out: Path, kills: int) -> list[str]:
        """What is not as in the run that was left alone, after so many kills while the teacher was asked."""
        found = []
        for path in sorted(self.whole.glob("round-*/*")):
            other = out / path.relative_to(self.whole)
            if path.name in SAME and (not other.exists() or path.read_bytes() != other.read_bytes()):
                found.append(str(path.relative_to(self.whole)))
            if path.name == "summary.json" and figures(read(path)) != figures(read(other)):
                found.append(str(path.relative_to(self.whole)))
        if paid(out) != paid(self.whole):
            found.append("the ledger")
        if self.teacher.again > kills * AT_ONCE:
            found.append(f"{self.teacher.again} requests made again, with {AT_ONCE} at once")
        return found


def wait(until: Any, process: "subprocess.Popen[bytes]") -> None:
    """Poll until it is true. Raises MissedError where the process ends before."""
    while not until():
        if process.poll() is not None:
            raise MissedError
        time.sleep(0.001)


def replies(out: Path, number: int) -> int:
    """How many replies a round has in its journal; 0 where that cannot be read yet."""
    try:
        with closing(sqlite3.connect(f"{(out / 'journal.sqlite').as_uri()}?mode=ro", uri=True)) as journal:
            return int(
                journal.execute("SELECT COUNT(*) FROM ledger WHERE round = ?", (number,)).fetchone()[0]
            )
    except sqlite3.Error:
        return 0


def paid(out: Path) -> tuple[int, int]:
    """How many requests the ledger holds as paid, and how many of them twice."""
    with closing(sqlite3.connect(out / "journal.sqlite")) as journal:
        counts = [row[0] for row in journal.execute("SELECT COUNT(*) FROM ledger WHERE paid GROUP BY key")]
    return sum(counts), sum(count - 1 for count in counts)


def figures(summary: Any) -> Any:
    """A summary without its times."""
    if isinstance(summary, dict):
        return {key: figures(value) for key, value in summary.items() if key != "seconds"}
    return [figures(value) for value in summary] if isinstance(summary, list) else summary


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", type=Path, nargs="?", default=recipes() / "quickstart.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", dest="overrides")
    parser.add_argument("--only", nargs="+", choices=list(ENDS), default=list(ENDS), metavar="STEP")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the two runs are put and kept")
    arguments = parser.parse_args()
    made = recipe.load(arguments.recipe, arguments.overrides)
    if made.settings["teacher"]["use"] != "rules":
        sys.exit("the teacher has to be `rules`: every run would be paid anew")
    given = yaml.safe_load(arguments.recipe.read_text("utf-8"))
    teacher = Counted(made.teacher)
    keep = arguments.keep or Path(tempfile.mkdtemp(prefix="check_kill-"))
    keep.mkdir(parents=True, exist_ok=True)
    with served(teacher) as url:
        path = keep / "recipe.yaml"
        prices = {"input": 0, "output": 0}
        given["teacher"] = {"use": "openai", "model": "rules", "base_url": url, "prices": prices}
        given["engine"] = {**(given.get("engine") or {}), "concurrency": AT_ONCE}
        path.write_text(yaml.safe_dump(given), "utf-8")
        overrides = [one for one in arguments.overrides if not one.strip().startswith("teacher.")]
        command = [sys.executable, "-m", "asft", "run", str(path), *(f"--set={one}" for one in overrides)]
        check = Check(command, teacher, keep / "whole")
        seconds = check.finish(check.whole)
        requests, twice = paid(check.whole)
        again = twice + teacher.again
        print(f"left alone: {seconds:.1f} s, {requests} requests, {again} of them twice", flush=True)
        if again:
            return 1
        teacher.asked.clear()
        killed = keep / "killed"
        points = [(number, step) for number in range(1, made.rounds + 1) for step in arguments.only]
        hit = [check.hit(killed, number, step) for number, step in points]
        check.finish(killed)
        found = check.differences(killed, kills=sum(step == "write" for _, step in points))
        print(
            f"{sum(hit)} of {len(hit)} kills hit their step; {teacher.again} requests made again; "
            + (f"DIFFERENT: {', '.join(found)}" if found else "the run ended in the same bytes")
        )
    equal = all(hit) and not found
    if equal and not arguments.keep:
        shutil.rmtree(keep)
    elif not equal:
        print(f"the two runs lie in {keep}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
