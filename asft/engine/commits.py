"""Group commit: what arrives while one transaction is being written goes into the next."""

import asyncio

from asft.journal import Journal, Line, Stored


class Commits:
    """Writes to a journal in a thread of its own, so that a slow disk stalls no call."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[tuple[Line, Stored | None, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._error: BaseException | None = None

    async def add(self, line: Line, stored: Stored | None = None) -> None:
        """Write a line, and the reply that it is for; on return they are on the disk.

        What was added is written also where the caller is cancelled. Raises JournalError.
        """
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((line, stored, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await written

    async def drain(self) -> None:
        """Wait until all that was added is on the disk. Raises JournalError where it is not."""
        while self._writing is not None:
            await asyncio.shield(self._writing)
        if self._error is not None:
            raise self._error

    async def _write(self) -> None:
        try:
            while self._waiting and self._error is None:
                group, self._waiting = self._waiting, []
                lines = [line for line, _, _ in group]
                replies = [stored for _, stored, _ in group if stored is not None]
                try:
                    await asyncio.to_thread(self._journal.store, lines, replies)
                except Exception as error:  # noqa: BLE001  whatever it is, all that wait for this group get it
                    self._error = error
                for _, _, written in group:
                    if not written.done():
                        written.set_result(None) if self._error is None else written.set_exception(
                            self._error
                        )
        finally:
            self._writing = None
