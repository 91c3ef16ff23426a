"""Rows as files that other tools read: JSON lines or Parquet."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asft.rundir import write_text

Rows = Sequence[Mapping[str, Any]]


def put(folder: Path, name: str, rows: Rows, *, parquet: bool) -> Path:
    """Write NAME.jsonl or NAME.parquet into a folder, and remove the other; returns the file."""
    ours, other = ("parquet", "jsonl") if parquet else ("jsonl", "parquet")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.{other}").unlink(missing_ok=True)
    path = folder / f"{name}.{ours}"
    (_put_parquet if parquet else _put_lines)(path, rows)
    return path


def readable(text: str) -> str:
    """Lone surrogates, which a model's bytes may give, are no text to other tools."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _put_lines(path: Path, rows: Rows) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _put_parquet(path: Path, rows: Rows) -> None:
    import datasets

    datasets.disable_progress_bars()
    temporary = path.with_name(f".{path.name}.new")
    datasets.Dataset.from_list([_filled(row) for row in rows]).to_parquet(str(temporary))
    temporary.replace(path)


def _filled(value: Any) -> Any:
    """With null for an object that has no fields, which Parquet does not know."""
    if isinstance(value, Mapping):
        return {name: _filled(one) for name, one in value.items()} or None
    return value
