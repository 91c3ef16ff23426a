"""A round that is to be taken along, with the files of its run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asft import student
from asft.errors import RunError
from asft.rundir import digest, read_json, read_jsonl, rounds

Row = Mapping[str, Any]
WANTED = ("train.manifest.json", "evaluate.manifest.json", "summary.json")
"""What a finished round has."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished round, and what its run says of how it came about."""

    run: Path
    about: Row
    """run.json"""
    settings: Row
    """recipe.lock.json"""
    number: int
    summaries: tuple[Row, ...]
    """Of the rounds up to this one, base first."""

    @property
    def name(self) -> str:
        """The run's, as it can stand in the name of a file or of a task."""
        return re.sub(r"[^A-Za-z0-9_]+", "_", str(self.settings["name"])).strip("_") or "run"

    @property
    def base(self) -> str:
        """The student before any training, as the recipe calls it."""
        return str(self.settings["student"]["base"])

    @property
    def adapter(self) -> Path:
        """What the round trained."""
        return self.file("adapter")

    @property
    def whole(self) -> bool:
        """Whether that is a whole model, and no adapter."""
        return student.is_whole(str(self.adapter))

    @property
    def quantised(self) -> str | None:
        """What the weights of the base were rounded to, under the adapter; None: nothing."""
        how: str | None = self.settings["student"].get("quantise")
        return how

    def file(self, name: str, number: int | None = None) -> Path:
        """A file of this round, or of another."""
        return self.run / f"round-{self.number if number is None else number:02d}" / name

    def manifest(self, step: str) -> Row:
        """What the round knows of a step that it has done."""
        return read_json(self.file(f"{step}.manifest.json"))

    @property
    def asking(self) -> Row:
        """The recipe's `evaluate`, under which the round was evaluated."""
        options: Row = self.manifest("evaluate")["settings"].get("evaluate", {})
        return options

    @property
    def max_new_tokens(self) -> int:
        """Where its answers to the test split were cut off."""
        settings = self.manifest("evaluate")["settings"]
        return int(settings.get("max_new_tokens") or settings["student"]["max_new_tokens"])

    def training_set(self) -> list[dict[str, Any]]:
        """What the round was trained on."""
        return read_jsonl(self.file("dataset.jsonl"))


def read(run: Path, number: int | None = None) -> Trained:
    """A round of a run; None: the last that is finished.

    Raises RunError where the path is no run, or where there is no such round, and for files that are no
    longer what was written.
    """
    if not (run / "run.json").is_file():
        raise RunError(f"{run} holds no run (no run.json); give the directory that `asft run --out` wrote to")
    about = read_json(run / "run.json")
    if about.get("made_by") == "generate":
        raise RunError(f"{run} holds generated data and no student; its data and card lie there already")
    begun = [one for one in rounds(run) if one > 0]
    finished = [one for one in begun if not _missing(run, one)]
    which = number if number is not None else max(finished, default=None)
    if which is None:
        what = f"; round {begun[0]} is not finished" if begun else ""
        raise RunError(f"{run} has no trained round yet{what}. Let `asft run` finish one first")
    others = f"finished rounds: {', '.join(map(str, finished)) or 'none'}"
    if which == 0:
        raise RunError(f"round 0 of {run} is the base student, which nothing was trained into; {others}")
    if which not in begun:
        raise RunError(f"{run} has no round {which}; {others}")
    if missing := _missing(run, which):
        raise RunError(
            f"round {which} of {run} is not finished (no {missing[0]}); let `asft run` finish it, or give "
            f"another with --round ({others})"
        )
    found = Trained(
        run=run,
        about=about,
        settings=read_json(run / "recipe.lock.json"),
        number=which,
        summaries=tuple(
            read_json(run / f"round-{one:02d}" / "summary.json")
            for one in range(which + 1)
            if (run / f"round-{one:02d}" / "summary.json").exists()
        ),
    )
    _verify(found)
    return found


def _missing(run: Path, number: int) -> list[str]:
    return [name for name in WANTED if not (run / f"round-{number:02d}" / name).exists()]


def _verify(found: Trained) -> None:
    """That what was trained is what the manifest says."""
    for name, sha in found.manifest("train")["outputs"].items():
        path = found.file(name)
        if not path.exists() or digest(path) != sha:
            raise RunError(
                f"{path} is missing, damaged or was changed; `--redo round-{found.number:02d}/train` of "
                "`asft run` makes it anew"
            )
