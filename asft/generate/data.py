"""Examples as other tools train on them: chat or prompt and completion, as JSON lines or Parquet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from asft import datafiles
from asft.types import Example

Form = Literal["chat", "prompt-completion"]
FORMS: tuple[Form, ...] = ("chat", "prompt-completion")


def put(out: Path, examples: Sequence[Example], forms: Sequence[Form], *, parquet: bool) -> list[Path]:
    """Write each form into a folder of its own, and remove what stood there in another; returns the files."""
    files = []
    for form in FORMS:
        folder = out / form
        if form in forms:
            rows = [row(example, form) for example in examples]
            files.append(datafiles.put(folder, "data", rows, parquet=parquet))
            continue
        for name in ("data.jsonl", "data.parquet"):
            (folder / name).unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return files


def row(example: Example, form: Form) -> dict[str, Any]:
    """An example in a form. The worked answer is what is trained on; the final one where there is none."""
    prompt = datafiles.readable(example.prompt)
    completion = datafiles.readable(example.answer if example.completion is None else example.completion)
    if form == "prompt-completion":
        return {"prompt": prompt, "completion": completion}
    return {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]}
