"""Which journal a run writes to: one in its directory, or one that it shares with other runs.

A run is charged under its own name in a shared journal, and pays only for what no run has asked before.
`run.json` says which one it is, so that the same command and every tool find it again.
"""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asft.errors import JournalError
from asft.journal.salvage import mend
from asft.journal.store import Journal
from asft.rundir import read_json, write_json

NAME = "journal.sqlite"


def of_run(path: Path) -> tuple[Path, str | None]:
    """The journal that a path stands for, and who is charged in it; None where that is all that it holds.

    A path to a file is the journal itself.
    """
    if not path.is_dir():
        return path, None
    about = path / "run.json"
    shared = read_json(about).get("journal") if about.exists() else None
    return (Path(shared["path"]), shared["run"]) if shared else (path / NAME, None)


def open_journal(directory: Path, shared: Path | None, say: Callable[[str], None]) -> Journal:
    """The journal of the run in `directory`, which has its run.json; `shared` is one for several runs.

    A damaged one of its own is mended; a shared one is told, for others may be writing to it. Raises
    JournalError where it cannot be read, or is not the one that the run began with.
    """
    path, run = _share(directory, shared)
    has_asked = any(directory.glob("round-*/select.manifest.json"))
    told = None if run else mend(path)
    if told is not None:
        say(told)
    elif has_asked and not path.exists():
        say(
            f"{path} is missing: finished steps stay as they are, and what an unfinished one asks is asked, "
            "and paid, again"
        )
    elif has_asked and not path.stat().st_size:
        raise JournalError(
            f"{path} is empty, so all replies in it are lost, and what was spent is not known. Put a copy in "
            "its place; or remove it and run again: finished steps stay as they are, and what an unfinished "
            "one asks is asked, and paid, again"
        )
    return Journal(path, run=run)


def _share(directory: Path, shared: Path | None) -> tuple[Path, str]:
    about: dict[str, Any] = read_json(directory / "run.json")
    kept = about.get("journal")
    wanted = None if shared is None else shared.expanduser().resolve()
    own = directory / NAME
    if kept is not None:
        if wanted not in (None, Path(kept["path"])):
            raise JournalError(
                f"{directory} shares the journal {kept['path']}, and not {wanted}; leave --journal out, or "
                "start another run with --out"
            )
        return Path(kept["path"]), str(kept["run"])
    if wanted in (None, own.resolve()):
        return own, ""
    if own.exists():
        raise JournalError(
            f"{directory} has a journal of its own from when it began, {NAME}; leave --journal out, or "
            "start another run with --out"
        )
    if not wanted.parent.is_dir():
        raise JournalError(f"{wanted}: the folder does not exist; create it first")
    # Two runs of one recipe have one name.
    run = f"{about['name']}-{uuid.uuid4().hex[:8]}"
    write_json(directory / "run.json", {**about, "journal": {"path": str(wanted), "run": run}})
    return wanted, run
