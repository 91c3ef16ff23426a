"""What a round was trained on, as other trainers take it: chat, and prompt and completion."""

from pathlib import Path
from typing import Any, Literal

from asft import cards, datafiles
from asft.export.trained import Row, Trained
from asft.rundir import read_jsonl

Form = Literal["jsonl", "parquet", "datasets"]
SHAPES = ("chat", "prompt-completion")


def put(trained: Trained, folder: Path, form: Form) -> dict[str, str]:
    """Write both shapes; returns shape -> path of what was written, from the folder.

    "datasets": a folder each, for `datasets.load_from_disk`.
    """
    rows = _rows(trained)
    written = {}
    for shape in SHAPES:
        shaped = [{**_texts(row, shape), **row["about"]} for row in rows]
        if form == "datasets":
            import datasets

            datasets.disable_progress_bars()
            datasets.Dataset.from_list(shaped).save_to_disk(str(folder / shape))
            written[shape] = shape
        else:
            path = datafiles.put(folder / shape, "data", shaped, parquet=form == "parquet")
            written[shape] = f"{shape}/{path.name}"
    return written


def _rows(trained: Trained) -> list[dict[str, Any]]:
    """The rows of the training set, with where each comes from."""
    parents = {}
    for number in range(1, trained.number + 1):
        for draft in read_jsonl(trained.file("write.jsonl", number)):
            if draft["example"] is not None:
                parents[draft["example"]["id"]] = list(draft["example"]["parents"])
    teacher = cards.whom(trained.settings["teacher"])
    return [
        {
            "prompt": datafiles.readable(row["prompt"]),
            "completion": datafiles.readable(row["completion"]),
            "about": {
                "id": row["example_id"],
                "origin": row["origin"],
                "round": row["round"],
                "parents": parents.get(row["example_id"], []) if written(row) else [],
                "teacher": teacher if written(row) else None,
            },
        }
        for row in trained.training_set()
        if row["completion"]
    ]


def written(row: Row) -> bool:
    """Whether the teacher wrote it, in this round or in an earlier one that is replayed."""
    return bool(row["round"] > 0)


def _texts(row: dict[str, Any], shape: str) -> dict[str, Any]:
    if shape == "prompt-completion":
        return {"prompt": row["prompt"], "completion": row["completion"]}
    return {
        "messages": [
            {"role": "user", "content": row["prompt"]},
            {"role": "assistant", "content": row["completion"]},
        ]
    }
