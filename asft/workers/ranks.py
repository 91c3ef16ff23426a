"""One of the processes that share the work of a step, as the step sees itself.

All of them run the same code in the same order; where one calls `together` or `told`, all do.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process among those of its group."""

    rank: int = 0
    count: int = 1
    group: Any = None
    """torch's process group for what they tell each other; None where there is one process."""

    @property
    def first(self) -> bool:
        """Whether it is the one that writes, and tells of progress."""
        return self.rank == 0

    @contextmanager
    def folder(self, wanted: Path) -> Iterator[Path]:
        """Where this process puts what a step makes: the first one as wanted, others where it goes again."""
        if self.first:
            yield wanted
            return
        with TemporaryDirectory(prefix="asft-worker-") as scratch:
            yield Path(scratch)

    def share(self, lengths: Sequence[int]) -> list[int]:
        """The numbers of those that are this process's, in their order: as long ones as every other has."""
        order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
        return sorted(order[self.rank :: self.count])

    def together(self, value: T) -> list[T]:
        """What all processes have found, in their order."""
        if self.count == 1:
            return [value]
        from torch import distributed

        values: list[T] = [value] * self.count
        distributed.all_gather_object(values, value, group=self.group)
        return values

    def told(self, value: T) -> T:
        """What the first process has."""
        if self.count == 1:
            return value
        from torch import distributed

        values = [value]
        distributed.broadcast_object_list(values, src=0, group=self.group)
        return values[0]

    def in_place(self, numbers: Sequence[int], values: Sequence[T]) -> list[T]:
        """What all processes have found of their shares, at the places of these."""
        pairs = [pair for part in self.together(list(zip(numbers, values, strict=True))) for pair in part]
        return [value for _, value in sorted(pairs, key=lambda pair: pair[0])]


ALONE = Ranks()
"""One process, which has all of the work."""
