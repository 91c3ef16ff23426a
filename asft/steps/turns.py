"""Turns of teacher and student on one machine: the student goes away, the teacher wakes, writes and sleeps.

A teacher that is started anew for each round costs minutes a round; one that stays awake leaves the student
no room. What memory is free and taken after each hand-over is put down in `logs/turns.jsonl`.
"""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from asft import student
from asft.recipe import Recipe
from asft.steps.line import Line
from asft.types import Sleeper

PAGE = os.sysconf("SC_PAGE_SIZE")


@contextmanager
def teachers_turn(line: Line, number: int) -> Iterator[None]:
    """The teacher awake while it lasts, and the student away where they share a device.

    Does nothing for a teacher that is elsewhere. Where the block raises, the run ends: nothing is handed
    back, and `living_teacher` stops the teacher.
    """
    teacher = line.recipe.teacher
    if not isinstance(teacher, Sleeper) or not teacher.takes_turns:
        yield
        return
    logs = line.dir.path / "logs"
    logs.mkdir(exist_ok=True)
    began = time.monotonic()

    def note(event: str) -> None:
        nonlocal began
        now = time.monotonic()
        row = {"round": number, "event": event, "seconds": round(now - began, 3), **memory()}
        with (logs / "turns.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        began = now

    loaded = line.base_is_loaded if line.workers is None else line.workers.running
    in_the_way = teacher.shares_device and loaded
    with ExitStack() as handed_back:
        if in_the_way:
            handed_back.enter_context(_away(line))
            note("student away")
        line.progress.start(f"round {number}: teacher wakes")
        asyncio.run(teacher.wake(logs))
        note("teacher awake")
        line.progress.end()
        yield
        began = time.monotonic()
        asyncio.run(teacher.sleep())
        note("teacher done")
    if in_the_way:
        note("student back")


@contextmanager
def _away(line: Line) -> Iterator[None]:
    """The student's weights off the device, wherever they are loaded."""
    if line.workers is None:
        with student.away(line.base):
            yield
        return
    line.workers.do("away")
    yield
    line.workers.do("back")


@contextmanager
def living_teacher(recipe: Recipe) -> Iterator[None]:
    """Whatever the teacher has started is stopped at the end, however it comes."""
    try:
        yield
    finally:
        if isinstance(recipe.teacher, Sleeper):
            asyncio.run(recipe.teacher.stop())


def memory() -> dict[str, Any]:
    """Bytes: what is free on the device, where there is one, and what this process and its children hold."""
    import torch

    device: dict[str, int] = {}
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        device = {"device_free": free, "device_total": total, "device_ours": torch.cuda.memory_reserved()}
    own = os.getpid()
    below = _descendants(own)
    return {**device, "resident": _resident(own), "resident_below": sum(map(_resident, below))}


def _descendants(root: int) -> list[int]:
    """All processes that a process has started, and those that they have; none where /proc does not tell."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found: list[int] = []
    ahead = [root]
    while ahead:
        below = children.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0
