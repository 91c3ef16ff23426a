"""What a worker does when the loop tells it to; the steps are those of a run in one process."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from asft import student
from asft.steps import answering, drafting
from asft.steps.line import Line


class Work:
    """One worker's part of the work of a run."""

    def __init__(self, line: Line, heavy: Mapping[str, Callable[[Line, int], None]]) -> None:
        """`heavy`: the steps that workers make, by their names."""
        self._line = line
        self._heavy = heavy
        self._away = ExitStack()

    def do(self, order: Mapping[str, Any]) -> None:
        """As the loop's `Group.do` was told, with its arguments; all workers of a group do it at once."""
        line = self._line
        given = {key: value for key, value in order.items() if key != "do"}
        match order["do"]:
            case "limit":
                if line.ranks.first:
                    answering.limit(line)
            case "wave":
                drafting.measure(line, drafting.Wave.of(given))
            case "away":
                self._away.enter_context(student.away(line.base))
            case "back":
                self._away.close()
            case step:
                self._heavy[step](line.at(order["round"]), order["round"])
