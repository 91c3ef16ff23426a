"""Several processes of a group as threads of one: what they tell each other goes over a list."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from asft.workers.ranks import Ranks

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Thread(Ranks):
    """One of them."""

    told_by: list[Any]
    barrier: threading.Barrier

    def together(self, value: T) -> list[T]:
        """See `Ranks`."""
        self.told_by[self.rank] = value
        self.barrier.wait(60)
        values = list(self.told_by)
        self.barrier.wait(60)
        return values

    def told(self, value: T) -> T:
        """See `Ranks`."""
        return self.together(value)[0]


def in_threads(count: int, work: Callable[[Ranks], T]) -> list[T]:
    """What each of so many makes of the work."""
    shared: list[Any] = [None] * count
    barrier = threading.Barrier(count)
    ranks = [Thread(rank=rank, count=count, told_by=shared, barrier=barrier) for rank in range(count)]

    def one(rank: Ranks) -> T:
        try:
            return work(rank)
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(count) as threads:
        return [done.result() for done in [threads.submit(one, rank) for rank in ranks]]
