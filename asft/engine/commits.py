"""Group commit: what arrives within a moment, or while a transaction is being written, is one transaction."""

import asyncio
from collections.abc import Callable

from asft.journal import Journal, Line, Stored

GATHER = 0.01
"""Seconds from one transaction to the next while calls are in flight: each transaction costs as much as a
hundred rows, and a reply that waits for one keeps a place from other calls."""


class Commits:
    """Writes to a journal in a thread of its own, so that a slow disk stalls no call."""

    def __init__(self, journal: Journal, more_to_come: Callable[[], bool]) -> None:
        """`more_to_come`: whether a call is in flight, whose reply may join the next transaction."""
        self._journal = journal
        self._more_to_come = more_to_come
        self._waiting: list[tuple[Line, Stored | None, asyncio.Future[None]]] = []
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None
        self._next_at = self._loop.time()
        self._error: BaseException | None = None

    async def add(self, line: Line, stored: Stored | None = None) -> None:
        """Write a line, and the reply that it is for; on return they are on the disk.

        What was added is written also where the caller is cancelled. Raises JournalError.
        """
        written = self._loop.create_future()
        self._waiting.append((line, stored, written))
        self._plan()
        await written

    async def drain(self) -> None:
        """Wait until all that was added is on the disk. Raises JournalError where it is not."""
        while self._writing is not None or (self._waiting and self._error is None):
            if self._writing is None:
                self._write()
            else:
                await asyncio.wait([self._writing])
        if self._error is not None:
            raise self._error

    def _plan(self) -> None:
        if self._writing is not None:
            return
        # Not before the loop has run what is ready, which may add something.
        at = self._next_at if self._more_to_come() else self._loop.time()
        if self._timer is None or at < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(at, self._write)

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        group, self._waiting = self._waiting, []
        if self._error is not None:
            self._tell(group)
            return
        lines = [line for line, _, _ in group]
        replies = [stored for _, stored, _ in group if stored is not None]
        self._next_at = self._loop.time() + GATHER
        self._writing = self._loop.run_in_executor(None, self._journal.store, lines, replies)
        self._writing.add_done_callback(lambda done: self._written(done, group))

    def _written(
        self, done: asyncio.Future[None], group: list[tuple[Line, Stored | None, asyncio.Future[None]]]
    ) -> None:
        self._writing = None
        self._error = done.exception()
        self._tell(group)
        if self._waiting:
            self._plan()

    def _tell(self, group: list[tuple[Line, Stored | None, asyncio.Future[None]]]) -> None:
        for _, _, written in group:
            if not written.done():
                written.set_result(None) if self._error is None else written.set_exception(self._error)
