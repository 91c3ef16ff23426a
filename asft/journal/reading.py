"""A journal, open for reading alone: for people and other tools, also while a run writes to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from asft.errors import JournalError
from asft.journal.file import LINE_COLUMNS, REPLY_COLUMNS, check, damaged, read_only, stored_of, told
from asft.journal.records import Line, Stored, Sum
from asft.journal.wal import find_gap

Counted = Literal["charged", "paid"]

_SUMS = (
    "SELECT round, step, role, purpose, SUM(requests), SUM(input_tokens), SUM(cached_tokens),"
    " SUM(reasoning_tokens), SUM(output_tokens),"
    " CASE WHEN COUNT(cost_usd) = COUNT(*) THEN SUM(cost_usd) END,"
    " CASE WHEN COUNT(flops) = COUNT(*) THEN SUM(flops) END, SUM(seconds),"
    " SUM(kind = 'timeout'), SUM(kind = 'refusal'), SUM(estimated)"
    " FROM ledger WHERE run = ? AND {counted}"
    " GROUP BY round, step, role, purpose ORDER BY round, step, role, purpose"
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A line of the ledger that is about a request, and what came of it."""

    line: Line
    run: str
    """Who was charged."""
    at: float
    """When it was written down, seconds since 1970."""
    stored: Stored | None
    """None where the call timed out, or its refusal was forgotten."""


class Reading(AbstractContextManager["Reading"]):
    """A journal that is only read.

    Every method raises JournalError where the file is damaged; nothing in it is ever changed.
    """

    def __init__(self, path: Path) -> None:
        """Open it. Raises JournalError for what is no whole journal, a damaged log included."""
        if not path.is_file():
            raise JournalError(f"{path}: there is no such journal; name a journal, or the directory of a run")
        self.path = path
        gap = find_gap(path)
        if gap is not None:
            raise damaged(path, str(gap))
        with told(path):
            self._connection = _connect(path)
            try:
                [(tables,)] = self._connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
                if not tables:
                    raise JournalError(f"{path} is empty: nothing was ever asked through it, or all is lost")
                check(self._connection, path)
            except BaseException:
                self._connection.close()
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def runs(self) -> list[str]:
        """Who was charged, in the order of their first line."""
        with told(self.path):
            rows = self._connection.execute("SELECT run FROM ledger GROUP BY run ORDER BY MIN(id)")
            return [run for (run,) in rows.fetchall()]

    def calls(self, run: str | None = None) -> Iterator[Call]:
        """The calls of a run, or of all, the newest first."""
        lines = ", ".join(f"l.{name}" for name in LINE_COLUMNS)
        replies = ", ".join(f"r.{name}" for name in REPLY_COLUMNS.split(", "))
        with told(self.path):
            rows = self._connection.execute(
                f"SELECT {lines}, l.run, l.at, {replies} FROM ledger l LEFT JOIN replies r ON r.key = l.key"
                " WHERE l.key IS NOT NULL AND (? IS NULL OR l.run = ?) ORDER BY l.id DESC",
                (run, run),
            )
            for row in rows:
                *line, who, at = row[: len(LINE_COLUMNS) + 2]
                yield Call(
                    line=_line(line), run=who, at=at, stored=self._stored(row[len(LINE_COLUMNS) + 2 :])
                )

    def replies(self, run: str | None = None) -> Iterator[Stored]:
        """All replies and refusals in the order in which they came, or those that a run was charged for."""
        with told(self.path):
            rows = self._connection.execute(
                f"SELECT {REPLY_COLUMNS} FROM replies WHERE ? IS NULL"
                " OR key IN (SELECT key FROM ledger WHERE run = ?) ORDER BY id",
                (run, run),
            )
            for row in rows:
                stored = self._stored(row)
                if stored is not None:
                    yield stored

    def sums(self, run: str, counted: Counted) -> list[Sum]:
        """A run's ledger by round, step, role and purpose: what it was charged, or what it really paid."""
        with told(self.path):
            return sums(self._connection, run, counted)

    def _stored(self, row: tuple[Any, ...]) -> Stored | None:
        if row[0] is None:
            return None
        stored = stored_of(row)
        if stored is None:
            raise damaged(self.path, f"row {row[0]} of its replies is not what was written there")
        return stored


def sums(connection: sqlite3.Connection, run: str, counted: Counted) -> list[Sum]:
    """See `Reading.sums`."""
    names = [field.name for field in fields(Sum)]
    rows = connection.execute(_SUMS.format(counted=counted), (run,)).fetchall()
    return [Sum(**dict(zip(names, row, strict=True))) for row in rows]


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, and leaves no file behind that was not there."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        # It may be all that a killed run left; whoever may write would copy it into the database.
        return read_only(path)
    connection = read_only(path, "mode=rw")
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:
        connection.close()
        # A folder in which nothing can be written has no process that writes.
        return read_only(path, "immutable=1")
    return connection


def _line(row: list[Any]) -> Line:
    values = dict(zip(LINE_COLUMNS, row, strict=True))
    flags = {name: bool(values[name]) for name in ("charged", "paid", "estimated")}
    return Line(**{**values, **flags})
