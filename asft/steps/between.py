"""Between two rounds: whether the next one is, and under which settings."""

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

from asft import stopping
from asft.errors import RunError
from asft.rundir import clear, read_json, write_json
from asft.steps.line import Line

ADAPTED = "adapted.json"
"""In a round: what rules changed before it, with the causes; no file where nothing changed."""
STOPPED = "stopped.json"
"""In a round: why no round followed, where `stop` ended the run."""


def stopped(line: Line, number: int) -> bool:
    """Whether the recipe's `stop` ends the run after a round; it is told and put down."""
    stop = line.recipe.stop
    accuracies = [line.accuracy(n) for n in range(number + 1)] if stop.reads_accuracy else []
    why = stopping.why(stop, accuracies)
    path = line.dir.file(number, STOPPED)
    if why is None:
        clear(path)
        return False
    write_json(path, {"why": why})
    line.progress.say(f"The run ends after round {number}: {why}.")
    return True


def adapt(line: Line, number: int) -> Line:
    """The line under the settings of a round; with its first step, what rules changed is told and put down.

    Where the steps of the round are all done, nothing is.
    """
    if not line.recipe.adapt:
        return line
    recipe, changes = line.adapted(number)
    path = line.dir.file(number, ADAPTED)
    told = {"changes": [dataclasses.asdict(change) for change in changes]} if changes else None

    def begin() -> None:
        line.begin()
        if told is None:
            clear(path)
        elif _kept(path) != json.loads(json.dumps(told)):
            write_json(path, told)
            for change in changes:
                line.progress.say(f"round {number}: {change}")

    return dataclasses.replace(line.under(recipe), begin=begin)


def _kept(path: Path) -> Any:
    """What a file says; None where there is none, or a damaged one."""
    with contextlib.suppress(RunError):
        return read_json(path)
    return None
