"""The rows of a data set, from a JSONL or CSV file, a folder, or the hub.

Every row comes with the place where it stands, so that an error about it can name the file and the line.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asft.errors import DataError

Row = tuple[str, Mapping[str, Any]]
"""Where a row stands ("data.csv, line 3"), and its columns."""


def is_local(source: str) -> bool:
    """Whether a source is meant as a path: it exists, looks like one, or names a data file."""
    looks = source.startswith((".", "~", "/")) or Path(source).is_absolute()
    return looks or source.endswith((".jsonl", ".csv", ".json", ".tsv", ".txt")) or Path(source).exists()


def rows(source: str, *, config: str | None = None, split: str = "train") -> Iterator[Row]:
    """The rows of a JSONL or CSV file, of a folder that `datasets` reads, or of a hub data set."""
    if not is_local(source):
        return hub_rows(source, config=config, split=split)
    path = Path(source).expanduser()
    if path.is_dir():
        return hub_rows(str(path), config=config, split=split)
    if path.suffix not in (".jsonl", ".csv"):
        raise DataError(
            f"{path}: a file of rows ends in .jsonl or .csv, not {path.suffix!r}; convert it to one"
        )
    return jsonl_rows(path) if path.suffix == ".jsonl" else csv_rows(path)


def jsonl_rows(path: Path) -> Iterator[Row]:
    """One JSON object a line; blank lines are passed over. Raises DataError naming the line."""
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{where}: this is not JSON ({error}): {short(line)}; write one object a line"
            ) from None
        if not isinstance(row, dict):
            raise DataError(f"{where}: a JSON object with named columns is needed, not {short(line.strip())}")
        yield where, row


def csv_rows(path: Path) -> Iterator[Row]:
    """The rows under a CSV file's header. Raises DataError naming the line."""
    reader = csv.reader(_lines(path), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            return
        if len(set(header)) < len(header):
            raise DataError(f"{path}, line 1: a column name stands twice in the header {header}; rename one")
        for cells in reader:
            where = f"{path}, line {reader.line_num}"
            if cells and len(cells) != len(header):
                raise DataError(
                    f"{where}: {len(cells)} cells, the header has {len(header)}; quote cells that hold commas"
                )
            if cells:
                yield where, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: this is not CSV ({error}); mend its quotes"
        ) from None


def hub_rows(source: str, *, config: str | None, split: str) -> Iterator[Row]:
    """The rows of a split of a hub data set, or of a folder that `datasets` reads."""
    import datasets

    try:
        table = datasets.load_dataset(source, config, split=split)
    except Exception as error:  # foreign code, with errors of many kinds
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"data set {source!r} (configuration {config!r}, split {split!r}) cannot be loaded: {reason}; "
            "check its name, configuration, split and the network, or give local files"
        ) from error
    for number, row in enumerate(table):
        yield f"{source}, {split} row {number}", row


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{path}, line {number}: this is not UTF-8 ({error}); save it as UTF-8"
                    ) from None
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; give the path of one that exists, or a hub name") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check its permissions") from None


def short(text: str) -> str:
    """A text as an error message shows it: quoted, and cut where it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
