"""Examples as other tools train on them: chat or prompt and completion, as JSON lines or Parquet."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from asft.rundir import write_text
from asft.types import Example

Form = Literal["chat", "prompt-completion"]
FORMS: tuple[Form, ...] = ("chat", "prompt-completion")


def put(out: Path, examples: Sequence[Example], forms: Sequence[Form], *, parquet: bool) -> list[Path]:
    """Write each form into a folder of its own, and remove what stood there in another; returns the files."""
    files = []
    for form in FORMS:
        folder = out / form
        names = ["data.parquet", "data.jsonl"] if parquet else ["data.jsonl", "data.parquet"]
        for name in names if form not in forms else names[1:]:
            (folder / name).unlink(missing_ok=True)
        if form in forms:
            folder.mkdir(exist_ok=True)
            rows = [row(example, form) for example in examples]
            (_put_parquet if parquet else _put_lines)(folder / names[0], rows)
            files.append(folder / names[0])
        elif folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return files


def row(example: Example, form: Form) -> dict[str, Any]:
    """An example in a form. The worked answer is what is trained on; the final one where there is none."""
    prompt = _text(example.prompt)
    completion = _text(example.answer if example.completion is None else example.completion)
    if form == "prompt-completion":
        return {"prompt": prompt, "completion": completion}
    return {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]}


def _text(text: str) -> str:
    """Lone surrogates, which a model's bytes may give, are no text to other tools."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _put_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _put_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    import datasets

    datasets.disable_progress_bars()
    temporary = path.with_name(f".{path.name}.new")
    datasets.Dataset.from_list(list(rows)).to_parquet(str(temporary))
    temporary.replace(path)
