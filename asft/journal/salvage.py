"""What is whole of a damaged journal: copied into a new one, which takes its place.

SQLite tells unreadable pages, and the seal of a row tells a text that changed. Nothing is thrown away: the
damaged file stays beside the new one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asft.errors import JournalError
from asft.journal.file import (
    INSERT_LINE,
    INSERT_REPLY,
    LINE_COLUMNS,
    REPLY_COLUMNS,
    connect,
    prepare,
    read_only,
    row_of,
    stored_of,
    told,
    transaction,
)
from asft.journal.wal import find_gap, without_log

ENDS = ("", "-wal", "-shm")
"""What SQLite adds to the name of a database for the files that belong to it."""


def mend(path: Path) -> str | None:
    """Put what is whole of a damaged journal in its place, and say so; None where it is whole, or no journal.

    May be killed at any time and called again. Raises JournalError where nothing can be read.
    """
    mended = _beside(path, "mended")
    if not mended.exists():
        if not path.is_file() or not _is_damaged(path):
            return None
        fresh = _beside(path, "fresh")
        for end in ENDS:
            _with_end(fresh, end).unlink(missing_ok=True)
        salvage(path, fresh)
        fresh.replace(mended)
    number = 1
    while (aside := _beside(path, f"damaged-{number}")).exists():
        number += 1
    # A log that stays behind would be read into the new file.
    for end in reversed(ENDS):
        if _with_end(path, end).exists():
            _with_end(path, end).replace(_with_end(aside, end))
    mended.replace(path)
    with closing(connect(path)) as new:
        [(replies, lines)] = new.execute(
            "SELECT (SELECT COUNT(*) FROM replies), (SELECT COUNT(*) FROM ledger)"
        ).fetchall()
    return (
        f"{path} was damaged: {replies} replies and {lines} lines of its ledger are whole and kept, what is "
        f"lost is asked for again where it is needed, and the damaged file is {aside.name} now"
    )


def salvage(damaged: Path, fresh: Path) -> tuple[int, int]:
    """Copy every whole row of a damaged journal into a new one; returns how many replies and lines.

    A reply is whole where its digests say so. What lies behind unreadable pages is lost, and is asked for
    (and paid) again.
    """
    if fresh.exists():
        raise JournalError(f"{fresh} exists already; name a file that does not")
    if not damaged.is_file():
        raise JournalError(f"{damaged} does not exist; name the damaged journal")
    columns = [*LINE_COLUMNS, "run", "at"]
    with _whole_log(damaged) as path, closing(read_only(path)) as old:
        # Else SQLite reads nothing at all of a file that is shorter than its header says.
        old.execute("PRAGMA writable_schema = ON")
        rows = _readable(old, f"SELECT {REPLY_COLUMNS} FROM replies")
        replies = [stored for row in rows if (stored := stored_of(row)) is not None]
        rows = _readable(old, f"SELECT id, {', '.join(columns)} FROM ledger")
        lines = [dict(zip(columns, row[1:], strict=True)) for row in rows]
    if not replies and not lines:
        raise JournalError(
            f"{damaged} is damaged and holds nothing that can be read; put a copy in its place, or move it "
            "away and start again without it"
        )
    with closing(connect(fresh)) as new, told(fresh):
        prepare(new, fresh)
        with transaction(new):
            new.executemany(INSERT_REPLY, [row_of(stored) for stored in replies])
            new.executemany(INSERT_LINE, lines)
    return len(replies), len(lines)


def _is_damaged(path: Path) -> bool:
    """Whether a page or a reply is not what was written. Of a file that is no journal others tell."""
    if find_gap(path) is not None:
        return True
    try:
        with closing(read_only(path)) as old:
            [(found,)] = old.execute("PRAGMA quick_check(1)").fetchall()
            if found != "ok":
                return True
            return any(stored_of(row) is None for row in old.execute(f"SELECT {REPLY_COLUMNS} FROM replies"))
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode != sqlite3.SQLITE_NOTADB


@contextmanager
def _whole_log(path: Path) -> Iterator[Path]:
    """The database; where its log has a gap, a copy that holds what is whole on both sides of it."""
    gap = find_gap(path)
    if gap is None:
        yield path
        return
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(without_log(path, gap))
        yield copy


def _readable(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """The rows before the first unreadable page and those after the last, in order."""
    found: dict[int, tuple[Any, ...]] = {}
    for order in ("ASC", "DESC"):
        try:
            for row in connection.execute(f"{query} ORDER BY id {order}"):
                found[row[0]] = row
        except sqlite3.DatabaseError:
            continue
        break
    return [found[number] for number in sorted(found)]


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}")


def _with_end(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)
