"""Every reply that was asked for, and the ledger of what it cost, in one SQLite file.

A reply is kept under a digest of its whole request, so that running again from the start is answered
from here, free: that is all there is to resume. The line of the ledger is written in the transaction
that stores its reply, so that after a kill -9 neither is there without the other.

A line says two things of its amounts. `charged`: the run's budget counts them. A run is charged once for
each reply that it uses, however often it is killed and continued, and also where another run paid for it.
`paid`: the call was really made, so its amounts were really spent. A call that timed out is a line without
a reply, at its ceiling; a call that costs nothing (a 429, a 500, no connection) is no line.
"""

import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from asft.budget import Amount
from asft.errors import JournalError
from asft.types import Reply, Request

APPLICATION = 0x61736674  # "asft" in the file's header: what tells a journal from any other SQLite file
VERSION = 1

SCHEMA = """
CREATE TABLE replies (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    request TEXT NOT NULL,
    reply TEXT,
    refusal TEXT,
    seal BLOB NOT NULL
);
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    round INTEGER NOT NULL,
    step TEXT NOT NULL,
    role TEXT NOT NULL,
    purpose TEXT NOT NULL,
    kind TEXT NOT NULL,
    key BLOB,
    requests INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_usd REAL,
    flops REAL,
    seconds REAL NOT NULL,
    charged INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    at REAL NOT NULL
);
CREATE INDEX ledger_by_key ON ledger (run, key);
"""

LineRole = Literal["teacher", "judge", "student"]
LineKind = Literal["reply", "refusal", "timeout", "compute"]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A reply, or the refusal of a request, as the journal keeps it."""

    request: str
    """Canonical JSON, from `request_text`."""
    reply: Reply | None
    refusal: str | None = None
    """Why the endpoint refuses the request for good; None where there is a reply."""

    @property
    def key(self) -> bytes:
        """What it is found by."""
        return key_of(self.request)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the ledger: a call, or work by the student."""

    round: int
    step: str
    role: LineRole
    purpose: str
    kind: LineKind
    key: bytes | None = None
    """That of the request; None for the student's work."""
    requests: int = 1
    input_tokens: int = 0
    cached_tokens: int = 0
    """The part of input_tokens that was served from a cache."""
    reasoning_tokens: int = 0
    """The part of output_tokens that was spent on hidden reasoning."""
    output_tokens: int = 0
    cost_usd: float | None = None
    """None where no price is known."""
    flops: float | None = None
    """None where they are not counted."""
    seconds: float = 0.0
    charged: bool = True
    """Whether the run's budget counts it."""
    paid: bool = True
    """Whether it was really spent, and not read from the journal."""
    estimated: bool = False
    """Whether the tokens are an estimate, because the endpoint told none."""


@dataclass(frozen=True, kw_only=True)
class Sum:
    """Lines of the ledger added up."""

    round: int
    step: str
    role: str
    purpose: str
    requests: int
    input_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    output_tokens: int
    cost_usd: float | None
    """None where the price of any line is unknown."""
    flops: float | None
    """None where no line has any."""
    seconds: float
    timeouts: int
    refusals: int
    estimated: int
    """How many lines hold estimated tokens."""


def request_text(endpoint: Mapping[str, Any], request: Request) -> str:
    """The whole of a request as canonical JSON: equal text, equal reply.

    `endpoint` names who is asked: its address, its model, and every field that it adds to a request.
    The purpose stays out, because an endpoint never sees it.
    """
    whole = {
        "endpoint": endpoint,
        "to": request.to,
        "messages": [[message.role, message.content] for message in request.messages],
        "sampling": asdict(request.sampling),
        "seed": request.seed,
        "draw": request.draw,
        "index": request.index,
    }
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)


def key_of(request: str) -> bytes:
    """The digest that a reply is found by."""
    return hashlib.blake2b(request.encode("ascii"), digest_size=20).digest()


class Journal:
    """The journal of a run, open for reading and writing; a context manager.

    One thread may write while another reads. Every method raises JournalError where the file is
    damaged, in use or not to be written.
    """

    def __init__(self, path: Path, *, run: str = "") -> None:
        """Open the journal at `path`, or start one. `run` is who is charged, where runs share a journal."""
        self.path = path
        self.run = run
        with _told(path):
            if not path.parent.is_dir():
                raise JournalError(f"{path}: the folder does not exist; create it first")
            self._writer = _connect(path)
            try:
                _prepare(self._writer, path)
                # A connection of its own: a script must not read what is not yet committed.
                self._reader = _connect(path)
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
        with _told(self.path):
            self._reader.close()
            self._writer.close()

    def store(self, lines: Sequence[Line], replies: Sequence[Stored] = ()) -> None:
        """Write lines and replies in one transaction; on return they are on the disk.

        A reply that is there already stays as it is: the first answer to a request is the answer.
        """
        now = time.time()
        with _told(self.path), _transaction(self._writer):
            self._writer.executemany(_INSERT_REPLY, [_row(stored) for stored in replies])
            rows = [{**vars(line), "run": self.run, "at": now} for line in lines]
            self._writer.executemany(_INSERT_LINE, rows)

    def find(self, key: bytes) -> Stored | None:
        """The reply or refusal under this key."""
        with _told(self.path):
            row = self._reader.execute(
                "SELECT id, key, request, reply, refusal, seal FROM replies WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        stored = _stored(row)
        if stored is None:
            raise _damaged(self.path, f"row {row[0]} of its replies is not what was written there")
        return stored

    def charged_in(self, key: bytes) -> tuple[int, str] | None:
        """The round and step in which this run was charged for the reply under this key."""
        with _told(self.path):
            row = self._reader.execute(
                "SELECT round, step FROM ledger"
                " WHERE run = ? AND key = ? AND charged AND kind IN ('reply', 'refusal') ORDER BY id LIMIT 1",
                (self.run, key),
            ).fetchone()
        return None if row is None else (row[0], row[1])

    def forget_refusals(self, keys: Sequence[bytes]) -> None:
        """Drop stored refusals with their lines, where they turn out to say nothing about the request."""
        rows = [(key,) for key in keys]
        with _told(self.path), _transaction(self._writer):
            self._writer.executemany("DELETE FROM replies WHERE key = ? AND refusal IS NOT NULL", rows)
            self._writer.executemany("DELETE FROM ledger WHERE key = ? AND kind = 'refusal'", rows)

    def spent(self, *, but: tuple[int, str] | None = None) -> Amount:
        """What this run was charged for replies and refusals, leaving out the round and step `but`."""
        condition = "kind IN ('reply', 'refusal') AND NOT (round = ? AND step = ?)"
        return self._spent(condition, *(but or (-1, "")))

    def timed_out(self) -> Amount:
        """What this run was charged for calls that timed out."""
        return self._spent("kind = 'timeout'")

    def sums(self, counted: Literal["charged", "paid"] = "charged") -> list[Sum]:
        """This run's ledger by round, step, role and purpose: what it was charged, or what it really paid."""
        with _told(self.path):
            rows = self._reader.execute(
                "SELECT round, step, role, purpose, SUM(requests), SUM(input_tokens), SUM(cached_tokens),"
                " SUM(reasoning_tokens), SUM(output_tokens),"
                " CASE WHEN COUNT(cost_usd) = COUNT(*) THEN SUM(cost_usd) END, SUM(flops), SUM(seconds),"
                " SUM(kind = 'timeout'), SUM(kind = 'refusal'), SUM(estimated)"
                f" FROM ledger WHERE run = ? AND {counted}"
                " GROUP BY round, step, role, purpose ORDER BY round, step, role, purpose",
                (self.run,),
            ).fetchall()
        names = [field.name for field in fields(Sum)]
        return [Sum(**dict(zip(names, row, strict=True))) for row in rows]

    def _spent(self, condition: str, *values: object) -> Amount:
        with _told(self.path):
            requests, tokens, priced, rows, cost = self._reader.execute(
                "SELECT COALESCE(SUM(requests), 0), COALESCE(SUM(input_tokens + output_tokens), 0),"
                " COUNT(cost_usd), COUNT(*), COALESCE(SUM(cost_usd), 0.0)"
                f" FROM ledger WHERE run = ? AND charged AND {condition}",
                (self.run, *values),
            ).fetchone()
        # Sums of binary fractions are off in the sixteenth digit; money has no such digit.
        usd = Decimal(str(round(cost, 12))) if priced == rows else None
        return Amount(requests=requests, tokens=tokens, usd=usd)


def salvage(damaged: Path, fresh: Path) -> tuple[int, int]:
    """Copy every whole row of a damaged journal into a new one; returns how many replies and lines.

    A reply is whole where its digests say so. What lies behind unreadable pages is lost, and is asked for
    (and paid) again.
    """
    if fresh.exists():
        raise JournalError(f"{fresh} exists already; name a file that does not")
    if not damaged.is_file():
        raise JournalError(f"{damaged} does not exist; name the damaged journal")
    columns = [*_LINE_COLUMNS, "run", "at"]
    with closing(sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=ro", uri=True)) as old:
        # Else SQLite reads nothing at all of a file that is shorter than its header says.
        old.execute("PRAGMA writable_schema = ON")
        rows = _readable(old, "SELECT id, key, request, reply, refusal, seal FROM replies")
        replies = [stored for row in rows if (stored := _stored(row)) is not None]
        rows = _readable(old, f"SELECT id, {', '.join(columns)} FROM ledger")
        lines = [dict(zip(columns, row[1:], strict=True)) for row in rows]
    if not replies and not lines:
        raise JournalError(f"{damaged} holds nothing that can be read; start again without it")
    with Journal(fresh) as journal, _told(fresh), _transaction(journal._writer):
        journal._writer.executemany(_INSERT_REPLY, [_row(stored) for stored in replies])
        journal._writer.executemany(_INSERT_LINE, lines)
    return len(replies), len(lines)


_INSERT_REPLY = (
    "INSERT INTO replies (key, request, reply, refusal, seal) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (key) DO NOTHING"
)
_LINE_COLUMNS = [field.name for field in fields(Line)]
_INSERT_LINE = (
    f"INSERT INTO ledger ({', '.join(_LINE_COLUMNS)}, run, at)"
    f" VALUES ({', '.join(':' + name for name in _LINE_COLUMNS)}, :run, :at)"
)


def _connect(path: Path) -> sqlite3.Connection:
    # Transactions are opened by hand. The engine writes in a thread, so that a slow disk stalls no call.
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is a whole journal, or make one of an empty file."""
    [(mode,)] = connection.execute("PRAGMA journal_mode = WAL").fetchall()
    if mode != "wal":
        raise JournalError(f"{path}: the file system cannot hold a journal safely; use a local disk")
    with _transaction(connection):
        [(application,)] = connection.execute("PRAGMA application_id").fetchall()
        [(tables,)] = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
        if not application and not tables:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            return
    if application != APPLICATION:
        raise JournalError(f"{path} is a database of another program and no journal; name another file")
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    if version != VERSION:
        raise JournalError(
            f"{path} has version {version} and this asft reads version {VERSION}; use the asft that wrote it"
        )
    [(told,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    if told != "ok":
        raise _damaged(path, told)


def _damaged(path: Path, what: str) -> JournalError:
    return JournalError(
        f"{path} is damaged ({' '.join(what.split())}); nothing in it was changed. Copy what is whole with"
        f" `python -m asft.journal {path} NEW`, remove {path.name} with its -wal and -shm, give NEW its name,"
        " and run again: only what is lost is asked for again"
    )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, which name the file and the next step."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise JournalError(
            f"{path}: {error}; is another process using it, is the disk full, may it be written? "
            "Mend that and run again"
        ) from error
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise JournalError(f"{path} is no journal ({error}); move it away") from error
        raise _damaged(path, str(error)) from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _row(stored: Stored) -> tuple[bytes, str, str | None, str | None, bytes]:
    reply = None if stored.reply is None else json.dumps(asdict(stored.reply))
    # JSON takes the lone surrogates that a text may hold and SQLite does not.
    refusal = None if stored.refusal is None else json.dumps(stored.refusal)
    return stored.key, stored.request, reply, refusal, _seal(stored.key, reply, refusal)


def _seal(key: bytes, reply: str | None, refusal: str | None) -> bytes:
    """SQLite does not notice a bit that flips inside a text; this does."""
    return hashlib.blake2b(repr((key, reply, refusal)).encode("ascii"), digest_size=8).digest()


def _stored(row: tuple[Any, ...]) -> Stored | None:
    """None where the row is not what was written."""
    _, key, request, reply, refusal, seal = row
    try:
        if key_of(request) != key or _seal(key, reply, refusal) != seal:
            return None
    except (AttributeError, UnicodeEncodeError):
        return None
    return Stored(
        request=request,
        reply=None if reply is None else Reply(**json.loads(reply)),
        refusal=None if refusal is None else json.loads(refusal),
    )


def _readable(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """The rows before the first unreadable page and those after the last, in order."""
    found: dict[int, tuple[Any, ...]] = {}
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    for order in ("ASC", "DESC"):
        try:
            for row in connection.execute(f"{query} ORDER BY id {order}"):
                found[row[0]] = row
        except sqlite3.DatabaseError:
            continue
        break
    return [found[number] for number in sorted(found)]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m asft.journal DAMAGED NEW")
    try:
        print("copied {} replies and {} lines".format(*salvage(Path(sys.argv[1]), Path(sys.argv[2]))))
    except JournalError as error:
        sys.exit(str(error))
