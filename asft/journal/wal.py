"""The log beside a journal: what SQLite would lose of it without a word.

SQLite reads its write-ahead log up to the first frame whose checksum is wrong, and takes that for the place
where the last process died. A page that is damaged in the middle so hides every commit behind it. A crash
leaves one torn transaction at most, for each is on the disk before the next begins: a frame behind the
commit of a torn one tells damage from a crash. The format is https://sqlite.org/fileformat2.html#walformat.
"""

import struct
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from operator import mul
from pathlib import Path

_HEADER = 32
_FRAME = 24
_MAGIC = 0x377F0682
"""The lowest bit more: the words of checksums are big-endian."""
_PAGES = {1 << power for power in range(9, 17)}
"""Sizes that a page may have, in bytes."""

State = tuple[int, int]
"""A checksum: that of a frame goes on from that of the frame before it."""


@dataclass(frozen=True)
class Frame:
    """A page in the log, and what its header says of it."""

    page: int
    size: int
    """Pages of the database where the frame ends a commit; 0 elsewhere."""
    salts: bytes
    whole: bool
    """Whether it is what was written, going by the frame before it."""
    content: bytes


@dataclass(frozen=True)
class Gap:
    """Damage that hides commits."""

    at: int
    """Number of the frame, from 1."""
    hidden: int
    """Commits at or behind it."""
    salts: bytes

    def __str__(self) -> str:
        return f"frame {self.at} of its log is damaged, which hides {self.hidden} transactions"


def find_gap(database: Path) -> Gap | None:
    """Damage in the log of a database; None where it is whole, torn as by a crash, or not there.

    Another process may be writing: what is found has to be found twice.
    """
    first = _find_gap(database)
    return first if first is not None and first == _find_gap(database) else None


def _find_gap(database: Path) -> Gap | None:
    header, frames = _read(database)
    if header is None:
        return None
    at, ended, behind, hidden = 0, False, False, 0
    for number, frame in enumerate(frames, start=1):
        if not at and not frame.whole:
            at = number
        if at and frame.salts == header.salts:
            behind = behind or ended
            ended = ended or frame.size > 0
            hidden += frame.size > 0
    return Gap(at, hidden, header.salts) if behind else None


def without_log(database: Path, gap: Gap) -> bytes:
    """The database with every whole frame of its log in place, those behind the gap too."""
    pages = bytearray(database.read_bytes())
    header, frames = _read(database)
    waiting: list[Frame] = []
    for frame in frames:
        if header is None or not frame.whole or frame.salts != gap.salts:
            continue
        waiting.append(frame)
        if frame.size:
            for one in waiting:
                start = (one.page - 1) * header.page
                pages.extend(bytes(max(0, start + header.page - len(pages))))
                pages[start : start + header.page] = one.content
            del pages[frame.size * header.page :]
            waiting.clear()
    return bytes(pages)


@dataclass(frozen=True)
class _Header:
    page: int
    """Bytes of a page."""
    salts: bytes


def _read(database: Path) -> tuple[_Header | None, Iterator[Frame]]:
    """The log's header, and its frames; None and nothing where there is no log."""
    try:
        data = database.with_name(f"{database.name}-wal").read_bytes()
    except OSError:
        return None, iter(())
    if len(data) < _HEADER + _FRAME:
        return None, iter(())
    magic, _, page, _, *_, first, second = struct.unpack(">8I", data[:_HEADER])
    salts = data[16:24]
    state: State | None = (first, second)
    order = ">" if magic & 1 else "<"
    if magic & ~1 != _MAGIC or _checksum(data[:24], (0, 0), order) != state:
        # What a header says that is damaged itself, the database and the frames say too.
        page = _page_size(database)
        found = Counter(data[at + 8 : at + 16] for at in range(_HEADER, len(data) - _FRAME, _FRAME + page))
        salts, state = found.most_common(1)[0][0], None
        order = ">" if sys.byteorder == "big" else "<"
    if page not in _PAGES:
        return None, iter(())
    return _Header(page, salts), _frames(data, page, state, order)


def _page_size(database: Path) -> int:
    with database.open("rb") as file:
        head = file.read(18)
    size = int.from_bytes(head[16:18])
    return 65536 if size == 1 else max(size, 512)


def _frames(data: bytes, page: int, state: State | None, order: str) -> Iterator[Frame]:
    for at in range(_HEADER, len(data) - _FRAME - page + 1, _FRAME + page):
        number, size, _, _, first, second = struct.unpack_from(">6I", data, at)
        content = data[at + _FRAME : at + _FRAME + page]
        summed = data[at : at + 8] + content
        whole = state is not None and _checksum(summed, state, order) == (first, second)
        yield Frame(page=number, size=size, salts=data[at + 8 : at + 16], whole=whole, content=content)
        # A damaged frame may still say where the next one goes on from.
        state = (first, second)


def _checksum(data: bytes, state: State, order: str) -> State:
    """The log's checksum of the data, going on from `state`.

    The format adds up pairs of words, `s0 += w0 + s1; s1 += w1 + s0`, so that the r-th word from the end
    counts F(r) times in s0 and F(r + 1) times in s1, with F the numbers of Fibonacci.
    """
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    weights = _fibonacci(len(words) + 2)
    s0, s1 = state
    last = len(words)
    return (
        (sum(map(mul, words, weights[last - 1 :: -1])) + weights[last - 1] * s0 + weights[last] * s1)
        & 0xFFFFFFFF,
        (sum(map(mul, words, weights[last:0:-1])) + weights[last] * s0 + weights[last + 1] * s1) & 0xFFFFFFFF,
    )


@cache
def _fibonacci(count: int) -> tuple[int, ...]:
    """0, 1, 1, 2, 3, 5, ... modulo 2^32."""

    def numbers() -> Iterator[int]:
        this, following = 0, 1
        while True:
            yield this
            this, following = following, (this + following) & 0xFFFFFFFF

    return tuple(islice(numbers(), count))
