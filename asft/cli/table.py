"""Tables for a terminal: columns that say something, in the width that there is."""

import shutil
import sys
from collections.abc import Sequence
from typing import NamedTuple


class Column(NamedTuple):
    """A column."""

    head: str
    cells: Sequence[str]
    right: bool = False
    """Figures stand at the right."""


def width() -> int | None:
    """Characters in a line of the terminal; None where the output goes elsewhere, and is not cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(columns: Sequence[Column], room: int | None = None) -> list[str]:
    """The lines, the head first; the last column is cut where the line would be longer than `room`."""
    columns = [column for column in columns if any(column.cells)]
    widths = [max(len(cell) for cell in (column.head, *column.cells)) for column in columns]
    rows = zip(*([column.head, *column.cells] for column in columns), strict=True)
    return [cut("  ".join(map(_placed, columns, row, widths)).rstrip(), room) for row in rows]


def cut(line: str, room: int | None) -> str:
    """The line, not longer than there is room."""
    return line if room is None or len(line) <= room else f"{line[: room - 3].rstrip()}..."


def _placed(column: Column, cell: str, width: int) -> str:
    return cell.rjust(width) if column.right else cell.ljust(width)
