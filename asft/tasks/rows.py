"""The rows of a data set, from a JSONL, CSV or Parquet file, a folder, or the hub.

Every row comes with the place where it stands, so that an error about it can name the file and the line.
"""

import csv
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from asft.errors import DataError
from asft.types import Example

Row = tuple[str, Mapping[str, Any]]
"""Where a row stands ("data.csv, line 3"), and its columns."""


def is_local(source: str) -> bool:
    """Whether a source is meant as a path: it exists, looks like one, or names a data file."""
    looks = source.startswith((".", "~", "/")) or Path(source).is_absolute()
    endings = (".jsonl", ".csv", ".parquet", ".json", ".tsv", ".txt")
    return looks or source.endswith(endings) or Path(source).exists()


def rows(source: str, *, config: str | None = None, split: str = "train") -> Iterator[Row]:
    """The rows of a JSONL, CSV or Parquet file, of a folder that `datasets` reads, or of a hub data set."""
    if not is_local(source):
        return hub_rows(source, config=config, split=split)
    path = Path(source).expanduser()
    if path.is_dir():
        return hub_rows(str(path), config=config, split=split)
    read = {".jsonl": jsonl_rows, ".csv": csv_rows, ".parquet": parquet_rows}
    if path.suffix not in read:
        raise DataError(
            f"{path}: a file of rows ends in .jsonl, .csv or .parquet, not {path.suffix!r}; convert it to one"
        )
    return read[path.suffix](path)


def jsonl_rows(path: Path) -> Iterator[Row]:
    """One JSON object a line; blank lines are passed over. Raises DataError naming the line."""
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path}, line {number}"
        if line.strip():
            yield where, _object(where, line, "write one object a line")


def json_rows(folder: Path) -> Iterator[Row]:
    """One JSON object a file, of all .json files in a folder and below it; "2.json" comes before "10.json".

    Raises DataError naming the file.
    """
    for path in sorted(folder.rglob("*.json"), key=lambda p: (p.parent, len(p.stem), p.stem)):
        yield str(path), _object(str(path), "".join(_lines(path)), "write one object a file")


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


def parquet_rows(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file. Raises DataError for one that cannot be read."""
    from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]

    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; give the path of one that exists, or a hub name") from None
    except (ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path} cannot be read as Parquet ({reason}); write it again") from None


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


def unique(
    found: Iterable[tuple[str, Example]], duplicates: Literal["error", "drop"] = "error"
) -> list[Example]:
    """Examples without those that repeat an earlier one's prompt and answer, which are an error or left out.

    Each comes with where its row stands. Raises DataError naming both rows.
    """
    seen: dict[str, str] = {}
    kept = []
    for where, example in found:
        first = seen.setdefault(example.id, where)
        if first == where:
            kept.append(example)
        elif duplicates == "error":
            raise DataError(
                f"{where}: the same prompt and answer as {first}; remove the row or set duplicates: drop"
            )
    return kept


def cell(where: str, row: Mapping[str, Any], column: str) -> Any:
    """What stands in a column. Raises DataError that names the likely one where it is not there."""
    if column not in row:
        close = difflib.get_close_matches(column, list(row), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise DataError(
            f"{where}: there is no column {column!r}; {hint}columns: {', '.join(row) or 'none'}; "
            "every row needs it, or name another column in the task"
        )
    return row[column]


def text_cell(where: str, row: Mapping[str, Any], column: str) -> str:
    """A column's text, a number as it is written. Raises DataError for an empty one and for anything else."""
    value = cell(where, row, column)
    text = as_text(value)
    if text is None or not text.strip():
        shown = "empty" if value is None or text is not None else f"no text: {short(repr(value))}"
        raise DataError(f"{where}: column {column!r} is {shown}; every row needs a text there")
    return text


def as_text(value: object) -> str | None:
    """A cell as text; numbers as they are written. None for what is no text (null, lists, true)."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _object(where: str, text: str, advice: str) -> Mapping[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: this is not JSON ({error}): {short(text)}; {advice}") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: a JSON object with named columns is needed, not {short(text.strip())}")
    return row


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
