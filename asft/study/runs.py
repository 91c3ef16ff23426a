"""The runs of a study: each in a process of its own, as many at once as the machine bears.

What all runs ask a teacher is in one journal, and finished steps that have the same settings and inputs in
any two runs are made once (`shared/`). A run whose result is there is not run again.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from asft import recipe as recipes
from asft.errors import RunError
from asft.report.wording import duration
from asft.rundir import write_json, write_text
from asft.study import results
from asft.study.design import Study
from asft.teachers.vllm import guard

LOOKS_EVERY = 0.5
"""Seconds."""
TOLD_EVERY = 30.0
"""Seconds between two lines where nothing can be drawn over."""
TAIL = 4000
"""Bytes of a log that are read for how far a run is."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run."""

    arm: str
    seed: int
    given: Mapping[str, Any]
    """Its recipe, as plain data."""
    goes_on: bool
    """Whether there is a result that is to be extended."""


@dataclass
class _Running:
    job: Job
    process: "subprocess.Popen[bytes]"
    log: Path
    began: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return f"{self.job.arm} {self.job.seed}"


def missing(study: Study, folder: Path) -> list[Job]:
    """The runs that have no result yet. Raises RunError where a result was made under other settings."""
    jobs, changed = [], []
    for arm, seed in study.pairs():
        given = study.given(arm, seed)
        kept = results.path_of(folder, arm.name, seed)
        goes_on = False
        if kept.exists():
            goes_on, others = results.stale(results.read(kept), recipes.look_at(given).parts["settings"])
            if others:
                changed.append(f"{kept}: {'; '.join(others[:3])}")
                continue
            if not goes_on:
                continue
        jobs.append(Job(arm=arm.name, seed=seed, given=given, goes_on=goes_on))
    if changed:
        shown = "\n".join(changed[:5])
        raise RunError(
            f"{len(changed)} results were made under other settings. Give another --out, or remove them:\n"
            f"{shown}"
        )
    return jobs


def run(study: Study, folder: Path, *, at_once: int, out: TextIO | None = None) -> None:
    """Run all that has no result. Raises RunError that names those that failed, when the others are done."""
    todo = deque(missing(study, folder))
    every = len(study.arms) * len(study.seeds)
    board = Board(study.name, every, every - len(todo), out or sys.stderr)
    running: list[_Running] = []
    failed: dict[str, str] = {}
    for part in ("runs", "logs", "shared"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    _ignore(folder)
    try:
        while todo or running:
            while todo and len(running) < at_once:
                job = todo.popleft()
                if job.arm in {name.partition(" ")[0] for name in failed}:
                    continue
                running.append(_start(study, job, folder, at_once))
            time.sleep(LOOKS_EVERY)
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                if _has_result(one, folder):
                    board.done(one.name, time.monotonic() - one.began)
                else:
                    failed[one.name] = _why(one.log)
                    board.failed(one.name, failed[one.name])
            board.draw([(one.name, _how_far(one.log)) for one in running])
    finally:
        for one in running:
            one.process.terminate()
        for one in running:
            one.process.wait()
        board.close()
    if failed:
        told = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise RunError(
            f"{len(failed)} runs failed, and no more of their arms were started ({told}). Their logs are in "
            f"{folder / 'logs'}; the same command goes on"
        )


def _start(study: Study, job: Job, folder: Path, at_once: int) -> _Running:
    """Start a run in a process that ends with this one, however this one ends."""
    name = f"{job.arm}-{job.seed}"
    task = folder / "runs" / f"{name}.json"
    write_json(
        task,
        {
            "recipe": job.given,
            "out": str(folder / "runs" / job.arm / f"seed-{job.seed}"),
            "journal": str(folder / "journal.sqlite"),
            "shared": str(folder / "shared"),
            "result": str(results.path_of(folder, job.arm, job.seed)),
            "arm": job.arm,
            "seed": job.seed,
            "fidelity": study.fidelity,
        },
    )
    if job.goes_on:
        results.path_of(folder, job.arm, job.seed).unlink()
    log = folder / "logs" / f"{name}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", guard.__file__, "run", str(os.getpid())),
                *(sys.executable, "-m", "asft.study.one", str(task)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={"OMP_NUM_THREADS": str(threads(at_once)), **os.environ},
            start_new_session=True,
        )
    return _Running(job=job, process=process, log=log)


def threads(at_once: int) -> int:
    """How many each of so many runs at once has to itself."""
    return max(1, (os.cpu_count() or 1) // at_once)


def _has_result(one: _Running, folder: Path) -> bool:
    return results.path_of(folder, one.job.arm, one.job.seed).exists()


def _tail(log: Path) -> list[str]:
    """The last lines of a log, without what a terminal would draw over."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        text = file.read().decode("utf-8", "replace")
    return [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]


def _how_far(log: Path) -> str:
    lines = _tail(log)
    return re.sub(r"\s{2,}", " ", lines[-1]) if lines else "starts"


def _why(log: Path) -> str:
    """The error that a run ended with."""
    lines = _tail(log)
    said = [line for line in lines if line.startswith("asft: ")]
    return (said or lines or ["it left no word"])[-1].removeprefix("asft: ")


def _ignore(folder: Path) -> None:
    """Runs and what they share are not for a repository; results are."""
    path = folder / ".gitignore"
    if not path.exists():
        write_text(path, "/runs/\n/logs/\n/shared/\n/journal.sqlite*\n")


class Board:
    """One view of all runs: drawn over on a terminal, a line now and then elsewhere."""

    def __init__(self, name: str, every: int, before: int, out: TextIO) -> None:
        self._name, self._every, self._done = name, every, before
        self._out, self._live = out, out.isatty()
        self._took: list[float] = []
        self._shown = 0.0
        self._lines = 0
        self._most = 1

    def done(self, name: str, seconds: float) -> None:
        """A run has its result."""
        self._done += 1
        self._took.append(seconds)
        self._say(f"{self._done}/{self._every}  {name}  {duration(seconds)}")

    def failed(self, name: str, why: str) -> None:
        """A run has ended without one."""
        self._say(f"{name} failed: {why}")

    def draw(self, running: Sequence[tuple[str, str]]) -> None:
        """What runs now, and how far it is."""
        self._most = max(self._most, len(running))
        every = LOOKS_EVERY if self._live else TOLD_EVERY
        if time.monotonic() - self._shown < every:
            return
        self._shown = time.monotonic()
        left = self._every - self._done
        about = ""
        if self._took and left:
            about = f", about {duration(sum(self._took) / len(self._took) * left / self._most)} left"
        head = f"{self._name}: {self._done} of {self._every} runs done{about}"
        if not self._live:
            now = "; ".join(f"{name}: {far}" for name, far in running)
            self._out.write(f"{head}. {now}\n")
            self._out.flush()
            return
        self._wipe()
        width = shutil.get_terminal_size().columns - 1
        lines = [head, *(f"  {name:24} {far}" for name, far in running)]
        self._out.write("".join(f"{line[:width]}\n" for line in lines))
        self._out.flush()
        self._lines = len(lines)

    def close(self) -> None:
        """Leave the terminal as it is."""
        self._lines = 0

    def _say(self, line: str) -> None:
        self._wipe()
        self._out.write(f"{line}\n")
        self._out.flush()

    def _wipe(self) -> None:
        if self._lines:
            self._out.write(f"\x1b[{self._lines}A\x1b[J")
            self._lines = 0
