"""The run directory: all state between steps, as files, and nothing else.

Each step leaves its files and a manifest: the settings that it read, the digests of its inputs and
outputs. The same command again reuses what is done under the same settings, and stops where a setting
changed. Files are written under a temporary name, synced and renamed, so that a file that is there is
whole.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile, zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any

from asft.errors import RunError

STEPS = ("measure", "ask", "select", "write", "train", "evaluate")
"""The steps of a round, in order; "write" makes drafts and verdicts, "ask" is only where someone is asked."""
SHAREABLE = ("measure", "train", "evaluate")
"""Steps that depend on their settings and inputs alone, and on no journal."""

Rows = Sequence[Mapping[str, Any]]


class RunDir:
    """One run on disk, held by one process at a time (a context manager)."""

    def __init__(self, path: Path, shared: Path | None = None) -> None:
        """`shared` is a folder in which runs find what others have made from equal settings and inputs."""
        self.path = path
        self._shared = shared
        self._lock: int | None = None

    def __enter__(self) -> "RunDir":
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = None
            raise RunError(
                f"{self.path} is in use by another process; wait for it, or give another directory with --out"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def round(self, number: int) -> Path:
        """The folder of a round; round 0 is the base student, evaluated only."""
        return self.path / f"round-{number:02d}"

    def file(self, number: int, name: str) -> Path:
        """A file of a round."""
        return self.round(number) / name

    def once(
        self,
        number: int,
        step: str,
        *,
        settings: Mapping[str, Any],
        inputs: Sequence[Path],
        outputs: Sequence[str],
        make: Callable[[Path], None],
    ) -> bool:
        """Do a step unless it is done: `make(folder)` writes the outputs into the round's folder.

        Outputs are files or folders. Returns whether it was done now. Raises RunError where it was done
        under other settings, from other inputs, or where an output is no longer what was written.
        """
        folder = self.round(number)
        manifest = folder / f"{step}.manifest.json"
        plain = json.loads(json.dumps(settings))
        given = {str(path.relative_to(self.path)): digest(path) for path in inputs}
        if manifest.exists():
            self._verify(self._manifest(number, step), number, step, plain, given)
            return False
        folder.mkdir(parents=True, exist_ok=True)
        about = {"step": step, "settings": plain, "inputs": given}
        if self._shared is None or step not in SHAREABLE:
            seconds = _timed(make, folder)
        else:
            seconds = _made_once(self._shared / _key(about), folder, outputs, make)
        written = {name: digest(folder / name) for name in outputs}
        write_json(manifest, {**about, "outputs": written, "seconds": seconds})
        return True

    def seconds(self, number: int, step: str) -> float:
        """How long a finished step took."""
        return float(self._manifest(number, step)["seconds"])

    def done(self, number: int, step: str) -> bool:
        """Whether a step is finished."""
        return self.file(number, f"{step}.manifest.json").exists()

    def redo(self, what: str) -> None:
        """Forget a finished step and what is made from it; replies are kept.

        `write` forgets it from the first round that has it, `round-02/write` from that round. Nothing is
        made from evaluate: it alone is forgotten.
        """
        folder, _, step = what.rpartition("/")
        numbers = rounds(self.path)
        if step not in STEPS or (folder and folder not in [self.round(number).name for number in numbers]):
            raise RunError(
                f"--redo {what}: there is no such step; write one of {', '.join(STEPS)}, or one of a round, "
                "as round-01/write"
            )
        has = [number for number in numbers if self.done(number, step)]
        if folder:
            has = [number for number in has if self.round(number).name == folder]
        following: Sequence[str]
        for number in numbers if has else ():
            if step == "evaluate":
                following = STEPS[-1:] if number in has else ()
            elif number == has[0]:
                following = STEPS[STEPS.index(step) :]
            else:
                following = STEPS if number > has[0] else ()
            for name in following:
                self.file(number, f"{name}.manifest.json").unlink(missing_ok=True)

    def _manifest(self, number: int, step: str) -> dict[str, Any]:
        return read_json(
            self.file(number, f"{step}.manifest.json"), f"`--redo {self.round(number).name}/{step}`"
        )

    def _verify(
        self, kept: Mapping[str, Any], number: int, step: str, settings: Any, inputs: Mapping[str, str]
    ) -> None:
        where = f"{self.path}: {step} of round {number}"
        changed = list(differences(kept["settings"], settings))
        if changed:
            raise RunError(
                f"{where} was done under other settings ({'; '.join(changed)}). `--redo {step}` makes it and "
                "what follows anew; --out DIR starts another run"
            )
        again = f"`--redo {self.round(number).name}/{step}` makes it and what follows anew; replies are kept"
        for name, sha in kept["outputs"].items():
            path = self.round(number) / name
            if not path.exists():
                raise RunError(f"{where}: {path.name} is missing. {again}")
            if digest(path) != sha:
                raise RunError(f"{where}: {path.name} is damaged or was changed. {again}")
        stale = [name for name, sha in kept["inputs"].items() if inputs.get(name) != sha]
        if stale or len(inputs) != len(kept["inputs"]):
            raise RunError(
                f"{where} was made from other files ({', '.join(stale) or 'fewer or more'}). {again}"
            )


def _timed(make: Callable[[Path], None], folder: Path) -> float:
    started = time.monotonic()
    make(folder)
    return round(time.monotonic() - started, 3)


def _key(about: Mapping[str, Any]) -> str:
    """What a step is known by to other runs."""
    known = json.dumps(about, sort_keys=True).encode()
    return f"{about['step']}-{hashlib.blake2b(known, digest_size=16).hexdigest()}"


def _made_once(shared: Path, folder: Path, outputs: Sequence[str], make: Callable[[Path], None]) -> float:
    """Copy what another run has made, or make it and leave a copy; a run that comes meanwhile waits.

    A copy that is not what was made is made anew. Returns the seconds that making it took, whoever did.
    """
    shared.parent.mkdir(parents=True, exist_ok=True)
    # The lock lasts until the descriptor is closed, and is gone with a process that is killed.
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shared.is_dir():
            made = read_json(shared / "made.json", "removing it")
            for name in outputs:
                clear(folder / name)
                _copy(shared / name, folder / name)
            if made["outputs"] == {name: digest(folder / name) for name in outputs}:
                return float(made["seconds"])
            for path in (shared, *(folder / name for name in outputs)):
                clear(path)
        seconds = _timed(make, folder)
        fresh = shared.with_suffix(".new")
        clear(fresh)
        fresh.mkdir()
        for name in outputs:
            _copy(folder / name, fresh / name)
        written = {name: digest(folder / name) for name in outputs}
        write_json(fresh / "made.json", {"seconds": seconds, "outputs": written})
        fresh.rename(shared)
        return seconds


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def differences(old: Any, new: Any, path: str = "") -> Iterable[str]:
    """One phrase per setting that differs: "train.learning_rate was 0.001, now 0.002".

    Of a text of several lines the first line that differs is shown, from about where it differs.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        if isinstance(old, str) and isinstance(new, str):
            lines = zip_longest(old.splitlines(), new.splitlines(), fillvalue="")
            old, new = next((pair for pair in lines if pair[0] != pair[1]), (old, new))
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
            if same > 50:
                old, new = f"...{old[same - 20 :]}", f"...{new[same - 20 :]}"
        yield f"{path} was {_shown(old)}, now {_shown(new)}"


def _shown(value: Any, most: int = 100) -> str:
    shown = repr(value)
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def digest(path: Path) -> str:
    """SHA-256 of a file, or of all files in a folder with their names."""
    sha = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            sha.update(str(file.relative_to(path)).encode() + b"\0")
        with file.open("rb") as source:
            while block := source.read(1 << 20):
                sha.update(block)
    return sha.hexdigest()


def write_text(path: Path, text: str) -> None:
    """Replace a file as a whole: temporary name, sync, rename, sync of the folder."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8", newline="\n") as target:
        target.write(text)
        target.flush()
        os.fsync(target.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path, value: Any) -> None:
    """Plain data as JSON, keys in their order, ASCII only so that any text from a model survives."""
    write_text(path, json.dumps(value, indent=1, default=_plain) + "\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """One JSON object a line; records become objects."""
    write_text(path, "".join(json.dumps(row, default=_plain) + "\n" for row in rows))


def read_json(path: Path, mend: str = "`--redo` of the step that wrote it") -> dict[str, Any]:
    """The object in a JSON file. Raises RunError that names the file, and what makes it anew."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged; {mend} makes it anew")
    return value


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON lines file. Raises RunError that names file and line."""
    rows = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise RunError(
                f"{path}, line {number} is damaged ({error}); redo the step that wrote it"
            ) from error
    return rows


def clear(path: Path) -> None:
    """Remove a file or folder that an interrupted step may have left."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def rounds(path: Path) -> list[int]:
    """The numbers of the rounds that a run directory holds."""
    found = [re.fullmatch(r"round-(\d+)", p.name) for p in path.glob("round-*")]
    return sorted(int(match[1]) for match in found if match)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no plain data")
