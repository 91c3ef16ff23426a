"""The file itself: its tables, its connections, how a row is sealed, and what is told of a damaged one."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from asft.errors import JournalError
from asft.journal.records import Line, Stored, key_of
from asft.types import Reply

APPLICATION = 0x61736674  # "asft" in the file's header: what tells a journal from any other SQLite file
VERSION = 1
PATIENCE = 30.0
"""Seconds to wait for another process that writes."""

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

REPLY_COLUMNS = "id, key, request, reply, refusal, seal"
INSERT_REPLY = (
    "INSERT INTO replies (key, request, reply, refusal, seal) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (key) DO NOTHING"
)
LINE_COLUMNS = [field.name for field in fields(Line)]
INSERT_LINE = (
    f"INSERT INTO ledger ({', '.join(LINE_COLUMNS)}, run, at)"
    f" VALUES ({', '.join(':' + name for name in LINE_COLUMNS)}, :run, :at)"
)


def connect(path: Path) -> sqlite3.Connection:
    """A connection that reads and writes; each commit is on the disk when it returns."""
    # Transactions are opened by hand. The engine writes in a thread, so that a slow disk stalls no call.
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def read_only(path: Path, mode: str = "mode=ro") -> sqlite3.Connection:
    """A connection for reading. A text that is no UTF-8 is read too, and not what was written there."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=PATIENCE)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is a whole journal, or make one of an empty file."""
    mode = _turn_on_log(connection)
    if mode != "wal":
        raise JournalError(f"{path}: the file system cannot hold a journal safely; use a local disk")
    with transaction(connection):
        [(application,)] = connection.execute("PRAGMA application_id").fetchall()
        [(tables,)] = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
        if not application and not tables:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            return
    check(connection, path)


def _turn_on_log(connection: sqlite3.Connection) -> str:
    """SQLite does not wait for another process that opens the same new file, so this does."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            [(mode,)] = connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return str(mode)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise JournalError where the file is no whole journal of this version; nothing is written."""
    [(application,)] = connection.execute("PRAGMA application_id").fetchall()
    if application != APPLICATION:
        raise JournalError(f"{path} is a database of another program and no journal; name another file")
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    if version != VERSION:
        raise JournalError(
            f"{path} has version {version} and this asft reads version {VERSION}; use the asft that wrote it"
        )
    [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    if found != "ok":
        raise damaged(path, found)


def damaged(path: Path, what: str) -> JournalError:
    """The error that says what is wrong with the file, and how to go on."""
    return JournalError(
        f"{path} is damaged ({' '.join(what.split())}); nothing in it was changed. Copy what is whole with"
        f" `asft journal salvage {path} NEW`, remove {path.name} with its -wal and -shm, give NEW its name,"
        " and run again: only what is lost is asked for again"
    )


@contextmanager
def told(path: Path) -> Iterator[None]:
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
        raise damaged(path, str(error)) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that the block writes, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def row_of(stored: Stored) -> tuple[bytes, str, str | None, str | None, bytes]:
    """The row of `replies` that holds it, sealed."""
    reply = None if stored.reply is None else json.dumps(_kept(stored.reply))
    # JSON takes the lone surrogates that a text may hold and SQLite does not.
    refusal = None if stored.refusal is None else json.dumps(stored.refusal)
    return stored.key, stored.request, reply, refusal, _seal(stored.key, reply, refusal)


def _kept(reply: Reply) -> dict[str, Any]:
    """A reply without what holds for a moment only."""
    return {name: value for name, value in vars(reply).items() if name != "limits"}


def _seal(key: bytes, reply: str | None, refusal: str | None) -> bytes:
    """SQLite does not notice a bit that flips inside a text; this does."""
    return hashlib.blake2b(repr((key, reply, refusal)).encode("ascii"), digest_size=8).digest()


def stored_of(row: tuple[Any, ...]) -> Stored | None:
    """What a row of `replies` holds, its id first; None where it is not what was written."""
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
