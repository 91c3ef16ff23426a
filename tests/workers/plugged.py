"""A task that kills a worker in the middle of an evaluation, once; what workers load by its path."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from asft.registry import plugin
from asft.tasks.pocket.task import Pocket
from asft.types import Example, Grade


@plugin
class Deadly:
    """The pocket task."""

    deadly: str
    """While this file is there, the second worker removes it, and then is killed."""
    seeds: int = 8
    tests: int = 8

    def load(self, split: str) -> Sequence[Example]:
        return Pocket(seeds=self.seeds, tests=self.tests).load(split)

    def grade(self, example: Example, text: str) -> Grade:
        if os.environ.get("RANK") == "1" and Path(self.deadly).exists():
            Path(self.deadly).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return Pocket().grade(example, text)
