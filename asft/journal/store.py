"""The journal, open: what was stored is on the disk when `store` returns."""

import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType

from asft.budget import Amount
from asft.errors import JournalError
from asft.journal.file import (
    INSERT_LINE,
    INSERT_REPLY,
    REPLY_COLUMNS,
    connect,
    damaged,
    prepare,
    row_of,
    stored_of,
    told,
    transaction,
)
from asft.journal.reading import Counted, sums
from asft.journal.records import Line, Stored, Sum
from asft.journal.wal import find_gap


class Journal:
    """The journal of a run, open for reading and writing; a context manager.

    One thread may write while another reads. Every method raises JournalError where the file is
    damaged, in use or not to be written.
    """

    def __init__(self, path: Path, *, run: str = "") -> None:
        """Open the journal at `path`, or start one. `run` is who is charged, where runs share a journal."""
        self.path = path
        self.run = run
        with told(path):
            if not path.parent.is_dir():
                raise JournalError(f"{path}: the folder does not exist; create it first")
            # SQLite takes damage in its log for the end of it, and drops what lies behind at once.
            gap = find_gap(path)
            if gap is not None:
                raise damaged(path, str(gap))
            self._writer = connect(path)
            try:
                prepare(self._writer, path)
                # A connection of its own: a script must not read what is not yet committed.
                self._reader = connect(path)
            except BaseException:
                self._writer.close()
                raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. What was stored is on the disk already."""
        with told(self.path):
            self._reader.close()
            self._writer.close()

    def store(self, lines: Sequence[Line], replies: Sequence[Stored] = ()) -> None:
        """Write lines and replies in one transaction; on return they are on the disk.

        A reply that is there already stays as it is: the first answer to a request is the answer.
        """
        now = time.time()
        with told(self.path), transaction(self._writer):
            self._writer.executemany(INSERT_REPLY, [row_of(stored) for stored in replies])
            rows = [{**vars(line), "run": self.run, "at": now} for line in lines]
            self._writer.executemany(INSERT_LINE, rows)

    def find(self, key: bytes) -> Stored | None:
        """The reply or refusal under this key."""
        with told(self.path):
            row = self._reader.execute(
                f"SELECT {REPLY_COLUMNS} FROM replies WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        stored = stored_of(row)
        if stored is None:
            raise damaged(self.path, f"row {row[0]} of its replies is not what was written there")
        return stored

    def charged_in(self, key: bytes) -> tuple[int, str] | None:
        """The round and step in which this run was charged for the reply under this key."""
        with told(self.path):
            row = self._reader.execute(
                "SELECT round, step FROM ledger"
                " WHERE run = ? AND key = ? AND charged AND kind IN ('reply', 'refusal') ORDER BY id LIMIT 1",
                (self.run, key),
            ).fetchone()
        return None if row is None else (row[0], row[1])

    def forget_refusals(self, keys: Sequence[bytes]) -> None:
        """Drop stored refusals with their lines, where they turn out to say nothing about the request."""
        rows = [(key,) for key in keys]
        with told(self.path), transaction(self._writer):
            self._writer.executemany("DELETE FROM replies WHERE key = ? AND refusal IS NOT NULL", rows)
            self._writer.executemany("DELETE FROM ledger WHERE key = ? AND kind = 'refusal'", rows)

    def spent(self, *, but: tuple[int, str] | None = None) -> Amount:
        """What this run was charged for replies and refusals, leaving out the round and step `but`."""
        condition = "kind IN ('reply', 'refusal') AND NOT (round = ? AND step = ?)"
        return self._spent(condition, *(but or (-1, "")))

    def timed_out(self) -> Amount:
        """What this run was charged for calls that timed out."""
        return self._spent("kind = 'timeout'")

    def sums(self, counted: Counted = "charged") -> list[Sum]:
        """This run's ledger by round, step, role and purpose: what it was charged, or what it really paid."""
        with told(self.path):
            return sums(self._reader, self.run, counted)

    def _spent(self, condition: str, *values: object) -> Amount:
        with told(self.path):
            requests, tokens, priced, rows, cost = self._reader.execute(
                "SELECT COALESCE(SUM(requests), 0), COALESCE(SUM(input_tokens + output_tokens), 0),"
                " COUNT(cost_usd), COUNT(*), COALESCE(SUM(cost_usd), 0.0)"
                f" FROM ledger WHERE run = ? AND charged AND {condition}",
                (self.run, *values),
            ).fetchone()
        # Sums of binary fractions are off in the sixteenth digit; money has no such digit.
        usd = Decimal(str(round(cost, 12))) if priced == rows else None
        return Amount(requests=requests, tokens=tokens, usd=usd)
